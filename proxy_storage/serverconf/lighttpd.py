"""lighttpd.

Source: https://redmine.lighttpd.net/projects/lighttpd/wiki/X-LIGHTTPD-send-file
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serverconf.base import Options, WebServer, comment, describe
from proxy_storage.serverconf.plan import ListedFolder, Plan
from proxy_storage.settings import SETTING

INTRODUCTION = """\
For lighttpd with mod_proxy and mod_setenv. Include this file; if there is a proxy.server
already, write the two lines with x-sendfile there."""

STAT_CACHE = """\
# otherwise a changed file has its old size for up to a second
server.stat-cache-engine = "disable"
server.follow-symlink = "disable"
# otherwise Mine.TXT would be answered with mine.txt, which may be another user's
server.force-lowercase-filenames := "disable\""""

PROXY = """\
proxy.server = ("" => ((
    "host" => "{host}",
    "port" => "{port}",
    "x-sendfile" => "enable",
    "x-sendfile-docroot" => ({roots}),
)))"""

HEADERS = """\
# so that the site can tell when it is set up for another web server
setenv.set-request-header = ("X-Sendfile-Type" => "X-Sendfile")
setenv.set-response-header = ("X-Accel-Redirect" => "")"""


class Lighttpd(WebServer):
    """lighttpd delivers from folders."""

    kinds = (ListedFolder,)
    server = "XSendfileServer with escape=True"

    def get_blocks(self, plan: Plan, options: Options) -> Iterator[str]:
        """Yield the fragment that hands requests on to the site, with all folders."""
        folders = plan.of(ListedFolder)
        for folder, keys in folders.items():
            if not folder.escape:
                raise ConfigurationError(
                    f"lighttpd decodes the paths that it is given, so {describe(plan, keys)} "
                    "needs XSendfileServer with 'OPTIONS': {'escape': True} in "
                    f"{SETTING}['SERVERS']."
                )
        host, _, port = options.site.rpartition(":")
        roots = sorted({folder.root or "/" for folder in folders})
        yield comment(INTRODUCTION)
        yield STAT_CACHE
        yield PROXY.format(host=host.strip("[]"), port=port, roots=", ".join(map(quote, roots)))
        yield HEADERS

    def get_warnings(self, plan: Plan) -> Iterator[str]:
        """Yield what will not work."""
        yield from super().get_warnings(plan)
        for folder, keys in plan.of(ListedFolder).items():
            root = folder.root or "/"
            real = os.path.realpath(root)
            if real != root:
                yield (
                    f"{describe(plan, keys)}: a part of {root!r} is a symbolic link, which "
                    f'server.follow-symlink = "disable" does not allow. Set {real!r} instead.'
                )


def quote(text: str) -> str:
    """Return text in quotation marks, of which lighttpd makes the same text again."""
    # a backslash at the end would escape the quotation mark
    end = "/" if text.endswith("\\") else ""
    return '"{}{}"'.format(text.replace('"', '\\"'), end)
