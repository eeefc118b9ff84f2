"""Content negotiation and parsers of the endpoint."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import Http404
from rest_framework.exceptions import NotAcceptable, ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class FileContentNegotiation(DefaultContentNegotiation):
    """Choose the renderer of an error, and never answer 406.

    The MIME type of a file does not depend on ``Accept``. A request of an ``<img>`` for
    ``image/*`` gets the image. An error is rendered by the first renderer if none is acceptable.

    Source: RFC 9110 section 12.4.1 allows a server to disregard ``Accept``.
    """

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """Return the acceptable renderer, or else the first one."""
        renderers = list(renderers)
        try:
            choice: tuple[BaseRenderer, str]
            choice = super().select_renderer(request, renderers, format_suffix)
        except (NotAcceptable, Http404):
            choice = renderers[0], renderers[0].media_type
        return choice


class ShallowParser(BaseParser):
    """A wrapper of a parser that refuses a body with too many nested levels.

    Python's JSON parser raises ``RecursionError`` for such a body.

    Args:
        parser: a parser of the project.
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
