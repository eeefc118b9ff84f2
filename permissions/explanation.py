"""The answer of each part of a permission for one request, which explains the answer as a whole.

`evaluate` adds each answer to a list of the view, if the view has one. From this list, the tree of
the answers is made. So a permission is never evaluated a second time to explain its answer.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType
from typing import Any

from django.http import HttpRequest
from rest_framework.permissions import AND, NOT, OR
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.paths import escape_control_characters
from proxy_storage.suggestions import describe_error

from .base import (
    ANSWERS,
    Answer,
    FilePermission,
    StandInView,
    evaluate,
    get_drf_request,
    is_bool,
)
from .field_permissions import FieldPermissions

_OPERATORS: dict[type[Any], str] = {AND: "and", OR: "or", NOT: "not"}
_WORDS = {True: "yes", False: "no", None: "?"}
NOT_EVALUATED = "not evaluated, because the answer before is sufficient"
NEEDS_RECORD = "depends on the record"


@dataclass(frozen=True)
class Explanation:
    """The answer of a permission, and the answers of its parts.

    Attributes:
        permission: its name with its arguments, such as ``IsOwner('user')``; for a
            composed permission ``"and"``, ``"or"`` or ``"not"``.
        answer: the result of `evaluate`; ``None`` also if the permission was not evaluated, or has
            raised an exception.
        reason: the reason for the answer, or the text of the exception. It is for the operator of
            the site: it may contain facts that the requester must not see.
        parts: the operands of a composed permission, and the permissions that another one has
            evaluated, such as the permission of a field in `FieldPermissions`.
        is_evaluated: whether the answer is known. The second operand is not evaluated if the first
            one decides.
        error: the name of the exception's class, if the permission has raised one.
    """

    permission: str
    answer: bool | None
    reason: str | None = None
    parts: tuple[Explanation, ...] = ()
    is_evaluated: bool = True
    error: str | None = None

    def __str__(self) -> str:
        """Return the tree as indented lines, each with yes or no."""
        return "\n".join(self._get_lines(""))

    def _get_lines(self, indent: str) -> Iterator[str]:
        reason = "" if self.reason is None else f": {escape_control_characters(self.reason)}"
        word = _WORDS[self.answer] if self.is_evaluated else "-"
        yield f"{indent}{word:3} {self.permission}{reason}"
        for part in self.parts:
            yield from part._get_lines(f"{indent}    ")

    def as_dict(self) -> dict[str, Any]:
        """Return the tree as JSON can express it."""
        return {
            "permission": self.permission,
            "answer": self.answer,
            "reason": self.reason,
            "parts": [part.as_dict() for part in self.parts],
        }


def explain(
    permission: Any,
    request: Request | HttpRequest,
    view: APIView | None = None,
    obj: MetaBackendObject | None = None,
) -> Explanation:
    """Evaluate a permission, and return the answer of each of its parts.

    If a permission class evaluates other permissions with `evaluate`, and passes its own ``view``,
    the explanation contains them. A class may return reasons from `FilePermission.get_reason`.

    Args:
        permission: an instance, which may be composed with ``& | ~``.
        request: the request, with its user: a request of DRF or of Django.
        view: the view that answers the request; ``None`` outside of DRF.
        obj: the file's record, if it is known.

    Returns:
        The explanation. Its answer is the result of `evaluate`. If `evaluate` raises an exception,
        the answer is ``None``, and the exception is the reason. A request is allowed only if the
        answer is ``True``.
    """
    any_request: Any = request
    if isinstance(request, HttpRequest):
        any_request = get_drf_request(request)
    any_view: Any = StandInView() if view is None else view
    attributes, answers = vars(any_view), []  # type: dict[str, Any], list[Answer]
    former = attributes.get(ANSWERS)
    attributes[ANSWERS] = answers
    # The exception is the last answer.
    with suppress(Exception):
        evaluate(permission, any_request, any_view, obj)
    attributes[ANSWERS] = former
    return _Builder(answers, any_request, any_view).build()


def get_refusing_permissions(answers: Sequence[Answer]) -> str:
    """Return the names of the single permissions that have denied a request, for a log.

    No method of a permission is called, so that nothing is queried.

    Args:
        answers: the list of the view, after `evaluate`. The last answer is explained.
    """
    return ", ".join(_get_refusing(_Builder(answers, None, None).build()))


def _get_refusing(explanation: Explanation) -> Iterator[str]:
    """Yield the names of the single permissions because of which an answer is not ``True``."""
    refusing = [part for part in explanation.parts if part.is_evaluated and part.answer is not True]
    if explanation.permission == "and":
        # One "no" is sufficient. The first operand may only have been undecided.
        refusing = [part for part in refusing if part.answer is explanation.answer]
    if explanation.permission in ("and", "or"):
        for part in refusing:
            yield from _get_refusing(part)
    elif explanation.permission == "not":
        yield f"~{_get_expression(explanation.parts[0])}"
    else:
        inner = ", ".join(name for part in refusing for name in _get_refusing(part))
        raised = "" if explanation.error is None else f" (raised {explanation.error})"
        yield explanation.permission + (f" ({inner})" if inner else "") + raised


def _get_expression(explanation: Explanation) -> str:
    if explanation.permission == "not":
        return f"~{_get_expression(explanation.parts[0])}"
    if explanation.permission in ("and", "or"):
        operator = {"and": " & ", "or": " | "}[explanation.permission]
        return f"({operator.join(map(_get_expression, explanation.parts))})"
    return explanation.permission


def describe(permission: Any, obj: MetaBackendObject | None = None) -> str:
    """Return the name of a permission, with the arguments of its constructor.

    Args:
        permission: an instance.
        obj: the file's record. If it has a field, the name of a `FieldPermissions` contains it.
    """
    cls: Any = type(permission)
    if cls in _OPERATORS:
        return _OPERATORS[cls]
    field = None if obj is None else obj.get("field")
    if isinstance(permission, FieldPermissions) and field is not None:
        return f"{cls.__qualname__}[{field!r}]"
    attributes = vars(permission)
    values = [attributes[name] for name in _get_argument_names(cls) if name in attributes]
    return f"{cls.__qualname__}({', '.join(map(_show, values))})" if values else cls.__qualname__


@lru_cache(maxsize=256)
def _get_argument_names(cls: Any) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(cls).parameters)
    except (TypeError, ValueError):  # It is a class without a signature.
        return ()


def _show(value: Any) -> str:
    if isinstance(value, type | FunctionType):
        return value.__qualname__
    # The representation of other objects may be long, or run a query.
    is_plain = value is None or is_bool(value) or isinstance(value, str | int | float)
    return repr(value) if is_plain else type(value).__qualname__


class _Builder:
    """Makes the tree from the list of answers, in which each answer follows those of its parts.

    Args:
        answers: the answers.
        request: the request; ``None``: without reasons.
        view: the view.
    """

    def __init__(self, answers: Sequence[Answer], request: Request | None, view: Any) -> None:
        self._answers = answers
        self._request = request
        self._view = view

    def build(self, index: int = -1) -> Explanation:
        """Return the explanation of one answer; by default of the last one."""
        if index < 0:
            index += len(self._answers)
        permission, result, start, obj = self._answers[index]
        parts: list[Explanation] = []
        results: list[bool | Exception | None] = []
        last = index - 1
        while last >= start:
            parts.insert(0, self.build(last))
            results.append(self._answers[last][1])
            last = self._answers[last][2] - 1
        if isinstance(permission, AND | OR) and len(parts) == 1:
            composed: Any = permission
            parts.append(_get_static(composed.op2))
        name = describe(permission, obj)
        parts = _flatten(name, parts)
        if isinstance(result, Exception):
            # An exception of a part is shown with that part.
            is_own = result not in results
            error = type(result).__name__ if is_own else None
            reason = describe_error(result) if is_own else None
            return Explanation(name, None, reason, tuple(parts), error=error)
        reason = self._get_reason(permission, result, obj) if result is not True else None
        return Explanation(name, result, reason, tuple(parts))

    def _get_reason(
        self, permission: Any, result: bool | None, obj: MetaBackendObject | None
    ) -> str | None:
        if result is None:
            return None if type(permission) in _OPERATORS else NEEDS_RECORD
        if not isinstance(permission, FilePermission) or self._request is None or obj is None:
            return None
        try:
            return permission.get_reason(self._request, self._view, obj)
        except Exception as error:  # noqa: BLE001  (the answer itself is known)
            return describe_error(error)


def _get_static(permission: Any) -> Explanation:
    """Return an explanation of a permission that was not evaluated."""
    composed = permission
    operands = []
    if isinstance(permission, AND | OR | NOT):
        operands.append(composed.op1)
        if not isinstance(permission, NOT):
            operands.append(composed.op2)
    name = describe(permission)
    return Explanation(
        name,
        None,
        None if operands else NOT_EVALUATED,
        tuple(_flatten(name, [_get_static(one) for one in operands])),
        is_evaluated=False,
    )


def _flatten(name: str, parts: Sequence[Explanation]) -> list[Explanation]:
    """Return ``a | b | c``, which is ``(a | b) | c``, as three parts."""
    if name not in ("and", "or"):
        return list(parts)
    return [one for part in parts for one in (part.parts if part.permission == name else [part])]
