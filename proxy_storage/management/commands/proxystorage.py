"""``manage.py proxystorage``: runs a subcommand."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from proxy_storage.exceptions import ProxyStorageError
from proxy_storage.management.subcommand import Subcommand
from proxy_storage.operations.doctor import has_unfinished_threads
from proxy_storage.suggestions import get_install_hint

#: Name -> dotted path of the subcommand. A subcommand may need a package that is not installed.
SUBCOMMANDS: dict[str, str] = {
    "doctor": "proxy_storage.management.doctor.Doctor",
    "explain": "proxy_storage_api.management.explain.Explain",
    "import": "proxy_storage.management.import_files.ImportFiles",
    "serverconf": "proxy_storage.management.serverconf.Serverconf",
}

# The options that Django adds to all commands
_BASE_OPTIONS: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (("-v", "--verbosity"), {"type": int, "choices": [0, 1, 2, 3]}),
    (("--settings",), {}),
    (("--pythonpath",), {}),
    (("--traceback",), {"action": "store_true"}),
    (("--no-color",), {"action": "store_true"}),
    (("--force-color",), {"action": "store_true"}),
    (("--skip-checks",), {"action": "store_true"}),
]


class Command(BaseCommand):
    """Run one of the subcommands."""

    help = "Operations on proxy storages. See also: manage.py proxystorage SUBCOMMAND --help"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add a parser for each subcommand."""
        subparsers = parser.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND")
        for name, path in SUBCOMMANDS.items():
            subcommand = _load(path)
            subparser = subparsers.add_parser(
                name,
                help=subcommand.summary,
                description=subcommand.description,
                prefix_chars=subcommand.prefix_chars,
            )
            if subcommand.prefix_chars == "-":
                _add_base_options(subparser)
            subcommand.add_arguments(subparser)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the command, and end quietly if the reader of its output, such as head, has ended.

        Source: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        """
        try:
            try:
                super().run_from_argv(argv)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            if not _close_broken_output():
                raise
            sys.exit(1)
        except SystemExit as error:
            if has_unfinished_threads():
                # boto3 would keep the process from ending for some minutes.
                sys.stderr.flush()
                os._exit(error.code if isinstance(error.code, int) else 1)
            raise

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the subcommand, after the system checks unless it reports them itself."""
        if not _load(SUBCOMMANDS[options["subcommand"]]).requires_system_checks:
            options["skip_checks"] = True
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the subcommand."""
        try:
            _load(SUBCOMMANDS[options["subcommand"]]).handle(self, options)
        except ProxyStorageError as error:
            raise CommandError(str(error)) from error


def _add_base_options(subparser: CommandParser) -> None:
    """Accept the options of all commands after the name of the subcommand as well.

    A default would replace a value in front of the name.
    """
    for flags, arguments in _BASE_OPTIONS:
        subparser.add_argument(
            *flags, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **arguments
        )


def _close_broken_output() -> bool:
    """Replace the output whose reader has ended, and return whether there is one.

    A connection to a server can raise BrokenPipeError as well.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            # A stream without a buffer has dropped the text that it could not write.
            stream.write("\n")
            stream.flush()
        except BrokenPipeError:
            # Python writes the rest of the output when it ends, which would be another error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            return True
    return False


class Unavailable(Subcommand):
    """A subcommand that cannot be imported.

    Args:
        error: the error of its import.
    """

    summary = "Not available, because a package is missing."
    # All arguments are accepted, so that the error about the missing package is shown.
    prefix_chars = "\0"

    def __init__(self, error: ImportError) -> None:
        self.description = f"{error}{get_install_hint(error)}"

    def add_arguments(self, parser: CommandParser) -> None:
        """Accept all arguments."""
        parser.add_argument("arguments", nargs="*")

    def handle(self, command: BaseCommand, options: dict[str, Any]) -> None:
        """Raise CommandError with the name of the missing package."""
        raise CommandError(f"This subcommand cannot be imported: {self.description}")


def _load(path: str) -> Subcommand:
    try:
        subcommand: Subcommand = import_string(path)()
    except ImportError as error:
        return Unavailable(error)
    return subcommand
