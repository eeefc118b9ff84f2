"""A strict reader of Content-Disposition, which does not use code of a contender."""

import re
from urllib.parse import unquote_to_bytes

from tests.comparison.outcomes import Wrong

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# RFC 9110 section 5.6.4, without the obsolete characters beyond ASCII.
_QUOTED = r'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
# RFC 8187 section 3.2.1.
_EXTENDED = r"(?i:utf-8)'[A-Za-z0-9-]*'(?:%[0-9A-Fa-f]{2}|[!#$&+.^_`|~0-9A-Za-z-])*"
_PARAMETER = re.compile(
    rf"[ \t]*;[ \t]*(?:filename\*[ \t]*=[ \t]*(?P<extended>{_EXTENDED})"
    rf"|(?P<name>{_TOKEN})[ \t]*=[ \t]*(?P<value>{_TOKEN}|{_QUOTED}))",
    re.IGNORECASE,
)


def read_disposition(answer):
    """Return the kind in lower case and the file name, which may be ``None``.

    Raises:
        Wrong: the header is missing, or does not follow the grammar.

    Source: RFC 6266 sections 4.1 and 4.3
    """
    value = answer.get("Content-Disposition")
    if not value:
        raise Wrong("the header Content-Disposition is missing")
    kind = re.match(_TOKEN, value)
    if not kind:
        raise Wrong("Content-Disposition does not begin with a token")
    position, plain, extended = kind.end(), None, None
    while position < len(value.rstrip()):
        parameter = _PARAMETER.match(value, position)
        if not parameter:
            raise Wrong("Content-Disposition does not follow the grammar")
        position = parameter.end()
        if parameter["extended"] is not None:
            try:
                extended = unquote_to_bytes(parameter["extended"].split("'", 2)[2]).decode()
            except UnicodeDecodeError:
                raise Wrong("filename* is not UTF-8") from None
        elif parameter["name"].lower() == "filename":
            plain = parameter["value"]
            if plain.startswith('"'):
                plain = re.sub(r"\\(.)", r"\1", plain[1:-1])
    return kind[0].lower(), plain if extended is None else extended
