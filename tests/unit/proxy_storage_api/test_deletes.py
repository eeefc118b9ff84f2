"""DELETE: the record that was decided on, and the field of its content object."""

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from rest_framework.test import APIClient

from proxy_storage.owners import clear_field
from tests.contract.owners import get_owner, save_file
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


def test_clears_the_field_of_the_content_object(admin, document, field):
    path = getattr(document, field).name
    assert delete(admin, path) == 204
    row = Document.objects.get(pk=document.pk)
    assert not getattr(row, field)
    # A later file of this path does not belong to the row, and cannot be read or deleted by it.
    other = Document()
    assert save_file(other, field) == path
    getattr(document, field).delete()
    assert get_owner(other, field, path) is not None
    with pytest.raises(FileNotFoundError):
        getattr(Document(pk=document.pk, **{field: path}), field).open()


def test_leaves_a_field_alone_that_names_another_file(admin, document, field):
    path = getattr(document, field).name
    Document.objects.filter(pk=document.pk).update(**{field: "/another.txt"})
    assert delete(admin, path) == 204
    assert getattr(Document.objects.get(pk=document.pk), field).name == "/another.txt"


def test_of_a_file_without_content_object(admin, field):
    storage = Document._meta.get_field(field).storage
    path = storage.save("hello.txt", ContentFile(b"world"))
    assert delete(admin, path) == 204
    assert not storage.exists(path)


def test_touches_no_later_file_of_the_path(admin, document, field, monkeypatch):
    """The file is replaced between the decision and the delete."""
    path = getattr(document, field).name
    storage = getattr(document, field).storage
    delete_record = type(storage).delete_record
    other = Document()

    def delete_late(self, record):
        monkeypatch.undo()
        self.delete(path)
        assert save_file(other, field, content=b"another's") == path
        delete_record(self, record)

    monkeypatch.setattr(type(storage), "delete_record", delete_late)
    assert delete(admin, path) == 204
    with getattr(Document.objects.get(pk=other.pk), field).open() as file:
        assert file.read() == b"another's"


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
def test_record_that_names_no_row(document, field, changes):
    file = getattr(document, field)
    record = file.storage.get_meta_backend_obj(file.name)
    record.update(changes)
    clear_field(record)
    assert getattr(Document.objects.get(pk=document.pk), field).name == file.name


def test_row_of_another_database(settings, field):
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
