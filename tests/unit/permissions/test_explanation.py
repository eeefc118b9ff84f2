"""The explanation of permissions."""

from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.http import HttpRequest, QueryDict
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser, IsAuthenticated

from jobs.models import JobApply
from jobs.permissions import JobApplyFiles
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.registry import get_proxy_storage
from proxy_storage_permissions import (
    CanReadFile,
    DenyAll,
    FieldPermissions,
    FilePermission,
    HasModelPermission,
    HasObjectPermission,
    HasValidSignature,
    IsOwner,
    evaluate,
    explain,
    get_signed_url,
    links,
)
from proxy_storage_permissions.base import ANSWERS
from proxy_storage_permissions.explanation import describe, get_refusing_permissions
from tests.testapp.models import Document, Team
from tests.unit.permissions.asking import own


class Raises(FilePermission):
    def has_object_permission(self, request, view, obj):
        raise PermissionDenied("not\ntoday")


class Unclear(FilePermission):
    def has_object_permission(self, request, view, obj):
        return "yes"


class Evaluates(FilePermission):
    """A permission of a project that evaluates others."""

    def has_object_permission(self, request, view, obj):
        rule = IsOwner("user") | IsAdminUser
        return evaluate(rule(), request, view, obj) is True


class FailsToExplain(FilePermission):
    def get_reason(self, request, view, obj):
        raise ValueError("no reason")


class IsToken(BasePermission):
    def __init__(self, token=None):
        self.token = token


def ask(user, query=""):
    return SimpleNamespace(user=user, method="GET", query_params=QueryDict(query))


def explain_file(permission, user, record, query=""):
    view = SimpleNamespace(checks_record=True)
    return explain(permission(), ask(user, query), view, record)


def get_rules(permission, user, record):
    """Return the text for the log."""
    view = SimpleNamespace(checks_record=True, **{ANSWERS: []})
    try:
        assert evaluate(permission(), ask(user), view, record) is not True
    except PermissionDenied:
        assert getattr(view, ANSWERS)
    return get_refusing_permissions(getattr(view, ANSWERS))


class TestTree:
    def test_field_permissions(self, people, resume):
        assert str(explain_file(JobApplyFiles, people["staff"], resume)) == (
            "yes JobApplyFiles['resume']\n"
            "    yes or\n"
            f"        no  IsOwner('user'): The owner is {people['owner'].pk}, and the "
            f"requester is {people['staff'].pk}.\n"
            "        yes IsAdminUser\n"
            "        -   HasValidSignature: not evaluated, because the answer before is sufficient"
        )

    def test_operators(self, people, resume):
        found = explain_file(~IsAuthenticated & (IsOwner | ~DenyAll), people["owner"], resume)
        assert str(found) == (
            "no  and\n"
            "    no  not\n"
            "        yes IsAuthenticated\n"
            "    -   or\n"
            "        -   IsOwner('user'): not evaluated, because the answer before is sufficient\n"
            "        -   not\n"
            "            -   DenyAll: not evaluated, because the answer before is sufficient"
        )

    def test_permission_that_evaluates_others(self, people, resume):
        found = explain_file(Evaluates, people["owner"], resume)
        assert [part.answer for part in found.parts[0].parts] == [True, None]
        assert found.answer is True

    def test_parts_of_several_equal_operators_are_one_list(self, people, resume):
        for permission in (DenyAll | (DenyAll | AllowAny), AllowAny | (DenyAll | DenyAll)):
            found = explain_file(permission, people["owner"], resume)
            assert found.answer is True
            assert [len(part.parts) for part in found.parts] == [0, 0, 0]

    def test_as_dict(self, people, resume):
        found = explain_file(AllowAny | DenyAll, people["owner"], resume)
        not_evaluated = "not evaluated, because the answer before is sufficient"
        assert found.as_dict() == {
            "permission": "or",
            "answer": True,
            "reason": None,
            "parts": [
                {"permission": "AllowAny", "answer": True, "reason": None, "parts": []},
                {"permission": "DenyAll", "answer": None, "reason": not_evaluated, "parts": []},
            ],
        }

    def test_exception_is_the_reason_of_the_rule_that_raised_it(self, people, resume):
        for permission in (AllowAny & Raises, DenyAll | ~Raises):
            lines = str(explain_file(permission, people["owner"], resume)).splitlines()
            assert lines[0].startswith("?  ")
            assert sum("Raises: PermissionDenied: not today" in line for line in lines) == 1
            assert sum("PermissionDenied" in line for line in lines) == 1

    def test_rule_error(self, people, resume):
        found = explain_file(Unclear, people["owner"], resume)
        assert found.answer is None
        assert found.reason.startswith("RuleError: Unclear.has_object_permission() must return")

    def test_without_a_record(self, people):
        found = explain_file(IsOwner | DenyAll, people["owner"], None)
        assert (found.answer, found.reason) == (None, None)
        assert found.parts[0].reason == "depends on the record"
        assert found.parts[1].answer is False

    def test_without_a_view_and_with_a_request_of_django(self, people, resume):
        request = HttpRequest()
        request.user = people["owner"]
        assert explain(JobApplyFiles(), request, None, resume).answer is True

    def test_former_list_of_the_view_is_kept(self, people, resume):
        view, answers = SimpleNamespace(checks_record=True), []
        setattr(view, ANSWERS, answers)
        explain(AllowAny(), ask(people["owner"]), view, resume)
        assert getattr(view, ANSWERS) is answers == []


class TestReasons:
    NOTHING = MetaBackendObject({"path": "/x"})

    @pytest.mark.parametrize(
        "permission", [IsOwner, JobApplyFiles, HasModelPermission, HasObjectPermission, CanReadFile]
    )
    def test_file_without_a_content_object(self, people, permission):
        found = explain_file(permission, people["owner"], self.NOTHING)
        assert found.reason == "The file does not have a content object."

    @pytest.mark.parametrize("permission", [IsOwner, HasObjectPermission, CanReadFile])
    def test_content_object_was_deleted(self, people, permission):
        document = Document.objects.create(user=people["owner"])
        record = own(document, "orm_file")
        document.delete()
        found = explain_file(permission, people["owner"], record)
        assert found.reason == "The content object does not exist any more."

    def test_owner(self, people, resume):
        def get_reason(permission, user, record):
            return explain_file(permission, user, record).reason

        assert get_reason(IsOwner, people["anonymous"], resume) == (
            "The requester is not logged in as a user."
        )
        document = Document.objects.create()
        document.teams.set([Team.objects.create()])
        record = own(document, "orm_file")
        assert get_reason(IsOwner, people["owner"], record) == (
            "The content object does not have an owner."
        )
        assert get_reason(IsOwner("teams.members"), people["owner"], record) == (
            "The user is not one of 'teams.members' of the content object."
        )

    def test_field_permissions(self, people, resume):
        class OnlyAvatars(FieldPermissions):
            model = JobApply
            permissions = {"avatar": AllowAny, "resume": None}

        found = explain_file(OnlyAvatars, people["owner"], resume)
        assert found.reason == "The field 'resume' does not have a permission."
        document = own(Document.objects.create(), "orm_file")
        found = explain_file(OnlyAvatars, people["owner"], document)
        assert found.reason == "The content object is of testapp.Document, not jobs.JobApply."
        found = explain_file(JobApplyFiles, people["stranger"], resume)
        assert (found.answer, found.reason) == (False, None)

    def test_django_permissions(self, people, resume):
        for permission, end in (
            (HasModelPermission, "."),
            (HasObjectPermission, " for this content object."),
        ):
            found = explain_file(permission, people["owner"], resume)
            assert found.reason == (
                f"The user does not have the permission 'jobs.view_jobapply'{end}"
            )

    def test_method_of_the_content_object(self, people, resume):
        found = explain_file(CanReadFile, people["owner"], resume)
        assert found.reason == "jobs.JobApply does not have the method 'can_read_file'."
        document = Document.objects.create(user=people["owner"])
        found = explain_file(CanReadFile, people["stranger"], own(document, "orm_file"))
        assert found.reason == "Document.can_read_file() returned False."
        removed = own(document, "orm_file", field="removed")
        found = explain_file(CanReadFile, people["stranger"], removed)
        assert found.reason == "testapp.Document does not have the field 'removed'."

    def test_links(self, people, resume):
        found = explain_file(HasValidSignature, people["owner"], resume)
        assert found.reason == "The request is not a signed link."
        found = explain_file(HasValidSignature, people["owner"], resume, "signature=x&expires=1")
        assert found.reason.startswith("The signature is not valid for this file")
        view = SimpleNamespace(checks_record=True, action="retrieve")
        found = explain(HasValidSignature(), ask(people["owner"]), view, resume)
        assert found.reason == "Links are not accepted for the action 'retrieve'."

    def test_reason_that_cannot_be_found(self, people, resume):
        found = explain_file(FailsToExplain, people["owner"], resume)
        assert (found.answer, found.reason) == (False, "ValueError: no reason")


class TestRefusingRules:
    @pytest.mark.parametrize(
        ("permission", "expected"),
        [
            (DenyAll, "DenyAll"),
            (DenyAll & AllowAny, "DenyAll"),
            (AllowAny & DenyAll, "DenyAll"),
            (IsAdminUser | DenyAll, "IsAdminUser, DenyAll"),
            (~AllowAny, "~AllowAny"),
            (~(AllowAny & ~DenyAll), "~(AllowAny & ~DenyAll)"),
            (~(DenyAll | AllowAny) | DenyAll, "~(DenyAll | AllowAny), DenyAll"),
            (~~DenyAll, "~~DenyAll"),
            ((AllowAny | DenyAll) & (IsAdminUser | DenyAll), "IsAdminUser, DenyAll"),
            (Evaluates, "Evaluates (IsOwner('user'), IsAdminUser)"),
            (
                JobApplyFiles,
                "JobApplyFiles['resume'] (IsOwner('user'), IsAdminUser, HasValidSignature)",
            ),
            (Raises, "Raises (raised PermissionDenied)"),
            (AllowAny & Raises, "Raises (raised PermissionDenied)"),
        ],
    )
    def test_with_a_record(self, people, resume, permission, expected):
        assert get_rules(permission, people["stranger"], resume) == expected

    def test_without_a_record(self, people):
        rules = get_rules(IsOwner & JobApplyFiles, people["stranger"], None)
        assert rules == "IsOwner('user'), JobApplyFiles"
        assert get_rules(IsOwner & DenyAll, people["stranger"], None) == "DenyAll"


class TestNames:
    @pytest.mark.parametrize(
        ("permission", "expected"),
        [
            (IsOwner("team.members"), "IsOwner('team.members')"),
            (CanReadFile("may"), "CanReadFile('may', None)"),
            (IsToken(object()), "IsToken(object)"),
            (IsToken(5), "IsToken(5)"),
            (AllowAny(), "AllowAny"),
        ],
    )
    def test_name_and_arguments(self, permission, expected):
        assert describe(permission) == expected

    def test_class_without_a_signature(self):
        class Odd(BasePermission):
            __signature__ = "odd"

        assert describe(Odd()).endswith("Odd")


def test_expired_link(people, empty_storages, monkeypatch):
    storage = get_proxy_storage("orm-disk")
    record = storage.get_meta_backend_obj(storage.save("a.txt", ContentFile(b"a")))
    query = urlsplit(get_signed_url(record).url).query
    assert explain_file(HasValidSignature, people["stranger"], record, query).answer is True
    monkeypatch.setattr(links, "time", lambda: 2.0**33)
    found = explain_file(HasValidSignature, people["stranger"], record, query)
    assert (found.answer, found.reason) == (False, "The link has expired.")
