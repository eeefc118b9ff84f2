"""Signed links: URLs that give access to one file for a limited time.

::

    from proxy_storage_permissions import get_signed_url, revoke_links

    link = get_signed_url(record, request=request, max_age=600)
    link.url, link.expires_at
    revoke_links(record)

The query of a link has its method, disposition, user and time of expiry. The signature covers
these and the record. The endpoint accepts links if `HasValidSignature` is one of its permissions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.core.signing import BadSignature, Signer
from django.db import DEFAULT_DB_ALIAS, router
from django.db.models import Model
from django.http import HttpRequest, QueryDict
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.content_objects import get_row_database, get_scope
from proxy_storage.endpoint import add_to_query, get_file_url
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject

from .base import FilePermission
from .ownership import is_logged_in, is_user
from .settings import get_base_url, get_link_key, get_link_max_age, get_link_rounding

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

SALT = "proxy_storage_permissions.links"
# The key of a record whose value changes when its links are revoked.
LINK_VERSION = "link_version"
#: the methods that a link can be made for; a link for GET is valid for HEAD as well
METHODS = ("GET", "HEAD", "DELETE")
# The parameters of the query that the signature covers. The path is taken from the record.
BOUND_PARAMETERS = ("method", "disposition", "user", "expires")
SIGNATURE_PARAMETER = "signature"

# Twelve digits are enough until the year 9999.
_EXPIRES = re.compile(r"[1-9][0-9]{0,11}")
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class SignedLink:
    """A signed link.

    Attributes:
        url: the URL; absolute if a request or ``absolute`` was passed.
        expires_at: the time from which the link is not valid any more, in UTC.
    """

    url: str
    expires_at: datetime


def get_signed_url(
    record: MetaBackendObject,
    *,
    request: Request | HttpRequest | None = None,
    max_age: int | None = None,
    as_attachment: bool = False,
    method: str = "GET",
    user: AbstractBaseUser | AnonymousUser | None = None,
    absolute: bool = False,
) -> SignedLink:
    """Return a link that gives access to a file for a limited time.

    No permission is checked: the caller decides whether to give access to the file.

    Args:
        record: the file's record, as it is in the meta backend now.
        request: the current request, which makes the URL absolute.
        max_age: the lifetime in seconds; by default, and at most, ``LINK_MAX_AGE``. The link may
            expire up to a tenth of it earlier: see ``LINK_ROUNDING``.
        as_attachment: whether browsers save the file, even if they could show it.
        method: one of `METHODS`.
        user: the only user for whom the link is valid, with any authentication; by default it is
            valid for all. It may be an instance of another model than the user model, if
            requests are authenticated as such an instance.
        absolute: whether the URL is absolute without a request as well, for e-mail and for tasks.
            It begins with ``BASE_URL``.

    Raises:
        ConfigurationError: the project does not have an endpoint, or a setting of links is wrong
            or missing.
        ValueError: the method is unknown, the lifetime too long, or the user has no key.
    """
    url = get_file_url(record["path"], record["proxy_storage_name"], request)
    if url is None:
        raise ConfigurationError(
            "A signed link needs a download endpoint. Add 'proxy_storage_api' to INSTALLED_APPS, "
            "or set PROXY_STORAGE['FILE_URL_NAME']."
        )
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}.")
    expires = _get_end(_check_max_age(max_age))
    parameters: dict[str, str] = {}
    if method != "GET":
        parameters["method"] = method
    if as_attachment:
        parameters["disposition"] = "attachment"
    if user is not None:
        parameters["user"] = _get_user_key(user)
    parameters["expires"] = str(expires)
    text = _get_text(record, parameters, user)
    parameters[SIGNATURE_PARAMETER] = _get_signer().signature(text)
    url = add_to_query(url, parameters)
    if request is not None:
        url = request.build_absolute_uri(url)
    elif absolute:
        url = _require_base_url() + url
    return SignedLink(url=url, expires_at=datetime.fromtimestamp(expires, UTC))


def is_valid_link(
    record: MetaBackendObject,
    query: QueryDict,
    method: str,
    user: AbstractBaseUser | AnonymousUser | None,
) -> bool:
    """Return whether the query of a request is a valid link to this file.

    A query that is not a link gives ``False``, not an error.

    Args:
        record: the file's record, as it is in the meta backend now.
        query: the parameters of the request.
        method: the method of the request.
        user: the user of the request.
    """
    end = get_end_of_link(record, query, method, user)
    return end is not None and time() < end


def has_link_expired(
    record: MetaBackendObject,
    query: QueryDict,
    method: str,
    user: AbstractBaseUser | AnonymousUser | None,
) -> bool:
    """Return whether the query is a link to this file that was valid until it expired.

    A link with a wrong signature is not reported as expired. The arguments are those of
    `is_valid_link`.
    """
    end = get_end_of_link(record, query, method, user)
    return end is not None and time() >= end


def get_end_of_link(
    record: MetaBackendObject,
    query: QueryDict,
    method: str,
    user: AbstractBaseUser | AnonymousUser | None,
) -> int | None:
    """Return the time of expiry, in seconds since 1970; ``None`` if the link is not genuine."""
    parameters = _get_parameters(query)
    expires, signature = parameters.get("expires", ""), parameters.get(SIGNATURE_PARAMETER, "")
    if not (_EXPIRES.fullmatch(expires) and _SIGNATURE.fullmatch(signature)):
        return None
    if not _covers(parameters.get("method", "GET"), method):
        return None
    try:
        text = _get_text(record, parameters, user)
    except (ConfigurationError, KeyError):
        # The record has no storage or no meta backend, so that no link can have been made for it.
        return None
    is_genuine = _is_signature_of(text, signature) and _is_for(parameters.get("user"), user)
    return int(expires) if is_genuine else None


def revoke_links(record: MetaBackendObject) -> None:
    """Make all existing links to a file invalid, with one query.

    Links that are made from this record object afterwards are valid.

    Args:
        record: the file's record.

    Raises:
        ConfigurationError: the model of the records does not have the field ``link_version``.
        MetaBackendObjectDoesNotExist: the record has been deleted, so that its links are invalid.
    """
    meta_backend = record.get_proxy_storage().meta_backend
    try:
        meta_backend.check_keys([LINK_VERSION])
    except ConfigurationError as error:
        raise ConfigurationError(
            f"The links to {record['path']!r} cannot be revoked separately, because its record "
            f"has no {LINK_VERSION!r}. Add LinkVersionMixin to the model of the records, and make "
            "a migration. To revoke the links to all files, change PROXY_STORAGE['LINK_KEY']."
        ) from error
    version = {LINK_VERSION: uuid4().hex}
    meta_backend.update(record["path"], version, where=meta_backend.get_identity(record))
    record.update(version)


def _require_base_url() -> str:
    base_url = get_base_url()
    if base_url is None:
        raise ConfigurationError(
            "An absolute link needs a request or a host. Pass the request, or set "
            "PROXY_STORAGE['BASE_URL'] to a URL such as 'https://example.com'."
        )
    return base_url


def _check_max_age(max_age: int | None) -> int:
    longest = get_link_max_age()
    if max_age is None:
        return longest
    if not 1 <= max_age <= longest:
        raise ValueError(
            f"max_age must be from 1 to {longest} seconds (PROXY_STORAGE['LINK_MAX_AGE']), not "
            f"{max_age!r}."
        )
    return int(max_age)


def _get_end(max_age: int) -> int:
    """Return the time of expiry of a new link, in seconds since 1970.

    It is rounded down, so that a link is never valid for longer than ``max_age``. Links that
    are made shortly after each other have the same URL, so that browsers can use their cache.
    """
    end = int(time()) + max_age
    step = min(get_link_rounding(), max_age // 10)
    return end - end % step if step else end


def get_key(requester: Any) -> Any:
    """Return the key of a requester; ``None`` if it has no key.

    A multi-table child of the user model may have a primary key of its own, whose values can be
    the keys of other users. So users are identified by the key of the user model.
    """
    key = getattr(requester, "pk", None)
    if not is_user(requester):
        return key
    model: Any = get_user_model()
    return getattr(requester, model._meta.pk.attname, key)


def get_model_label(requester: Any) -> str | None:
    """Return the label of the model of a requester; ``None`` for a user of the project."""
    if not isinstance(requester, Model) or is_user(requester):
        return None
    model: Any = requester._meta.concrete_model
    label: str = model._meta.label_lower
    return label


def get_scope_of_key(requester: Any, meta_backend: MetaBackendBase | None) -> str | None:
    """Return the scope of a requester's key, as that of a content object; ``None`` by default.

    It names the database and the tenant of the row, since keys of two of them may be equal.

    Args:
        requester: a user, or an instance of another model.
        meta_backend: the meta backend of the record that names the requester.
    """
    has_row = isinstance(requester, Model)
    if is_user(requester):
        user_model: Any = get_user_model()
        model = user_model._meta.concrete_model
    elif has_row:
        model = requester._meta.concrete_model
    else:
        return None
    # The user of a token does not have a row of its own.
    using = get_row_database(requester, model) if has_row else router.db_for_write(model)
    return get_scope(model, using, meta_backend)


def can_be_named(requester: Any) -> bool:
    """Return whether a link can be for one requester: it has a key, and a model that defines it."""
    has_model = is_user(requester) or get_model_label(requester) is not None
    return has_model and get_key(requester) is not None


def _get_user_key(user: AbstractBaseUser | AnonymousUser) -> str:
    key = get_key(user)
    if key is None:
        raise ValueError(f"user must have a primary key, but {user} has no key.")
    if not can_be_named(user):
        raise ValueError(f"user must be an instance of a model, not {type(user).__name__}.")
    return str(key)


def _covers(method: str, requested: str) -> bool:
    return requested == method or (method == "GET" and requested == "HEAD")


def _is_for(key: str | None, user: AbstractBaseUser | AnonymousUser | None) -> bool:
    if key is None:
        return True
    return is_logged_in(user) and can_be_named(user) and str(get_key(user)) == key


def _get_parameters(query: QueryDict) -> dict[str, str]:
    """Return the parameters of a link; an empty dict if a parameter occurs twice.

    Otherwise the signature could cover one of the values, and the view use the other.
    """
    parameters = {}
    for name in (*BOUND_PARAMETERS, SIGNATURE_PARAMETER):
        values = query.getlist(name)
        if len(values) > 1:
            return {}
        if values:
            parameters[name] = str(values[0])
    return parameters


def _get_text(record: MetaBackendObject, parameters: Mapping[str, str], user: Any = None) -> str:
    """Return the text to sign, as JSON, which separates its parts.

    It has the model of a requester that is not a user, because keys of two models may be equal. The
    database and the tenant of the records and of the user are added for the same reason, unless
    they are the usual ones.
    """
    meta_backend = record.get_proxy_storage().meta_backend
    identity = meta_backend.get_identity(record)
    label = get_model_label(user) if "user" in parameters else None
    models = [] if label is None else [label]
    scopes = {
        "records": _get_scope_of_records(meta_backend),
        "user": get_scope_of_key(user, meta_backend) if "user" in parameters else None,
    }
    scopes = {name: scope for name, scope in scopes.items() if scope is not None}
    return json.dumps(
        [
            record["proxy_storage_name"],
            record["path"],
            # A file that is saved later under the same path has another identity.
            sorted((key, str(value)) for key, value in identity.items()),
            str(record.get(LINK_VERSION) or ""),
            *(parameters.get(name) for name in BOUND_PARAMETERS),
            *models,
            *([scopes] if scopes else []),
        ]
    )


def _get_scope_of_records(meta_backend: MetaBackendBase) -> str | None:
    """Return the database and the tenant of records; ``None`` for the default database alone."""
    alias, tenant = meta_backend.get_transaction_alias(), meta_backend.get_tenant()
    if tenant:
        return f"{alias}/{tenant}"
    return None if alias == DEFAULT_DB_ALIAS else alias


def _get_signer() -> Signer:
    """Return a signer. If ``LINK_KEY`` is set, Django's keys are not accepted."""
    key = get_link_key()
    if key is None:
        return Signer(salt=SALT)
    return Signer(key=key, fallback_keys=[], salt=SALT)


def _is_signature_of(text: str, signature: str) -> bool:
    signer = _get_signer()
    try:
        signer.unsign(f"{text}{signer.sep}{signature}")
    except BadSignature:
        return False
    return True


_EXPIRED = "proxy_storage_link_has_expired"


def is_marked_as_expired(request: Request) -> bool:
    """Return whether `HasValidSignature` has found an expired link.

    The error message of a refused request can give this reason. Another permission, combined
    with ``|``, may allow the request nevertheless.
    """
    return _EXPIRED in vars(request)


class HasValidSignature(FilePermission):
    """Allow requests with a valid link, as made by `get_signed_url`.

    A link is valid for its file, method, disposition and user, until it expires or is revoked. It
    gives access to the file, but not to its record: if the view has actions, only those in
    `actions` accept links.
    """

    #: the actions that accept links
    actions: Collection[str] = ("authorize", "destroy", "download")

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Check the signature, the method, the user and the time.

        A view that is called on behalf of another request, such as ``authorize``, returns the
        method of that request from ``method_asked_for(request)``.
        """
        any_view: Any = view  # These attributes are not in DRF's stubs.
        if hasattr(any_view, "action") and any_view.action not in self.actions:
            return False
        method = request.method
        if hasattr(any_view, "method_asked_for"):
            method = any_view.method_asked_for(request)
        end = get_end_of_link(obj, request.query_params, str(method), request.user)
        if end is None:
            return False
        is_valid = time() < end
        if not is_valid:
            vars(request)[_EXPIRED] = True
        return is_valid

    def get_reason(self, request: Request, view: APIView, obj: MetaBackendObject) -> str | None:
        """Return whether the link is missing, expired or not valid."""
        action = getattr(view, "action", None)
        if action is not None and action not in self.actions:
            return f"Links are not accepted for the action {action!r}."
        if SIGNATURE_PARAMETER not in request.query_params:
            return "The request is not a signed link."
        if is_marked_as_expired(request):
            return "The link has expired."
        return "The signature is not valid for this file, method and user, or the link was revoked."

    def get_filter(self, request: Request, view: APIView, models: Collection[type[Model]]) -> bool:
        """Select no records, since a link is for one file."""
        return False
