"""axe-core in a page: problems of accessibility that a program can find.

``make`` installs it into example_project/node_modules.
"""

from dataclasses import dataclass
from functools import cache

from tests.programs import NODE_MODULES

AXE = NODE_MODULES / "axe-core" / "axe.min.js"
# axe-core also reports problems as minor or moderate.
GRAVE = ("serious", "critical")
RUN = """
const [rules, done] = arguments;
axe.run(document, {resultTypes: ["violations"], rules}).then(
    results => done(results.violations),
    error => done([{id: "axe", impact: "critical", help: String(error), nodes: []}]),
);
"""


@dataclass
class Violation:
    """A rule that elements of a page violate."""

    rule: str
    impact: str
    help: str
    elements: list

    def __str__(self):
        lines = [f"{self.impact}: {self.rule}: {self.help}"]
        for element in self.elements:
            lines += [f"  {element['html']}", f"    {element['failureSummary']}"]
        return "\n".join(lines)


@cache
def read_axe():
    return AXE.read_text()


def find_violations(browser, rules=None):
    """Run axe-core in the page that is open; return the serious and critical violations.

    Args:
        rules: the names of rules, and whether they are checked. By default, the rules of axe-core
            that are not experimental are checked, except for ``target-size``.
    """
    browser.run(read_axe())
    enabled = {rule: {"enabled": is_checked} for rule, is_checked in (rules or {}).items()}
    found = browser.driver.execute_async_script(RUN, enabled)
    return [
        Violation(one["id"], one["impact"], one["help"], one["nodes"])
        for one in found
        if one["impact"] in GRAVE
    ]


def check_accessibility(browser, rules=None):
    """Fail if the page that is open has a serious or critical violation."""
    violations = find_violations(browser, rules)
    report = "\n".join(map(str, violations))
    assert not violations, f"{browser.driver.current_url}\n{report}"
