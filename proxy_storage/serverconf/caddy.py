"""Caddy.

Source: https://caddyserver.com/docs/caddyfile/directives/reverse_proxy#x-accel-redirect
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serverconf.base import Options, WebServer, comment
from proxy_storage.serverconf.plan import AliasLocation, Plan

INTRODUCTION = """\
For Caddy 2.6 or newer. Import this file into the block of the site.

Caddy follows symbolic links: that none leads out of a folder is for the site alone to see."""

PROXY = """\
reverse_proxy {site} {{
    # so that the site can tell when it is set up for another web server
    header_up X-Sendfile-Type X-Accel-Redirect
    # some servers take underscores for dashes, and a header of the client for one of Caddy's
    header_up -*_*
    header_down -X-Sendfile
{folders}

    # what leads nowhere is not an empty answer
    @proxy_storage_nowhere header X-Accel-Redirect *
    handle_response @proxy_storage_nowhere {{
        error 502
    }}
}}"""

FOLDER = """\

# {keys}
@proxy_storage_{number} header X-Accel-Redirect {location}*
handle_response @proxy_storage_{number} {{
    copy_response_headers {{
        exclude X-Accel-Redirect X-Sendfile Connection Content-Length Date Server Transfer-Encoding
    }}
    root * {root}
    route {{
        # a rewrite to the header itself would not be decoded before version 2.7
        rewrite * /proxy-storage?
        uri replace /proxy-storage {{rp.header.X-Accel-Redirect}}
        uri strip_prefix {prefix}
        file_server {{
            index ""
            disable_canonical_uris
        }}
    }}
}}"""


class Caddy(WebServer):
    """Caddy delivers from folders."""

    kinds = (AliasLocation,)
    server = "XAccelRedirectServer"

    def get_blocks(self, plan: Plan, options: Options) -> Iterator[str]:
        """Yield the fragment that hands requests on to the site, with all folders."""
        yield comment(INTRODUCTION)
        # a location within another one goes first
        folders = sorted(plan.of(AliasLocation).items(), key=lambda item: item[0].location)
        blocks = [
            FOLDER.format(
                number=number,
                keys=", ".join(keys),
                location=folder.location,
                root=quote(f"{folder.root}/"),
                prefix=folder.location.rstrip("/"),
            )
            for number, (folder, keys) in enumerate(reversed(folders), start=1)
        ]
        folder_text = textwrap.indent("\n".join(blocks), "    ")
        yield PROXY.format(site=options.site, folders=folder_text)


def quote(text: str) -> str:
    """Return text in the quotation marks that leave it as it is.

    Raises:
        ConfigurationError: Caddy has no way to write it.
    """
    if "{" in text or "}" in text:
        raise ConfigurationError(
            f"Caddy would put other text in place of the braces in {text!r}. Rename the folder."
        )
    if "`" not in text:
        return f"`{text}`"
    if '\\"' in text:
        raise ConfigurationError(f"Caddy cannot be told of the folder {text!r}. Rename it.")
    return '"{}"'.format(text.replace('"', '\\"'))
