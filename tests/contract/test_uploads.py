"""Uploads: recorded with their uploader, and attached to an instance by the uploader only."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from proxy_storage_permissions.uploader import UPLOADER_KEYS
from tests.contract.content_objects import get_row, row_of, save_file
from tests.contract.reading import read
from tests.contract.uploads import (
    STORAGES,
    DocumentSerializer,
    get_record,
    get_user,
    send,
    upload,
)
from tests.testapp.models import Document

pytestmark = pytest.mark.usefixtures("empty_storages")
REFUSAL = ["You have no upload with this path."]


@pytest.fixture(autouse=True)
def uploads_are_enabled(settings):
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "UPLOAD_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
        "UPLOAD_STORAGES": ["orm_disk", "mongo_gridfs", "mongo_disk"],
        "DELETE_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    }


@pytest.fixture
def messi(db):
    return get_user("messi")


@pytest.fixture
def storage(field):
    return Document._meta.get_field(field).storage


@pytest.fixture
def path(messi, field):
    """The path of an upload."""
    return upload(messi, field)["path"]


def update_record(field, path, **values):
    """Write the record again: the MongoDB server of the tests updates a time to text."""
    meta_backend = Document._meta.get_field(field).storage.meta_backend
    record = meta_backend.get(path)
    meta_backend.delete(path)
    meta_backend.create({**record, **values})


def release(user, field, path):
    """Attach an upload, and release it."""
    assert send(user, "post", {field: path}).status_code == 201
    pk = Document.objects.latest("pk").pk
    assert send(user, "patch", {field: None}, pk).status_code == 200


def is_refused(response, field):
    return response.status_code == 400 and response.data == {field: REFUSAL}


class TestUploader:
    def test_record_names_the_uploader(self, messi, field, path):
        record = get_record(field, path)
        assert [record[key] for key in UPLOADER_KEYS] == [str(messi.pk), None]
        assert record["created_at"] is not None

    def test_record_of_an_anonymous_upload_names_no_uploader(self, field):
        record = get_record(field, upload(None, field)["path"])
        assert [record.get(key) for key in UPLOADER_KEYS] == [None, None]

    def test_record_of_a_file_saved_by_code_names_no_uploader(self, field, storage):
        record = get_record(field, storage.save("a.txt", ContentFile(b"a")))
        assert [record.get(key) for key in UPLOADER_KEYS] == [None, None]


class TestAttach:
    @pytest.mark.parametrize("form", ["path", "url", "answer"])
    def test_upload_becomes_the_file_of_a_new_instance(self, messi, field, storage, form):
        answer = upload(messi, field)
        value = {"path": answer["path"], "url": answer["url"], "answer": answer}[form]
        response = send(messi, "post", {"title": "new", field: value})
        assert response.status_code == 201
        document = Document.objects.get()
        path = getattr(document, field).name
        assert path == answer["path"]
        assert parse_qs(urlsplit(response.data[field]).query)["path"] == [path]
        assert read(storage, path) == b"content"
        assert get_row(Document, field, path) == row_of(document, field)

    @pytest.mark.parametrize("method", ["put", "patch"])
    def test_upload_replaces_the_file_of_an_instance(self, messi, field, path, method):
        document = Document()
        old_path = save_file(document, field)
        assert send(messi, method, {field: path}, document.pk).status_code == 200
        assert getattr(Document.objects.get(), field).name == path
        assert get_row(Document, field, path) == row_of(document, field)
        assert get_row(Document, field, old_path) is None
        assert get_record(field, old_path)["released_at"] is not None

    def test_upload_is_attached_to_a_row_that_names_it_as_text(self, messi, field, path):
        document = Document.objects.create(**{field: path})
        assert get_row(Document, field, path) is None
        assert send(messi, "patch", {field: path}, document.pk).status_code == 200
        assert get_row(Document, field, path) == row_of(document, field)

    @pytest.mark.parametrize("value", [None, ""])
    def test_empty_value_clears_the_field(self, messi, field, path, value):
        document = Document()
        old_path = save_file(document, field)
        response = send(messi, "patch", {field: value}, document.pk)
        assert (response.status_code, response.data[field]) == (200, None)
        assert not getattr(Document.objects.get(), field)
        assert get_row(Document, field, old_path) is None

    @pytest.mark.parametrize("user", ["messi", "ronaldo"])
    def test_current_file_is_kept(self, messi, field, path, user):
        document = Document.objects.get(pk=self.create(messi, field, path))
        value = send(messi, "get", pk=document.pk).data[field]
        for given in (path, value):
            data = {"title": "after", field: given}
            assert send(get_user(user), "put", data, document.pk).status_code == 200
        assert Document.objects.get().title == "after"
        assert get_row(Document, field, path) == row_of(document, field)

    def create(self, user, field, path):
        assert send(user, "post", {field: path}).status_code == 201
        return Document.objects.latest("pk").pk

    def test_saved_instance_can_be_saved_again(self, messi, field, path, rf):
        request = rf.get("/")
        request.user = messi
        serializer = DocumentSerializer(data={field: path}, context={"request": request})
        assert serializer.is_valid()
        document = serializer.save()
        document.save()
        other = save_file(document, field)
        assert get_row(Document, field, path) is None
        assert get_row(Document, field, other) == row_of(document, field)


class TestRefusal:
    """All refusals have the same text, and change nothing."""

    @pytest.fixture(params=["post", "patch"])
    def is_refused(self, request, messi, field):
        def check(value, user=messi):
            document = Document(title="before")
            old_path = save_file(document, field)
            count = Document.objects.count()
            pk = document.pk if request.param == "patch" else None
            response = send(user, request.param, {"title": "after", field: value}, pk)
            assert Document.objects.count() == count
            document.refresh_from_db()
            assert (document.title, getattr(document, field).name) == ("before", old_path)
            assert get_row(Document, field, old_path) == row_of(document, field)
            return is_refused(response, field)

        return check

    def test_missing_file(self, is_refused):
        for value in (
            "nothing.txt",
            "",
            "http://testserver/files/?path=nothing.txt",
            {"path": "a"},
        ):
            if value:
                assert is_refused(value)

    def test_upload_of_another_user(self, is_refused, field, path):
        assert is_refused(path, get_user("ronaldo"))
        assert is_refused(path, User.objects.create(username="admin", is_staff=True))
        assert get_row(Document, field, path) is None

    def test_anonymous_requests(self, is_refused, field, path):
        assert is_refused(path, AnonymousUser())
        assert is_refused(upload(None, field)["path"], AnonymousUser())

    def test_user_of_another_database_or_tenant(self, is_refused, field, path, settings):
        update_record(field, path, uploader_scope="other")
        assert is_refused(path)

    def test_user_with_the_key_of_a_deleted_user(self, is_refused, messi, field, path):
        messi.date_joined = timezone.now() + timedelta(minutes=1)
        assert is_refused(path)

    def test_upload_of_another_instance(self, is_refused, messi, field, path):
        assert send(messi, "post", {field: path}).status_code == 201
        assert is_refused(path)

    def test_upload_that_was_released(self, is_refused, messi, field, path):
        release(messi, field, path)
        assert get_row(Document, field, path) is None
        assert is_refused(path)

    def test_file_that_was_saved_by_code(self, is_refused, storage):
        assert is_refused(storage.save("a.txt", ContentFile(b"a")))

    def test_expired_upload(self, is_refused, messi, field, path, settings):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "UPLOAD_ATTACH_MAX_AGE": 3600}
        update_record(field, path, created_at=timezone.now() - timedelta(seconds=3601))
        assert is_refused(path)
        update_record(field, path, created_at=timezone.now() - timedelta(seconds=3590))
        messi.date_joined = timezone.now() - timedelta(days=1)
        assert send(messi, "post", {field: path}).status_code == 201

    def test_upload_without_a_time(self, is_refused, field, path):
        update_record(field, path, created_at=None)
        assert is_refused(path)

    def test_upload_to_another_storage(self, is_refused, field, path):
        update_record(field, path, proxy_storage_name="mongo_disk")
        assert is_refused(path)

    def test_upload_without_its_bytes(self, is_refused, storage, field, path):
        record = get_record(field, path)
        storage.get_original_storage(record).delete(record["original_storage_path"])
        assert is_refused(path)


class TestValuesOfOtherTypes:
    @pytest.mark.parametrize("value", [1, True, [], ["a"], {}, {"path": 1}])
    def test_other_types_are_refused(self, messi, field, value):
        response = send(messi, "post", {field: value})
        assert (response.status_code, response.data) == (
            400,
            {field: ["Send the path of an upload."]},
        )

    @pytest.mark.parametrize("value", ["\0", "a\0", "a" * 1000, "http://[", "../a"])
    def test_other_texts_are_refused(self, messi, field, value):
        assert send(messi, "post", {field: value}).status_code == 400


class TestLaterChanges:
    """The upload changes after it was validated."""

    @pytest.fixture
    def serializer(self, messi, field, path, rf):
        request = rf.get("/")
        request.user = messi
        serializer = DocumentSerializer(data={field: path}, context={"request": request})
        assert serializer.is_valid()
        return serializer

    def check(self, serializer, field, path):
        with pytest.raises(Exception, match="no upload with this path"):
            serializer.save()
        assert not Document.objects.filter(**{field: path}).exists()

    def test_attached_to_another_instance(self, messi, serializer, field, path):
        other = Document()
        save_file(other, field)
        assert send(messi, "patch", {field: path}, other.pk).status_code == 200
        with pytest.raises(Exception, match="no upload with this path") as caught:
            serializer.save()
        assert caught.value.status_code == 400
        assert caught.value.detail == {field: REFUSAL}
        assert list(Document.objects.filter(**{field: path})) == [other]
        assert get_row(Document, field, path) == row_of(other, field)

    def test_updated_row_names_its_file_again(self, messi, serializer, field, path):
        serializer.instance = Document(title="before")
        old_path = save_file(serializer.instance, field)
        assert send(messi, "post", {field: path}).status_code == 201
        with pytest.raises(Exception, match="no upload with this path"):
            serializer.save()
        document = Document.objects.get(pk=serializer.instance.pk)
        assert getattr(document, field).name == old_path
        assert get_row(Document, field, old_path) == row_of(document, field)

    def test_deleted(self, serializer, storage, field, path):
        storage.delete(path)
        self.check(serializer, field, path)

    def test_path_used_by_another_file(self, serializer, storage, field, path):
        storage.delete(path)
        storage.save("cv.txt", ContentFile(b"of another user"))
        assert get_record(field, path)
        self.check(serializer, field, path)
        assert get_row(Document, field, path) is None

    def test_attached_and_released(self, messi, serializer, field, path):
        release(messi, field, path)
        self.check(serializer, field, path)
        assert get_row(Document, field, path) is None
        assert get_record(field, path)["released_at"] is not None


@pytest.mark.django_db(transaction=True)
class TestTransactions:
    @pytest.fixture
    def document(self, field):
        document = Document(title="before")
        save_file(document, field)
        return document

    def serialize(self, user, field, path, rf, instance=None):
        request = rf.get("/")
        request.user = user
        context = {"request": request}
        serializer = DocumentSerializer(instance, data={field: path}, context=context)
        assert serializer.is_valid()
        return serializer

    @pytest.mark.parametrize("is_new", [True, False])
    def test_committed_upload_is_attached(self, messi, field, path, rf, document, is_new):
        serializer = self.serialize(messi, field, path, rf, None if is_new else document)
        with transaction.atomic():
            saved = serializer.save()
        assert getattr(Document.objects.get(pk=saved.pk), field).name == path
        assert get_row(Document, field, path) == row_of(saved, field)
        saved.save()
        assert get_row(Document, field, path) == row_of(saved, field)

    @pytest.mark.parametrize("is_new", [True, False])
    def test_rolled_back_upload_can_be_attached(self, messi, field, path, rf, document, is_new):
        instance = None if is_new else document
        with transaction.atomic():
            self.serialize(messi, field, path, rf, instance).save()
            transaction.set_rollback(True)
        assert get_row(Document, field, path) is None
        assert send(messi, "post", {field: path}).status_code == 201
        saved = Document.objects.latest("pk")
        assert get_row(Document, field, path) == row_of(saved, field)

    def test_rolled_back_instance_is_saved_again(self, messi, field, path, rf):
        serializer = self.serialize(messi, field, path, rf)
        with transaction.atomic():
            document = serializer.save()
            transaction.set_rollback(True)
        document.pk, document._state.adding = None, True
        document.save()
        assert get_row(Document, field, path) == row_of(document, field)

    def test_second_instance_of_one_transaction_is_refused(
        self, messi, field, path, rf, monkeypatch
    ):
        monkeypatch.setattr("proxy_storage.meta_backends.mongo.LOCK_WAIT_SECONDS", 0.1)
        first, second = (self.serialize(messi, field, path, rf) for _ in range(2))
        with transaction.atomic():
            saved = first.save()
            with pytest.raises(Exception, match="no upload with this path"), transaction.atomic():
                second.save()
        assert list(Document.objects.all()) == [saved]
        assert get_row(Document, field, path) == row_of(saved, field)

    def test_upload_that_was_attached_meanwhile_is_refused(self, messi, field, path, rf):
        serializer = self.serialize(messi, field, path, rf)
        assert send(messi, "post", {field: path}).status_code == 201
        with pytest.raises(Exception, match="no upload with this path"), transaction.atomic():
            serializer.save()
        assert Document.objects.count() == 1

    def test_deleted_upload_is_refused(self, messi, field, path, rf, storage):
        serializer = self.serialize(messi, field, path, rf)
        storage.delete(path)
        with pytest.raises(Exception, match="no upload with this path"), transaction.atomic():
            serializer.save()
        assert Document.objects.count() == 0

    def test_upload_is_attached_twice_to_one_instance(self, messi, field, path, rf, document):
        copies = [Document.objects.get(pk=document.pk) for _ in range(3)]
        serializers = [self.serialize(messi, field, path, rf, copy) for copy in copies]
        serializers[0].save()
        with transaction.atomic():
            serializers[1].save()
        serializers[2].save()
        assert get_row(Document, field, path) == row_of(document, field)


@pytest.mark.django_db(databases=["default", "other"])
class TestReadAndDelete:
    """A pending upload is not open to other users, and neither is an attached one."""

    def test_strangers_cannot_read_or_delete_an_upload(self, messi, field, path, client):
        client.force_login(get_user("ronaldo"))
        url = {"path": path, "storage": STORAGES[field]}
        for is_attached in (False, True):
            if is_attached:
                assert send(messi, "post", {field: path}).status_code == 201
            for suffix in ("", "record/"):
                assert client.get(f"/files/{suffix}", url).status_code == 403
            assert client.delete("/files/", query_params=url).status_code == 403
            assert client.get("/files/").json()["results"] == []
            assert is_refused(send(get_user("ronaldo"), "post", {field: path}), field)
        assert get_record(field, path)

    @pytest.fixture
    def url(self, field, path):
        return {"path": path, "storage": STORAGES[field]}

    @pytest.fixture
    def uploaders_are_allowed(self, settings):
        rule = ["proxy_storage_permissions.IsUploader"]
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "DEFAULT_PERMISSION_CLASSES": rule,
            "DELETE_PERMISSION_CLASSES": rule,
        }

    @pytest.mark.usefixtures("uploaders_are_allowed")
    def test_uploader_reads_and_deletes_an_upload_with_a_rule(
        self, messi, field, path, client, url
    ):
        client.force_login(get_user("ronaldo"))
        assert client.get("/files/", url).status_code == 403
        assert client.delete("/files/", query_params=url).status_code == 403
        client.force_login(messi)
        response = client.get("/files/", url)
        assert b"".join(response.streaming_content) == b"content"
        assert client.delete("/files/", query_params=url).status_code == 204
        assert is_refused(send(messi, "post", {field: path}), field)

    @pytest.mark.usefixtures("uploaders_are_allowed")
    def test_rule_ends_when_the_upload_is_attached(self, messi, field, path, client, url):
        client.force_login(messi)
        assert send(messi, "post", {field: path}).status_code == 201
        pk = Document.objects.get().pk
        for is_released in (False, True):
            if is_released:
                assert send(messi, "patch", {field: None}, pk).status_code == 200
            assert client.get("/files/", url).status_code == 403
            assert client.delete("/files/", query_params=url).status_code == 403
            assert client.get("/files/").json()["results"] == []
