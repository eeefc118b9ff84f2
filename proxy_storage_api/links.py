"""The request by which a signed link will be opened, so that permissions can be checked for it."""

from __future__ import annotations

import copy
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict

# Prefixes of keys of ``META`` that belong to the requester: headers, body and authentication.
_REQUESTER_PREFIXES = ("AUTH_", "CONTENT_", "CSRF_COOKIE", "HTTP_", "REMOTE_USER", "SSL_CLIENT")
# Headers that a web server in front sets for each request. Proxies that authenticate users send
# the names of users in other headers that begin with X-Forwarded.
_WEB_SERVER_KEYS = (
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
_AUTHENTICATION_ATTRIBUTES = (
    "user",
    "auser",
    "auth",
    "_cached_user",
    "_acached_user",
    "_force_auth_user",
    "_force_auth_token",
)
# Attributes that a request has computed from its headers.
_HEADER_ATTRIBUTES = ("headers", "accepted_types", "accepted_types_by_precedence")
# Keys of an ASGI scope that authenticate the requester, or contain the former path.
_SCOPE_KEYS = ("auth", "cookies", "raw_path", "session", "user")


def make_link_request(request: HttpRequest, url: str, user: Any = None) -> HttpRequest:
    """Return a request for a link, as the permissions get it when the link is opened.

    It is a copy of a request that has passed the middleware of the project, so it has the
    attributes that the middleware has set, such as a tenant. It does not have the requester's body,
    authentication, cookies, session and headers. The headers of a web server in front are kept.

    Args:
        request: the request that creates the link, of WSGI or ASGI.
        url: the link.
        user: the only user who can open the link. The returned request is authenticated as this
            user.
    """
    parts = urlsplit(url)
    made = copy.copy(request)
    attributes = vars(made)
    for name in (*_AUTHENTICATION_ATTRIBUTES, *_HEADER_ATTRIBUTES):
        attributes.pop(name, None)
    if user is not None:
        attributes |= {"user": user, "auth": getattr(request, "auth", None)}
    if hasattr(request, "session"):
        made.session = type(request.session)()
    made.method = "GET"
    made.path = unquote(parts.path)
    made.path_info = made.path.removeprefix(request.META.get("SCRIPT_NAME", ""))
    made.META = {
        key: value
        for key, value in request.META.items()
        if key in _WEB_SERVER_KEYS or not key.startswith(_REQUESTER_PREFIXES)
    }
    made.META |= {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": made.path_info,
        "QUERY_STRING": parts.query,
    }
    made.GET = QueryDict(parts.query)
    made.COOKIES = {}
    made.content_type, made.content_params = "", {}
    attributes |= {
        "_post": QueryDict(),
        "_files": MultiValueDict(),
        "_body": b"",
        "_stream": BytesIO(),
        "_read_started": False,
    }
    if "environ" in attributes:  # WSGI
        attributes["environ"] = made.META
    if "scope" in attributes:  # ASGI. Middleware that is not Django's authenticates users here.
        scope = {key: value for key, value in attributes["scope"].items() if key not in _SCOPE_KEYS}
        changed = {
            "path": made.path,
            "query_string": parts.query.encode(),
            "headers": [],
            "method": "GET",
        }
        attributes["scope"] = scope | changed
    return made
