"""The rules of the project, checked without a request of Django REST framework.

::

    from proxy_storage_permissions import may_read

    if may_read(user, record):
        ...
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

from proxy_storage.exceptions import RuleError
from proxy_storage.meta_backends.base import MetaBackendObject

from .base import decide, is_refusal
from .settings import get_reading_classes

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser
    from rest_framework.request import Request

logger = logging.getLogger("proxy_storage_permissions")


def may_read(
    user: AbstractBaseUser | AnonymousUser | None,
    record: MetaBackendObject,
    *,
    request: Request | HttpRequest | None = None,
    permission_classes: Sequence[Any] | None = None,
) -> bool:
    """Tell whether a user may read a file: for other frameworks, plain views and tasks.

    The answer is that of a download by the endpoint. A rule that raises a refusal denies, such
    as ``PermissionDenied``. One that cannot decide is logged as an error, and denies.

    Args:
        user: the user; ``None`` for one who is not logged in.
        record: the file's record.
        request: a request, for rules that look at more than the user, such as signed links. It
            is not changed. By default it is an empty ``GET`` request.
        permission_classes: the rules, which all have to agree; by default those of
            ``PROXY_STORAGE["DEFAULT_PERMISSION_CLASSES"]``.

    Raises:
        ConfigurationError: the rules cannot be imported, or one of them does not fit its model.
    """
    from django.contrib.auth.models import AnonymousUser

    # A copy of a DRF request would share Django's request, and change its user.
    django_request: Any = getattr(request, "_request", request)
    asked = _get_empty_request() if request is None else copy.copy(django_request)
    if user is not getattr(asked, "user", None):
        asked.auth = None
    asked.user = AnonymousUser() if user is None else user
    classes = permission_classes or get_reading_classes()
    try:
        return all(decide(permission(), asked, None, record) is True for permission in classes)
    except RuleError as error:
        logger.error("%r was refused, since a rule cannot decide. %s", record["path"], error)  # noqa: TRY400  (one line)
        return False
    except Exception as error:
        if not is_refusal(error):
            raise
        return False


def _get_empty_request() -> Any:
    request = HttpRequest()
    request.method = "GET"
    return request
