"""The API of applications, with a token: upload files, attach them, read and delete them."""

from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs.models import MAX_FILE_SIZE, JobApply
from jobs.thumbnails import get_thumbnail_path
from proxy_storage.records.models import StoredFile
from tests.unit.example.conftest import read

# The key of the tests is short.
pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")

PICTURES, RESUMES = "file_system_proxy_storage", "gridfs_proxy_storage"


@pytest.fixture
def log_in():
    """Return a function that returns a client with the token of a user."""

    def log_in(name):
        data = {"username": name, "password": name}
        token = Client().post("/api/token/", data).json()["access"]
        return Client(headers={"Authorization": f"Bearer {token}"})

    return log_in


def upload(client, name, content, storage=PICTURES):
    file = SimpleUploadedFile(name, content)
    return client.post("/files/", {"file": file, "storage": storage})


@pytest.fixture
def new(log_in, make_picture):
    """The data of an application whose files ronaldo has uploaded."""
    client = log_in("ronaldo")
    return {
        "what_you_want": "To play",
        "resume": upload(client, "cv.txt", b"Forward.", RESUMES).json()["path"],
        "avatar": upload(client, "me.png", make_picture()).json()["path"],
        "certificate": upload(client, "c.png", make_picture()).json()["path"],
    }


def create(client, data):
    return client.post("/api/applications/", data, content_type="application/json")


@pytest.mark.parametrize("url", ["/api/", "/api/applications/", "/files/"])
def test_token_is_required(url, log_in):
    assert Client().get(url).status_code == 403
    bad = Client(headers={"Authorization": "Bearer wrong"})
    assert bad.get(url).status_code in (401, 403)
    assert log_in("ronaldo").get(url).status_code == 200


def test_token_can_be_refreshed():
    tokens = Client().post("/api/token/", {"username": "messi", "password": "messi"}).json()
    answer = Client().post("/api/token/refresh/", {"refresh": tokens["refresh"]})
    assert answer.json()["access"]
    assert Client().post("/api/token/", {"username": "messi", "password": "x"}).status_code == 401


def test_upload_needs_a_user(make_picture):
    assert upload(Client(), "me.png", make_picture()).status_code == 403
    assert not StoredFile.objects.filter(path="me.png").exists()


def test_application_with_uploads(log_in, new):
    answer = create(log_in("ronaldo"), new)
    assert answer.status_code == 201
    data = answer.json()
    urls = {name: data[name] for name in ("resume", "avatar", "certificate")}
    for name in ("avatar", "certificate"):
        path = get_thumbnail_path(new[name])
        urls[f"{name}_thumbnail"] = f"/files/?{urlencode({'path': path})}"
    statuses = {}
    for name, url in urls.items():
        for who, client in (("ronaldo", log_in("ronaldo")), ("messi", log_in("messi"))):
            response = client.get(url)
            read(response)
            statuses[name, who] = response.status_code
    refused = {key for key, status in statuses.items() if status == 403}
    assert refused == {
        (name, "messi") for name in ("resume", "certificate", "certificate_thumbnail")
    }
    assert set(statuses.values()) == {200, 403}


def test_only_own_applications(log_in, ronaldo):
    url = f"/api/applications/{ronaldo.pk}/"
    assert log_in("ronaldo").get(url).status_code == 200
    for who in ("messi", "admin"):
        assert log_in(who).get(url).status_code == 404
    results = log_in("messi").get("/api/applications/").json()["results"]
    assert {one["user"] for one in results} == {"messi"}


def test_number_of_queries_of_a_list(log_in, messi, django_assert_num_queries):
    client = log_in("messi")
    with CaptureQueriesContext(connection) as queries:
        assert len(client.get("/api/applications/").json()["results"]) == 1
    for _ in range(5):
        copy = JobApply(user=messi.user, what_you_want="More")
        copy.resume.save("cv.txt", SimpleUploadedFile("cv.txt", b"x"), save=False)
        copy.avatar.save("me.jpg", SimpleUploadedFile("me.jpg", b"x"))
    with django_assert_num_queries(len(queries)):
        assert len(client.get("/api/applications/").json()["results"]) == 6


def test_uploads_of_others_cannot_be_attached(log_in, new):
    for who in ("messi", "admin"):
        answer = create(log_in(who), new)
        assert answer.status_code == 400
        assert set(answer.json()) == {"resume", "avatar", "certificate"}
        assert log_in(who).get("/files/", {"path": new["avatar"]}).status_code == 403


def test_files_of_others_cannot_be_attached(log_in, new, ronaldo, messi):
    for stolen in (messi.avatar.name, f"thumbs/{messi.avatar.name}.jpg"):
        answer = create(log_in("ronaldo"), {**new, "avatar": stolen})
        assert answer.json() == {"avatar": ["You have no upload with this path."]}


@pytest.mark.parametrize(
    ("field", "name", "content", "storage"),
    [
        ("resume", "cv.html", b"<script>", RESUMES),
        ("avatar", "me.png", b"not a picture", PICTURES),
        ("avatar", "me.txt", b"text", PICTURES),
    ],
)
def test_wrong_types_are_refused(log_in, new, field, name, content, storage):
    client = log_in("ronaldo")
    count = JobApply.objects.count()
    path = upload(client, name, content, storage).json()["path"]
    answer = create(client, {**new, field: path})
    assert answer.status_code == 400
    assert set(answer.json()) == {field}
    assert JobApply.objects.count() == count


def test_large_upload_is_refused(log_in):
    answer = upload(log_in("ronaldo"), "cv.txt", b"x" * (MAX_FILE_SIZE + 2**17), RESUMES)
    assert answer.status_code == 413


def test_upload_with_the_name_of_a_thumbnail(log_in, make_picture, ronaldo):
    """An upload is not a thumbnail, so that the rule of a picture does not apply to it."""
    client = log_in("messi")
    picture = SimpleUploadedFile("x.jpg", make_picture(image_format="JPEG"))
    name = f"thumbs/{ronaldo.certificate.name}.jpg"
    data = {"file": picture, "storage": PICTURES, "name": name}
    path = client.post("/files/", data).json()["path"]
    assert path != name
    assert log_in("ronaldo").get("/files/", {"path": path}).status_code == 403


def test_delete_of_a_certificate_deletes_its_thumbnail(log_in, ronaldo):
    name = ronaldo.certificate.name
    url = f"/files/?path={name}"
    assert log_in("messi").delete(url).status_code == 403
    assert log_in("ronaldo").delete(url).status_code == 204
    ronaldo.refresh_from_db()
    assert not ronaldo.certificate
    assert not StoredFile.objects.filter(path__contains=name).exists()


@pytest.mark.parametrize("who", ["messi", "ronaldo", "admin"])
@pytest.mark.parametrize("field", ["resume", "avatar"])
def test_required_files_cannot_be_deleted(log_in, ronaldo, who, field):
    url = f"/files/?path={getattr(ronaldo, field).name}"
    assert log_in(who).delete(url).status_code == 403
    ronaldo.refresh_from_db()
    assert getattr(ronaldo, field).storage.exists(getattr(ronaldo, field).name)


def test_unused_upload_can_be_deleted_by_its_uploader(log_in, new):
    url = f"/files/?path={new['avatar']}"
    assert log_in("messi").delete(url).status_code == 403
    assert log_in("ronaldo").delete(url).status_code == 204
