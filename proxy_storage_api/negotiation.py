"""Content negotiation for an endpoint whose answers are files."""

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
    """Choose a renderer for refusals, and never refuse because there is none.

    The bytes of a file have the type they have, whatever ``Accept`` says: an ``<img>``
    that asks for ``image/*`` gets the image, and where it may not, a refusal in the first
    of the renderers instead of 406.

    Source: RFC 9110 section 12.4.1 leaves a server free to disregard ``Accept``.
    """

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer that fits, else the first."""
        renderers = list(renderers)
        try:
            choice: tuple[BaseRenderer, str]
            choice = super().select_renderer(request, renderers, format_suffix)
        except (NotAcceptable, Http404):
            choice = renderers[0], renderers[0].media_type
        return choice


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
