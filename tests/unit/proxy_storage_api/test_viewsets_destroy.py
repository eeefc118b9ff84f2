"""The action ``destroy``: the deleted record, its content object, and preconditions."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from django.utils.http import http_date, parse_http_date
from rest_framework.permissions import AllowAny
from rest_framework.test import APIClient

from proxy_storage.content_objects import clear_field
from proxy_storage.original_storages.sources import Source
from proxy_storage.registry import get_proxy_storage
from proxy_storage_api import viewsets
from proxy_storage_permissions import IsUploader
from tests.contract.content_objects import get_row, row_of, save_file
from tests.contract.uploads import STORAGES, get_user, send, upload
from tests.testapp.models import Document, ShardDocument

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(transaction=True, databases=["default", "other"]),
]


@pytest.fixture(params=["orm_file", "mongo_file"])
def field(request):
    return request.param


@pytest.fixture
def admin(settings):
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "DELETE_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    }
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def document(field):
    document = Document()
    save_file(document, field)
    return document


def delete(admin, path):
    return admin.delete("/files/", query_params={"path": path}).status_code


def test_field_of_the_content_object_is_cleared(admin, document, field):
    path = getattr(document, field).name
    assert delete(admin, path) == 204
    row = Document.objects.get(pk=document.pk)
    assert not getattr(row, field)
    # A later file of this path does not belong to the row.
    other = Document()
    assert save_file(other, field) == path
    getattr(document, field).delete()
    assert get_row(other, field, path) is not None
    with pytest.raises(FileNotFoundError):
        getattr(Document(pk=document.pk, **{field: path}), field).open()


def test_field_with_another_file_is_kept(admin, document, field):
    path = getattr(document, field).name
    Document.objects.filter(pk=document.pk).update(**{field: "/another.txt"})
    assert delete(admin, path) == 204
    assert getattr(Document.objects.get(pk=document.pk), field).name == "/another.txt"


def test_file_without_content_object_is_deleted(admin, field):
    storage = Document._meta.get_field(field).storage
    path = storage.save("hello.txt", ContentFile(b"world"))
    assert delete(admin, path) == 204
    assert not storage.exists(path)


def test_later_file_of_the_path_is_kept(admin, document, field, monkeypatch):
    """The file is replaced after the permission check and before the delete."""
    path = getattr(document, field).name
    storage = getattr(document, field).storage
    delete_record = type(storage).delete_record
    other = Document()

    def delete_late(self, record, where):
        monkeypatch.undo()
        self.delete(path)
        assert save_file(other, field, content=b"another's") == path
        return delete_record(self, record, where)

    monkeypatch.setattr(type(storage), "delete_record", delete_late)
    assert delete(admin, path) == 204
    with getattr(Document.objects.get(pk=other.pk), field).open() as file:
        assert file.read() == b"another's"


def test_later_file_of_the_same_row_is_kept(admin, document, field, meanwhile):
    """The field of the row is not cleared, because it names the later file."""
    path = getattr(document, field).name

    def replace():
        getattr(document, field).delete()
        assert save_file(document, field, content=b"later") == path

    meanwhile(replace)
    assert delete(admin, path) == 204
    with getattr(Document.objects.get(pk=document.pk), field).open() as file:
        assert file.read() == b"later"


def test_file_that_is_deleted_by_another_request(admin, document, field, meanwhile):
    file = getattr(document, field)
    meanwhile(lambda: file.storage.delete(file.name))
    assert delete(admin, file.name) == 204
    assert not file.storage.exists(file.name)


@pytest.fixture
def meanwhile(monkeypatch):
    """Run a function after the permission check and before the delete."""
    check = viewsets._check_preconditions

    def run_before_delete(function):
        def check_and_run(request, record):
            check(request, record)
            monkeypatch.undo()
            function()

        monkeypatch.setattr(viewsets, "_check_preconditions", check_and_run)

    return run_before_delete


class TestContentObjectHasChanged:
    """The permissions were checked for another content object."""

    def test_upload_that_is_attached(self, settings, field, meanwhile):
        """The uploader may delete a pending upload, but not the file of an instance."""
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "DEFAULT_PERMISSION_CLASSES": [IsUploader],
            "DELETE_PERMISSION_CLASSES": [IsUploader],
            "UPLOAD_PERMISSION_CLASSES": [AllowAny],
            "UPLOAD_STORAGES": [STORAGES[field]],
        }
        user = get_user("messi")
        path = upload(user, field)["path"]
        client = APIClient()
        client.force_authenticate(user)
        document = []

        def attach():
            assert send(user, "post", {"title": "a", field: path}).status_code == 201
            document.append(Document.objects.get())

        meanwhile(attach)
        response = client.delete("/files/", query_params={"path": path})
        assert response.status_code == 409
        assert get_row(Document, field, path) == row_of(document[0], field)
        with getattr(document[0], field).open() as file:
            assert file.read() == b"content"
        assert client.delete("/files/", query_params={"path": path}).status_code == 403

    def test_file_of_another_instance(self, admin, document, field, meanwhile):
        path, other = getattr(document, field).name, Document.objects.create()

        def assign_to_other():
            setattr(document, field, "")
            document.save()
            setattr(other, field, path)
            other.save()
            getattr(other, field).assign()

        meanwhile(assign_to_other)
        assert delete(admin, path) == 409
        assert get_row(Document, field, path) == row_of(other, field)
        assert getattr(Document.objects.get(pk=other.pk), field).name == path

    def test_file_that_is_released(self, admin, document, field, meanwhile):
        path = getattr(document, field).name
        meanwhile(document.delete)
        assert delete(admin, path) == 409
        assert get_row(Document, field, path) is None
        assert delete(admin, path) == 204

    def test_upload_that_is_attached_and_released(self, admin, field, meanwhile):
        path = Document._meta.get_field(field).storage.save("a.txt", ContentFile(b"content"))

        def attach_and_release():
            document = Document.objects.create(**{field: path})
            getattr(document, field).assign()
            document.delete()

        meanwhile(attach_and_release)
        assert delete(admin, path) == 409

    def test_atomic_requests(self, admin, document, field, meanwhile, monkeypatch):
        """Records of MongoDB are deleted after the commit, unless they have changed by then."""
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
        path = getattr(document, field).name
        meta_backend = getattr(document, field).storage.meta_backend

        def release():
            meta_backend.update(path, dict.fromkeys(("content_type_id", "object_id", "field")))

        meanwhile(release)
        assert delete(admin, path) == (409 if field == "orm_file" else 204)
        assert meta_backend.exists(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"content_object_scope": "gone"},
        {"content_type_id": None},
        {"field": "title"},
        {"field": "no_such_field"},
        {"object_id": "no key"},
        {"object_id": 2**70},
    ],
)
def test_field_is_kept_if_the_record_names_another_row(document, field, changes):
    file = getattr(document, field)
    record = file.storage.get_meta_backend_obj(file.name)
    record.update(changes)
    clear_field(record)
    assert getattr(Document.objects.get(pk=document.pk), field).name == file.name


def test_row_of_another_database_is_cleared(settings, field):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "CONTENT_OBJECT_DATABASES": ["other"]}
    for using in ("default", "other"):
        document = ShardDocument(pk=1)
        save_file(document, field, f"{using}.txt", save=False)
        document.save(using=using)
    file = getattr(document, field)
    ShardDocument.objects.using("default").update(**{field: file.name})
    clear_field(file.storage.get_meta_backend_obj(file.name))
    assert not getattr(ShardDocument.objects.using("other").get(), field)
    assert getattr(ShardDocument.objects.using("default").get(), field).name == file.name


class TestPreconditions:
    """A file that has changed since the client's download is not deleted."""

    @pytest.fixture(params=["orm-disk", "mongo-disk", "orm-metadata", "orm-memory", "mongo-gridfs"])
    def storage(self, request):
        return get_proxy_storage(request.param)

    @pytest.fixture
    def path(self, storage):
        return storage.save("a.txt", ContentFile(b"content"))

    def ask(self, admin, path, **headers):
        names = {key.replace("_", "-"): value for key, value in headers.items()}
        return admin.delete("/files/", query_params={"path": path}, headers=names)

    def get_validators(self, admin, path):
        response = admin.get("/files/", {"path": path})
        b"".join(response)
        return response.headers

    @pytest.fixture(autouse=True)
    def readers(self, settings):
        # With |= the dict would keep the change after the test.
        settings.PROXY_STORAGE = settings.PROXY_STORAGE | {
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"]
        }

    @pytest.mark.parametrize(
        "value", ['"another"', '"a", W/"b"', "", "nonsense", 'W/"*"'], ids=repr
    )
    def test_other_version_is_not_deleted(self, admin, storage, path, value):
        response = self.ask(admin, path, if_match=value)
        assert response.status_code == 412
        assert response["Cache-Control"] == "private, no-store"
        assert storage.exists(path)

    def test_named_version_is_deleted(self, admin, storage, path):
        etag = self.get_validators(admin, path)["ETag"]
        assert self.ask(admin, path, if_match=f"W/{etag}").status_code == 412
        assert self.ask(admin, path, if_match=f'"another", {etag}').status_code == 204
        assert not storage.exists(path)

    def test_asterisk_matches_any_version(self, admin, storage, path):
        assert self.ask(admin, path, if_match="*").status_code == 204
        assert not storage.exists(path)

    @pytest.mark.parametrize(
        ("value", "status"),
        [(-3600, 412), (-(10**10), 412), (0, 204), (3600, 204), ("yesterday", 204), ("", 204)],
    )
    def test_if_unmodified_since_compares_the_date(self, admin, storage, path, value, status):
        if isinstance(value, int):
            modified = self.get_validators(admin, path)["Last-Modified"]
            moment = max(parse_http_date(modified) + value, 0)
            value = http_date(moment)
        response = self.ask(admin, path, if_unmodified_since=value)
        assert response.status_code == status
        assert storage.exists(path) is (status == 412)

    def test_if_match_is_checked_before_the_date(self, admin, path):
        headers = self.get_validators(admin, path)
        old = http_date(0)
        response = self.ask(
            admin, path, if_match='"x"', if_unmodified_since=headers["Last-Modified"]
        )
        assert response.status_code == 412
        response = self.ask(admin, path, if_match=headers["ETag"], if_unmodified_since=old)
        assert response.status_code == 204

    def test_other_preconditions_are_ignored(self, admin, path):
        headers = {"if_none_match": "*", "if_modified_since": http_date(2**32)}
        assert self.ask(admin, path, **headers).status_code == 204

    def test_missing_file_matches_no_version(self, admin, storage, path):
        record = storage.get_meta_backend_obj(path)
        record.get_original_storage().delete(record["original_storage_path"])
        for value in ("*", '"x"'):
            assert self.ask(admin, path, if_match=value).status_code == 412
        assert storage.meta_backend.exists(path)
        # A missing file has no date.
        assert self.ask(admin, path, if_unmodified_since=http_date(0)).status_code == 204

    def test_original_storage_is_not_used_without_precondition(self, admin, path, monkeypatch):
        monkeypatch.setattr(viewsets, "get_source", None)
        assert self.ask(admin, path, if_none_match='"x"').status_code == 204

    def test_permissions_are_checked_before_preconditions(self, admin, path):
        admin.force_authenticate(User.objects.create(username="nobody"))
        assert self.ask(admin, path, if_match='"x"').status_code == 403


def test_file_outside_of_its_storage_matches_no_version(admin, tmp_path):
    storage = get_proxy_storage("orm-disk")
    path = storage.save("a.txt", ContentFile(b"content"))
    record = storage.get_meta_backend_obj(path)
    local = Path(storage.original_storage.path(record["original_storage_path"]))
    local.unlink()
    (tmp_path / "outside.txt").write_text("outside")
    local.symlink_to(tmp_path / "outside.txt")
    response = admin.delete("/files/", query_params={"path": path}, headers={"if-match": "*"})
    assert response.status_code == 412
    assert storage.meta_backend.exists(path)


class Undated(Source):
    """The source of a storage without times."""

    size = 7

    def open(self, start, stop):
        raise AssertionError("This must not be read.")


def test_file_without_date_ignores_if_unmodified_since(admin, monkeypatch):
    path = get_proxy_storage("orm-disk").save("a.txt", ContentFile(b"content"))
    monkeypatch.setattr(viewsets, "get_source", lambda record: Undated())

    def ask(**headers):
        return admin.delete("/files/", query_params={"path": path}, headers=headers).status_code

    assert ask(**{"if-match": '"x"'}) == 412
    assert ask(**{"if-unmodified-since": http_date(0)}) == 204
