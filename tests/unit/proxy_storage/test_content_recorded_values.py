"""Values that a record gets when it is created, apart from those of the storage."""

import pytest
from django.core.files.base import ContentFile
from django.db import transaction

from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.content import get_recorded_values, recorded_with
from tests.testapp.models import Document

pytestmark = pytest.mark.usefixtures("empty_storages")
VALUES = {"uploader_id": "5", "uploader_scope": "other"}


@pytest.fixture(params=["orm-disk", "mongo-disk", "orm-metadata", "orm-fallback"])
def storage(request):
    return get_proxy_storage(request.param)


def get_values(storage, path):
    record = storage.meta_backend.get(path)
    return {key: record.get(key) for key in VALUES}


def test_record_is_created_with_the_values(storage, monkeypatch):
    created = []
    create = type(storage.meta_backend).create
    monkeypatch.setattr(
        type(storage.meta_backend),
        "create",
        lambda self, data: created.append(data) or create(self, data),
    )
    content = ContentFile(b"a", "a.txt")
    with recorded_with(content, VALUES):
        path = storage.save("a.txt", content)
    assert get_values(storage, path) == VALUES
    assert [VALUES.items() <= data.items() for data in created] == [True]


def test_other_files_do_not_get_the_values(storage):
    content = ContentFile(b"a", "a.txt")
    with recorded_with(content, VALUES):
        during = storage.save("b.txt", ContentFile(b"b"))
    after = storage.save("a.txt", content)
    for path in (during, after):
        assert get_values(storage, path) == dict.fromkeys(VALUES)
    assert get_recorded_values(content) == {}


@pytest.mark.parametrize("storage", ["orm-disk", "mongo-disk"], indirect=True)
def test_record_of_existing_bytes_gets_the_values(storage):
    name = storage.get_original_storage().save("a.txt", ContentFile(b"a"))
    content = ContentFile(b"")
    with recorded_with(content, VALUES):
        path = storage.save("a.txt", content, original_storage_path=name)
    assert get_values(storage, path) == VALUES


@pytest.mark.django_db(transaction=True)
def test_restored_record_has_the_values():
    document, content = Document(), ContentFile(b"a", "a.txt")
    with transaction.atomic():
        with recorded_with(content, VALUES):
            document.orm_file.save("a.txt", content, save=False)
        transaction.set_rollback(True)
    document.save()
    assert get_values(document.orm_file.storage, document.orm_file.name) == VALUES
