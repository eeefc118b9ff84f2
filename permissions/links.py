"""Signed links: URLs that open one file for a while, to whoever has them.

::

    from proxy_storage_permissions.links import get_signed_url, revoke_links

    link = get_signed_url(record, request=request, max_age=600)
    link.url, link.expires_at
    revoke_links(record)

What a link is good for stands in its query, and the signature covers that, the record and
the key. The endpoint follows a link where `HasValidSignature` is one of its permissions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import uuid4

from django.core.signing import BadSignature, Signer
from django.db.models import Model
from django.http import HttpRequest, QueryDict
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.endpoint import get_file_url
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject

from .base import FilePermission
from .ownership import get_key, get_model_label, is_logged_in, is_user
from .settings import get_link_key, get_link_max_age, get_link_rounding

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

SALT = "proxy_storage_permissions.links"
# the key of a record that tells its links from those of before they were revoked
LINK_VERSION = "link_version"
#: what a link may be good for; one for GET is good for HEAD as well
METHODS = ("GET", "HEAD", "DELETE")
# parameters that the signature covers, each as it stands in the query; the path is the record's
BOUND_PARAMETERS = ("method", "disposition", "user", "expires")
SIGNATURE_PARAMETER = "signature"

# twelve digits are enough for as long as there are years of four
_EXPIRES = re.compile(r"[1-9][0-9]{0,11}")
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class SignedLink:
    """A link, and when it ends.

    Attributes:
        url: the URL; absolute where a request was given.
        expires_at: the first moment that it is not good for any more, in UTC.
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
) -> SignedLink:
    """Return a link that opens a file for a while.

    Nobody is asked whether the file may be read: who calls this has decided it.

    Args:
        record: the file's record, as it is in the meta backend now.
        request: the request that the answer is for; it makes the URL absolute.
        max_age: seconds; by default, and at most, ``LINK_MAX_AGE``. The link ends up to a tenth
            earlier: see ``LINK_ROUNDING``.
        as_attachment: the file is to be saved, also where it could be shown in place.
        method: one of `METHODS`.
        user: the only requester whom the link is good for, by any way of authentication; by
            default it is good for everybody. It may be an instance of another model than that
            of users, if requests are authenticated as such.

    Raises:
        ConfigurationError: the project has no endpoint, or the settings of links are wrong.
        ValueError: there is no such method, the age is too long, or the user has no key.
    """
    url = get_file_url(record["path"], record["proxy_storage_name"], request)
    if url is None:
        raise ConfigurationError(
            "There is no endpoint that a link could lead to. Put 'proxy_storage_api' into "
            "INSTALLED_APPS, or set PROXY_STORAGE['FILE_URL_NAME']."
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
    url = f"{url}&{urlencode(parameters)}"
    if request is not None:
        url = request.build_absolute_uri(url)
    return SignedLink(url=url, expires_at=datetime.fromtimestamp(expires, UTC))


def is_valid_link(
    record: MetaBackendObject,
    query: QueryDict,
    method: str,
    user: AbstractBaseUser | AnonymousUser | None,
) -> bool:
    """Tell whether a request comes by a link to this file that is good for it.

    Whatever else is in the query is simply no such link, and no error.

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
    """Return whether a request has a link to this file that was valid until it expired.

    Only the holder of a true link learns it. The arguments are those of `is_valid_link`.
    """
    end = get_end_of_link(record, query, method, user)
    return end is not None and time() >= end


def get_end_of_link(
    record: MetaBackendObject,
    query: QueryDict,
    method: str,
    user: AbstractBaseUser | AnonymousUser | None,
) -> int | None:
    """Return the time when a link expires, in seconds since 1970, or ``None`` for a false one."""
    parameters = _get_parameters(query)
    expires, signature = parameters.get("expires", ""), parameters.get(SIGNATURE_PARAMETER, "")
    if not (_EXPIRES.fullmatch(expires) and _SIGNATURE.fullmatch(signature)):
        return None
    if not _covers(parameters.get("method", "GET"), method):
        return None
    try:
        text = _get_text(record, parameters, user)
    except (ConfigurationError, KeyError):
        # no storage has this record, or no meta backend: no link can have been made for it
        return None
    is_true = _is_signature_of(text, signature) and _is_for(parameters.get("user"), user)
    return int(expires) if is_true else None


def revoke_links(record: MetaBackendObject) -> None:
    """Make all links to a file that there are invalid; one query.

    Links that are made of this record object from now on are good.

    Args:
        record: the file's record.

    Raises:
        ConfigurationError: the model of the records has no field for it.
        MetaBackendObjectDoesNotExist: the record is gone, and its links with it.
    """
    meta_backend = record.get_proxy_storage().meta_backend
    try:
        meta_backend.check_keys([LINK_VERSION])
    except ConfigurationError as error:
        raise ConfigurationError(
            f"Links to {record['path']!r} cannot be revoked one by one: their record has no "
            f"{LINK_VERSION!r}. Mix LinkVersionMixin into its model, and make a migration. To "
            "revoke all links there are, change PROXY_STORAGE['LINK_KEY']."
        ) from error
    version = {LINK_VERSION: uuid4().hex}
    meta_backend.update(record["path"], version, where=meta_backend.get_identity(record))
    record.update(version)


def _check_max_age(max_age: int | None) -> int:
    longest = get_link_max_age()
    if max_age is None:
        return longest
    if not 1 <= max_age <= longest:
        raise ValueError(
            f"max_age must be from 1 to {longest} seconds, which is PROXY_STORAGE"
            f"['LINK_MAX_AGE'], not {max_age!r}."
        )
    return int(max_age)


def _get_end(max_age: int) -> int:
    """Return the time when a new link expires, in seconds since 1970.

    It is rounded down, so that a link is never valid for longer than ``max_age``. Links that
    are made shortly after each other are the same URL, which browsers keep in their cache.
    """
    end = int(time()) + max_age
    step = min(get_link_rounding(), max_age // 10)
    return end - end % step if step else end


def _get_user_key(user: AbstractBaseUser | AnonymousUser) -> str:
    key = get_key(user)
    if key is None:
        raise ValueError(f"A link is for one user or for everybody, and {user} has no key.")
    if not can_be_named(user):
        raise ValueError(
            f"A link is for a user, or an instance of another model, not {type(user).__name__}."
        )
    return str(key)


def can_be_named(requester: Any) -> bool:
    """Tell whether a link can be for a requester alone: it has a key, and a model to it."""
    has_model = is_user(requester) or get_model_label(requester) is not None
    return has_model and get_key(requester) is not None


def _covers(method: str, asked: str) -> bool:
    return asked == method or (method == "GET" and asked == "HEAD")


def _is_for(key: str | None, user: AbstractBaseUser | AnonymousUser | None) -> bool:
    if key is None:
        return True
    return is_logged_in(user) and can_be_named(user) and str(get_key(user)) == key


def _get_parameters(query: QueryDict) -> dict[str, str]:
    """Return the parameters of a link; nothing if one of them is there twice.

    Of two values the view could read one, and the signature cover the other.
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
    """Return the text to sign. It is JSON, so that its parts cannot run into each other.

    The model of a requester that is not a user is one of them: keys of two models may be equal.
    """
    identity = record.get_proxy_storage().meta_backend.get_identity(record)
    label = get_model_label(user) if "user" in parameters else None
    models = [] if label is None else [label]
    return json.dumps(
        [
            record["proxy_storage_name"],
            record["path"],
            # a file that is saved later under the same path is another one
            sorted((key, str(value)) for key, value in identity.items()),
            str(record.get(LINK_VERSION) or ""),
            *(parameters.get(name) for name in BOUND_PARAMETERS),
            *models,
        ]
    )


def _get_signer() -> Signer:
    """Return Django's signer; with a key of our own those of Django do not count."""
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
    """Return whether `HasValidSignature` has found a link that has expired.

    A rule around it may allow the request nevertheless. A refusal can give this reason.
    """
    return _EXPIRED in vars(request)


class HasValidSignature(FilePermission):
    """Allow who comes by a link that was made with `links.get_signed_url`.

    A link is good for its file, for its method, disposition and user, until it expires or
    is revoked. It opens the file and tells nothing else of it: where the view has actions,
    only those of `actions` follow links.
    """

    #: actions that do what a link is for; ``record``, ``list`` and ``link`` do not
    actions: Collection[str] = ("authorize", "destroy", "download")

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Compare the signature with one that such a link to this file would have.

        A view that answers for another request, as ``authorize`` does, tells the method of
        that one by ``method_asked_for(request)``.
        """
        asked_view: Any = view  # an APIView has neither of these
        if hasattr(asked_view, "action") and asked_view.action not in self.actions:
            return False
        method = request.method
        if hasattr(asked_view, "method_asked_for"):
            method = asked_view.method_asked_for(request)
        end = get_end_of_link(obj, request.query_params, str(method), request.user)
        if end is None:
            return False
        is_valid = time() < end
        if not is_valid:
            vars(request)[_EXPIRED] = True
        return is_valid

    def get_filter(self, request: Request, view: APIView, models: Collection[type[Model]]) -> bool:
        """Select nothing: a link is to one file."""
        return False
