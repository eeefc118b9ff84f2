"""Configurations of web servers, derived from ``PROXY_STORAGE["SERVERS"]``.

On the command line it is ``manage.py proxystorage serverconf nginx``; in code::

    from proxy_storage.serverconf import get_configuration

    get_configuration("nginx").text
"""

from __future__ import annotations

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serverconf.apache import Apache
from proxy_storage.serverconf.base import Configuration, Options, WebServer, comment, describe
from proxy_storage.serverconf.caddy import Caddy
from proxy_storage.serverconf.lighttpd import Lighttpd
from proxy_storage.serverconf.nginx import Nginx
from proxy_storage.serverconf.plan import NoFolder, Plan, make_plan
from proxy_storage.settings import SETTING

__all__ = ["WEB_SERVERS", "Configuration", "Options", "get_configuration"]

#: name -> web server
WEB_SERVERS: dict[str, WebServer] = {
    "nginx": Nginx(),
    "apache": Apache(),
    "lighttpd": Lighttpd(),
    "caddy": Caddy(),
}


def get_configuration(web_server: str, options: Options | None = None) -> Configuration:
    """Return what a web server has to be told to deliver the files of this project.

    Args:
        web_server: a key of `WEB_SERVERS`.
        options: what the settings do not say.

    Raises:
        ConfigurationError: there is nothing to tell it, or no way to.
    """
    writer, plan = WEB_SERVERS[web_server], make_plan()
    if not any(isinstance(delivery, writer.kinds) for delivery in plan.deliveries):
        raise ConfigurationError(
            f"There is nothing to write for {web_server}. Set {SETTING}['SERVERS'] to "
            f"{writer.server} for the files that it is to deliver. There is now: "
            f"{describe(plan, tuple(plan.servers)) or 'no proxy storage'}."
        )
    warnings = tuple(writer.get_warnings(plan))
    blocks = [*writer.get_blocks(plan, options or Options())]
    remarks = [*_get_remarks(plan), *warnings]
    if remarks:
        blocks.append(comment("\n".join(remarks)))
    return Configuration("\n\n".join(blocks) + "\n", warnings)


def _get_remarks(plan: Plan) -> list[str]:
    """Return a line for each original storage that no web server has to be told of."""
    return [
        f"{describe(plan, (key,))} needs nothing here."
        if delivery.is_known
        else f"{describe(plan, (key,))} is not known here."
        for delivery, keys in plan.of(NoFolder).items()
        for key in keys
    ]
