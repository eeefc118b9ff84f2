"""The detection of UTF-8, with data in parts of several sizes."""

import pytest

from proxy_storage.mime_types import Utf8Check

TEXT = "Grüße aus Köln, 日本語 🎉\n"
UTF_8 = [
    b"",
    b"plain ASCII",
    TEXT.encode(),
    b"\xef\xbb\xbf" + TEXT.encode(),
    b"\x1b[31mred\x1b[0m",
    TEXT.encode() * 3000,
]
OTHERS = [
    TEXT[:14].encode("latin-1"),
    TEXT.encode("utf-16"),
    "ASCII in UTF-16".encode("utf-16-le"),
    "ASCII in UTF-32".encode("utf-32-be"),
    "日本語".encode("iso-2022-jp"),
    "日本語".encode("shift_jis"),
    TEXT.encode()[:3],
    b"\xc0\xaf",
    "\ud800".encode(errors="surrogatepass"),
    TEXT.encode() * 3000 + b"\xff",
]


def is_utf8(data, size):
    check = Utf8Check()
    for start in range(0, len(data), size):
        check.update(data[start : start + size])
    return check.finish()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 65_536, 10**7])
@pytest.mark.parametrize("data", UTF_8, ids=range(len(UTF_8)))
def test_utf_8_is_accepted(data, size):
    assert is_utf8(data, size)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 65_536, 10**7])
@pytest.mark.parametrize("data", OTHERS, ids=range(len(OTHERS)))
def test_other_encodings_are_refused(data, size):
    assert not is_utf8(data, size)
