"""The configuration of nginx: internal locations for folders and for presigned URLs.

Source: https://nginx.org/en/docs/http/ngx_http_core_module.html,
https://nginx.org/en/docs/http/ngx_http_proxy_module.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serverconf.base import Options, WebServer
from proxy_storage.serverconf.plan import AliasLocation, Plan, ProxyPassLocation
from proxy_storage.serving.headers import CONTENT_SECURITY_POLICY

#: nginx drops these headers of a response with ``X-Accel-Redirect``, so the configuration adds
#: them to the response with the file. nginx itself keeps ``Content-Type``,
#: ``Content-Disposition``, ``Cache-Control``, ``Expires``, ``Set-Cookie`` and ``Accept-Ranges``.
PASSED_ON = (
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Content-Security-Policy",
    "Content-Security-Policy-Report-Only",
    "Cross-Origin-Embedder-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "Strict-Transport-Security",
    "Timing-Allow-Origin",
    "Vary",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-Request-ID",
    "X-Robots-Tag",
)

# The template sets these even if Django's response does not have them.
_WITH_DEFAULT = ("Content-Security-Policy", "X-Content-Type-Options")

RESOLV_CONF = Path("/etc/resolv.conf")
# Debian, Red Hat, and Alpine or BSD
CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)

# nginx cannot escape a dollar sign in a path, so the template defines this variable.
DOLLAR = "proxy_storage_dollar"


class Nginx(WebServer):
    """nginx delivers files from folders, and from the hosts of presigned URLs."""

    template = "nginx.conf"
    kinds = (AliasLocation, ProxyPassLocation)
    server = "XAccelRedirectServer"

    def get_values(self, plan: Plan, options: Options) -> dict[str, Any]:
        """Return the headers, the folders and the hosts."""
        folders, hosts = plan.of(AliasLocation), plan.of(ProxyPassLocation)
        # Two spellings of a header are one variable.
        headers = {name.lower().replace("-", "_"): name for name in (*PASSED_ON, *options.headers)}
        return {
            "needs_dollar": any("$" in folder.root for folder in folders),
            "cache": options.cache if hosts else None,
            "ca_file": options.ca_file or get_ca_file(),
            "policy": CONTENT_SECURITY_POLICY,
            "headers": [
                {"variable": variable, "name": name, "has_default": name in _WITH_DEFAULT}
                for variable, name in headers.items()
            ],
            "passed_on": PASSED_ON,
            "further_headers": options.headers,
            "folders": [
                {
                    "keys": ", ".join(keys),
                    "location": folder.location,
                    "alias": quote(f"{folder.root}/"),
                    "start": quote(f"from={folder.root}/"),
                }
                for folder, keys in folders.items()
            ],
            "hosts": [_get_host_values(host, keys, options) for host, keys in hosts.items()],
        }


def _get_host_values(
    host: ProxyPassLocation, keys: tuple[str, ...], options: Options
) -> dict[str, Any]:
    if options.cache is not None and not host.path_identifies_file:
        raise ConfigurationError(
            f"Files at {host.host} cannot be cached: their URLs differ in the query only, which "
            "is not part of the cache key. Remove --cache."
        )
    name = str(urlsplit(f"//{host.host}").hostname)
    needs_resolver = not (name == "localhost" or _is_ip_address(name))
    return {
        "keys": ", ".join(keys),
        "location": host.location,
        "pattern": re.escape(host.location),
        "scheme": host.scheme,
        "host": host.host,
        "name": name,
        # nginx does not read /etc/hosts for a proxy_pass with variables.
        "address": host.host.replace(name, "127.0.0.1") if name == "localhost" else host.host,
        "resolvers": " ".join(options.resolvers or get_resolvers()) if needs_resolver else "",
    }


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def get_resolvers() -> tuple[str, ...]:
    """Return the name servers of this machine, in the syntax of nginx.

    Raises:
        ConfigurationError: this machine has no name servers.
    """
    text = RESOLV_CONF.read_text(errors="replace") if RESOLV_CONF.exists() else ""
    found = []
    for line in text.splitlines():
        match line.split():
            # nginx does not support addresses with a zone, such as fe80::1%eth0.
            case ["nameserver", address, *_] if "%" not in address:
                found.append(f"[{address}]" if ":" in address else address)
    if not found:
        raise ConfigurationError(
            f"nginx needs a name server for the host of presigned URLs, but {RESOLV_CONF} does "
            "not have one. Set one with --resolver."
        )
    return tuple(found)


def get_ca_file() -> str:
    """Return the file with the certificates of the authorities that this machine trusts."""
    return next((path for path in CA_FILES if Path(path).exists()), CA_FILES[0])


def quote(text: str) -> str:
    """Return a quoted string that nginx reads as this text."""
    for character in ("\\", '"'):
        text = text.replace(character, f"\\{character}")
    return f'"{text}"'.replace("$", f"${{{DOLLAR}}}")
