"""``manage.py proxystorage``: runs a subcommand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from proxy_storage.exceptions import ProxyStorageError
from proxy_storage.management.subcommand import Subcommand

#: Name -> dotted path of the subcommand. A package may be missing that one of them needs.
SUBCOMMANDS: dict[str, str] = {
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
                    name, help=subcommand.summary, description=subcommand.description
                )
            )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the subcommand."""
        try:
            _load(SUBCOMMANDS[options["subcommand"]]).handle(self, options)
        except ProxyStorageError as error:
            raise CommandError(str(error)) from error


def _load(path: str) -> Subcommand:
    subcommand: Subcommand = import_string(path)()
    return subcommand
