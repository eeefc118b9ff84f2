"""The base class of the subcommands of ``manage.py proxystorage``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandParser


class Subcommand(ABC):
    """A subcommand, such as ``serverconf`` in ``manage.py proxystorage serverconf``."""

    #: One line for the list of subcommands
    summary: ClassVar[str]
    #: The first paragraph of its own help
    description: str
    #: The characters with which an option begins
    prefix_chars: ClassVar[str] = "-"
    #: Whether an error of a system check prevents it from running
    requires_system_checks: ClassVar[bool] = True

    @abstractmethod
    def add_arguments(self, parser: CommandParser) -> None:
        """Add its arguments to a parser of its own."""

    @abstractmethod
    def handle(self, command: BaseCommand, options: dict[str, Any]) -> None:
        """Run the subcommand.

        Args:
            command: the command, for its output.
            options: the parsed arguments.

        Raises:
            ProxyStorageError: the subcommand failed. The command prints the message.
            CommandError: the arguments are not valid.
        """
