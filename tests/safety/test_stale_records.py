"""A record whose bytes have vanished, as a killed delete leaves it, gets nobody else's bytes."""

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile

from proxy_storage.exceptions import MetaBackendUnavailable
from proxy_storage.registry import get_proxy_storage
from tests.contract.reading import is_in_original

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.mark.parametrize("name", ["orm-disk", "mongo-disk", "orm-gridfs", "mongo-gridfs"])
def test_save_that_loses_a_race_and_its_database(name, monkeypatch):
    storage = get_proxy_storage(name)
    path = storage.save("same.txt", ContentFile(b"of the owner"))
    record = storage.meta_backend.get(path)
    owner = {"content_type_id": ContentType.objects.first().pk, "object_id": 1, "field": "file"}
    storage.meta_backend.update(path, owner)
    record.get_original_storage().delete(record["original_storage_path"])

    def create(data):
        raise MetaBackendUnavailable("locked for too long", path=data["path"])

    # the record comes after somebody has looked for it, and the database fails right then
    with monkeypatch.context() as failing:
        failing.setattr(storage.meta_backend, "exists", lambda path: False)
        failing.setattr(storage.meta_backend, "create", create)
        with pytest.raises(MetaBackendUnavailable, match="locked"):
            storage.save("same.txt", ContentFile(b"of somebody else"))
    assert not is_in_original(storage, record["original_storage_path"])
    with pytest.raises(FileNotFoundError):
        storage.open(path)
