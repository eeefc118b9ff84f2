"""The table of probes."""

from dataclasses import dataclass, field
from typing import Any

from tests.comparison.outcomes import NotApplicable, Outcome

PROBES = []


@dataclass(frozen=True)
class Probe:
    """One row of the table.

    Args:
        group: the group of questions.
        expectation: the right response.
        source: the document that demands it.
        check: a function that raises an `Outcome` unless the response is right.
        cases: the arguments of the check after the site: a name and a value for each case.
    """

    group: str
    expectation: str
    source: str
    check: Any
    cases: list = field(default_factory=list)

    def run(self, site):
        """Return a list of (case, outcome), where ``None`` is the outcome of a right response."""
        if not self.cases:
            return [("", self._run_one(site))]
        return [(name, self._run_one(site, value)) for name, value in self.cases]

    def _run_one(self, site, *arguments):
        try:
            self.check(site, *arguments)
        except Outcome as outcome:
            return outcome
        return None


def probe(group, expectation, source, cases=()):
    """Add a check to the table."""

    def decorate(check):
        PROBES.append(Probe(group, expectation, source, check, list(cases)))
        return check

    return decorate


def get_path_urls(site):
    """Return the URLs of the contender that contain the path of a file.

    Raises:
        NotApplicable: the contender does not have such URLs.
    """
    if not site.conf.PATH_URLS:
        raise NotApplicable("its URLs contain a primary key, no path")
    return site.conf.PATH_URLS
