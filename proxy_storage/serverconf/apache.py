"""Apache with mod_xsendfile.

Source: https://tn123.org/mod_xsendfile/, https://httpd.apache.org/docs/2.4/configuring.html
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy_storage.serverconf.base import Options, WebServer, comment, describe
from proxy_storage.serverconf.plan import ListedFolder, Plan

# Apache has no other way to write ${ into a path
DOLLAR = "PROXY_STORAGE_DOLLAR"

INTRODUCTION = """\
For Apache with mod_headers and mod_xsendfile. Include this file in <VirtualHost>, beside the
ProxyPass that hands requests on to the site."""

REQUEST = """\
# so that the site can tell when it is set up for another web server
RequestHeader set X-Sendfile-Type X-Sendfile
# a range is for GET only, which mod_xsendfile leaves to us
RequestHeader unset Range "expr=%{REQUEST_METHOD} == 'HEAD'"
# With a suffix for what Apache has compressed, no ETag would match the one of the site.
<IfDirective DeflateAlterETag>
    DeflateAlterETag NoChange
</IfDirective>
<IfDirective BrotliAlterETag>
    BrotliAlterETag NoChange
</IfDirective>"""

FOLDERS = """\
XSendFile on
{paths}
# mod_xsendfile looks at answers with status 200 only; where files lie is nobody's business
Header unset X-Sendfile "expr=%{{REQUEST_STATUS}} != 200"
Header unset X-Accel-Redirect"""


class Apache(WebServer):
    """Apache delivers from folders."""

    kinds = (ListedFolder,)
    server = "XSendfileServer"

    def get_blocks(self, plan: Plan, options: Options) -> Iterator[str]:
        """Yield what is said once, and a line for each folder."""
        yield comment(INTRODUCTION)
        yield REQUEST
        roots = sorted({folder.root or "/" for folder in plan.of(ListedFolder)})
        if any("${" in root for root in roots):
            yield f"Define {DOLLAR} $"
        yield FOLDERS.format(paths="\n".join(f"XSendFilePath {quote(root)}" for root in roots))

    def get_warnings(self, plan: Plan) -> Iterator[str]:
        """Yield what will not work."""
        yield from super().get_warnings(plan)
        for folder, keys in plan.of(ListedFolder).items():
            if folder.escape:
                yield (
                    f"{describe(plan, keys)} has escape=True, which is for lighttpd and for "
                    "version 1.0 of mod_xsendfile; version 0.12 finds none of its files."
                )


def quote(text: str) -> str:
    """Return text in quotation marks, of which Apache makes the same text again."""
    for character in ("\\", '"'):
        text = text.replace(character, f"\\{character}")
    return f'"{text}"'.replace("${", f"${{{DOLLAR}}}{{")
