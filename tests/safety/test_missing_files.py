"""A record whose file is missing, for example after a killed delete, never gets another file."""

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile

from proxy_storage.exceptions import MetaBackendUnavailable
from proxy_storage.registry import get_proxy_storage
from tests.contract.reading import is_in_original

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.mark.parametrize("name", ["orm-disk", "mongo-disk", "orm-gridfs", "mongo-gridfs"])
def test_lost_race_with_a_failing_database_leaves_no_file(name, monkeypatch):
    storage = get_proxy_storage(name)
    path = storage.save("same.txt", ContentFile(b"first"))
    record = storage.meta_backend.get(path)
    content_object = {
        "content_type_id": ContentType.objects.first().pk,
        "object_id": 1,
        "field": "file",
    }
    storage.meta_backend.update(path, content_object)
    record.get_original_storage().delete(record["original_storage_path"])

    def create(data):
        raise MetaBackendUnavailable("locked for too long", path=data["path"])

    # The record is created after the check, and the database fails at the insert.
    with monkeypatch.context() as failing:
        failing.setattr(storage.meta_backend, "exists", lambda path: False)
        failing.setattr(storage.meta_backend, "create", create)
        with pytest.raises(MetaBackendUnavailable, match="locked"):
            storage.save("same.txt", ContentFile(b"second"))
    assert not is_in_original(storage, record["original_storage_path"])
    with pytest.raises(FileNotFoundError):
        storage.open(path)
