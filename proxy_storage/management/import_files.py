"""``manage.py proxystorage import``: creates records for the files of existing rows."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import FileField, Model

from proxy_storage.management.progress import ProgressLine
from proxy_storage.management.subcommand import Subcommand
from proxy_storage.operations.importing import (
    BATCH_SIZE,
    ImportStopped,
    Report,
    get_label,
    import_field,
)
from proxy_storage.suggestions import suggest

# The exit status of a program that was interrupted, as shells return it for Ctrl-C.
INTERRUPTED = 130
# The number of bad rows that are printed for a field. A file named by --report has all of them.
SHOWN_ROWS = 100


class ImportFiles(Subcommand):
    """Create records for the files that existing rows name."""

    summary = "Create records for the files of existing rows."
    description = (
        "Create a record for the file of each row of a file field whose storage has become a "
        "proxy storage. Rows and files are not changed. Run the command again to continue. The "
        "exit status is 1 if the files of some rows could not be imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the fields and the options."""
        parser.add_argument(
            "fields",
            nargs="+",
            metavar="app.Model.field",
            help="A file field of the model that declares it.",
        )
        parser.add_argument(
            "--database",
            metavar="ALIAS",
            help="Database of the rows. Default: the one to which the routers send the model.",
        )
        parser.add_argument(
            "--using",
            metavar="NAME",
            help="Name of the original storage that has the files, if there are several. Default: "
            "the first one.",
        )
        parser.add_argument(
            "--batch-size",
            type=_read_size,
            default=BATCH_SIZE,
            metavar="N",
            help=f"Number of rows that are read at once. Default: {BATCH_SIZE}",
        )
        parser.add_argument(
            "--no-checksum",
            action="store_true",
            help="Do not read the files. Their records have no checksum and no charset.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Check the rows, but do not write anything."
        )
        parser.add_argument("--no-progress", action="store_true", help="Do not show the progress.")
        parser.add_argument(
            "--report",
            type=Path,
            metavar="FILE",
            help="Write the result with all bad rows to this file, as JSON.",
        )

    def handle(self, command: BaseCommand, options: dict[str, Any]) -> None:
        """Import the fields one after the other, and print the bad rows."""
        fields = [find_field(label) for label in options["fields"]]
        reports: list[Report] = []
        if options["report"] is not None:
            _write_report(options["report"], reports)  # Raises before the work begins.
        try:
            for field in fields:
                self._import(command, field, options, reports)
        except KeyboardInterrupt as error:
            raise CommandError(
                "The import was interrupted. The records so far are complete. Run the import "
                "again to continue.",
                returncode=INTERRUPTED,
            ) from error
        finally:
            if options["report"] is not None:
                _write_report(options["report"], reports)
        bad = sum(len(report.bad) for report in reports)
        if bad:
            raise CommandError(f"{bad} {_rows(bad)} could not be imported.")

    def _import(
        self,
        command: BaseCommand,
        field: FileField,
        options: dict[str, Any],
        reports: list[Report],
    ) -> None:
        """Import a field; add its report and print it, also after an error or an interruption."""
        line = ProgressLine(command.stderr, get_label(field))
        report: Report | None = None

        def show(current: Report) -> None:
            nonlocal report
            report = current
            if options["verbosity"] > 0 and not options["no_progress"]:
                line.show(current.done, current.total)

        try:
            report = import_field(
                field,
                database=options["database"],
                using=options["using"],
                batch_size=options["batch_size"],
                checksum=not options["no_checksum"],
                dry_run=options["dry_run"],
                progress=show,
            )
        except ImportStopped as error:
            report = error.report
            raise
        finally:
            line.finish()
            if report is not None:
                reports.append(report)
                _print_report(command, report, options)


def find_field(label: str) -> FileField:
    """Return the file field with a label such as ``letters.Letter.scan``.

    Raises:
        CommandError: the model does not have the field, or another model declares it.
    """
    parts = label.split(".")
    field: Any = None
    if len(parts) == 3:
        with suppress(LookupError, FieldDoesNotExist):
            field = apps.get_model(parts[0], parts[1])._meta.get_field(parts[2])
    if not isinstance(field, FileField):
        what = "does not exist" if field is None else "is not a file field"
        raise CommandError(f"The field {label!r} {what}.{_get_suggestion(label)}")
    model: type[Model] = apps.get_model(parts[0], parts[1])
    if field.model._meta.concrete_model is not model._meta.concrete_model:
        raise CommandError(
            f"The field {label!r} is declared by another model. Use {get_label(field)} instead."
        )
    return field


def _get_suggestion(label: str) -> str:
    labels = [
        get_label(field)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_fields
        if isinstance(field, FileField)
    ]
    return suggest(label, labels) or " Write it as app.Model.field, such as letters.Letter.scan."


def _print_report(command: BaseCommand, report: Report, options: dict[str, Any]) -> None:
    if options["verbosity"] > 0:
        created, assigned = ("would be created", "would be assigned")
        if not options["dry_run"]:
            created, assigned = "created", "assigned"
        command.stdout.write(
            f"{report.label}: {report.total} {_rows(report.total)} with a file; records: "
            f"{report.created} {created}, {report.assigned} {assigned}, {report.present} present; "
            f"{len(report.bad)} bad {_rows(len(report.bad))}"
        )
    for row in report.bad[:SHOWN_ROWS]:
        command.stderr.write(f"{report.label} {row.key!r}: {row.value!r}: {row.reason}")
    if len(report.bad) > SHOWN_ROWS:
        command.stderr.write(
            f"{len(report.bad) - SHOWN_ROWS} more bad rows are not shown. --report writes all."
        )


def _write_report(path: Path, reports: list[Report]) -> None:
    """Write the results as JSON. A key that JSON does not have, such as a UUID, becomes text."""
    results = [
        {
            "field": report.label,
            "total": report.total,
            "created": report.created,
            "assigned": report.assigned,
            "present": report.present,
            "bad": [asdict(row) for row in report.bad],
        }
        for report in reports
    ]
    try:
        path.write_text(json.dumps(results, default=str, indent=2) + "\n")
    except OSError as error:
        raise CommandError(f"The report {str(path)!r} cannot be written: {error}") from error


def _rows(number: int) -> str:
    return "row" if number == 1 else "rows"


def _read_size(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number greater than 0")
    return int(text)
