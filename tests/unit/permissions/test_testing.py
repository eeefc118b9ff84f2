"""The assertions of proxy_storage_permissions.testing."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files.base import ContentFile
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny, IsAdminUser
from rest_framework.test import APIRequestFactory

from proxy_storage.exceptions import RuleError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_permissions import (
    FieldPermissions,
    FilePermission,
    HasValidSignature,
    IsOwner,
    content_object_in,
    get_signed_url,
)
from proxy_storage_permissions.testing import (
    assert_matrix,
    assert_may_not_read,
    assert_may_read,
    override_storages,
)
from tests.testapp.models import Document, PlainDocument, StoredFile

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files_in_memory")]


class OwnerFiles(FieldPermissions):
    model = Document
    permissions = {"orm_file": IsOwner("user")}


OWNER = [OwnerFiles]


@pytest.fixture
def files_in_memory():
    with override_storages():
        yield


class HidesAll(IsOwner):
    """Its list is too short."""

    def has_object_permission(self, request, view, obj):
        return super().has_object_permission(request, view, obj)

    def get_filter(self, request, view, models):
        return False


class ShowsAll(FilePermission):
    """Its list is too long."""

    def has_object_permission(self, request, view, obj):
        return obj.get_content_object().user == request.user

    def get_filter(self, request, view, models):
        return content_object_in(Document.objects.all())


class Unfiltered(FilePermission):
    def has_object_permission(self, request, view, obj):
        return obj.get_content_object().user == request.user


class Refuses(FilePermission):
    def has_object_permission(self, request, view, obj):
        raise AuthenticationFailed

    def get_filter(self, request, view, models):
        raise AuthenticationFailed


class Broken(FilePermission):
    def has_object_permission(self, request, view, obj):
        return None


class Fails(FilePermission):
    def has_object_permission(self, request, view, obj):
        raise ZeroDivisionError

    def get_filter(self, request, view, models):
        raise ZeroDivisionError


@pytest.fixture
def document(people):
    document = Document(user=people["owner"])
    document.orm_file.save("scan.txt", ContentFile(b"scan"))
    return document


@pytest.fixture
def record(document):
    return document.orm_file.storage.get_meta_backend_obj(document.orm_file.name)


class TestOneFile:
    @pytest.mark.parametrize(
        "get_file",
        [
            lambda document, record: document.orm_file,
            lambda document, record: record,
            lambda document, record: MetaBackendObject(record),
            lambda document, record: StoredFile.objects.get(),
            lambda document, record: record["path"],
        ],
        ids=["field file", "record", "plain record", "row", "path"],
    )
    def test_forms_of_a_file(self, document, record, people, get_file):
        file = get_file(document, record)
        assert_may_read(people["owner"], file, permission_classes=OWNER)
        assert_may_not_read(people["stranger"], file, permission_classes=OWNER)
        assert_may_not_read(None, file, permission_classes=OWNER)
        with pytest.raises(AssertionError):
            assert_may_not_read(people["owner"], file, permission_classes=OWNER)
        with pytest.raises(AssertionError):
            assert_may_read(AnonymousUser(), file, permission_classes=OWNER)
        matrix = {"file": (file, {"owner"})}
        assert_matrix(people, matrix, permission_classes=OWNER)

    def test_path_of_a_storage(self, document, people):
        for name in (document.orm_file.name, "scan.txt"):
            with pytest.raises(AssertionError, match="No record has the path"):
                assert_may_not_read(None, name, storage="orm_subfolder")
        path = document.orm_file.name
        assert_may_read(None, path, storage="orm_disk", permission_classes=[AllowAny])

    def test_permissions_of_the_settings(self, document, people):
        with pytest.raises(AssertionError, match="no  JobApplyFiles"):
            assert_may_read(people["staff"], document.orm_file)
        assert_may_not_read(people["staff"], document.orm_file)

    def test_message(self, document, people):
        classes = [IsOwner("user") | IsAdminUser, AllowAny]
        with pytest.raises(AssertionError) as caught:
            assert_may_read(people["stranger"], document.orm_file, permission_classes=classes)
        assert str(caught.value) == (
            f"stranger may not read {document.orm_file.name!r} (field 'orm_file' of "
            f"testapp.Document {document.pk}). Permissions:\n"
            "no  or\n"
            f"    no  IsOwner('user'): The owner is {document.user_id}, and the requester is "
            f"{people['stranger'].pk}.\n"
            "    no  IsAdminUser\n"
            "yes AllowAny"
        )
        Document.objects.all().delete()
        StoredFile.objects.update(content_type=None)
        with pytest.raises(AssertionError, match=r"AnonymousUser may read '.*' \(no content ob"):
            assert_may_not_read(None, StoredFile.objects.get(), permission_classes=[AllowAny])

    def test_request_with_a_signature(self, record):
        link = get_signed_url(record)
        request = APIRequestFactory().get(link.url)
        options = {"permission_classes": [HasValidSignature]}
        assert_may_read(None, record, request=request, **options)
        assert_may_not_read(None, record, **options)
        matrix = {"scan": (record, {"anonymous"})}
        assert_matrix({"anonymous": None}, matrix, request=request, check_list=False, **options)

    @pytest.mark.parametrize("check", [assert_may_read, assert_may_not_read])
    def test_permission_that_cannot_be_evaluated(self, record, check):
        with pytest.raises(RuleError):
            check(None, record, permission_classes=[Broken])
        with pytest.raises(ZeroDivisionError):
            check(None, record, permission_classes=[Fails])

    def test_refusal_by_an_error(self, record):
        assert_may_not_read(None, record, permission_classes=[Refuses])
        assert_matrix({"a": None}, {"b": (record, set())}, permission_classes=[Refuses])

    @pytest.mark.django_db(databases=["default", "other"])
    @pytest.mark.parametrize("check", [assert_may_read, assert_may_not_read])
    def test_missing_file(self, check, document):
        with pytest.raises(AssertionError, match="field 'mongo_file' does not have a file"):
            check(None, document.mongo_file)
        with pytest.raises(AssertionError, match="No record has the path 'missing'"):
            check(None, "missing")
        with pytest.raises(AssertionError, match="No record has the path '/missing'"):
            check(None, PlainDocument(orm_file="/missing").orm_file)

    @pytest.mark.parametrize("value", [5, {"path": "a"}, ContentFile(b"", name="a")])
    def test_value_of_another_type(self, value):
        with pytest.raises(TypeError, match="field file on a proxy storage, a record or a path"):
            assert_may_read(None, value)


class TestMatrix:
    def check(self, document, people, readers, *permission_classes):
        files = {"scan": (document.orm_file, readers)}
        assert_matrix(people, files, permission_classes=permission_classes)

    @pytest.mark.parametrize("permission", [*OWNER, Unfiltered], ids=["filter", "no filter"])
    def test_agreement(self, document, people, permission):
        self.check(document, people, {"owner"}, permission)
        self.check(document, people, {"owner"}, permission, AllowAny)

    def test_wrong_readers(self, document, people):
        with pytest.raises(AssertionError) as caught:
            self.check(document, people, {"stranger"}, *OWNER)
        assert str(caught.value) == (
            "2 of 4 results are not as expected:\n"
            "\n"
            "file  user      expected  download  list\n"
            "scan  stranger  may read  may not   may not\n"
            "scan  owner     may not   may read  may read\n"
            "\n"
            "Permissions of stranger for the download of scan:\n"
            "no  OwnerFiles['orm_file']\n"
            f"    no  IsOwner('user'): The owner is {document.user_id}, and the requester is "
            f"{people['stranger'].pk}.\n"
            "\n"
            "Permissions of owner for the download of scan:\n"
            "yes OwnerFiles['orm_file']\n"
            "    yes IsOwner('user')"
        )

    @pytest.mark.parametrize(
        ("permission", "row"),
        [
            (HidesAll("user"), "owner  may read  may read  may not\n"),
            (ShowsAll, "stranger   may not   may not   may read"),
        ],
        ids=["too short", "too long"],
    )
    def test_list_that_differs(self, document, people, permission, row):
        with pytest.raises(AssertionError) as caught:
            self.check(document, people, {"owner"}, permission)
        assert row in str(caught.value)

    def test_plain_record(self, record, people):
        plain = MetaBackendObject(record)
        with pytest.raises(AssertionError, match="may read  may read  may not"):
            assert_matrix(
                {"owner": people["owner"]},
                {"scan": (plain, {"owner"})},
                permission_classes=[HidesAll("user")],
            )

    def test_error_of_a_filter(self, document, people):
        class FailsInLists(Fails):
            def has_object_permission(self, request, view, obj):
                return True

            def get_filter(self, request, view, models):
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            self.check(document, people, set(people), FailsInLists)

    @pytest.mark.parametrize("readers", [{"ownre"}, "owner"], ids=["unknown", "text"])
    def test_unknown_reader(self, document, people, readers):
        with pytest.raises(ValueError, match="The readers of 'scan' must be a set"):
            self.check(document, people, readers, *OWNER)
