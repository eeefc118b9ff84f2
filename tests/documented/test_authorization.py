"""The example about authorization: resumes for their owner and staff, avatars for all."""

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
WHO_MAY_READ_WHAT = [
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


def read_answer(response):
    content = b"".join(response.streaming_content)
    # Django's client does not close a file that a server would hand on
    if response.file_to_stream is not None:
        response.file_to_stream.close()
    return content


def get_x_accel_redirect(meta_backend_obj):
    original_storage = meta_backend_obj.get_original_storage()
    locations = {FileSystemStorage: "/serve-from-fs", GridFSStorage: "/serve-from-gridfs"}
    location = locations[type(original_storage)]
    return location + meta_backend_obj.get_original_storage_full_path()


def files(request, meta_backend):
    """The documented view, put right: there it compares a content type with a model class."""
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
    def storages_of_the_fields(self, file_system_proxy_storage, gridfs_proxy_storage, monkeypatch):
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
    def ask(self, users):
        def ask(who, path, method="get"):
            client = Client()
            if who != "anonymous":
                client.force_login(users[who])
            return getattr(client, method)("/files/", {"path": path})

        return ask

    def test_files_are_saved_under_the_documented_paths(self, messi_apply, folder):
        assert messi_apply.resume.name == "/messi_resume.txt"
        assert messi_apply.avatar.name == f"{folder}/messi_avatar.jpg"

    @pytest.mark.parametrize(("who", "field", "status"), WHO_MAY_READ_WHAT)
    def test_who_may_read_what(self, messi_apply, ask, who, field, status):
        response = ask(who, getattr(messi_apply, field).name)
        assert response.status_code == status
        if status == 200:
            assert read_answer(response) == CONTENT[field]
        else:
            assert CONTENT[field] not in response.content

    @pytest.mark.parametrize(("who", "field", "status"), WHO_MAY_READ_WHAT)
    def test_request_for_the_headers(self, messi_apply, ask, who, field, status):
        response = ask(who, getattr(messi_apply, field).name, "head")
        assert response.status_code == status
        assert not getattr(response, "content", b"")

    @pytest.mark.parametrize("who", ["anonymous", "messi", "ronaldo", "admin"])
    def test_if_it_does_not_exist_the_answer_is_404(self, messi_apply, ask, who):
        assert ask(who, "/some/file.txt").status_code == 404

    def test_file_of_no_model_is_refused(self, file_system_proxy_storage, ask):
        """The documented view stops with a `KeyError`, where records are documents."""
        path = file_system_proxy_storage().save("hello.txt", ContentFile(b"world"))
        assert ask("admin", path).status_code == 403

    def test_file_in_the_file_system_is_served_from_its_location(self, messi_apply, ask, settings):
        """The location is the folder itself, not the place where its absolute path is added."""
        server = {
            "BACKEND": "proxy_storage.serving.XAccelRedirectServer",
            "OPTIONS": {"location": "/serve-from-fs/"},
        }
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "SERVERS": {"file_system_proxy_storage": server},
        }
        avatar = ask("anonymous", messi_apply.avatar.name)
        assert avatar.status_code == 200
        assert avatar["X-Accel-Redirect"] == "/serve-from-fs/messi_avatar.jpg"
        assert avatar.content == b""
        resume = ask("messi", messi_apply.resume.name)
        assert "X-Accel-Redirect" not in resume
        assert read_answer(resume) == CONTENT["resume"]
        assert "X-Accel-Redirect" not in ask("ronaldo", messi_apply.resume.name)

    @pytest.mark.parametrize(("who", "field", "status"), WHO_MAY_READ_WHAT)
    def test_documented_view_put_right(
        self, messi_apply, users, meta_backend, folder, who, field, status
    ):
        request = RequestFactory().get("/files/", {"path": getattr(messi_apply, field).name})
        request.user = users[who]
        response = files(request, meta_backend)
        assert response.status_code == status
        redirects = {
            "resume": "/serve-from-gridfs/messi_resume.txt",
            "avatar": f"/serve-from-fs{folder}/messi_avatar.jpg",
        }
        assert response.get("X-Accel-Redirect") == (redirects[field] if status == 200 else None)

    def test_documented_view_does_not_find_what_does_not_exist(self, users, meta_backend):
        request = RequestFactory().get("/files/", {"path": "/some/file.txt"})
        request.user = users["admin"]
        assert files(request, meta_backend).status_code == 404
