"""The endpoint with the models and permissions of the example project."""

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from rest_framework.authentication import BasicAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.settings import api_settings as drf_settings
from rest_framework.test import APIRequestFactory, force_authenticate

from jobs.models import JobApply
from proxy_storage.exceptions import MetaBackendUnavailable
from proxy_storage.meta_backends.base import MetaBackendBase
from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import IsOwner
from tests.testapp.storages import OrmStorage

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
PEOPLE = ["anonymous", "messi", "ronaldo", "admin"]


@pytest.fixture
def clients():
    clients = {who: Client() for who in PEOPLE}
    for who in PEOPLE[1:]:
        clients[who].force_login(User.objects.create(username=who, is_staff=who == "admin"))
    return clients


@pytest.fixture
def application(clients):
    application = JobApply(user=User.objects.get(username="messi"))
    application.resume.save("messi_resume.txt", ContentFile(b"resume"), save=False)
    application.avatar.save("messi_avatar.jpg", ContentFile(b"avatar"), save=False)
    application.save()
    return application


def read(response):
    content = b"".join(response.streaming_content)
    # Django's client has closed the response. Otherwise closing it would close the database
    # connection of the test.
    if response.file_to_stream is not None:
        response.file_to_stream.close()
    return content


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize(
    ("who", "avatar", "resume"),
    [
        ("anonymous", 200, 403),
        ("messi", 200, 200),
        ("ronaldo", 200, 403),
        ("admin", 200, 200),
    ],
)
def test_download_follows_the_permissions(clients, application, method, who, avatar, resume):
    ask = getattr(clients[who], method)
    for file, expected in ((application.avatar, avatar), (application.resume, resume)):
        response = ask(file.url)
        assert response.status_code == expected
        if expected == 200 and method == "get":
            assert read(response) in (b"avatar", b"resume")
        elif expected == 403 and method == "get":
            assert set(response.json()) == {"detail"}


@pytest.mark.parametrize("who", PEOPLE)
def test_unknown_path_is_not_found(clients, who):
    response = clients[who].get("/files/", {"path": "/nothing.txt"})
    assert response.status_code == 404
    assert "nothing" not in response.content.decode()


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("url", ["/files/record/", "/files/authorize/"])
def test_request_without_path(clients, who, url):
    assert clients[who].get(url).status_code == 400


def test_download_without_path_is_invalid(clients):
    view = FileViewSet.as_view({"get": "download"})
    response = view(APIRequestFactory().get("/"))
    assert response.status_code == 400
    assert response.data == {"path": ["This query parameter is required."]}


@pytest.mark.parametrize("path", ["", "..", "/../etc/passwd", "nul\0", "%00", "/messi_resume.txt/"])
def test_hostile_path_is_not_found(clients, application, path):
    assert clients["admin"].get("/files/", {"path": path}).status_code == 404


def test_same_path_in_two_meta_backends(clients):
    open_view = FileViewSet.as_view({"get": "download"}, permission_classes=[AllowAny])
    for name in ("gridfs_proxy_storage", "orm-gridfs"):
        storage = get_proxy_storage(name)
        path = storage.save("same.txt", ContentFile(name.encode()))
        assert path == "/same.txt"
        response = open_view(APIRequestFactory().get(storage.url(path)))
        assert read(response) == name.encode()
    for name in ("orm_disk", "nothing", "", "../"):
        response = open_view(APIRequestFactory().get("/", {"path": path, "storage": name}))
        assert response.status_code == 404


@pytest.mark.parametrize("method", ["get", "head"])
def test_unavailable_meta_backend_is_503(clients, monkeypatch, method):
    def fail(self, path):
        raise MetaBackendUnavailable("gone")

    monkeypatch.setattr(MetaBackendBase, "get", fail)
    response = getattr(clients["admin"], method)("/files/", {"path": "/a.txt"})
    assert response.status_code == 503


def test_negated_permission_is_checked_for_the_record(clients, application):
    view = FileViewSet.as_view({"get": "download"}, permission_classes=[~IsOwner("user")])
    for who, expected in (("messi", 403), ("ronaldo", 200)):
        request = APIRequestFactory().get("/", {"path": application.resume.name})
        force_authenticate(request, User.objects.get(username=who))
        response = view(request)
        assert response.status_code == expected
        if expected == 200:
            assert read(response) == b"resume"


@pytest.mark.parametrize("permission", [IsOwner("user"), ~IsOwner("user")])
def test_action_without_record_is_denied(clients, permission):
    class Counting(FileViewSet):
        permission_classes = [permission]

        def count(self, request):
            raise AssertionError("This must not be called.")

    view = Counting.as_view({"get": "count"})
    for who in PEOPLE[1:]:
        for method, status in (("get", 403), ("options", 200), ("put", 405)):
            request = getattr(APIRequestFactory(), method)("/")
            force_authenticate(request, User.objects.get(username=who))
            assert view(request).status_code == status


def test_path_that_is_not_utf_8_is_not_found(clients):
    assert clients["admin"].get("/files/?path=%ff%fe").status_code == 404


def test_permissions_are_checked_for_the_delivered_path(clients, application):
    avatar, resume = application.avatar.name, application.resume.name
    response = clients["ronaldo"].get("/files/", {"path": [avatar, resume]})
    assert response.status_code == 403
    response = clients["ronaldo"].get("/files/", {"path": [resume, avatar]})
    assert read(response) == b"avatar"


def test_missing_file_is_not_found(clients, application):
    application.avatar.storage.original_storage.delete("messi_avatar.jpg")
    assert clients["admin"].get(application.avatar.url).status_code == 404


def test_file_without_content_object_is_denied(clients):
    path = get_proxy_storage("gridfs_proxy_storage").save("a.txt", ContentFile(b""))
    for client in clients.values():
        assert client.get("/files/", {"path": path}).status_code == 403


@pytest.mark.parametrize("empty", [True, False])
@pytest.mark.parametrize(("who", "expected"), [("ronaldo", 403), ("messi", 403), ("admin", 200)])
def test_only_staff_may_read_by_default(clients, application, settings, who, expected, empty):
    others = dict(settings.PROXY_STORAGE)
    del others["DEFAULT_PERMISSION_CLASSES"]
    settings.PROXY_STORAGE = {**others, "DEFAULT_PERMISSION_CLASSES": []} if empty else others
    response = clients[who].get(application.avatar.url)
    assert response.status_code == expected
    if expected == 200:
        assert read(response) == b"avatar"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "trace", "propfind"])
def test_other_methods_are_not_allowed(clients, application, method):
    for who in PEOPLE:
        response = clients[who].generic(method.upper(), application.resume.url)
        assert response.status_code == 405
        assert response["Allow"] == "GET, HEAD, OPTIONS"
    assert application.resume.storage.exists(application.resume.name)


@pytest.mark.parametrize("accept", ["image/*", "image/avif,image/webp", "x", "", "*/*"])
def test_accept_is_ignored_for_files(clients, application, accept):
    response = clients["messi"].get(application.avatar.url, headers={"accept": accept})
    assert read(response) == b"avatar"
    response = clients["ronaldo"].get(application.resume.url, headers={"accept": accept})
    assert response.status_code == 403
    assert "detail" in response.json()


def test_refusal_uses_the_accepted_renderer(clients, application):
    response = clients["ronaldo"].get(application.resume.url, headers={"accept": "text/html"})
    assert response.status_code == 403
    assert response["Content-Type"].startswith("text/html")


def test_format_is_ignored_for_files(clients, application):
    response = clients["messi"].get(application.avatar.url + "&format=jpg")
    assert read(response) == b"avatar"


def test_first_authentication_class_decides_about_401(application):
    view = FileViewSet.as_view({"get": "download"}, authentication_classes=[BasicAuthentication])
    response = view(APIRequestFactory().get("/", {"path": application.resume.name}))
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Basic")


def test_attributes_of_a_subclass_are_used(application, clients):
    class Everything(FileViewSet):
        permission_classes = [AllowAny]
        meta_backends = [OrmStorage.meta_backend]
        path_parameter = "file"

    view = Everything.as_view({"get": "download"})
    path = get_proxy_storage("orm_disk").save("a.txt", ContentFile(b"all"))
    response = view(APIRequestFactory().get("/", {"file": path}))
    assert read(response) == b"all"
    response = view(APIRequestFactory().get("/", {"file": application.resume.name}))
    assert response.status_code == 404


def test_download_with_a_session_needs_four_queries(
    clients, application, django_assert_num_queries
):
    read(clients["messi"].get(application.resume.url))  # caches the content types
    with django_assert_num_queries(4):  # session, user, record, content object
        response = clients["messi"].get(application.resume.url)
    assert read(response) == b"resume"


def test_settings_of_the_project_are_used():
    assert FileViewSet().authentication_classes == drf_settings.DEFAULT_AUTHENTICATION_CLASSES
    assert FileViewSet().throttle_classes == drf_settings.DEFAULT_THROTTLE_CLASSES
    assert FileViewSet().renderer_classes == drf_settings.DEFAULT_RENDERER_CLASSES
