"""The probes: each is a question that the response of a contender answers.

The expectations come from the documents in the column of sources, not from a contender.
"""

from tests.comparison.probes import caches, conditions, names, ranges, strangers, types
from tests.comparison.probes.base import PROBES

_GROUPS = [module.GROUP for module in (names, ranges, conditions, strangers, types, caches)]
PROBES.sort(key=lambda probe: _GROUPS.index(probe.group))

__all__ = ["PROBES"]
