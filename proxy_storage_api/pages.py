"""The HTML page for a browser if a file is refused or missing."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import global_settings, settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import DisallowedHost, SuspiciousOperation
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.template import Context, Engine, TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import NoReverseMatch, is_valid_path
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings as drf_settings

from proxy_storage_permissions.ownership import is_logged_in

logger = logging.getLogger("proxy_storage_api")

TEMPLATE = "proxy_storage_api/refused.html"
_FOLDER = Path(__file__).parent / "templates"

# The statuses for which another user may get the file.
_LOGIN_STATUSES = (401, 403, 404)
# The page of the package has a style sheet in itself, and links to the login page.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    # The URL of the file may be a signed link. Without a referrer for the same origin, Django would
    # refuse the forms of a project's template, such as the one to log out.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def is_page_preferred(request: Request) -> bool:
    """Return whether a request prefers HTML to JSON, as browsers do that open a link.

    Requests of elements such as ``<img>``, of scripts and of most programs do not. A request with
    ``?format=`` gets that format.
    """
    try:
        has_format = drf_settings.URL_FORMAT_OVERRIDE in request._request.GET
    except SuspiciousOperation:
        has_format = False  # The request is refused for this reason.
    types = ["application/json", "text/html"]
    return not has_format and request._request.get_preferred_type(types) == "text/html"


class RefusalPageRenderer(BaseRenderer):
    """Render the error of a download as an HTML page.

    The page contains only the ``detail`` of the JSON response. Anonymous requesters also get a
    link to the login page, which leads back to the file.

    The headers of the package's own page forbid scripts. A template of the project may need
    scripts and style sheets, so that only the project can make a policy for it.

    Args:
        template_name: the name of the template.
    """

    media_type = "text/html"
    format = "html"
    charset = "utf-8"

    def __init__(self, template_name: str) -> None:
        self.template_name = template_name

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> str:
        """Return the page, and set the headers of the response."""
        context: Mapping[str, Any] = renderer_context or {}
        request, response = context["request"], context["response"]
        detail = data.get("detail") if isinstance(data, Mapping) else None
        values = {
            "title": _("This file cannot be opened"),
            "message": detail if isinstance(detail, str | Promise) else None,
            "status_code": response.status_code,
            "language": get_language(),
            "login_url": _get_login_url(request) if _may_log_in(request, response) else None,
            "login_text": _("Log in"),
        }
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        page = _render_template(self.template_name, values, request._request)
        if page is None:
            response.headers.setdefault("Content-Security-Policy", _POLICY)
            page = _get_own_template().render(Context(values))
        return page


def _render_template(name: str, values: dict[str, Any], request: HttpRequest) -> str | None:
    """Return the page of the project's template; ``None`` if it has no template, or it fails.

    The template of the package is rendered without the project's template engines, context
    processors and database, which may be the reason for the error.
    """
    try:
        template: Any = get_template(name)
        if _is_own(template):
            return None
        return str(template.render(values, request))
    except TemplateDoesNotExist:
        return None
    except Exception:
        logger.exception("The template %r failed. The page of the package replaces it.", name)
        return None


def _is_own(template: Any) -> bool:
    origin = getattr(template, "origin", None)
    return Path(getattr(origin, "name", "")) == _FOLDER / TEMPLATE


@cache
def _get_own_template() -> Any:
    return Engine(dirs=[str(_FOLDER)]).get_template(TEMPLATE)


def _may_log_in(request: Request, response: Any) -> bool:
    # If the authentication has not been tried, it is not tried again: it may be the error.
    is_known = "_user" in vars(request)
    return (
        response.status_code in _LOGIN_STATUSES
        and is_known
        and not is_logged_in(vars(request)["_user"])
    )


def _get_login_url(request: Request) -> str | None:
    """Return the URL of the login page, with the current URL as ``next``.

    Returns:
        ``None`` if the project has no login page: ``LOGIN_URL`` cannot be reversed, or it is
        Django's default and no view has this URL. Also ``None`` if the login page is on another
        host, and the request has a host that ``ALLOWED_HOSTS`` does not have.
    """
    try:
        url = resolve_url(settings.LOGIN_URL)
    except NoReverseMatch:
        return None
    parts = urlsplit(url)
    if settings.LOGIN_URL == global_settings.LOGIN_URL and not is_valid_path(parts.path):
        return None
    django_request = request._request
    current = django_request.get_full_path()
    if parts.netloc:
        try:
            is_elsewhere = parts.netloc != django_request.get_host()
        except DisallowedHost:
            return None
        if is_elsewhere:
            current = django_request.build_absolute_uri()
    query = urlencode({REDIRECT_FIELD_NAME: current})
    return parts._replace(query=f"{parts.query}&{query}" if parts.query else query).geturl()
