"""The configuration of Caddy.

Source: https://caddyserver.com/docs/caddyfile/directives/reverse_proxy#x-accel-redirect
"""

from __future__ import annotations

from typing import Any

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serverconf.base import Options, WebServer
from proxy_storage.serverconf.plan import AliasLocation, Plan


class Caddy(WebServer):
    """Caddy delivers files from folders."""

    template = "Caddyfile"
    kinds = (AliasLocation,)
    server = "XAccelRedirectServer"

    def get_values(self, plan: Plan, options: Options) -> dict[str, Any]:
        """Return the address of Django and the folders."""
        # The first location that matches wins, so an inner location comes before an outer one.
        folders = sorted(
            plan.of(AliasLocation).items(), key=lambda item: item[0].location, reverse=True
        )
        return {
            "site": options.site,
            "folders": [
                {
                    "keys": ", ".join(keys),
                    "location": folder.location,
                    "root": quote(f"{folder.root}/"),
                    "prefix": folder.location.rstrip("/"),
                }
                for folder, keys in folders
            ],
        }


def quote(text: str) -> str:
    """Return a quoted string that Caddy reads as this text.

    Raises:
        ConfigurationError: Caddy cannot express the text.
    """
    if "{" in text or "}" in text:
        raise ConfigurationError(
            f"The folder {text!r} has braces in its name, which Caddy replaces by other text. "
            "Rename the folder."
        )
    if "`" not in text:
        return f"`{text}`"
    if '\\"' in text:
        raise ConfigurationError(
            f"The folder {text!r} has a backslash before a quotation mark and a backtick in its "
            "name, which Caddy cannot express. Rename the folder."
        )
    return '"{}"'.format(text.replace('"', '\\"'))
