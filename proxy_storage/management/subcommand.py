"""What a part of the command ``proxystorage`` is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandParser


class Subcommand(ABC):
    """One thing that ``manage.py proxystorage`` can do."""

    #: in the list of all parts
    summary: ClassVar[str]
    #: at the top of its own help
    description: ClassVar[str]

    @abstractmethod
    def add_arguments(self, parser: CommandParser) -> None:
        """Say what it takes on the command line."""

    @abstractmethod
    def handle(self, command: BaseCommand, options: dict[str, Any]) -> None:
        """Do it.

        Args:
            command: where to print.
            options: what was given on the command line.

        Raises:
            ProxyStorageError: it cannot be done; the message is what the user gets to see.
            CommandError: the options make no sense.
        """
