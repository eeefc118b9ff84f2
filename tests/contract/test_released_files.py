"""Files that have lost their content object, and files that are deleted with it."""

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from proxy_storage.content_objects import FORMER_KEYS, RELEASED_KEY
from tests.contract.content_objects import row_of, save_file
from tests.testapp.models import Document, ShortLivedDocument

pytestmark = [
    pytest.mark.database,
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(transaction=True, databases=["default", "other"]),
]


def get_record(instance, field, path):
    return instance._meta.get_field(field).storage.meta_backend.get(path)


def get_former(record):
    keys = ("content_type_id", "object_id", "field")
    return tuple(record.get(FORMER_KEYS[key]) for key in keys)


class TestRecordOfAReleasedFile:
    @pytest.mark.parametrize("how", ["replaced", "cleared", "deleted"])
    def test_keeps_the_time_and_the_former_content_object(self, field, how):
        document = Document()
        path = save_file(document, field)
        type_id, key, name = row_of(document, field)
        before = timezone.now()
        if how == "replaced":
            save_file(document, field, "second.txt")
        elif how == "cleared":
            setattr(document, field, "")
            document.save()
        else:
            document.delete()
        record = get_record(document, field, path)
        assert get_former(record) == (type_id, str(key) if field == "orm_file" else key, name)
        # MongoDB stores milliseconds.
        assert (record[RELEASED_KEY] - before).total_seconds() > -0.01

    def test_former_content_object_is_removed_by_a_new_one(self, field):
        first, second = Document(), Document.objects.create()
        path = save_file(first, field)
        setattr(first, field, "")
        first.save()
        setattr(second, field, path)
        second.save()
        getattr(second, field).assign()
        record = get_record(second, field, path)
        assert get_former(record) == (None, None, None)
        assert record.get(RELEASED_KEY) is None
        assert record.get_content_object() == second

    def test_new_file_has_no_former_content_object(self, field):
        document = Document()
        record = get_record(document, field, save_file(document, field))
        assert record.get(RELEASED_KEY) is None


def test_staff_lists_files_without_content_object(field, settings):
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    }
    document = Document()
    released, kept = save_file(document, field), save_file(document, field, "second.txt")
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("root"))

    def get_paths(**query):
        answer = client.get("/files/", query)
        assert answer.status_code == 200, answer.data
        return [record["path"] for record in answer.data["results"]]

    assert get_paths(has_content_object="false") == [released]
    assert get_paths(has_content_object="true") == [kept]
    if field == "orm_file":  # The embedded server cannot compare times that it has set itself.
        assert get_paths(released_at__gte="2020-01-01T00:00Z") == [released]
        assert get_paths(released_at__lte="2020-01-01T00:00Z") == []
    (record,) = client.get("/files/", {"has_content_object": "false"}).data["results"]
    assert record["former_content_type"] == "testapp.document"
    assert record["former_object_id"] == str(document.pk)
    assert record["former_field"] == field
    assert record["released_at"] is not None


class TestDeleteWithContentObject:
    @pytest.fixture
    def document(self, field):
        document = ShortLivedDocument(user=User.objects.create_user("messi"))
        save_file(document, field)
        return document

    def is_there(self, field, path):
        return ShortLivedDocument._meta.get_field(field).storage.exists(path)

    @pytest.mark.parametrize("how", ["instance", "queryset", "cascade"])
    def test_file_is_deleted_with_its_row(self, document, field, how):
        path = getattr(document, field).name
        if how == "instance":
            document.delete()
        elif how == "queryset":
            ShortLivedDocument.objects.all().delete()
        else:
            document.user.delete()
        assert not self.is_there(field, path)

    def test_file_is_deleted_after_the_commit(self, document, field):
        path = getattr(document, field).name
        with transaction.atomic():
            document.delete()
            assert self.is_there(field, path)
        assert not self.is_there(field, path)

    def test_file_is_kept_after_a_rollback(self, document, field):
        path, pk = getattr(document, field).name, document.pk

        def delete_and_fail():
            with transaction.atomic():
                document.delete()
                raise RuntimeError

        with pytest.raises(RuntimeError):
            delete_and_fail()
        document.pk = pk
        assert get_record(document, field, path).get_content_object() == document

    def test_default_file_is_kept(self, field):
        storage = ShortLivedDocument._meta.get_field(field).storage
        path = storage.save("blank.txt", ContentFile(b"for all"))
        document = ShortLivedDocument.objects.create(**{field: path})
        document.delete()
        assert self.is_there(field, path)

    def test_file_of_another_row_is_kept(self, document, field):
        path = getattr(document, field).name
        ShortLivedDocument.objects.create(**{field: path}).delete()
        assert self.is_there(field, path)

    def test_file_with_another_content_object_at_the_commit_is_kept(self, document, field):
        path = getattr(document, field).name
        other = ShortLivedDocument.objects.create()
        with transaction.atomic():
            document.delete()
            setattr(other, field, path)
            other.save()
            if field == "orm_file":
                getattr(other, field).assign()
        if field == "orm_file":
            assert get_record(other, field, path).get_content_object() == other
        else:
            assert not self.is_there(field, path)

    def test_file_that_was_deleted_before(self, document, field, caplog):
        path = getattr(document, field).name
        with transaction.atomic():
            document.delete()
            transaction.on_commit(lambda: None)
            getattr(document, field).storage.delete(path)
        assert not self.is_there(field, path)

    def test_original_that_fails_leaves_a_released_record(
        self, document, field, monkeypatch, caplog
    ):
        path = getattr(document, field).name
        original = getattr(document, field).storage.original_storage

        def fail(name):
            raise OSError("read-only file system")

        with monkeypatch.context() as patch:
            patch.setattr(original, "delete", fail)
            document.delete()
        assert f"{path!r} was not deleted together with its row" in caplog.text
        assert "read-only file system" in caplog.text
        record = get_record(document, field, path)
        assert record.get_content_object() is None
        assert record[RELEASED_KEY] is not None

    def test_is_part_of_the_migration(self):
        for name, is_set in (("orm_file", True), ("mongo_file", True)):
            kwargs = ShortLivedDocument._meta.get_field(name).deconstruct()[3]
            assert kwargs["delete_with_content_object"] is is_set
        kwargs = Document._meta.get_field("orm_file").deconstruct()[3]
        assert "delete_with_content_object" not in kwargs
