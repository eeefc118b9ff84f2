"""The charset of text, found while its bytes pass by."""

from __future__ import annotations

import codecs
import re

# The only charset that records name. Records of other content do not name one.
UTF_8 = "utf-8"


class Utf8Check:
    """Finds out whether bytes that pass by in pieces are text in UTF-8.

    Text in UTF-16 without a byte order mark, and in ISO-2022-JP and its kin, is valid UTF-8 as
    well. So NUL and the escape sequences of these do not count as UTF-8.
    """

    # Characters of four bytes each would take four times as much memory as the piece.
    PIECE = 64 * 1024
    _OTHER = re.compile(rb"\0|\x1b[$(]")

    def __init__(self) -> None:
        self.is_valid = True
        self._decoder = codecs.getincrementaldecoder(UTF_8)()
        self._last = b""

    def update(self, data: bytes) -> None:
        """Take in the next bytes; nothing more is looked at after the first wrong one."""
        for start in range(0, len(data), self.PIECE):
            if not self.is_valid:
                return
            piece = data[start : start + self.PIECE]
            try:
                self._decoder.decode(piece)
            except UnicodeDecodeError:
                self.is_valid = False
            self.is_valid &= self._OTHER.search(self._last + piece) is None
            self._last = piece[-1:]

    def finish(self) -> bool:
        """Return whether all was UTF-8, up to the last character."""
        return self.is_valid and self._decoder.getstate()[0] == b""
