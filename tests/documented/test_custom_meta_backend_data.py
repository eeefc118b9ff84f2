"""The example with more values in the records: MIME type, size and time."""

import datetime
import mimetypes

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage

from proxy_storage.storages.base import ProxyStorageBase
from tests.testapp.models import StoredFile


class CustomData(ProxyStorageBase):
    """The documented methods, except for `utcnow`, which is deprecated."""

    def get_data_for_meta_backend_save(self, path, original_storage_path, original_name, content):
        data = super().get_data_for_meta_backend_save(
            path=path,
            original_storage_path=original_storage_path,
            original_name=original_name,
            content=content,
        )
        data.update(
            {
                "mime_type": mimetypes.guess_type(content.name)[0],
                "size": content.size,
                "created_at": datetime.datetime.now(datetime.UTC),
            }
        )
        return data

    def size(self, name):
        return self.meta_backend.get(path=name)["size"]

    def created_time(self, name):
        return self.meta_backend.get(path=name)["created_at"]


@pytest.fixture
def record_model():
    """Return a model with the fields of `FileMetadataMixin`."""
    return StoredFile


class TestCustomMetaBackendData:
    @pytest.fixture
    def storage(self, meta_backend, folder, register):
        records = meta_backend

        class FileSystemProxyStorage(CustomData):
            original_storage = FileSystemStorage(location=folder)
            meta_backend = records

        register("file_system_proxy_storage", FileSystemProxyStorage)
        return FileSystemProxyStorage()

    @pytest.fixture
    def started(self):
        # MongoDB stores milliseconds.
        return datetime.datetime.now(datetime.UTC) - datetime.timedelta(milliseconds=1)

    def test_record_has_the_custom_data(self, started, storage, folder, key_name):
        path = storage.save("hello.txt", ContentFile(b"world"))
        record = storage.meta_backend.get(path)
        created_at = record.pop("created_at")
        assert started <= created_at <= datetime.datetime.now(datetime.UTC)
        assert record.pop(key_name)
        expected = {
            "proxy_storage_name": "file_system_proxy_storage",
            "path": f"{folder}/hello.txt",
            "original_storage_path": "hello.txt",
            "mime_type": "text/plain",
            "size": 5,
        }
        # The table also has the columns of other sections.
        assert {key: record[key] for key in expected} == expected
        assert key_name == "id" or record == expected

    def test_size_is_read_from_the_record(self, storage, folder):
        path = storage.save("hello.txt", ContentFile(b"world"))
        (folder / "hello.txt").unlink()
        assert storage.size(path) == 5

    def test_created_time_is_read_from_the_record(self, started, storage, folder):
        path = storage.save("hello.txt", ContentFile(b"world"))
        (folder / "hello.txt").unlink()
        assert storage.created_time(path) == storage.meta_backend.get(path)["created_at"]
        assert storage.created_time(path) >= started

    def test_data_is_computed_from_the_given_content(self, storage, tmp_path):
        (tmp_path / "image.jpg").write_bytes(b"\xff\xd8 an image")
        with (tmp_path / "image.jpg").open("rb") as image:
            path = storage.save("other name.bin", File(image, name="image.jpg"))
        record = storage.meta_backend.get(path)
        assert record["mime_type"] == "image/jpeg"
        assert record["size"] == 11

    def test_data_of_an_existing_file(self, storage):
        original = storage.get_original_storage()
        original.save("there.txt", ContentFile(b"there"))
        with original.open("there.txt") as content:
            path = storage.save("a.bin", content, original_storage_path="there.txt")
        record = storage.meta_backend.get(path)
        assert record["mime_type"] == "text/plain"
        assert record["size"] == 5
