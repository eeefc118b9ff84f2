"""The name of the uploaded file, which downloads have."""

import pytest
from django.contrib import admin
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.forms import modelform_factory
from django.test import RequestFactory
from rest_framework import serializers

from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving import serve
from proxy_storage.storages.content import get_uploaded_name, uploaded_as
from tests.testapp.models import RelativeDocument

pytestmark = pytest.mark.usefixtures("empty_storages")


#: Emoji of several code points
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
THUMB = "\U0001f44d\U0001f3fd"


def upload(name, content=b"x"):
    return SimpleUploadedFile(name, content)


class TestName:
    @pytest.mark.parametrize(
        ("content", "name", "expected"),
        [
            (upload("Annual report.pdf"), "letters/x_1a2b.pdf", "Annual report.pdf"),
            (ContentFile(b""), "letters/2026/cv.pdf", "cv.pdf"),
            (ContentFile(b"", name="other.txt"), "cv.pdf", "cv.pdf"),
            (File(None, "/etc/hostname"), "host.txt", "host.txt"),
            (ContentFile(b""), "C:\\letters\\cv.pdf", "cv.pdf"),
            (ContentFile(b""), "letters/", "letters"),
            (ContentFile(b""), "a\nb\x7f.txt", "ab.txt"),
            (ContentFile(b""), "a\ud800b.txt", "ab.txt"),
            (ContentFile(b""), "é日🎉.txt", "é日🎉.txt"),
            (ContentFile(b""), "a" * 300 + ".txt", "a" * 251 + ".txt"),
            (ContentFile(b""), "a." + "b" * 300, "a." + "b" * 253),
            (ContentFile(b""), "." + "b" * 300, "." + "b" * 254),
            (ContentFile(b""), "b" * 300, "b" * 255),
            # Text that is displayed in another direction than it is written
            (upload("invoice\u202efdp.exe"), "x", "invoicefdp.exe"),
            (upload("\u2066a\u2069\u202a.txt"), "x", "a.txt"),
            (upload("קורות חיים\u200f.txt"), "x", "קורות חיים\u200f.txt"),
            # Names that end in the middle of a visible character
            (ContentFile(b""), "a" * 250 + "e\u0301" * 9 + ".txt", "a" * 250 + ".txt"),
            (ContentFile(b""), "a" * 249 + FAMILY * 9 + ".txt", "a" * 249 + ".txt"),
            (ContentFile(b""), "a" * 246 + FAMILY * 9 + ".txt", "a" * 246 + FAMILY + ".txt"),
            (ContentFile(b""), "a" * 250 + "\U0001f44d\U0001f3fd" * 9, "a" * 250 + THUMB * 2),
            (ContentFile(b""), "\u0301" * 300, "\u0301" * 255),
        ],
    )
    def test_is_the_last_part_of_the_uploaded_name(self, content, name, expected):
        assert get_uploaded_name(content, name) == expected

    def test_passed_name_is_used_inside_the_block(self):
        content, other = upload("user.pdf"), upload("other.pdf")
        with uploaded_as(content, "letters/given.pdf"):
            assert get_uploaded_name(content, "x.pdf") == "given.pdf"
            assert get_uploaded_name(other, "x.pdf") == "other.pdf"
        assert get_uploaded_name(content, "x.pdf") == "user.pdf"


@pytest.fixture(params=["orm", "mongo"])
def storage(request):
    return get_proxy_storage(f"{request.param}-metadata")


@pytest.fixture(params=["orm-relative-metadata", "mongo-relative-metadata"])
def relative_storage(request):
    return get_proxy_storage(request.param)


def get_name(storage, path):
    return storage.get_meta_backend_obj(path).get("name")


class TestStorage:
    def test_save_records_the_uploaded_name(self, relative_storage):
        names = ["Annual report.pdf"] * 3
        for name in names:
            path = relative_storage.save("reports/x.pdf", upload(name))
            record = relative_storage.get_meta_backend_obj(path)
            assert record["name"] == name
            response = serve(RequestFactory().get("/"), record)
            assert response["Content-Disposition"] == 'inline; filename="Annual report.pdf"'
            response.close()

    def test_name_of_a_temporary_upload(self, relative_storage):
        with TemporaryUploadedFile("Large film.mp4", "video/mp4", 1, None) as file:
            file.write(b"x")
            path = relative_storage.save("films/1.mp4", file)
        assert get_name(relative_storage, path) == "Large film.mp4"

    def test_mime_type_of_a_name_without_extension(self, relative_storage):
        path = relative_storage.save("5f0c", upload("Report.PDF"))
        assert relative_storage.get_meta_backend_obj(path)["mime_type"] == "application/pdf"
        path = relative_storage.save("5f0d.txt", upload("Report.PDF"))
        assert relative_storage.get_meta_backend_obj(path)["mime_type"] == "text/plain"

    def test_name_of_existing_bytes(self, storage):
        storage.original_storage.save("old/cv.pdf", ContentFile(b"x"))
        path = storage.save("new.pdf", None, original_storage_path="old/cv.pdf")
        assert get_name(storage, path) == "new.pdf"

    def test_table_without_the_column(self, settings, tmp_path):
        """Without the columns, downloads have the name in the path."""
        options = settings.STORAGES["orm-metadata"]["OPTIONS"]
        options = options | {
            "original_storage": FileSystemStorage(tmp_path),
            "meta_backend": MetaBackendWithoutNames("testapp.StoredFile"),
        }
        settings.STORAGES = {
            **settings.STORAGES,
            "nameless": {"BACKEND": "tests.testapp.storages.MetadataStorage", "OPTIONS": options},
        }
        storage = get_proxy_storage("nameless")
        path = storage.save("cv.txt", upload("User's.txt"))
        record = storage.get_meta_backend_obj(path)
        assert (record["name"], record["charset"], record["size"]) == ("", "", 1)
        response = serve(RequestFactory().get("/"), record)
        assert response["Content-Disposition"] == 'inline; filename="cv.txt"'
        assert response["Content-Type"] == "text/plain"
        response.close()


class MetaBackendWithoutNames(ORMMetaBackend):
    def can_hold(self, *keys):
        return super().can_hold(*keys) and {"name", "charset"}.isdisjoint(keys)


class TestField:
    """``upload_to`` changes the name of the bytes, not the recorded name."""

    @pytest.fixture(autouse=True, params=["orm_file", "mongo_file"])
    def field(self, request, monkeypatch):
        self.name = request.param
        field = RelativeDocument._meta.get_field(self.name)
        alias = f"{self.name.split('_')[0]}-relative-metadata"
        monkeypatch.setattr(field, "storage", get_proxy_storage(alias))
        monkeypatch.setattr(field, "upload_to", lambda instance, name: f"letters/{instance.code}")
        return field

    def get_recorded(self, document):
        file = getattr(document, self.name)
        return get_name(file.storage, file.name)

    @pytest.mark.django_db
    def test_file_of_a_form(self):
        form_class = modelform_factory(RelativeDocument, fields=[self.name, "code"])
        code = RelativeDocument().code
        form = form_class({"code": code}, {self.name: upload("Cover letter (2).pdf")})
        document = form.save()
        assert getattr(document, self.name).name == f"letters/{code}"
        assert self.get_recorded(document) == "Cover letter (2).pdf"

    @pytest.mark.django_db
    def test_file_of_a_rest_serializer(self):
        class Meta:
            model = RelativeDocument
            fields = (self.name, "code")

        cls = type("Documents", (serializers.ModelSerializer,), {"Meta": Meta})
        data = {self.name: upload("Cover letter (2).pdf"), "code": RelativeDocument().code}
        serializer = cls(data=data)
        serializer.is_valid(raise_exception=True)
        assert self.get_recorded(serializer.save()) == "Cover letter (2).pdf"

    @pytest.mark.django_db
    def test_file_of_the_admin(self, rf, admin_user):
        model_admin = admin.ModelAdmin(RelativeDocument, admin.AdminSite())
        code = str(RelativeDocument().code)
        request = rf.post("/")
        request.user = admin_user
        form_class = model_admin.get_form(request, fields=[self.name, "code"])
        form = form_class({"code": code}, {self.name: upload("Cover letter (2).pdf")})
        model_admin.save_model(request, model_admin.save_form(request, form, False), form, False)
        assert self.get_recorded(RelativeDocument.objects.get()) == "Cover letter (2).pdf"

    @pytest.mark.django_db
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (ContentFile(b"x"), "My report.pdf"),
            (ContentFile(b"x", name="/tmp/x"), "My report.pdf"),
            (upload("User's.pdf"), "User's.pdf"),
        ],
    )
    def test_file_of_code(self, content, expected):
        document = RelativeDocument()
        getattr(document, self.name).save("My report.pdf", content)
        assert self.get_recorded(document) == expected
