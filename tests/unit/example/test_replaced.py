"""Files that are replaced, and what other requests write meanwhile."""

from datetime import timedelta
from unittest import mock
from urllib.parse import urlsplit

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from jobs.models import JobApply
from jobs.thumbnails import ensure_thumbnail
from jobs.views import get_shown_file
from proxy_storage.records.models import StoredFile
from tests.unit.example.conftest import read


def get_thumbnail_status(client, path):
    response = client.get("/files/", {"path": f"thumbs/{path}.jpg"})
    read(response)
    return response.status_code


class TestOtherRequests:
    def test_delete_of_a_certificate_keeps_what_another_request_writes(self, clients, ronaldo):
        def change_first(*args):
            file = get_shown_file(*args)
            JobApply.objects.filter(pk=ronaldo.pk).update(what_you_want="Something new")
            return file

        with mock.patch("jobs.views.get_shown_file", side_effect=change_first):
            clients["ronaldo"].post(f"/applications/{ronaldo.pk}/certificate/delete/")
        ronaldo.refresh_from_db()
        assert not ronaldo.certificate
        assert ronaldo.what_you_want == "Something new"


class TestFormerPictures:
    def test_replaced_picture_is_deleted_with_its_thumbnail(
        self, clients, ronaldo, make_picture, settings, django_capture_on_commit_callbacks
    ):
        former = ronaldo.certificate.name
        with django_capture_on_commit_callbacks(execute=True):
            ronaldo.certificate = SimpleUploadedFile("new.png", make_picture())
            ronaldo.save()
        ronaldo.refresh_from_db()
        assert ronaldo.certificate.name == "new.png"
        assert not StoredFile.objects.filter(path__contains=former).exists()
        assert not list(settings.FILES_ROOT.rglob("ronaldo_certificate*"))
        for client in clients.values():
            assert client.get("/files/", {"path": former}).status_code in (403, 404)
            assert get_thumbnail_status(client, former) in (403, 404)
        assert get_thumbnail_status(clients["ronaldo"], "new.png") == 200

    def test_admin_replaces_a_picture(self, clients, ronaldo, make_picture):
        former = ronaldo.avatar.name
        data = {
            "user": ronaldo.user_id,
            "what_you_want": "Goals",
            "avatar": SimpleUploadedFile(former, make_picture()),
            "certificate-clear": "on",
        }
        url = f"/admin/jobs/jobapply/{ronaldo.pk}/change/"
        assert clients["admin"].post(url, data).status_code == 302
        ronaldo.refresh_from_db()
        assert ronaldo.avatar.name != former
        assert ronaldo.resume
        assert not ronaldo.certificate
        paths = set(StoredFile.objects.filter(object_id=ronaldo.pk).values_list("path", flat=True))
        assert paths == {ronaldo.avatar.name, ronaldo.resume.name}
        assert not StoredFile.objects.filter(path__in=[former, "ronaldo_certificate.png"]).exists()

    def test_save_of_other_fields_keeps_the_files(self, ronaldo):
        ronaldo.avatar = "other.png"
        ronaldo.what_you_want = "Goals"
        ronaldo.save(update_fields=["what_you_want"])
        ronaldo.refresh_from_db()
        assert ronaldo.avatar.name == "ronaldo_avatar.jpg"
        assert StoredFile.objects.filter(path="ronaldo_avatar.jpg").exists()

    def test_thumbnail_of_a_former_picture_is_replaced(self, clients, ronaldo):
        """Its delete failed. It is not shown as the thumbnail of a new picture of this name."""
        path = f"thumbs/{ronaldo.avatar.name}.jpg"
        record = StoredFile.objects.get(path=path)
        StoredFile.objects.filter(path=path).update(
            created_at=record.created_at - timedelta(seconds=30)
        )
        ensure_thumbnail(ronaldo.avatar)
        new = StoredFile.objects.get(path=path)
        assert new.pk != record.pk
        assert get_thumbnail_status(clients["anonymous"], ronaldo.avatar.name) == 200
        ensure_thumbnail(ronaldo.avatar)
        assert StoredFile.objects.get(path=path).pk == new.pk


class TestDeletedFiles:
    def test_files_of_a_deleted_user(self, ronaldo, settings, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            ronaldo.user.delete()
        assert not StoredFile.objects.filter(path__contains="ronaldo").exists()
        assert not list(settings.FILES_ROOT.rglob("ronaldo*"))

    def test_rollback_keeps_all_files(self, clients, ronaldo):
        files = [*ronaldo.get_files()]
        with transaction.atomic():
            ronaldo.user.delete()
            transaction.set_rollback(True)
        for _, file in files:
            assert read(clients["admin"].get(file.url))
        for name in JobApply.PICTURE_FIELDS:
            path = getattr(JobApply.objects.get(pk=2), name).name
            assert get_thumbnail_status(clients["ronaldo"], path) == 200

    def test_link_does_not_open_a_later_file_of_this_name(
        self, clients, ronaldo, form, make_picture, django_capture_on_commit_callbacks
    ):
        name = ronaldo.certificate.name
        page = clients["ronaldo"].post(f"/applications/{ronaldo.pk}/certificate/link/")
        url = urlsplit(page.context["link"].url)
        link = f"{url.path}?{url.query}"
        with django_capture_on_commit_callbacks(execute=True):
            clients["ronaldo"].post(f"/applications/{ronaldo.pk}/certificate/delete/")
        form["certificate"] = SimpleUploadedFile(name, make_picture())
        clients["messi"].post("/apply/", form)
        application = JobApply.objects.latest("pk")
        assert application.certificate.name == name
        assert clients["anonymous"].get(link).status_code == 403
        assert get_thumbnail_status(clients["ronaldo"], name) == 403
        assert get_thumbnail_status(clients["messi"], name) == 200
