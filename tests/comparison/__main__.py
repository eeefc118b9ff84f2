# ruff: noqa: T201  (a command that prints its findings)
"""Send the same requests to django-proxy-storage, three other packages and two hand-written views.

Each runs in one Django project, behind nginx with the configuration that its documentation shows.
The results are printed as tables. docs/comparison.md describes the comparison and has the results.
"""

import argparse
import difflib
import sys
import time

from demo.services import DEBIAN_PACKAGES, find_web_server
from tests.comparison.contenders import CONTENDERS
from tests.comparison.probes import PROBES
from tests.comparison.report import Results, read_page, without_variable_lines, write_page
from tests.comparison.running import running_contender


def run(contenders, probes):
    """Run the probes on each contender, with the progress on standard error."""
    outcomes, queries = {}, {}
    for contender in contenders:
        start = time.monotonic()
        with running_contender(contender) as site:
            queries[contender.name] = site.count_queries()
            found = outcomes[contender.name] = []
            for index, probe in enumerate(probes, 1):
                _show(f"{contender.title}: {index}/{len(probes)} {probe.group}", end="\r")
                found.append(probe.run(site))
        _show(f"{contender.title}: {time.monotonic() - start:.0f} s", end="\n")
    return Results(contenders, probes, outcomes, queries)


def _show(text, end):
    if end == "\n" or sys.stderr.isatty():
        print(
            f"\x1b[K{text}" if sys.stderr.isatty() else text, end=end, file=sys.stderr, flush=True
        )


def compare_with_page(text):
    """Print the difference between the page and the results; return whether there is one."""
    _, page, _ = read_page()
    difference = list(
        difflib.unified_diff(
            without_variable_lines(page).splitlines(),
            without_variable_lines(text).splitlines(),
            "docs/comparison.md",
            "results",
            lineterm="",
        )
    )
    print("\n".join(difference))
    return bool(difference)


def main():
    """Run the comparison from the command line."""
    parser = argparse.ArgumentParser("python -m tests.comparison", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=[contender.name for contender in CONTENDERS],
        help="the contenders: " + ", ".join(contender.name for contender in CONTENDERS),
    )
    parser.add_argument("--group", help="only the probes of this group")
    task = parser.add_mutually_exclusive_group()
    task.add_argument(
        "--write", action="store_true", help="write the results into docs/comparison.md"
    )
    task.add_argument(
        "--check",
        action="store_true",
        help="fail if docs/comparison.md has other results; date and versions may differ",
    )
    options = parser.parse_args()
    if (options.only or options.group) and (options.write or options.check):
        parser.error("--write and --check need all contenders and all groups.")

    if find_web_server("nginx") is None:
        sys.exit(f"nginx is missing. On Debian: apt-get install {DEBIAN_PACKAGES['nginx']}")

    contenders = [c for c in CONTENDERS if not options.only or c.name in options.only]
    probes = [p for p in PROBES if options.group in (None, p.group)]
    results = run(contenders, probes)
    print("\n\n".join([results.get_groups(), results.get_costs()]))
    for contender in contenders:
        print("\n" + results.get_findings(contender))
    if options.check:
        return compare_with_page(results.as_markdown())
    if options.write:
        write_page(results.as_markdown())
    return False


if __name__ == "__main__":
    sys.exit(main())
