"""Why a visitor may read a file, in sentences.

The answers come from the permissions of the site, which are evaluated for the visitor. Only the
names of the permission classes are translated into sentences here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.http import HttpRequest

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_api.explanation import explain_delivery, get_view
from proxy_storage_api.generics import GenericFileViewSet
from proxy_storage_permissions.explanation import Explanation, explain

#: The sentence of a permission class, if its answer is yes, and if it is no.
SENTENCES = {
    "AllowAny": ("All visitors may read it.", ""),
    "IsOwner": ("You are the owner.", "You are not the owner."),
    "IsAdminUser": ("You are a member of the staff.", "You are not a member of the staff."),
    "HasValidSignature": (
        "The request has a valid signed link.",
        "The request does not have a valid signed link.",
    ),
    "CanReadSource": (
        "It is the thumbnail of a picture that you may read.",
        "It is not the thumbnail of a picture that you may read.",
    ),
    "IsUploader": (
        "You have uploaded it, and it does not belong to an application yet.",
        "It is not an upload of yours that waits for its application.",
    ),
    "JobApplyFiles": (
        "The rule of this field of the application allows you to read it.",
        "The rule of this field of the application does not allow you to read it.",
    ),
    "or": ("At least one of these is true:", "None of these is true:"),
    "and": ("All of these are true:", "Not all of these are true:"),
    "not": ("This is not true:", "This is true:"),
}
#: The permissions that depend on the visitor. A short reason consists of these.
ABOUT_VISITOR = ("AllowAny", "IsOwner", "IsAdminUser", "HasValidSignature")
OPERATORS = ("or", "and", "not")
ANSWERS = {True: "yes", False: "no", None: "not evaluated"}


@dataclass(frozen=True)
class Rule:
    """A permission and its answer.

    Attributes:
        name: the name of the permission class, with its arguments; empty for an operator.
        answer: ``yes``, ``no`` or ``not evaluated``.
        sentence: the meaning of the answer; empty for an unknown class.
        parts: the permissions that it consists of.
    """

    name: str
    answer: str
    sentence: str
    parts: list["Rule"]


@dataclass(frozen=True)
class Decision:
    """Whether a visitor may read a file, and why."""

    is_allowed: bool
    rules: list[Rule]

    @property
    def reason(self) -> str:
        """The rules that depend on the visitor, as sentences."""
        return " ".join(_get_short_reasons(self.rules, "yes" if self.is_allowed else "no"))


@dataclass(frozen=True)
class Delivery:
    """How a file is delivered to a visitor who may read it.

    Attributes:
        server: the class of the server.
        headers: the headers of the response.
        internals: text for the staff only: it may contain folders of the server.
    """

    server: str
    headers: dict[str, str] = field(default_factory=dict)
    internals: list[str] = field(default_factory=list)


def make_view(request: HttpRequest) -> GenericFileViewSet:
    """Return the endpoint's view for a download by the visitor.

    Args:
        request: the request of the visitor for a page.
    """
    return get_view("download", request.user)


def decide(view: GenericFileViewSet, record: MetaBackendObject) -> Decision:
    """Evaluate the rules for a file.

    Args:
        view: the result of `make_view`.
        record: the file's record.
    """
    permissions = view.get_permissions()
    found = [view.call_permissions(explain, one, view.request, view, record) for one in permissions]
    return Decision(all(one.answer is True for one in found), [_make_rule(one) for one in found])


def get_delivery(view: GenericFileViewSet, record: MetaBackendObject) -> Delivery:
    """Return how a file is delivered, with the headers that the package sends.

    Args:
        view: the result of `make_view`, for a visitor who may read the file.
        record: the file's record.
    """
    found = explain_delivery(record, view.request)
    internals = []
    if getattr(view.request.user, "is_staff", False):
        internals = [text for text in (found.sends, found.problem) if text]
    return Delivery(found.server or "", found.headers, internals)


def _make_rule(explanation: Explanation) -> Rule:
    answer = explanation.answer if explanation.is_evaluated else None
    base = _get_base_name(explanation.permission)
    if_yes, if_no = SENTENCES.get(base, ("", ""))
    sentence = {True: if_yes, False: if_no, None: ""}[answer]
    parts = [_make_rule(part) for part in explanation.parts]
    return Rule(_get_shown_name(explanation.permission), ANSWERS[answer], sentence, parts)


def _get_shown_name(permission: str) -> str:
    """Return the name of a permission. The arguments of `CanReadSource` are Python objects."""
    base = _get_base_name(permission)
    if base in OPERATORS:
        return ""  # The sentence is sufficient.
    return base if base == "CanReadSource" else permission


def _get_base_name(permission: str) -> str:
    return permission.partition("(")[0].partition("[")[0]


def _get_short_reasons(rules: list[Rule], answer: str) -> Iterator[str]:
    for rule in rules:
        if rule.answer == answer and _get_base_name(rule.name) in ABOUT_VISITOR:
            yield rule.sentence
        if rule.answer == answer:
            yield from _get_short_reasons(rule.parts, answer)
