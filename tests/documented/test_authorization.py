"""The example about authorization: private resumes and public avatars."""

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.http import HttpResponse
from django.test import Client, RequestFactory

from jobs.models import JobApply
from proxy_storage.meta_backends.base import MetaBackendObjectDoesNotExist
from proxy_storage.storages.gridfs import GridFSStorage
from tests.testapp.models import StoredFile

CONTENT = {"resume": b"Striker, left foot", "avatar": b"\xff\xd8 an image"}
EXPECTED_STATUS = [
    ("anonymous", "resume", 403),
    ("anonymous", "avatar", 200),
    ("messi", "resume", 200),
    ("messi", "avatar", 200),
    ("ronaldo", "resume", 403),
    ("ronaldo", "avatar", 200),
    ("admin", "resume", 200),
    ("admin", "avatar", 200),
]


@pytest.fixture
def record_model():
    return StoredFile


@pytest.fixture
def users(empty_storages):
    users = {
        name: User.objects.create(username=name, is_staff=name == "admin")
        for name in ("messi", "ronaldo", "admin")
    }
    return {**users, "anonymous": AnonymousUser()}


def read_content(response):
    content = b"".join(response.streaming_content)
    # Django's test client does not close the file of a file response.
    if response.file_to_stream is not None:
        response.file_to_stream.close()
    return content


def get_x_accel_redirect(meta_backend_obj):
    original_storage = meta_backend_obj.get_original_storage()
    locations = {FileSystemStorage: "/serve-from-fs", GridFSStorage: "/serve-from-gridfs"}
    location = locations[type(original_storage)]
    return location + meta_backend_obj.get_original_storage_full_path()


def files(request, meta_backend):
    """The documented view, corrected: the original compares a content type with a model class."""
    try:
        record = meta_backend.get(request.GET.get("path"))
    except MetaBackendObjectDoesNotExist:
        return HttpResponse(status=404)
    content_type = ContentType.objects.get(id=record["content_type_id"])
    if content_type.model_class() is not JobApply:
        return HttpResponse(status=404)
    job_apply = JobApply.objects.get(pk=record["object_id"])
    user = request.user
    is_owner_or_staff = user.is_authenticated and (user.is_staff or user == job_apply.user)
    if record["field"] != "avatar" and not is_owner_or_staff:
        return HttpResponse(status=403)
    return HttpResponse(headers={"X-Accel-Redirect": get_x_accel_redirect(record)})


class TestAuthorization:
    @pytest.fixture(autouse=True)
    def field_storages(self, file_system_proxy_storage, gridfs_proxy_storage, monkeypatch):
        for field, storage in (
            ("resume", gridfs_proxy_storage()),
            ("avatar", file_system_proxy_storage()),
        ):
            monkeypatch.setattr(JobApply._meta.get_field(field), "storage", storage)

    @pytest.fixture
    def messi_apply(self, users, tmp_path):
        messi_apply = JobApply(user=users["messi"], what_you_want="To play")
        messi_apply.resume.save("messi_resume.txt", ContentFile(CONTENT["resume"]), save=False)
        (tmp_path / "image.jpg").write_bytes(CONTENT["avatar"])
        with (tmp_path / "image.jpg").open("rb") as image:
            messi_apply.avatar.save("messi_avatar.jpg", File(image))
        return messi_apply

    @pytest.fixture
    def send(self, users):
        def send(requester, path, method="get"):
            client = Client()
            if requester != "anonymous":
                client.force_login(users[requester])
            return getattr(client, method)("/files/", {"path": path})

        return send

    def test_files_are_saved_under_the_documented_paths(self, messi_apply, folder):
        assert messi_apply.resume.name == "/messi_resume.txt"
        assert messi_apply.avatar.name == f"{folder}/messi_avatar.jpg"

    @pytest.mark.parametrize(("requester", "field", "status"), EXPECTED_STATUS)
    def test_download_returns_the_expected_status(
        self, messi_apply, send, requester, field, status
    ):
        response = send(requester, getattr(messi_apply, field).name)
        assert response.status_code == status
        if status == 200:
            assert read_content(response) == CONTENT[field]
        else:
            assert CONTENT[field] not in response.content

    @pytest.mark.parametrize(("requester", "field", "status"), EXPECTED_STATUS)
    def test_head_returns_the_expected_status(self, messi_apply, send, requester, field, status):
        response = send(requester, getattr(messi_apply, field).name, "head")
        assert response.status_code == status
        assert not getattr(response, "content", b"")

    @pytest.mark.parametrize("requester", ["anonymous", "messi", "ronaldo", "admin"])
    def test_missing_file_returns_404(self, messi_apply, send, requester):
        assert send(requester, "/some/file.txt").status_code == 404

    def test_file_without_content_object_returns_403(self, file_system_proxy_storage, send):
        """The documented view raises `KeyError` if the records are in MongoDB."""
        path = file_system_proxy_storage().save("hello.txt", ContentFile(b"world"))
        assert send("admin", path).status_code == 403

    def test_file_on_disk_is_offloaded_to_its_location(self, messi_apply, send, settings):
        """The location stands for the folder, so the header has the path below the folder."""
        server = {
            "BACKEND": "proxy_storage.serving.XAccelRedirectServer",
            "OPTIONS": {"location": "/serve-from-fs/"},
        }
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "SERVERS": {"file_system_proxy_storage": server},
        }
        avatar = send("anonymous", messi_apply.avatar.name)
        assert avatar.status_code == 200
        assert avatar["X-Accel-Redirect"] == "/serve-from-fs/messi_avatar.jpg"
        assert avatar.content == b""
        resume = send("messi", messi_apply.resume.name)
        assert "X-Accel-Redirect" not in resume
        assert read_content(resume) == CONTENT["resume"]
        assert "X-Accel-Redirect" not in send("ronaldo", messi_apply.resume.name)

    @pytest.mark.parametrize(("requester", "field", "status"), EXPECTED_STATUS)
    def test_corrected_view_returns_the_expected_response(
        self, messi_apply, users, meta_backend, folder, requester, field, status
    ):
        request = RequestFactory().get("/files/", {"path": getattr(messi_apply, field).name})
        request.user = users[requester]
        response = files(request, meta_backend)
        assert response.status_code == status
        redirects = {
            "resume": "/serve-from-gridfs/messi_resume.txt",
            "avatar": f"/serve-from-fs{folder}/messi_avatar.jpg",
        }
        assert response.get("X-Accel-Redirect") == (redirects[field] if status == 200 else None)

    def test_corrected_view_returns_404_for_a_missing_file(self, users, meta_backend):
        request = RequestFactory().get("/files/", {"path": "/some/file.txt"})
        request.user = users["admin"]
        assert files(request, meta_backend).status_code == 404
