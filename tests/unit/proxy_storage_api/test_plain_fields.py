"""Files of Django's own fields at the endpoint: permissions, lists, links and deletes."""

import pytest
from django.contrib.auth.models import AnonymousUser, User
from rest_framework.test import APIClient, APIRequestFactory

from proxy_storage_api.fields import SignedFileField
from proxy_storage_api.hidden import get_missing_records
from proxy_storage_permissions import FieldPermissions, IsOwner, get_readable
from tests.contract.content_objects import save_file
from tests.testapp.models import TrackedChild, TrackedDocument, get_orm_relative_storage

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
STORAGE = "orm-relative-disk"


class OwnDocuments(FieldPermissions):
    model = TrackedDocument
    permissions = {"orm_file": IsOwner("user"), "orm_copy": IsOwner("user")}


@pytest.fixture
def anna(empty_storages):
    return User.objects.create_user("anna")


@pytest.fixture(params=["orm_file", "orm_copy"])
def field(request):
    return request.param


@pytest.fixture(params=[TrackedDocument, TrackedChild])
def document(request, anna, field):
    document = request.param(user=anna)
    save_file(document, field)
    return document


@pytest.fixture
def client(settings):
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "DEFAULT_PERMISSION_CLASSES": [f"{__name__}.OwnDocuments"],
        "DELETE_PERMISSION_CLASSES": [f"{__name__}.OwnDocuments"],
    }
    return APIClient()


def test_only_the_owner_reads_a_file(client, document, field, anna):
    path = getattr(document, field).name
    request = {"path": path, "proxy_storage_name": STORAGE}
    assert client.get("/files/", request).status_code == 403
    client.force_authenticate(User.objects.create_user("bert"))
    assert client.get("/files/", request).status_code == 403
    assert client.get("/files/").json()["results"] == []
    client.force_authenticate(anna)
    response = client.get("/files/", request)
    assert (response.status_code, b"".join(response.streaming_content)) == (200, b"world")
    assert [item["path"] for item in client.get("/files/").json()["results"]] == [path]


def test_records_that_a_user_may_read(document, field, anna):
    request = APIRequestFactory().get("/")
    for user, expected in ((anna, [getattr(document, field).name]), (AnonymousUser(), [])):
        request.user = user
        readable = get_readable([OwnDocuments()], request, None)
        records = get_orm_relative_storage().meta_backend.select(readable.condition)
        assert [record["path"] for record in records] == expected


def test_delete_clears_the_field(client, document, field, anna):
    client.force_authenticate(anna)
    path = getattr(document, field).name
    query = {"path": path, "proxy_storage_name": STORAGE}
    assert client.delete("/files/", query_params=query).status_code == 204
    assert not getattr(TrackedDocument.objects.get(), field)


def test_signed_link_of_an_own_file(document, field):
    link = SignedFileField()
    assert "signature=" in link.to_representation(getattr(document, field))
    other = TrackedDocument.objects.create(**{field: getattr(document, field).name})
    assert link.to_representation(getattr(other, field)) is None


def test_missing_files_are_of_tracked_fields_as_well():
    fields = {record["field"] for record in get_missing_records("a.txt")}
    assert {"orm_file", "orm_copy"} <= fields
