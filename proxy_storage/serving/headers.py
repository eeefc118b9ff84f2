"""The headers of every file answer: safe ones, whoever delivers the bytes."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.mime_types import DEFAULT_MIME_TYPE, UTF_8, guess_mime_type
from proxy_storage.paths import strip_control_characters
from proxy_storage.settings import SETTING, cached, get_for_storage, proxy_storage_settings

# An uploaded file that is opened in place runs no script and loads nothing from the site.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors {}; sandbox"

# The player of the browser is a page of its own, which requests the file a second time. Without
# an origin that request would have no cookies. The sandbox still runs no script.
_MEDIA_POLICY = (
    "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors {}; "
    "sandbox allow-same-origin"
)

#: the policy of a file, unless it is audio or video, or the project sets ``FRAME_ANCESTORS``
CONTENT_SECURITY_POLICY = _POLICY.format("'self'")

#: Without "no-cache", browsers may use a copy for a tenth of the file's age without a request:
#: after the file was replaced, after the permission was withdrawn, after a logout
CACHE_CONTROL = "private, no-cache"

# Browsers decode these in the plain form of a name, or cut them off.
_LOOKS_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}|=\?|^\s|\s$")

# Characters that the plain form cannot have, or that some clients read in another way.
_NOT_PLAIN = re.compile(r"""[^ -~]|["\\%?/]|^\s|\s$""")

_WORD = r"[\w!#$%&'*+.^`|~-]+"
_DIRECTIVE = rf'{_WORD}(?:=(?:{_WORD}|"[ !#-\[\]-~]*"))?'
_DIRECTIVES = re.compile(rf"{_DIRECTIVE}(?:[ \t]*,[ \t]*{_DIRECTIVE})*", re.ASCII)

# A source of a policy: a keyword, a scheme or a host. A separator would end the directive.
_ANCESTOR = re.compile(r"(?!(?:self|none)$)[!-+\--:<-~]+")

# One type, and parameters without a comma: of several types, browsers take the last.
_CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+ *(;[ -+\--~]*)?", re.ASCII)

# A type of text whose parameters, if there are any, do not name a charset.
_TEXT_WITHOUT_CHARSET = re.compile(r"(?!.*;\s*charset\s*=)text/.*", re.IGNORECASE)

# A page of the site could load these as a part of itself, whatever disposition says.
# https://mimesniff.spec.whatwg.org/#javascript-mime-type
_PART_OF_A_PAGE = re.compile(r"text/css|.*/.*(java|ecma|j|live)script.*", re.IGNORECASE)


def get_file_headers(
    meta_backend_obj: MetaBackendObject,
    *,
    as_attachment: bool = False,
    filename: str | None = None,
) -> dict[str, str]:
    """Return the headers that an answer with this file has to carry.

    Args:
        meta_backend_obj: the file's record; its ``mime_type`` is used where it has one.
        as_attachment: never show it in place.
        filename: the name to save it as; by default the record's ``name``, or else the last
            part of the path.

    Raises:
        ConfigurationError: ``CACHE_CONTROL`` or ``FRAME_ANCESTORS`` has a wrong value.

    Source: RFC 6266 (Content-Disposition), RFC 9111 section 5.2 (Cache-Control),
    https://www.w3.org/TR/CSP3/#directive-frame-ancestors
    """
    filename = strip_control_characters(filename or get_download_name(meta_backend_obj))
    content_type = get_content_type(meta_backend_obj)
    inline = not as_attachment and is_inline(content_type)
    framing = get_framing()
    headers = {
        "Content-Type": content_type,
        "Content-Disposition": get_disposition(inline, filename),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": (
            framing.media_policy if inline and is_media(content_type) else framing.policy
        ),
        "Cache-Control": get_cache_control(meta_backend_obj),
    }
    if framing.x_frame_options is not None:
        headers["X-Frame-Options"] = framing.x_frame_options
    return headers


def get_download_name(meta_backend_obj: MetaBackendObject) -> str:
    """Return the name that a file is saved under: the uploaded one, or the last part of the path.

    Args:
        meta_backend_obj: the file's record.
    """
    return str(meta_backend_obj.get("name") or posixpath.basename(meta_backend_obj["path"]))


def get_disposition(inline: bool, filename: str) -> str:
    """Return a Content-Disposition that gives the name as it is.

    A name that the plain form cannot give, or that browsers would decode there (``%2E``,
    ``=?utf-8?Q?...?=``), is given in the extended form. The plain form comes before it, with a
    similar name, for programs that do not know the extended form.

    Args:
        inline: show the file in place.
        filename: the name, without control characters; it may be empty.

    Source: RFC 6266 section 4 and appendix D.
    """
    if filename.isascii() and not _LOOKS_ENCODED.search(filename):
        # Django returns None for a file without a name that is shown in place.
        return content_disposition_header(not inline, filename) or "inline"
    kind = "inline" if inline else "attachment"
    extended = quote(filename, safe="", errors="replace")
    return f"{kind}; filename=\"{get_plain_name(filename)}\"; filename*=utf-8''{extended}"


def get_plain_name(filename: str) -> str:
    """Return a similar name that every client can read.

    Letters lose their accents. An underscore stands for each character that is not ASCII, and
    for those that are special in names or in the header.

    Args:
        filename: the name.
    """
    return _NOT_PLAIN.sub("_", "".join(map(_get_plain_letter, filename))) or "_"


def _get_plain_letter(letter: str) -> str:
    decomposed = unicodedata.normalize("NFKD", letter)
    # An accent may be a character of its own, as in names that macOS has written.
    base = "".join(part for part in decomposed if not unicodedata.combining(part))
    # Anything but letters and digits could become a separator, or a dot of "..".
    return base if base == "" or (base.isascii() and base.isalnum()) else letter


class Framing(NamedTuple):
    """Which pages may embed a file, as browsers are told.

    Args:
        policy: Content-Security-Policy of a file.
        media_policy: that of audio and video which is shown in place.
        x_frame_options: ``None`` where this header has no word for the pages that may.
    """

    policy: str
    media_policy: str
    x_frame_options: str | None


@cached
def get_framing() -> Framing:
    """Return how the pages of ``FRAME_ANCESTORS`` are told to browsers.

    Raises:
        ConfigurationError: the setting is not a list of sources.

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
                f"{where} has {ancestor!r}, which is not a source such as \"'self'\" or "
                "'https://app.example.com'."
            )
    if "'none'" in ancestors and len(ancestors) > 1:
        raise ConfigurationError(f"{where} must not have \"'none'\" beside other sources.")
    sources = " ".join(ancestors) or "'none'"
    return Framing(
        _POLICY.format(sources),
        _MEDIA_POLICY.format(sources),
        {"'self'": "SAMEORIGIN", "'none'": "DENY"}.get(sources),
    )


def keep_framing(response: HttpResponseBase) -> None:
    """Keep XFrameOptionsMiddleware from adding a header to an answer with a file's headers.

    Args:
        response: an answer that has the headers of `get_file_headers`.
    """
    response.xframe_options_exempt = True  # type: ignore[attr-defined]  # An attribute of Django.


def get_cache_control(meta_backend_obj: MetaBackendObject) -> str:
    """Return the Cache-Control of a file, from ``CACHE_CONTROL`` where its storage has an entry.

    Args:
        meta_backend_obj: the file's record.

    Raises:
        ConfigurationError: an entry is not a valid Cache-Control.
    """
    entries = get_cache_controls()
    if not entries:
        return CACHE_CONTROL
    name = meta_backend_obj["proxy_storage_name"]
    original_name = meta_backend_obj.get_original_storage_name()
    return get_for_storage(entries, name, original_name) or CACHE_CONTROL


@cached
def get_cache_controls() -> Mapping[str, str]:
    """Return the setting ``CACHE_CONTROL``, by the same keys as ``SERVERS``.

    Raises:
        ConfigurationError: it is not a dict, or a value is not a valid Cache-Control.

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


def may_be_shared(cache_control: str) -> bool:
    """Return whether shared caches may store an answer and give it to other users.

    Args:
        cache_control: directives of Cache-Control.
    """
    directives = {one.partition("=")[0].strip().lower() for one in cache_control.split(",")}
    return directives.isdisjoint({"private", "no-store"})


def get_content_type(meta_backend_obj: MetaBackendObject) -> str:
    """Return the type to deliver a file as.

    It is the recorded one, or the one that its name stands for. What is no valid type, and
    script and style sheets, which a page of the site could be made to load, are just bytes:
    with ``nosniff`` no browser runs those.

    Text gets the recorded charset, unless the recorded type has one. Without it, browsers show
    UTF-8 as windows-1252.

    Source: RFC 2046 section 4.1.2 (charset), WHATWG MIME Sniffing.
    """
    recorded: Any = meta_backend_obj.get("mime_type")
    content_type = str(recorded) if recorded else guess_mime_type(meta_backend_obj["path"])
    if not is_valid_content_type(content_type) or _PART_OF_A_PAGE.match(content_type):
        return DEFAULT_MIME_TYPE
    charset = meta_backend_obj.get("charset")
    if charset == UTF_8 and _TEXT_WITHOUT_CHARSET.fullmatch(content_type):
        return f"{content_type}; charset={charset}"
    return content_type


def is_valid_content_type(content_type: Any) -> bool:
    """Return whether a value is one MIME type that a header can have."""
    return isinstance(content_type, str) and _CONTENT_TYPE.fullmatch(content_type) is not None


def is_inline(content_type: str) -> bool:
    """Tell whether a browser may show this type in place.

    Only types on the list ``INLINE_CONTENT_TYPES`` are: HTML, SVG and XML can carry
    script, and what is not known is not trusted.
    """
    return _get_essence(content_type) in proxy_storage_settings.INLINE_CONTENT_TYPES


def is_media(content_type: str) -> bool:
    """Return whether browsers play a type with a player of their own."""
    return _get_essence(content_type).startswith(("audio/", "video/"))


def _get_essence(content_type: str) -> str:
    """Return a MIME type without its parameters."""
    return content_type.partition(";")[0].strip().lower()
