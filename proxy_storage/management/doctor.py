"""``manage.py proxystorage doctor``: checks a running installation."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.management.subcommand import Subcommand
from proxy_storage.operations.doctor import Finding, examine
from proxy_storage.paths import escape_control_characters
from proxy_storage.suggestions import get_install_hint

# It needs Django REST framework, so it is imported only if it is used.
_EXAMINE_SITE = "proxy_storage_api.site_probe.examine_site"

PROBLEMS, NOT_RUN = 1, 2


class Doctor(Subcommand):
    """Check the databases, the original storages and the web server of an installation."""

    summary = "Check the databases, the storages and the web server."
    description = (
        "Check the settings, the tables and collections of records, the original storages, and "
        "with --site the delivery by the web server. A probe file is written to each original "
        "storage and deleted. The exit status is 0 if all checks succeed, 1 if there are problems, "
        "and 2 if the checks could not be made."
    )
    # It reports them itself.
    requires_system_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--skip-writes", action="store_true", help="Do not write probe files.")
        parser.add_argument(
            "--site",
            type=_read_site,
            metavar="URL",
            help="URL of the site, such as https://example.org. Files are requested from it.",
        )
        parser.add_argument(
            "--path",
            action="append",
            default=[],
            dest="paths",
            metavar="PATH",
            help="Path of a file to request from the site. May be repeated. Default: for each "
            "original storage a file that an anonymous request or a signed link may read.",
        )
        parser.add_argument(
            "--header",
            action="append",
            default=[],
            dest="headers",
            type=_read_header,
            metavar="NAME:VALUE",
            help="Header of the requests for --path, such as 'Cookie: sessionid=...', for files "
            "that only a user may read. May be repeated.",
        )
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, command: BaseCommand, options: dict[str, Any]) -> None:
        """Print one line for each check."""
        if not options["site"] and (options["paths"] or options["headers"]):
            raise CommandError("--path and --header need --site.", returncode=NOT_RUN)
        findings = []
        try:
            for finding in _examine(options):
                findings.append(finding)
                if not options["json"] and (finding.problem or options["verbosity"] > 0):
                    for line in _get_lines(finding):
                        command.stdout.write(line)
        finally:
            if options["json"]:
                command.stdout.write(json.dumps([asdict(one) for one in findings], indent=2))
        failed = sum(finding.failed for finding in findings)
        if failed:
            text = "1 check has" if failed == 1 else f"{failed} checks have"
            raise CommandError(f"{text} failed.", returncode=PROBLEMS)


def _examine(options: dict[str, Any]) -> Iterator[Finding]:
    try:
        yield from examine(skip_writes=options["skip_writes"])
    except ConfigurationError as error:
        raise CommandError(str(error), returncode=NOT_RUN) from error
    if options["site"]:
        try:
            examine_site = import_string(_EXAMINE_SITE)
        except ImportError as error:
            raise CommandError(
                f"--site cannot be used: {error}{get_install_hint(error)}", returncode=NOT_RUN
            ) from error
        yield from examine_site(
            options["site"],
            paths=options["paths"],
            headers=dict(options["headers"]),
            skip_writes=options["skip_writes"],
        )


def _get_lines(finding: Finding) -> Iterator[str]:
    if finding.problem is None:
        yield f"ok    {escape_control_characters(finding.check)}"
        return
    word = "FAIL" if finding.failed else "warn"
    text = escape_control_characters(f"{finding.check}: {finding.problem}")
    yield f"{word}  {text}"
    if finding.cure:
        yield f"      {escape_control_characters(finding.cure)}"


def _read_site(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ArgumentTypeError(f"{text!r} is not a URL such as https://example.org")
    return text


def _read_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ArgumentTypeError(f"{text!r} is not a header such as 'Cookie: sessionid=...'")
    return name.strip(), value.strip()
