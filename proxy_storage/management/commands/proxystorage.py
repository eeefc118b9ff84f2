"""``manage.py proxystorage``: finds the part that is asked for."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from proxy_storage.exceptions import ProxyStorageError
from proxy_storage.management.serverconf import ServerconfPart
from proxy_storage.management.subcommand import Subcommand

#: what can be asked for
PARTS: dict[str, Subcommand] = {
    "serverconf": ServerconfPart(),
}


class Command(BaseCommand):
    """Hand the work to one part."""

    help = "Operations on proxy storages. Each has a help of its own: proxystorage PART --help."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the name of a part, and what that takes."""
        subparsers = parser.add_subparsers(dest="part", required=True, metavar="PART")
        for name, part in PARTS.items():
            part.add_arguments(
                subparsers.add_parser(name, help=part.summary, description=part.description)
            )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the part."""
        try:
            PARTS[options["part"]].handle(self, options)
        except ProxyStorageError as error:
            raise CommandError(str(error)) from error
