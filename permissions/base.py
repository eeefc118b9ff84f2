"""What the permission classes have in common."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any, Self

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

_COMBINE = (
    "Write what depends on the request as a permission class of its own, and combine the two "
    "with '&'."
)


def _find_base_with_has_permission(cls: type) -> type | None:
    """Return the class that `has_permission` of another kind comes from, if there is one."""
    others = (base for base in cls.__mro__ if base not in FilePermission.__mro__)
    return next((base for base in others if "has_permission" in vars(base)), None)


class FilePermission(OperationHolderMixin, BasePermission):
    """A permission that is decided by a file's record.

    Instances can be used wherever DRF takes a class, so a permission may have arguments:
    ``IsOwner("user") | IsAdminUser``.

    Nothing is allowed until a subclass says so in `has_object_permission`. A list asks each
    record, unless the subclass also says in `get_filter` which records it allows. Whoever
    overrides the first alone is asked record by record again, whatever the parent's filter.

    Raises:
        ConfigurationError: a subclass defines `has_permission`, or inherits it from another
            class. This method is never called: combine the two classes with ``&``. Or one of
            the methods is a coroutine function.
        RuleError: when it is asked, and has got another `has_permission` later.

    Source: https://www.django-rest-framework.org/api-guide/permissions/
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        base = _find_base_with_has_permission(cls)
        if base is not None:
            where = "" if base is cls else f", which it inherits from {base.__qualname__},"
            raise ConfigurationError(
                f"{cls.__qualname__} is decided by records alone, so its has_permission{where} "
                f"would never be called. {_COMBINE}"
            )
        for name in ("has_object_permission", "get_filter", "get_permission_filter"):
            if iscoroutinefunction(getattr(cls, name, None)):
                raise ConfigurationError(
                    f"{cls.__qualname__}.{name} must not be a coroutine function: rules are "
                    "called synchronously. Write it with 'def'."
                )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __call__(self) -> Self:
        """Return itself: DRF calls what it finds in ``permission_classes``."""
        return self

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Let a request pass that is about one file; its record decides.

        A view that does not say so (``asks_for_one_file``) may never ask the record, as
        in a list, so there nothing is allowed.
        """
        return bool(getattr(view, "checks_record", getattr(view, "asks_for_one_file", False)))

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Tell whether the requester may have the file; by default nobody may."""
        return False

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition | None:
        """Tell which records `has_object_permission` allows, so that a list asks none of them.

        Args:
            request: the request, with its user.
            view: the view that makes the list.
            models: the models whose files are asked about. Files without owner are, too; of
                all others nothing has to be said, and none is shown by what is said here.

        Returns:
            A condition (`proxy_storage.meta_backends.queries`) that exactly the allowed
            records fulfil, such as `filters.owned_by` makes it; ``True`` for all of them,
            ``False`` for none; ``None`` where only each record can tell.
        """
        return False if denies_all(self) else None


class DenyAll(FilePermission):
    """Allow nobody: for a field whose files nobody may read."""


class Outside:
    """The view that permissions get from a caller without a view.

    Its action is the download of one file.
    """

    action = "download"
    asks_for_one_file = True

    def get_queryset(self) -> Any:
        """Refuse to give a queryset, for which Django REST framework's model permissions ask.

        Raises:
            RuleError: always.
        """
        raise RuleError(
            "A permission class asked the view for a queryset, but records are not rows of a "
            "model. Use HasModelPermission or HasObjectPermission."
        )


def decide(
    permission: Any,
    request: Request | HttpRequest,
    view: APIView | None = None,
    obj: MetaBackendObject | None = None,
) -> bool | None:
    """Decide one permission, composed or not.

    DRF asks ``has_permission`` and ``has_object_permission`` of a composed permission
    apart from each other, and ``~`` turns each of them around: ``~IsOwner()`` would
    refuse every request before a record is seen. Here each single permission gives one
    answer, and the operators are applied to the answers.

    Args:
        permission: an instance, as DRF's ``get_permissions`` gives it.
        request: the request, with its user: one of DRF or of Django.
        view: the view that answers it; ``None`` outside of DRF.
        obj: the file's record, once it is known.

    Returns:
        Whether the request is allowed; ``None`` where only a record can tell, and none
        was given.

    Raises:
        RuleError: a permission class returned something else than ``True`` or ``False``, or
            has a ``has_permission`` that would not be asked. The request must be refused.
    """
    stand_in: Any = Outside()
    return _decide(permission, get_drf_request(request), stand_in if view is None else view, obj)


def _decide(
    permission: Any, request: Request, view: APIView, obj: MetaBackendObject | None
) -> bool | None:
    composed = permission  # not narrowed: the operands are unknown to DRF's stubs
    if isinstance(permission, NOT):
        answer = _decide(composed.op1, request, view, obj)
        return None if answer is None else not answer
    if isinstance(permission, AND | OR):
        return _decide_both(permission, request, view, obj)
    if isinstance(permission, FilePermission):
        check_has_permission(permission)
    elif not ask(permission, "has_permission", request, view):
        return False
    if obj is not None:
        return ask(permission, "has_object_permission", request, view, obj)
    if denies_all(permission):
        return False
    return None if asks_records(permission) else True


def ask(permission: Any, method: str, *arguments: Any) -> bool:
    """Call a method of a permission class, and return its answer.

    Args:
        permission: an instance.
        method: the name of the method.
        arguments: its arguments.

    Raises:
        RuleError: the answer is neither ``True`` nor ``False``.
    """
    answer = getattr(permission, method)(*arguments)
    return check_answer(answer, f"{type(permission).__qualname__}.{method}()")


def check_answer(answer: Any, where: str) -> bool:
    """Return an answer of the project's code, if it is one.

    The truth of another value is not the answer: a coroutine is true whatever it would return.

    Args:
        answer: the value that a method has returned.
        where: the method, for the error message.

    Raises:
        RuleError: the answer is neither ``True`` nor ``False``.
    """
    if is_bool(answer):
        return bool(answer)
    if inspect.iscoroutine(answer):
        answer.close()  # Otherwise Python warns that it was never awaited.
        raise RuleError(f"{where} returned a coroutine. Rules are called synchronously: use 'def'.")
    raise RuleError(f"{where} must return True or False, not {type(answer).__name__}.")


def is_bool(value: Any) -> bool:
    """Tell whether a value is ``True`` or ``False`` itself.

    A ``SimpleLazyObject`` has the ``__class__`` of its value, so that ``isinstance`` accepts it.
    The operators of permissions compare by identity, and would take a lazy ``False`` for ``True``.
    """
    return value is True or value is False


def check_has_permission(permission: FilePermission) -> None:
    """Check that a permission has no ``has_permission`` of its own, since it is never called.

    The class is checked when it is made. A decorator, an assignment or an instance can add the
    method later, and a base that overrides ``__init_subclass__`` can prevent the first check.

    Raises:
        RuleError: the permission has such a method.
    """
    is_own = get_function(permission.has_permission) is not FilePermission.has_permission
    if is_own or _find_base_with_has_permission(type(permission)) is not None:
        raise RuleError(
            f"{type(permission).__qualname__} is decided by records alone, and its own "
            f"has_permission is never called. {_COMBINE}"
        )


def get_function(method: Any) -> Any:
    """Return the function of a bound method; ``None`` for anything else."""
    return getattr(method, "__func__", None)


def is_refusal(error: Exception) -> bool:
    """Tell whether an error that a rule has raised refuses the requester.

    These are errors of Django REST framework, and of the project, with a status below 500, and
    Django's own ``Http404`` and ``PermissionDenied``. All others are failures.

    Args:
        error: the error.
    """
    if isinstance(error, APIException):
        return error.status_code < 500
    return isinstance(error, Http404 | PermissionDenied)


def get_drf_request(request: Any) -> Any:
    """Return a request of Django REST framework, with the same user.

    Args:
        request: such a request, or one of Django.
    """
    if not isinstance(request, HttpRequest):
        return request
    if not hasattr(request, "user"):
        return Request(request)
    # With a user alone, DRF would authenticate again for a rule that reads request.auth.
    known: Any = ForcedAuthentication(request.user, getattr(request, "auth", None))
    return Request(request, authenticators=[known])


def denies_all(permission: Any) -> bool:
    """Tell whether a permission is one of ours that never says when it allows anything."""
    method = getattr(permission, "has_object_permission", None)
    return get_function(method) is FilePermission.has_object_permission


def asks_records(permission: Any) -> bool:
    """Tell whether a permission looks at records, beside the request."""
    method = getattr(permission, "has_object_permission", None)
    return get_function(method) is not BasePermission.has_object_permission


def _decide_both(
    permission: Any, request: Request, view: APIView, obj: MetaBackendObject | None
) -> bool | None:
    # True settles an "or", False an "and", whatever the other answer is
    settling = isinstance(permission, OR)
    first = _decide(permission.op1, request, view, obj)
    if first is settling:
        return settling
    second = _decide(permission.op2, request, view, obj)
    if second is settling:
        return settling
    return None if None in (first, second) else not settling
