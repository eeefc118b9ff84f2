"""A file of a field whose content object changes while the field deletes it."""

import pytest
from django.core.files.base import ContentFile

from proxy_storage.content_objects import get_content_object_data
from proxy_storage.storages.base import ProxyStorageBase
from tests.testapp.models import Document, RelativeDocument, TrackedDocument

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_storages")]


@pytest.mark.parametrize("model", [Document, RelativeDocument, TrackedDocument])
@pytest.mark.parametrize("is_released", [False, True])
def test_file_that_another_row_gets_is_kept(model, is_released, monkeypatch):
    field = model._meta.get_field("orm_file")
    meta_backend = field.storage.meta_backend
    path = field.storage.save("a.txt", ContentFile(b"a"))
    first, second = (model.objects.create(orm_file=path) for _ in range(2))
    read = ProxyStorageBase.get_meta_backend_obj

    def read_and_attach(storage, name):
        record = read(storage, name)
        data = get_content_object_data(second, field, meta_backend=meta_backend)
        meta_backend.set_content_object(data, path)
        if is_released:
            meta_backend.set_content_object(data, None, [path])
        return record

    monkeypatch.setattr(ProxyStorageBase, "get_meta_backend_obj", read_and_attach)
    first.orm_file.delete()
    assert not first.orm_file
    assert meta_backend.exists(path)
