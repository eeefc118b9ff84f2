"""The number of database queries."""

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.test import APIRequestFactory

from proxy_storage_api.viewsets import FileViewSet
from tests.contract.requests import DocumentFiles, SiteFiles
from tests.testapp.models import Document

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]


@pytest.fixture
def owner():
    return User.objects.create(username="owner")


@pytest.fixture(params=["orm_file", "mongo_file"])
def field(request):
    return request.param


def save_document(owner, field):
    document = Document(user=owner)
    getattr(document, field).save("file.txt", ContentFile(b"content"))
    return getattr(document, field)


def count(function):
    with CaptureQueriesContext(connection) as captured:
        response = function()
    assert response.status_code == 200
    response.close()
    return len(captured)


@pytest.fixture
def rules(settings):
    settings.PROXY_STORAGE = settings.PROXY_STORAGE | {
        "DEFAULT_PERMISSION_CLASSES": ["tests.contract.requests.SiteFiles"]
    }


@pytest.mark.usefixtures("rules")
def test_queries_of_a_download_with_a_session(owner, field, client):
    file = save_document(owner, field)
    client.force_login(owner)
    count(lambda: client.get(file.url))  # caches the content types
    # Session, user, record, content object. A record in MongoDB is not in this database.
    expected = 4 if field == "orm_file" else 3
    assert count(lambda: client.get(file.url)) == expected
    assert count(lambda: client.head(file.url)) == expected


def test_queries_of_a_download_with_a_token(owner, field, settings):
    file = save_document(owner, field)
    token = Token.objects.create(user=owner)
    view = FileViewSet.as_view(
        {"get": "list"},
        authentication_classes=[TokenAuthentication],
        permission_classes=[SiteFiles],
    )
    request = APIRequestFactory().get(file.url, headers={"authorization": f"Token {token.key}"})
    count(lambda: view(request))
    # Token with its user, record, content object.
    assert count(lambda: view(request)) == (3 if field == "orm_file" else 2)


@pytest.mark.usefixtures("rules")
@pytest.mark.parametrize("is_staff", [True, False])
@pytest.mark.parametrize("size", ["2", "5"])
def test_queries_of_a_list_do_not_depend_on_its_length(owner, field, client, is_staff, size):
    User.objects.filter(pk=owner.pk).update(is_staff=is_staff)
    client.force_login(owner)
    for _ in range(2):
        save_document(owner, field)

    def list_them():
        return client.get("/files/", {"page_size": size})

    list_them()
    few = count(list_them)
    for _ in range(10):
        save_document(owner, field)
    assert count(list_them) == few
    # Session, user, count and records of each of the two tables, and the keys of the owner's
    # content objects for the documents of MongoDB.
    assert few <= (6 if is_staff else 8)


def test_content_objects_of_a_list_are_fetched_together(owner, field):
    """Content objects are fetched together, not one by one."""

    class OwnDocuments(DocumentFiles):
        def get_filter(self, request, view, models):
            return None

    view = FileViewSet.as_view({"get": "list"}, permission_classes=[OwnDocuments])

    def list_them():
        request = APIRequestFactory().get("/files/")
        request.user = request._force_auth_user = owner
        response = view(request)
        assert response.data["results"]
        assert response.data["count"] is None
        return response

    for _ in range(2):
        save_document(owner, field)
    list_them()
    few = count(list_them)
    for _ in range(10):
        save_document(owner, field)
    assert count(list_them) == few
