"""Configurations of web servers for ``PROXY_STORAGE["SERVERS"]``.

The command ``manage.py proxystorage serverconf nginx`` prints one. In code::

    from proxy_storage.serverconf import get_configuration

    get_configuration("nginx").text
"""

from __future__ import annotations

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serverconf.apache import Apache
from proxy_storage.serverconf.base import Configuration, Options, WebServer, describe, render
from proxy_storage.serverconf.caddy import Caddy
from proxy_storage.serverconf.lighttpd import Lighttpd
from proxy_storage.serverconf.nginx import Nginx
from proxy_storage.serverconf.plan import NoFolder, make_plan
from proxy_storage.settings import SETTING

__all__ = ["WEB_SERVERS", "Configuration", "Options", "get_configuration"]

#: Name -> web server
WEB_SERVERS: dict[str, WebServer] = {
    "nginx": Nginx(),
    "apache": Apache(),
    "lighttpd": Lighttpd(),
    "caddy": Caddy(),
}


def get_configuration(web_server: str, options: Options | None = None) -> Configuration:
    """Return the configuration with which a web server delivers the files of this project.

    Args:
        web_server: a key of `WEB_SERVERS`.
        options: parts of the configuration that are not in the settings.

    Raises:
        ConfigurationError: no file is to be delivered by this web server, or the configuration
            cannot be written.
    """
    writer, plan = WEB_SERVERS[web_server], make_plan()
    if not any(isinstance(delivery, writer.kinds) for delivery in plan.deliveries):
        found = describe(plan, tuple(plan.servers)) or "no proxy storage"
        raise ConfigurationError(
            f"No file is to be delivered by {web_server}. Set {SETTING}['SERVERS'] to "
            f"{writer.server} for the files that {web_server} shall deliver. Found: {found}."
        )
    warnings = tuple(writer.get_warnings(plan))
    remarks = [
        f"{describe(plan, (key,))} needs no configuration."
        if delivery.is_known
        else f"{describe(plan, (key,))} is not known, so nothing is written for it."
        for delivery, keys in plan.of(NoFolder).items()
        for key in keys
    ]
    text = render(writer.template, writer.get_values(plan, options or Options()))
    if remarks or warnings:
        lines = "\n".join((*remarks, *warnings)).splitlines()
        text += "\n\n" + "\n".join(f"# {line}" for line in lines)
    return Configuration(f"{text}\n", warnings)
