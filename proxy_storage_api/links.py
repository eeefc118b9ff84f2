"""``POST link/``: a signed link to a file."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_api.access import FileAccess
from proxy_storage_api.serializers import LinkAnswerSerializer, LinkSerializer
from proxy_storage_permissions import get_signed_url
from proxy_storage_permissions.base import get_drf_request
from proxy_storage_permissions.links import can_be_named
from proxy_storage_permissions.requesters import is_logged_in

# Beginnings of keys of ``META`` that belong to the requester: headers, body and log-in.
_OF_REQUESTERS = ("AUTH_", "CONTENT_", "CSRF_COOKIE", "HTTP_", "REMOTE_USER", "SSL_CLIENT")
# Headers that a web server in front sets for each request. Proxies that log users in give their
# names in further headers that begin with X-Forwarded.
_OF_WEB_SERVERS = (
    "HTTP_HOST",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_PROTOCOL",
    "HTTP_X_FORWARDED_SCHEME",
    "HTTP_X_FORWARDED_SERVER",
    "HTTP_X_FORWARDED_SSL",
    "HTTP_X_SENDFILE_TYPE",
)
# Attributes of a request that authenticate the requester, also those of test clients.
_LOG_INS = (
    "user",
    "auser",
    "auth",
    "_cached_user",
    "_acached_user",
    "_force_auth_user",
    "_force_auth_token",
)
# Keys of an ASGI scope that authenticate the requester, or contain the former path.
_OF_SCOPES = ("auth", "cookies", "raw_path", "session", "user")
# Values that a request has computed from its headers.
_OF_HEADERS = ("headers", "accepted_types", "accepted_types_by_precedence")


class LinkMixin(FileAccess):
    """Issue links to those who may read a file."""

    @action(detail=False, methods=["post"], serializer_class=LinkSerializer)
    def link(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with a link that opens the file until it expires."""
        serializer = LinkSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        self._lookup = (given["path"], given.get("storage") or None)
        record = self.get_object()
        user = request.user if given["only_me"] else None
        if given["only_me"] and not (is_logged_in(user) and can_be_named(user)):
            if self._failed_authentication is not None:
                raise self._failed_authentication
            raise ValidationError({"only_me": ["You are not logged in."]})
        link = get_signed_url(
            record,
            request=request,
            max_age=given.get("max_age"),
            as_attachment=given["disposition"] == "attachment",
            user=user,
        )
        self._check_link(link.url, record, user)
        answer = LinkAnswerSerializer({"url": link.url, "expires_at": link.expires_at})
        return Response(answer.data)

    def _check_link(self, url: str, record: MetaBackendObject, user: Any) -> None:
        """Make sure that the link will open the file: the permissions may take none.

        Raises:
            PermissionDenied: 403, they would refuse it.
        """
        asked = get_drf_request(make_request_by_link(self.request._request, url, user))
        # A rule may look at the request of the view as well.
        requested, self.request = self.request, asked
        try:
            with self._acting_as("download"):
                is_accepted = self.may_have(record)
        finally:
            self.request = requested
        if not is_accepted:
            raise PermissionDenied("Links to this file are not accepted.")


def make_request_by_link(request: HttpRequest, url: str, user: Any = None) -> HttpRequest:
    """Return a request for a link, as the rules get it when the link is opened.

    It is a copy of a request that has passed the middleware of the project, so it has the
    attributes that the middleware has set, such as a tenant. It does not have the requester's body,
    log-in, cookies, session and headers. The headers of a web server in front are kept.

    Args:
        request: the request that creates the link, of WSGI or ASGI.
        url: the link.
        user: the only user who can open the link; the returned request is authenticated as this
            user.
    """
    link = urlsplit(url)
    asked = copy.copy(request)
    attributes = vars(asked)
    logged_in = {} if user is None else {"user": user, "auth": getattr(request, "auth", None)}
    for name in (*_LOG_INS, *_OF_HEADERS):
        attributes.pop(name, None)
    attributes.update(logged_in)
    if hasattr(request, "session"):
        asked.session = type(request.session)()
    asked.method = "GET"
    asked.path = unquote(link.path)
    asked.path_info = asked.path.removeprefix(request.META.get("SCRIPT_NAME", ""))
    asked.META = _get_meta_of_link(asked, link.query)
    asked.GET = QueryDict(link.query)
    asked.COOKIES = {}
    asked.content_type, asked.content_params = "", {}
    attributes |= {
        "_post": QueryDict(),
        "_files": MultiValueDict(),
        "_body": b"",
        "_stream": BytesIO(),
        "_read_started": False,
    }
    # What requests of the two kinds have of the server.
    if "environ" in attributes:
        attributes["environ"] = asked.META
    if "scope" in attributes:
        attributes["scope"] = _get_scope_of_link(attributes["scope"], asked.path, link.query)
    return asked


def _get_meta_of_link(asked: HttpRequest, query: str) -> dict[str, Any]:
    kept = {
        key: value
        for key, value in asked.META.items()
        if key in _OF_WEB_SERVERS or not key.startswith(_OF_REQUESTERS)
    }
    return {**kept, "REQUEST_METHOD": "GET", "PATH_INFO": asked.path_info, "QUERY_STRING": query}


def _get_scope_of_link(scope: Mapping[str, Any], path: str, query: str) -> dict[str, Any]:
    # Other middleware than Django's keeps the log-in here. Django has read the headers.
    kept = {key: value for key, value in scope.items() if key not in _OF_SCOPES}
    changed = {"path": path, "query_string": query.encode(), "headers": [], "method": "GET"}
    return {**kept, **changed}
