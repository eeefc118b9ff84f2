"""nginx: internal locations.

Source: https://nginx.org/en/docs/http/ngx_http_core_module.html
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy_storage.serverconf.base import Options, WebServer, comment
from proxy_storage.serverconf.nginx_host import get_cache_path, get_error_blocks, get_host_block
from proxy_storage.serverconf.plan import InternalFolder, InternalHost, Plan
from proxy_storage.serving.headers import CONTENT_SECURITY_POLICY

# nginx has no other way to write a dollar sign into a path
DOLLAR = "proxy_storage_dollar"

INTRODUCTION = """\
For nginx. Include this file in server { }.

The location there that hands requests on to the site has to say as well:

    proxy_set_header X-Sendfile-Type X-Accel-Redirect;
    proxy_hide_header X-Sendfile;

By the first line the site can tell when it is set up for another web server."""

# ^~, or a location with a regular expression, such as one for all that ends in .jpg, is asked
# before this one
FOLDER = """\
# {keys}
location ^~ {location} {{
    internal;
    alias {alias};
    disable_symlinks on {start};
    if_modified_since before;

    # nginx drops these from the site's answer, so they are said here again
    add_header X-Content-Type-Options nosniff always;
    add_header Content-Security-Policy "{policy}" always;
    add_header Vary $upstream_http_vary always;
}}"""


class Nginx(WebServer):
    """nginx delivers from folders, and from hosts that presigned URLs lead to."""

    kinds = (InternalFolder, InternalHost)
    server = "XAccelRedirectServer"

    def get_blocks(self, plan: Plan, options: Options) -> Iterator[str]:
        """Yield a location for each folder and each host."""
        folders, hosts = plan.of(InternalFolder), plan.of(InternalHost)
        yield comment(INTRODUCTION)
        yield from _get_lines_for_http(folders, hosts, options)
        for folder, keys in folders.items():
            yield FOLDER.format(
                keys=", ".join(keys),
                location=folder.location,
                alias=quote(f"{folder.root}/"),
                start=quote(f"from={folder.root}/"),
                policy=CONTENT_SECURITY_POLICY,
            )
        for host, keys in hosts.items():
            yield get_host_block(host, keys, options)
        if hosts:
            yield from get_error_blocks()


def _get_lines_for_http(
    folders: dict[InternalFolder, tuple[str, ...]],
    hosts: dict[InternalHost, tuple[str, ...]],
    options: Options,
) -> Iterator[str]:
    lines = []
    if any("$" in folder.root for folder in folders):
        lines.append(f'    geo ${DOLLAR} {{ default "$"; }}')
    if options.cache is not None and hosts:
        lines.append(get_cache_path(options.cache))
    if lines:
        yield comment("\n".join(["http { } has to say, outside of server { }:", "", *lines]))


def quote(text: str) -> str:
    """Return text in quotation marks, of which nginx makes the same text again."""
    for character in ("\\", '"'):
        text = text.replace(character, f"\\{character}")
    return f'"{text}"'.replace("$", f"${{{DOLLAR}}}")
