"""nginx: internal locations.

Source: https://nginx.org/en/docs/http/ngx_http_core_module.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proxy_storage.serverconf.base import Options, WebServer, comment
from proxy_storage.serverconf.nginx_headers import PASSED_ON
from proxy_storage.serverconf.nginx_host import (
    ERROR_HEADER,
    get_cache_path,
    get_error_blocks,
    get_host_block,
)
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

# nginx evaluates server { } anew for an internal redirect, with the site's answer at hand. A "set"
# without the condition would be executed for the subrequests of auth_request as well, and empty
# the variables of their request.
HEADERS = """\
# nginx drops these headers of the site's answer when it delivers a file, and an add_header in a
# location would keep out those of server {{ }}. So they are added here; in answers without a file
# they are empty, and nginx leaves them out. For the same reason an add_header at the level of
# http does not reach this server any more: repeat it here.
uninitialized_variable_warn off;
if ($upstream_http_x_accel_redirect) {{
{assignments}
    # for an answer of the site that lacks them
    set $file_content_security_policy "{policy}";
    set $file_x_content_type_options nosniff;
}}
if ($upstream_http_content_security_policy) {{
    set $file_content_security_policy $upstream_http_content_security_policy;
}}
{headers}"""

# With the defaults above.
_WITH_DEFAULT = ("Content-Security-Policy", "X-Content-Type-Options")

# Without ^~, a location with a regular expression, such as one for all names that end in .jpg,
# would take precedence over this one.
FOLDER = """\
# {keys}
location ^~ {location} {{
    internal;
    alias {alias};
    disable_symlinks on {start};
    if_modified_since before;
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
        yield _get_headers((*PASSED_ON, *options.headers), (ERROR_HEADER,) if hosts else ())
        for folder, keys in folders.items():
            yield FOLDER.format(
                keys=", ".join(keys),
                location=folder.location,
                alias=quote(f"{folder.root}/"),
                start=quote(f"from={folder.root}/"),
            )
        for host, keys in hosts.items():
            yield get_host_block(host, keys, options)
        if hosts:
            yield from get_error_blocks()


def _get_headers(names: Sequence[str], of_errors: Sequence[str]) -> str:
    """Return the block that adds headers of the site's answer to the answer with a file.

    Args:
        names: the headers.
        of_errors: headers whose variables are set where an error is answered.
    """
    # One variable for a header, however it is spelled.
    variables = {name.lower().replace("-", "_"): name for name in names}
    assignments = [
        f"    set $file_{variable} $upstream_http_{variable};"
        for variable, name in variables.items()
        if name not in _WITH_DEFAULT
    ]
    variables.update((name.lower().replace("-", "_"), name) for name in of_errors)
    return HEADERS.format(
        assignments="\n".join(assignments),
        policy=CONTENT_SECURITY_POLICY,
        headers="\n".join(
            f"add_header {name} $file_{variable} always;" for variable, name in variables.items()
        ),
    )


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
