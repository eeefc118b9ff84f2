"""The example that gives the files of a plain field their records."""

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from proxy_storage.exceptions import MetaBackendObjectAlreadyExists
from tests.testapp.models import Document, PlainDocument, StoredFile

NAMES = ["messi_resume.txt", "ronaldo_resume.txt", "muller_resume.txt"]


@pytest.fixture
def record_model():
    return StoredFile


class TestFileFieldMigration:
    @pytest.fixture
    def model(self):
        """A model with Django's own field."""
        return PlainDocument

    @pytest.fixture
    def use_in_model(self, model, monkeypatch):
        def use_in_model(storage):
            monkeypatch.setattr(model._meta.get_field("orm_file"), "storage", storage)

        return use_in_model

    @pytest.fixture
    def proxy_storage(self, model, folder, use_in_model, storage):
        """The proxy storage, in a model whose files were saved without it."""
        original = FileSystemStorage(folder)
        for name in NAMES:
            original.save(name, ContentFile(name.encode()))
            model.objects.bulk_create([model(orm_file=name)])
        use_in_model(original)
        with model.objects.order_by("pk").first().orm_file.open() as file:
            assert file.read() == b"messi_resume.txt"
        use_in_model(storage)
        return storage

    @pytest.fixture
    def migrate(self, model, proxy_storage):
        """The documented loop, with the right key and without `open`."""

        def migrate():
            for instance in model.objects.all():
                file_name = str(instance.orm_file)
                new_file_name = proxy_storage.save(
                    name=file_name, content=None, original_storage_path=file_name
                )
                model.objects.filter(pk=instance.pk).update(orm_file=new_file_name)

        return migrate

    def get_names(self, model):
        return list(model.objects.order_by("pk").values_list("orm_file", flat=True))

    def test_file_without_record_cannot_be_opened(self, model, proxy_storage):
        """So the documented loop stops at `open`, if it ever came there."""
        with pytest.raises(IOError):
            model.objects.first().orm_file.open()

    def test_content_can_be_passed_all_the_same(self, proxy_storage, folder):
        original = proxy_storage.get_original_storage()
        with original.open(NAMES[0]) as content:
            path = proxy_storage.save(NAMES[0], content, original_storage_path=NAMES[0])
        assert path == f"{folder}/{NAMES[0]}"

    def test_model_data_has_full_paths(self, model, migrate, folder):
        assert self.get_names(model) == NAMES
        migrate()
        assert self.get_names(model) == [f"{folder}/{name}" for name in NAMES]

    def test_meta_backend_data(self, proxy_storage, migrate, folder):
        migrate()
        for name in NAMES:
            record = proxy_storage.meta_backend.get(f"{folder}/{name}")
            assert record["proxy_storage_name"] == "file_system_proxy_storage"
            assert record["original_storage_path"] == name

    def test_files_stay_where_they_are(self, model, migrate, folder):
        before = {file.name: file.stat() for file in folder.iterdir()}
        migrate()
        after = {file.name: file.stat() for file in folder.iterdir()}
        assert sorted(after) == sorted(NAMES)
        for name in NAMES:
            assert after[name].st_ino == before[name].st_ino
            assert after[name].st_mtime_ns == before[name].st_mtime_ns

    def test_files_are_read_through_the_proxy_storage(self, model, migrate):
        migrate()
        for instance, name in zip(model.objects.order_by("pk"), NAMES, strict=True):
            with instance.orm_file.open() as file:
                assert file.read() == name.encode()

    def test_file_gets_one_record(self, proxy_storage, migrate):
        migrate()
        with pytest.raises(MetaBackendObjectAlreadyExists):
            proxy_storage.save(NAMES[0], None, original_storage_path=NAMES[0])
        assert len(list(proxy_storage.meta_backend)) == len(NAMES)

    @pytest.mark.parametrize("model", [Document])
    def test_assign_writes_the_content_object(self, model, proxy_storage, migrate, folder):
        """In a `ProxyStorageFileField`, whose files know their instance."""
        migrate()
        for instance, name in zip(model.objects.order_by("pk"), NAMES, strict=True):
            record = proxy_storage.meta_backend.get(f"{folder}/{name}")
            assert record.get_content_object() is None
            instance.orm_file.assign()
            record = proxy_storage.meta_backend.get(f"{folder}/{name}")
            assert record["content_type_id"] == ContentType.objects.get_for_model(model).pk
            assert record["object_id"] == instance.pk
            assert record["field"] == "orm_file"
            assert record.get_content_object() == instance
