"""Several requests attach one upload at the same time: exactly one of them succeeds."""

import threading
from contextlib import nullcontext

import pytest
from django.db import connection, connections, transaction
from django.test import RequestFactory
from rest_framework.exceptions import ValidationError
from rest_framework.test import APIClient

from tests.contract.content_objects import get_row, row_of
from tests.contract.reading import read
from tests.contract.uploads import DocumentSerializer, get_user, upload
from tests.testapp.models import Document

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("empty_storages")]
THREADS = 6
# SQLite in memory refuses a second writer at once.
pytestmark.append(pytest.mark.skipif(connection.vendor == "sqlite", reason="needs a server"))


@pytest.fixture(autouse=True)
def uploads_are_enabled(settings):
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "UPLOAD_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "UPLOAD_STORAGES": ["orm_disk", "mongo_gridfs"],
    }


def attach_at_once(serializers, is_atomic):
    """Save all serializers at the same time; return the instances, and the number of refusals."""
    barrier = threading.Barrier(len(serializers), timeout=60)
    saved, refused, failed = [], [], []

    def save(serializer):
        barrier.wait()
        try:
            with transaction.atomic() if is_atomic else nullcontext():
                saved.append(serializer.save())
        except ValidationError as error:
            refused.append(error)
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=save, args=(one,)) for one in serializers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    return saved, refused


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("field", ["orm_file", "mongo_file"])
@pytest.mark.parametrize("is_atomic", [False, True])
@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("attempt", range(3))
def test_one_request_of_many_attaches_an_upload(field, is_atomic, is_new, attempt):
    user = get_user("messi")
    path = upload(user, field)["path"]
    request = RequestFactory().get("/")
    request.user = user
    instances = [None if is_new else Document.objects.create() for _ in range(THREADS)]
    serializers = [
        DocumentSerializer(instance, data={field: path}, context={"request": request})
        for instance in instances
    ]
    assert all(serializer.is_valid() for serializer in serializers)
    saved, refused = attach_at_once(serializers, is_atomic)
    assert (len(saved), len(refused)) == (1, THREADS - 1)
    assert list(Document.objects.filter(**{field: path})) == saved
    assert get_row(Document, field, path) == row_of(saved[0], field)
    assert read(saved[0]._meta.get_field(field).storage, path) == b"content"


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
@pytest.mark.parametrize("field", ["orm_file", "mongo_file"])
@pytest.mark.parametrize("is_atomic", [False, True])
@pytest.mark.parametrize("attempt", range(5))
def test_upload_is_either_attached_or_deleted(field, is_atomic, attempt, settings):
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "DELETE_PERMISSION_CLASSES": ["proxy_storage_permissions.IsUploader"],
    }
    user = get_user("messi")
    path = upload(user, field)["path"]
    request = RequestFactory().get("/")
    request.user = user
    serializer = DocumentSerializer(data={field: path}, context={"request": request})
    assert serializer.is_valid()
    client, statuses = APIClient(), []
    client.force_authenticate(user)

    def delete():
        try:
            statuses.append(client.delete("/files/", query_params={"path": path}).status_code)
        finally:
            connections.close_all()

    thread = threading.Thread(target=delete)
    thread.start()
    saved, refused = attach_at_once([serializer], is_atomic)
    thread.join(60)
    storage = Document._meta.get_field(field).storage
    assert list(Document.objects.filter(**{field: path})) == saved
    if saved:
        assert statuses[0] in (403, 409)
        assert get_row(Document, field, path) == row_of(saved[0], field)
        assert read(storage, path) == b"content"
    else:
        assert (statuses, len(refused)) == ([204], 1)
        assert not storage.exists(path)
