"""What is known of a permission before it sees a record."""

from __future__ import annotations

from dataclasses import dataclass, replace

from proxy_storage.meta_backends.conditions import Condition, all_of, any_of, negate


@dataclass(frozen=True)
class Bounds:
    """Between which conditions the records lie that a permission allows.

    ``& | ~`` combine them as they combine permissions.

    Args:
        sure: every record that fulfils it is allowed.
        possible: every record that does not is refused.
        is_exact: whether the two are the same, so that no record has to be asked.
        is_general: whether it holds for every record. Else nothing is said of files whose
            owner is of a model that was not asked about.
    """

    sure: Condition
    possible: Condition
    is_exact: bool = False
    is_general: bool = False

    @classmethod
    def exactly(cls, condition: Condition, *, is_general: bool = False) -> Bounds:
        """Return the bounds of a permission that allows just these records."""
        return cls(condition, condition, is_exact=True, is_general=is_general)

    def generally(self) -> Bounds:
        """Return the same bounds, of which somebody sees to it that no others are asked about."""
        return replace(self, is_general=True)

    @property
    def condition(self) -> Condition | None:
        """What allowed records fulfil and no others; ``None`` where that is not known."""
        return self.possible if self.is_exact else None

    def __and__(self, other: Bounds) -> Bounds:
        for side in (self, other):
            if side.possible is False:
                return side
        is_general = self.is_general and other.is_general
        possible = all_of(self.possible, other.possible)
        if self.is_exact and other.is_exact:
            return Bounds.exactly(possible, is_general=is_general)
        return Bounds(all_of(self.sure, other.sure), possible, is_general=is_general)

    def __or__(self, other: Bounds) -> Bounds:
        for side in (self, other):
            if side.sure is True:
                return side
        is_general = self.is_general and other.is_general
        possible = any_of(self.possible, other.possible)
        if self.is_exact and other.is_exact:
            return Bounds.exactly(possible, is_general=is_general)
        return Bounds(any_of(self.sure, other.sure), possible, is_general=is_general)

    def __invert__(self) -> Bounds:
        if self.is_exact:
            return Bounds.exactly(negate(self.possible), is_general=self.is_general)
        return Bounds(negate(self.possible), negate(self.sure), is_general=self.is_general)


NOBODY = Bounds.exactly(False, is_general=True)
EVERYBODY = Bounds.exactly(True, is_general=True)
#: only each record can tell
UNKNOWN = Bounds(False, True, is_general=True)
