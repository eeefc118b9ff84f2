"""The configuration of Apache with mod_xsendfile.

Source: https://tn123.org/mod_xsendfile/, https://httpd.apache.org/docs/2.4/configuring.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proxy_storage.serverconf.base import Options, WebServer, describe
from proxy_storage.serverconf.plan import ListedFolder, Plan

# Apache cannot escape "${" in a path, so the template defines this variable.
DOLLAR = "PROXY_STORAGE_DOLLAR"


class Apache(WebServer):
    """Apache delivers files from folders."""

    template = "apache.conf"
    kinds = (ListedFolder,)
    server = "XSendfileServer"

    def get_values(self, plan: Plan, options: Options) -> dict[str, Any]:
        """Return the folders."""
        roots = sorted({folder.root or "/" for folder in plan.of(ListedFolder)})
        return {
            "folders": [quote(root) for root in roots],
            "needs_dollar": any("${" in root for root in roots),
        }

    def get_warnings(self, plan: Plan) -> Iterator[str]:
        """Yield what will not work with these settings."""
        yield from super().get_warnings(plan)
        for folder, keys in plan.of(ListedFolder).items():
            if folder.escape:
                yield (
                    f"{describe(plan, keys)} has escape=True, which is for lighttpd and for "
                    "version 1.0 of mod_xsendfile. Version 0.12 finds none of its files."
                )


def quote(text: str) -> str:
    """Return a quoted string that Apache reads as this text."""
    for character in ("\\", '"'):
        text = text.replace(character, f"\\{character}")
    return f'"{text}"'.replace("${", f"${{{DOLLAR}}}{{")
