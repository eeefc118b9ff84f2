"""The headers of responses with a file. They are the same for all servers."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.mime_types import DEFAULT_MIME_TYPE, UTF_8, guess_mime_type
from proxy_storage.paths import strip_control_characters
from proxy_storage.serving.base import get_for_record
from proxy_storage.settings import SETTING, cached, proxy_storage_settings

# An uploaded file that is shown inline must not run script or load anything from the site.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors {}; sandbox"

# The browser's media player is a page of its own, which requests the file a second time. That
# request has cookies only if the page has an origin. The sandbox still blocks script.
_MEDIA_POLICY = (
    "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors {}; "
    "sandbox allow-same-origin"
)

#: Content-Security-Policy of files except audio and video, with the default ``FRAME_ANCESTORS``
CONTENT_SECURITY_POLICY = _POLICY.format("'self'")

#: Without "no-cache", browsers may use a cached copy without a request for a tenth of the file's
#: age, even after the file was replaced, the permission was withdrawn or the user has logged out
CACHE_CONTROL = "private, no-cache"

# In the parameter "filename", browsers decode these sequences, and cut off white space.
_LOOKS_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}|=\?|^\s|\s$")

# Characters that the parameter "filename" must not have, or that some clients misread.
_NOT_PLAIN = re.compile(r"""[^ -~]|["\\%?/]|^\s|\s$""")

_WORD = r"[\w!#$%&'*+.^`|~-]+"
_DIRECTIVE = rf'{_WORD}(?:=(?:{_WORD}|"[ !#-\[\]-~]*"))?'
_DIRECTIVES = re.compile(rf"{_DIRECTIVE}(?:[ \t]*,[ \t]*{_DIRECTIVE})*", re.ASCII)

# A source in a policy: a keyword, a scheme or a host. A separator would end the directive.
_ANCESTOR = re.compile(r"(?!(?:self|none)$)[!-+\--:<-~]+")

# One type, and parameters without a comma. Browsers use the last type of a list.
_CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+ *(;[ -+\--~]*)?", re.ASCII)

# A text type without the parameter charset.
_TEXT_WITHOUT_CHARSET = re.compile(r"(?!.*;\s*charset\s*=)text/.*", re.IGNORECASE)

# A page of the site could load these as script or style sheet, even as an attachment.
# https://mimesniff.spec.whatwg.org/#javascript-mime-type
_SCRIPT_OR_STYLE = re.compile(r"text/css|.*/.*(java|ecma|j|live)script.*", re.IGNORECASE)


def get_file_headers(
    meta_backend_obj: MetaBackendObject,
    *,
    as_attachment: bool = False,
    filename: str | None = None,
) -> dict[str, str]:
    """Return the headers that a response with this file must have.

    Args:
        meta_backend_obj: the file's record; its ``mime_type`` is used if it is set.
        as_attachment: never show the file inline.
        filename: the name of the download; by default the record's ``name``, or else the last
            part of the path.

    Raises:
        ConfigurationError: ``CACHE_CONTROL`` or ``FRAME_ANCESTORS`` has a wrong value.

    Source: RFC 6266 (Content-Disposition), RFC 9111 section 5.2 (Cache-Control),
    https://www.w3.org/TR/CSP3/#directive-frame-ancestors
    """
    content_type = get_content_type(meta_backend_obj)
    essence = content_type.partition(";")[0].strip().lower()
    # HTML, SVG and XML can contain script, and an unknown type might. They are downloads.
    inline = not as_attachment and essence in get_inline_types()
    is_media = inline and essence.startswith(("audio/", "video/"))
    framing = get_framing()
    cache_controls = get_cache_controls()
    cache_control = get_for_record(cache_controls, meta_backend_obj) if cache_controls else None
    filename = filename or get_download_name(meta_backend_obj)
    if not filename.isprintable():
        filename = strip_control_characters(filename)
    headers = {
        "Content-Type": content_type,
        "Content-Disposition": get_disposition(inline, filename),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": framing.media_policy if is_media else framing.policy,
        "Cache-Control": CACHE_CONTROL if cache_control is None else cache_control,
    }
    if framing.x_frame_options is not None:
        headers["X-Frame-Options"] = framing.x_frame_options
    return headers


def get_download_name(meta_backend_obj: MetaBackendObject) -> str:
    """Return the name of the download: the uploaded name, or else the last part of the path.

    Args:
        meta_backend_obj: the file's record.
    """
    return str(meta_backend_obj.get("name") or posixpath.basename(meta_backend_obj["path"]))


def get_disposition(inline: bool, filename: str) -> str:
    """Return a Content-Disposition from which clients read exactly this name.

    A name that is not ASCII, or that browsers would decode (``%2E``, ``=?utf-8?Q?...?=``), is in
    the parameter ``filename*``. Before it, ``filename`` has a similar name for programs that do
    not support ``filename*``.

    Args:
        inline: show the file inline.
        filename: the name, without control characters; it may be empty.

    Source: RFC 6266 section 4 and appendix D.
    """
    if filename.isascii() and not _LOOKS_ENCODED.search(filename):
        # Django returns None for an inline file without a name.
        return content_disposition_header(not inline, filename) or "inline"
    kind = "inline" if inline else "attachment"
    extended = quote(filename, safe="", errors="replace")
    return f"{kind}; filename=\"{get_plain_name(filename)}\"; filename*=utf-8''{extended}"


def get_plain_name(filename: str) -> str:
    """Return a similar name that every client can read.

    Accents are removed. An underscore replaces each character that is not ASCII or has a special
    meaning in file names or in the header.

    Args:
        filename: the name.
    """
    return _NOT_PLAIN.sub("_", "".join(map(_get_plain_letter, filename))) or "_"


def _get_plain_letter(letter: str) -> str:
    decomposed = unicodedata.normalize("NFKD", letter)
    # An accent may be a separate character, as in names from macOS.
    base = "".join(part for part in decomposed if not unicodedata.combining(part))
    # Other characters could become a separator, or a dot of "..".
    return base if base == "" or (base.isascii() and base.isalnum()) else letter


class Framing(NamedTuple):
    """The headers that say which pages may embed a file.

    Args:
        policy: Content-Security-Policy of a file.
        media_policy: Content-Security-Policy of inline audio and video.
        x_frame_options: X-Frame-Options, or ``None`` if it cannot express ``FRAME_ANCESTORS``.
    """

    policy: str
    media_policy: str
    x_frame_options: str | None


@cached
def get_framing() -> Framing:
    """Return the headers for the setting ``FRAME_ANCESTORS``.

    Raises:
        ConfigurationError: the setting is not a list of valid sources.

    Source: https://www.w3.org/TR/CSP3/#directive-frame-ancestors, RFC 7034 section 2.1.
    """
    key = "FRAME_ANCESTORS"
    ancestors: Any = getattr(proxy_storage_settings, key)
    where = f"{SETTING}[{key!r}]"
    if isinstance(ancestors, str) or not isinstance(ancestors, Sequence):
        raise ConfigurationError(f"{where} must be a list of sources, not {ancestors!r}.")
    for ancestor in ancestors:
        if not isinstance(ancestor, str) or _ANCESTOR.fullmatch(ancestor) is None:
            raise ConfigurationError(
                f"{where} has the invalid source {ancestor!r}. Valid sources are, for example, "
                "\"'self'\" and 'https://app.example.com'."
            )
    if "'none'" in ancestors and len(ancestors) > 1:
        raise ConfigurationError(f"{where} must not have \"'none'\" together with other sources.")
    sources = " ".join(ancestors) or "'none'"
    return Framing(
        _POLICY.format(sources),
        _MEDIA_POLICY.format(sources),
        {"'self'": "SAMEORIGIN", "'none'": "DENY"}.get(sources),
    )


def keep_framing(response: HttpResponseBase) -> None:
    """Keep Django's XFrameOptionsMiddleware from adding a header to a response.

    Args:
        response: a response with the headers of `get_file_headers`.
    """
    response.xframe_options_exempt = True  # type: ignore[attr-defined]  # An attribute of Django.


@cached
def get_cache_controls() -> Mapping[str, str]:
    """Return the setting ``CACHE_CONTROL``. It has the same keys as ``SERVERS``.

    Raises:
        ConfigurationError: the setting is not a dict, or a value is not a valid Cache-Control.

    Source: RFC 9111 section 5.2.
    """
    key = "CACHE_CONTROL"
    entries = proxy_storage_settings.get_dict(key)
    for name, value in entries.items():
        if not isinstance(value, str) or _DIRECTIVES.fullmatch(value) is None:
            raise ConfigurationError(
                f"{SETTING}[{key!r}][{name!r}] must be directives of Cache-Control, such as "
                f"'private, max-age=300', not {value!r}."
            )
    return entries


@cached
def get_inline_types() -> Collection[str]:
    """Return the MIME types that browsers may show inline, ``INLINE_CONTENT_TYPES``."""
    types: Collection[str] = proxy_storage_settings.INLINE_CONTENT_TYPES
    return types


def may_be_shared(cache_control: str) -> bool:
    """Return whether shared caches may store a response and send it to other users.

    Args:
        cache_control: directives of Cache-Control.
    """
    directives = {one.partition("=")[0].strip().lower() for one in cache_control.split(",")}
    return directives.isdisjoint({"private", "no-store"})


def get_content_type(meta_backend_obj: MetaBackendObject) -> str:
    """Return the Content-Type of a file.

    It is the MIME type in the record, or else the usual one for the file's name. If that is not
    valid, or is a type of script or style sheet, it is ``application/octet-stream``. Together
    with ``nosniff`` this prevents that a page of the site loads an uploaded file as script.

    Text gets the charset in the record, unless the MIME type has one. Without a charset,
    browsers show UTF-8 as windows-1252.

    Args:
        meta_backend_obj: the file's record.

    Source: RFC 2046 section 4.1.2 (charset), WHATWG MIME Sniffing.
    """
    recorded: Any = meta_backend_obj.get("mime_type")
    content_type = str(recorded) if recorded else guess_mime_type(meta_backend_obj["path"])
    if not _CONTENT_TYPE.fullmatch(content_type) or _SCRIPT_OR_STYLE.match(content_type):
        return DEFAULT_MIME_TYPE
    charset = meta_backend_obj.get("charset")
    if charset == UTF_8 and _TEXT_WITHOUT_CHARSET.fullmatch(content_type):
        return f"{content_type}; charset={charset}"
    return content_type


def is_valid_content_type(content_type: Any) -> bool:
    """Return whether a value is a single MIME type, valid in a header."""
    return isinstance(content_type, str) and _CONTENT_TYPE.fullmatch(content_type) is not None
