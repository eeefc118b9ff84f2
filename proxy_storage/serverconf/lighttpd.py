"""The configuration of lighttpd.

Source: https://redmine.lighttpd.net/projects/lighttpd/wiki/X-LIGHTTPD-send-file
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serverconf.base import Options, WebServer, describe
from proxy_storage.serverconf.plan import ListedFolder, Plan
from proxy_storage.settings import SETTING


class Lighttpd(WebServer):
    """lighttpd delivers files from folders."""

    template = "lighttpd.conf"
    kinds = (ListedFolder,)
    server = "XSendfileServer with escape=True"

    def get_values(self, plan: Plan, options: Options) -> dict[str, Any]:
        """Return the address of Django and the folders."""
        folders = plan.of(ListedFolder)
        for folder, keys in folders.items():
            if not folder.escape:
                raise ConfigurationError(
                    f"{describe(plan, keys)} must have 'OPTIONS': {{'escape': True}} in "
                    f"{SETTING}['SERVERS'], because lighttpd decodes paths."
                )
        host, _, port = options.site.rpartition(":")
        roots = sorted({folder.root or "/" for folder in folders})
        return {
            "host": host.strip("[]"),
            "port": port,
            "folders": ", ".join(map(quote, roots)),
        }

    def get_warnings(self, plan: Plan) -> Iterator[str]:
        """Yield what will not work with these settings."""
        yield from super().get_warnings(plan)
        for folder, keys in plan.of(ListedFolder).items():
            root = folder.root or "/"
            real = os.path.realpath(root)
            if real != root:
                yield (
                    f"{describe(plan, keys)}: a part of {root!r} is a symbolic link, which "
                    f'server.follow-symlink = "disable" forbids. Set the location of the original '
                    f"storage to {real!r}."
                )


def quote(text: str) -> str:
    """Return a quoted string that lighttpd reads as this text."""
    # A backslash at the end would escape the quotation mark.
    end = "/" if text.endswith("\\") else ""
    return '"{}{}"'.format(text.replace('"', '\\"'), end)
