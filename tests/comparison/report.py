"""The results as Markdown, and their place on the page of the documentation."""

import platform
import re
import subprocess
import textwrap
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version

from demo.services import find_web_server
from tests.programs import ROOT

PAGE = ROOT / "docs" / "comparison.md"
BEGIN, END = "<!-- comparison: begin -->", "<!-- comparison: end -->"
# --check ignores this line: other versions may have the same results.
VARIABLE = re.compile(r"^Run on .*\n?", re.MULTILINE)
KINDS = ("wrong", "leaked", "500")


class Results:
    """The outcomes of all probes.

    Args:
        contenders: the contenders, in the order of the columns.
        probes: the probes, in the order of the rows.
        outcomes: {contender's name: [(case, outcome), ...] for each probe}.
        queries: {contender's name: the number of queries of a download}.
    """

    def __init__(self, contenders, probes, outcomes, queries):
        self.queries = queries
        self.contenders = contenders
        self.probes = probes
        self.outcomes = outcomes

    def as_markdown(self):
        """Return the generated part of the page."""
        parts = [
            self._get_versions(),
            "### Results by group",
            self.get_groups(),
            "### Costs of a download",
            "The table has the number of queries of a download, for a user with a session.",
            self.get_costs(),
            "### Findings",
            *[self.get_findings(contender) for contender in self.contenders],
            "### All probes",
            self._get_probes(),
        ]
        return "\n\n".join(parts)

    def _get_versions(self):
        packages = ", ".join(
            contender.heading for contender in self.contenders if contender.distribution
        )
        nginx = subprocess.run(
            [find_web_server("nginx"), "-v"], capture_output=True, text=True, check=True
        ).stderr.strip()
        return (
            f"Run on {datetime.now(UTC):%d %B %Y} with Python {platform.python_version()}, "
            f"Django {version('Django')}, Django REST framework {version('djangorestframework')}, "
            f"nginx {nginx.rpartition('/')[2]}, gunicorn {version('gunicorn')}, {packages}."
        )

    def get_groups(self):
        """Return the table of counts."""
        titles = [contender.title for contender in self.contenders]
        rows = [["group", *titles]]
        groups = list(dict.fromkeys(probe.group for probe in self.probes))
        for group in [*groups, None]:
            row = ["**all**" if group is None else group]
            for contender in self.contenders:
                counts = Counter()
                for probe, cases in zip(self.probes, self.outcomes[contender.name], strict=True):
                    if group in (None, probe.group):
                        counts.update(_get_kind(outcome) for _, outcome in cases)
                row.append(_describe_counts(counts))
            rows.append(row)
        return _get_table(rows)

    def get_costs(self):
        """Return a table of the queries of a download."""
        rows = [["", *[contender.title for contender in self.contenders]]]
        rows.append(["database queries", *[str(self.queries[c.name]) for c in self.contenders]])
        return _get_table(rows)

    def get_findings(self, contender):
        """Return the findings of a contender as a list."""
        lines = [f"#### {contender.title}", ""]
        for probe, cases in zip(self.probes, self.outcomes[contender.name], strict=True):
            found = {}
            for case, outcome in cases:
                kind = _get_kind(outcome)
                if kind in KINDS:
                    found.setdefault((kind, str(outcome)), []).append(case)
            for (kind, text), names in found.items():
                which = _get_which(names, cases)
                lines.append(_wrap(f"- {kind}{which}: {text}. Expected: {probe.expectation}."))
        if len(lines) == 2:
            lines.append("None of the probes failed.")
        reasons = sorted(
            {
                str(outcome)
                for cases in self.outcomes[contender.name]
                for _, outcome in cases
                if _get_kind(outcome) == "n/a"
            }
        )
        if reasons:
            lines += ["", f"Not applicable: {'; '.join(reasons)}."]
        return "\n".join(lines)

    def _get_probes(self):
        titles = [contender.title for contender in self.contenders]
        rows = [["expected response", "source", *titles]]
        for index, probe in enumerate(self.probes):
            row = [probe.expectation, probe.source]
            for contender in self.contenders:
                cases = self.outcomes[contender.name][index]
                counts = Counter(_get_kind(outcome) for _, outcome in cases)
                row.append(_describe_briefly(counts))
            rows.append(row)
        return _get_table(rows)


def _get_kind(outcome):
    return "right" if outcome is None else outcome.kind


def _describe_counts(counts):
    """Return counts such as ``12 right, 1 wrong``."""
    kinds = ("right", *KINDS, "n/a")
    return ", ".join(f"{counts[kind]} {kind}" for kind in kinds if counts[kind])


def _describe_briefly(counts):
    """Return one word if all cases have one outcome."""
    return next(iter(counts)) if len(counts) == 1 else _describe_counts(counts)


def _get_which(names, cases):
    """Return the failed cases in parentheses, unless there is only one case."""
    if len(cases) == 1:
        return ""
    if len(names) == len(cases):
        return f" (all {len(cases)} cases)"
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f" ({len(names)} of {len(cases)} cases: {shown})"


def _wrap(item):
    return textwrap.fill(
        item, 118, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _get_table(rows):
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join("---" for _ in rows[0]) + " |")
    return "\n".join(lines)


def read_page():
    """Return the page before, inside and after the marks."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    inside, _, after = rest.partition(END)
    return before + BEGIN, inside.strip("\n"), END + after


def write_page(text):
    """Replace the generated part of the page."""
    before, _, after = read_page()
    PAGE.write_text(f"{before}\n\n{text}\n\n{after}")


def without_variable_lines(text):
    """Return a generated part without its date and versions."""
    return VARIABLE.sub("", text)
