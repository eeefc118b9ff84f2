"""Files that try to run a script in the origin of the site that they are uploaded to."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

# This script reports its document, reads the visitor's cookie, and changes the pages that it can
# reach. In a sandbox most of this raises an error; the beacon is sent nevertheless.
SCRIPT = """
(function () {
  var by = "PAGE", cookie = "";
  try { if (frameElement) by = frameElement.tagName; } catch (error) {}
  try { if (document.currentScript.src) by = "SCRIPT"; } catch (error) {}
  try { cookie = document.cookie; document.cookie = "taken=1; path=/"; } catch (error) {}
  try { parent.document.title = "taken"; } catch (error) {}
  new Image().src = "/beacon/?token=TOKEN&by=" + by + "&cookie=" + encodeURIComponent(cookie);
})();
"""
# Without a script: a request with the visitor's cookies would reveal who opened the file.
IMAGE = '<img src="/beacon/?token=TOKEN&amp;by=IMAGE" />'
REFRESH = '<meta http-equiv="refresh" content="0; url=/beacon/?token=TOKEN&amp;by=REFRESH" />'
STYLE_SHEET = "body { background: url('/beacon/?token=TOKEN&by=LINK') }"

HTML = f"<title>HTML</title><script>{SCRIPT}</script>{IMAGE}"
XHTML = (
    '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>XHTML</title></head>'
    f"<body><script><![CDATA[{SCRIPT}]]></script>{IMAGE}</body></html>"
)
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
    f"<script><![CDATA[{SCRIPT}]]></script></svg>"
)
XML = (
    '<?xml version="1.0"?><letter xmlns:h="http://www.w3.org/1999/xhtml">'
    f"<h:script><![CDATA[{SCRIPT}]]></h:script></letter>"
)
# The style sheet is a part of the document that refers to it.
XSLT = (
    '<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="#style"?>'
    "<!DOCTYPE letter [<!ATTLIST xsl:stylesheet id ID #REQUIRED>]>"
    '<letter><xsl:stylesheet id="style" version="1.0" '
    'xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
    f"<html><body><script><![CDATA[{SCRIPT}]]></script></body></html>"
    "</xsl:template></xsl:stylesheet></letter>"
)


def make_png(text: str) -> bytes:
    """Return a valid image of one pixel that contains a text."""

    def make_chunk(name, data):
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    return (
        b"\x89PNG\r\n\x1a\n"
        + make_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
        + make_chunk(b"tEXt", b"Comment\0" + text.encode())
        + make_chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
        + make_chunk(b"IEND", b"")
    )


def make_gif(text: str) -> bytes:
    """Return bytes that begin like an image and are valid HTML and JavaScript."""
    script = text.partition("<script>")[2].partition("</script>")[0]
    return f"GIF89a/*{text}*/=1;{script}".encode()


def make_pdf(text: str) -> bytes:
    """Return a PDF of one empty page that contains a text."""
    return (
        "%PDF-1.7\n"
        "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\n"
        f"% {text.replace(chr(10), ' ')}\n"
        "trailer<</Size 4/Root 1 0 R>>\n%%EOF"
    ).encode()


# The effects of a script, besides the report of its document.
THEFT = frozenset({"cookie read", "cookie written"})
# The effects if a page is opened, and if another page embeds it.
PAGE = THEFT | {"PAGE"}
FRAMES = THEFT | {"IFRAME", "OBJECT", "EMBED"}


@dataclass(frozen=True)
class Attack:
    """A file, and its effects if a careless view delivers it.

    Args:
        name: the name of the upload.
        text: the script, with ``TOKEN`` in place of the token of the upload.
        unsafe_type: the MIME type that the careless view sends; empty for no Content-Type.
        shown_as: the MIME type that `serve` lets a browser show; ``None`` for a download.
        mime_type: the MIME type in the record, or ``None``.
        container: a function that makes bytes of the text.
        opened: the effects if a user opens the file.
        embedded: the effects if a page of the site embeds the file.
    """

    name: str
    text: str
    unsafe_type: str
    shown_as: str | None = None
    mime_type: str | None = None
    container: Callable[[str], bytes] = str.encode
    opened: frozenset[str] = PAGE | {"IMAGE"}
    embedded: frozenset[str] = FRAMES | {"IMAGE"}

    def make_content(self, token: str) -> bytes:
        """Return the bytes."""
        return self.container(self.text.replace("TOKEN", token))


def _without_image(*args: str) -> Attack:
    return Attack(*args, opened=PAGE, embedded=FRAMES)


PAGES = {
    "html": Attack("page.html", HTML, "text/html"),
    "html-that-leads-away": Attack(
        *("page.html", REFRESH, "text/html"),
        opened=frozenset({"REFRESH"}),
        embedded=frozenset({"REFRESH"}),
    ),
    "xhtml": Attack("page.xhtml", XHTML, "application/xhtml+xml"),
    "svg": _without_image("drawing.svg", SVG, "image/svg+xml"),
    "xml": _without_image("letter.xml", XML, "application/xml"),
    "xslt": _without_image("letter.xml", XSLT, "application/xml"),
}
# HTML whose name has another extension: the record or the first bytes reveal it.
HIDDEN_PAGES = {
    "html-in-text": Attack("notes.txt", HTML, "text/html", "text/plain"),
    "html-in-png": Attack("photo.png", HTML, "text/html", "image/png", container=make_png),
    "html-in-pdf": Attack("cv.pdf", HTML, "text/html", "application/pdf", container=make_pdf),
    "html-and-script-in-gif": Attack(
        *("photo.gif", HTML, "text/html", "image/gif"),
        container=make_gif,
        embedded=FRAMES | {"IMAGE", "SCRIPT"},
    ),
    "html-without-extension": Attack("upload", HTML, ""),
    "html-recorded-as-html": Attack("photo.png", HTML, "text/html", mime_type="text/html"),
    "html-recorded-as-png": Attack("page.html", HTML, "text/html", "image/png", "image/png"),
    "html-recorded-as-text": Attack("page.html", HTML, "text/html", "text/plain", "text/plain"),
    # Browsers use the last one.
    "html-recorded-as-two-types": Attack(
        "notes.txt", HTML, "text/html", mime_type="text/plain; charset=utf-8, text/html"
    ),
}
# Files that are not pages but may be parts of a page.
SCRIPTED = THEFT | {"SCRIPT"}
STYLED = frozenset({"LINK"})
PARTS = {
    "script": Attack("page.js", SCRIPT, "text/javascript", embedded=SCRIPTED),
    "script-in-text": Attack("notes.txt", SCRIPT, "text/plain", "text/plain", embedded=SCRIPTED),
    "script-in-json": Attack("data.json", SCRIPT, "application/json", embedded=SCRIPTED),
    "style": Attack("page.css", STYLE_SHEET, "text/css", embedded=STYLED),
    "style-in-text": Attack("notes.txt", STYLE_SHEET, "text/plain", "text/plain", embedded=STYLED),
}
