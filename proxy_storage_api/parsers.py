"""Parsers of request bodies that no body makes fail."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser


class ShallowParser(BaseParser):
    """A parser of the project, for which a body that is nested too deeply is not valid.

    Python's parsers of JSON raise ``RecursionError`` for it.

    Args:
        parser: the parser.
    """

    def __init__(self, parser: BaseParser) -> None:
        self.parser = parser
        self.media_type = parser.media_type

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        """Return the content of the body.

        Raises:
            ParseError: 400.
        """
        try:
            return self.parser.parse(*args, **kwargs)
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error
