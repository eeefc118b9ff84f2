"""The base of the permission classes, and the evaluation of permissions."""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest
from rest_framework.exceptions import APIException
from rest_framework.permissions import AND, NOT, OR, BasePermission, OperationHolderMixin
from rest_framework.request import ForcedAuthentication, Request
from rest_framework.views import APIView

from proxy_storage.exceptions import ConfigurationError, RuleError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import Condition

from .settings import get_reading_classes

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

logger = logging.getLogger("proxy_storage_permissions")

_COMBINE = "Put this condition into a separate permission class, and combine the two with '&'."


# Reasons of several permissions, for `explain`.
NO_CONTENT_OBJECT = "The file does not have a content object."
NOT_FOUND = "The content object does not exist any more."


class FilePermission(OperationHolderMixin, BasePermission):
    """Base class of permissions that depend on the record of a file.

    Instances can be used wherever DRF takes a class, so a permission may have arguments:
    ``IsOwner("user") | IsAdminUser``.

    A subclass overrides `has_object_permission`; without it, all requests are denied. It may also
    override `get_filter`, so that a list selects the allowed records with a query. Without a
    filter, a list calls `has_object_permission` for each record. A subclass that overrides
    `has_object_permission` alone does not use the filter of its parent.

    Raises:
        ConfigurationError: a subclass defines or inherits another `has_permission`, which would
            never be called, or one of the methods is a coroutine function.
        RuleError: on use, if the class has got another `has_permission` later.

    Source: https://www.django-rest-framework.org/api-guide/permissions/
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        others = [
            base
            for base in cls.__mro__
            if "has_permission" in vars(base) and base not in FilePermission.__mro__
        ]
        if others:
            base = others[0]
            where = "" if base is cls else f", which it inherits from {base.__qualname__},"
            raise ConfigurationError(
                f"{cls.__qualname__} is evaluated for records only, so its has_permission{where} "
                f"would never be called. {_COMBINE}"
            )
        for name in ("has_object_permission", "get_filter", "get_permission_filter"):
            if iscoroutinefunction(getattr(cls, name, None)):
                raise ConfigurationError(
                    f"{cls.__qualname__}.{name} must not be a coroutine function, because "
                    "permissions are called synchronously. Define it with 'def'."
                )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __call__(self) -> Self:
        """Return this instance: DRF calls each entry of ``permission_classes``."""
        return self

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the view calls `has_object_permission` for this request.

        Only a view with the attribute ``checks_record`` does so. Other views, such as lists, may
        never check the record, so they are denied.
        """
        return bool(getattr(view, "checks_record", getattr(view, "asks_for_one_file", False)))

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Return whether the request is allowed for a file; by default it is not.

        Args:
            request: the request, with its user.
            view: the view.
            obj: the file's record.
        """
        return False

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition | None:
        """Return a condition for the records that `has_object_permission` allows.

        Args:
            request: the request, with its user.
            view: the view that makes the list.
            models: the models of the content objects. The condition is used for files of these
                models, and for files without a content object. Files of other models are not
                listed.

        Returns:
            A condition (`proxy_storage.meta_backends.queries`) that selects exactly the allowed
            records, for example made with `content_object_in`; ``True`` for all records,
            ``False`` for none; ``None`` if `has_object_permission` has to be called for each
            record.
        """
        return False if denies_all(self) else None

    def get_reason(self, request: Request, view: APIView, obj: MetaBackendObject) -> str | None:
        """Return why this permission denies a file, for `explain`, or ``None``.

        It is called only by the command ``proxystorage explain`` and by code that calls `explain`,
        never for a response. The text may contain facts that the requester must not see.

        Args:
            request: the request, with its user.
            view: the view.
            obj: the file's record.
        """
        return None


class DenyAll(FilePermission):
    """Deny all requests: for a field whose files must not be read."""


class StandInView:
    """The view that is passed to permissions if there is no view.

    Its action is the download of one file.
    """

    action = "download"
    checks_record = True

    def get_queryset(self) -> Any:
        """Refuse to return a queryset, which DRF's model permissions require.

        Raises:
            RuleError: always.
        """
        raise RuleError(
            "A permission class called get_queryset() of the view, but records are not rows of a "
            "model. Use HasModelPermission or HasObjectPermission instead."
        )


def evaluate(
    permission: Any,
    request: Request | HttpRequest,
    view: APIView | None = None,
    obj: MetaBackendObject | None = None,
) -> bool | None:
    """Evaluate a permission, which may be composed with ``& | ~``.

    DRF calls ``has_permission`` and ``has_object_permission`` of a composed permission in two
    separate steps, and ``~`` negates each step: ``~IsOwner()`` would refuse every request before
    the record is known. This function evaluates each single permission to one result, and
    applies the operators to the results.

    Args:
        permission: an instance, as returned by DRF's ``get_permissions``.
        request: the request, with its user: a request of DRF or of Django.
        view: the view that answers the request; ``None`` outside of DRF.
        obj: the file's record, if it is known.

    Returns:
        Whether the request is allowed; ``None`` if that depends on the record and no record was
        passed.

    Raises:
        RuleError: a permission class returned a value other than ``True`` or ``False``, or has a
            ``has_permission`` that would never be called. The request must be refused.
    """
    if isinstance(request, HttpRequest):
        request = get_drf_request(request)
    if view is None:
        stand_in: Any = StandInView()
        view = stand_in
    answers: list[Answer] | None = getattr(view, ANSWERS, None)
    start = 0 if answers is None else len(answers)
    composed = permission  # Not narrowed: DRF's stubs do not have the operands.
    result: bool | None
    try:
        if isinstance(permission, NOT):
            operand = evaluate(composed.op1, request, view, obj)
            result = None if operand is None else not operand
        elif isinstance(permission, AND | OR):
            # The result True is sufficient for "or", and False for "and".
            sufficient = isinstance(permission, OR)
            result = evaluate(composed.op1, request, view, obj)
            if result is not sufficient:
                second = evaluate(composed.op2, request, view, obj)
                if second is sufficient or result is not None:
                    result = second
        else:
            result = _evaluate_single(permission, request, view, obj)
    except Exception as error:
        if answers is not None:
            answers.append((permission, error, start, obj))
        raise
    if answers is not None:
        answers.append((permission, result, start, obj))
    return result


#: the former name of `evaluate`
decide = evaluate

#: The attribute of a view with the list to which `evaluate` adds the answer of each permission.
ANSWERS = "permission_answers"
#: A permission, its answer or error, the length of the list before its own parts were added, and
#: the record that it was evaluated for. Parts can have another record: see `CanReadSource`.
Answer: TypeAlias = tuple[Any, bool | Exception | None, int, MetaBackendObject | None]


def _evaluate_single(
    permission: Any, request: Any, view: APIView, obj: MetaBackendObject | None
) -> bool | None:
    """Evaluate a permission that is not composed."""
    if isinstance(permission, FilePermission):
        check_has_permission(permission)
    elif not call_method(permission, "has_permission", request, view):
        return False
    if obj is not None:
        return call_method(permission, "has_object_permission", request, view, obj)
    method = getattr(permission, "has_object_permission", None)
    function = getattr(method, "__func__", None)
    if function is FilePermission.has_object_permission:
        return False
    return True if function is BasePermission.has_object_permission else None


def call_method(permission: Any, method: str, *arguments: Any) -> bool:
    """Call a method of a permission, and return its result.

    Args:
        permission: an instance.
        method: the name of the method.
        arguments: its arguments.

    Raises:
        RuleError: the result is neither ``True`` nor ``False``.
    """
    result = getattr(permission, method)(*arguments)
    if result is True or result is False:
        return result
    return check_result(result, f"{type(permission).__qualname__}.{method}()")


def check_result(result: Any, where: str) -> bool:
    """Return the result of a method of the project, after a check that it is a bool.

    Other values are refused, since their truth can be misleading: a coroutine is always true.

    Args:
        result: the value that the method has returned.
        where: the method, for the error message.

    Raises:
        RuleError: the result is neither ``True`` nor ``False``.
    """
    if is_bool(result):
        return bool(result)
    if inspect.iscoroutine(result):
        result.close()  # Otherwise Python warns that it was never awaited.
        raise RuleError(
            f"{where} returned a coroutine, but permissions are called synchronously. Define it "
            "with 'def'."
        )
    raise RuleError(f"{where} must return True or False, not {type(result).__name__}.")


def is_bool(value: Any) -> bool:
    """Return whether a value is the object ``True`` or ``False``.

    ``isinstance`` is not sufficient: it accepts a ``SimpleLazyObject`` of a bool. The operators
    of permissions compare by identity, and would treat a lazy ``False`` as true.
    """
    return value is True or value is False


def check_has_permission(permission: FilePermission) -> None:
    """Check that a permission does not have a ``has_permission``, which would never be called.

    The class is checked when it is defined. The method can be added later by a decorator or an
    assignment, and a base class that overrides ``__init_subclass__`` can skip the first check.

    Raises:
        RuleError: the permission has such a method.
    """
    function = getattr(permission.has_permission, "__func__", None)
    defining = [base for base in type(permission).__mro__ if "has_permission" in vars(base)]
    if function is not FilePermission.has_permission or defining != [
        FilePermission,
        BasePermission,
    ]:
        raise RuleError(
            f"{type(permission).__qualname__} is evaluated for records only, and its "
            f"has_permission is never called. {_COMBINE}"
        )


def is_refusal(error: Exception) -> bool:
    """Return whether an error that a permission has raised refuses the request.

    These are DRF's exceptions with a status below 500, and Django's ``Http404`` and
    ``PermissionDenied``. All other exceptions are failures.

    Args:
        error: the error.
    """
    if isinstance(error, APIException):
        return error.status_code < 500
    return isinstance(error, Http404 | PermissionDenied)


def get_drf_request(request: HttpRequest) -> Any:
    """Return a DRF request for a request of Django, with the same user."""
    if not hasattr(request, "user"):
        return Request(request)
    # Without request.auth, DRF would authenticate again if a permission reads it.
    known: Any = ForcedAuthentication(request.user, getattr(request, "auth", None))
    return Request(request, authenticators=[known])


def denies_all(permission: Any) -> bool:
    """Return whether a permission inherits the `has_object_permission` that denies all."""
    method = getattr(permission, "has_object_permission", None)
    return getattr(method, "__func__", None) is FilePermission.has_object_permission


def needs_record(permission: Any) -> bool:
    """Return whether a permission depends on the record, and not only on the request."""
    method = getattr(permission, "has_object_permission", None)
    return getattr(method, "__func__", None) is not BasePermission.has_object_permission


def may_read(
    user: AbstractBaseUser | AnonymousUser | None,
    record: MetaBackendObject,
    *,
    request: Request | HttpRequest | None = None,
    permission_classes: Sequence[Any] | None = None,
) -> bool:
    """Return whether a user may read a file: for views outside of DRF, and for tasks.

    ::

        from proxy_storage_permissions import may_read

        if may_read(user, record):
            ...

    The result is the same as for a download through the endpoint. An exception that refuses the
    request, such as ``PermissionDenied``, gives ``False``. So does a permission that cannot be
    evaluated, which is logged as an error.

    Args:
        user: the user; ``None`` for an anonymous user.
        record: the file's record.
        request: a request, for permissions that use more than the user, such as
            `HasValidSignature`. It is not changed. By default an empty ``GET`` request is used.
        permission_classes: the permission classes, all of which have to allow it; by default
            those of ``PROXY_STORAGE["DEFAULT_PERMISSION_CLASSES"]``.

    Raises:
        ConfigurationError: a permission class cannot be imported, or does not fit its model.
    """
    django_request = make_reading_request(user, request)
    classes = permission_classes or get_reading_classes()
    try:
        return all(evaluate(cls(), django_request, None, record) is True for cls in classes)
    except RuleError as error:
        logger.error(  # noqa: TRY400  (one line)
            "Reading %r was refused, because a permission cannot be evaluated. %s",
            record["path"],
            error,
        )
        return False
    except Exception as error:
        if not is_refusal(error):
            raise
        return False


def make_reading_request(
    user: AbstractBaseUser | AnonymousUser | None, request: Request | HttpRequest | None = None
) -> Any:
    """Return a request of Django by which a user reads a file.

    Args:
        user: the user; ``None`` for an anonymous user.
        request: the request to copy; by default an empty ``GET`` request.
    """
    from django.contrib.auth.models import AnonymousUser

    # A copy of a DRF request would share Django's request, and change its user.
    original = HttpRequest() if request is None else getattr(request, "_request", request)
    django_request: Any = copy.copy(original)
    django_request.method = django_request.method or "GET"
    if user is not getattr(django_request, "user", None):
        django_request.auth = None
    django_request.user = AnonymousUser() if user is None else user
    return django_request
