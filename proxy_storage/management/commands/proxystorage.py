"""``manage.py proxystorage``: runs a subcommand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from proxy_storage.exceptions import ProxyStorageError
from proxy_storage.management.subcommand import Subcommand
from proxy_storage.suggestions import get_install_hint

#: Name -> dotted path of the subcommand. A subcommand may need a package that is not installed.
SUBCOMMANDS: dict[str, str] = {
    "doctor": "proxy_storage.management.doctor.Doctor",
    "explain": "proxy_storage_api.management.explain.Explain",
    "import": "proxy_storage.management.import_files.ImportFiles",
    "serverconf": "proxy_storage.management.serverconf.Serverconf",
}


class Command(BaseCommand):
    """Run one of the subcommands."""

    help = "Operations on proxy storages. See also: manage.py proxystorage SUBCOMMAND --help"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add a parser for each subcommand."""
        subparsers = parser.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND")
        for name, path in SUBCOMMANDS.items():
            subcommand = _load(path)
            subcommand.add_arguments(
                subparsers.add_parser(
                    name,
                    help=subcommand.summary,
                    description=subcommand.description,
                    prefix_chars=subcommand.prefix_chars,
                )
            )

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
