"""The metadata in records."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.mime_types import guess_mime_type
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving.headers import get_content_type
from proxy_storage.storages import facts, metadata
from tests.testapp.models import Document, StoredFile

pytestmark = pytest.mark.usefixtures("empty_storages")

CONTENT = b"\x00facts" * 50_000


@pytest.fixture(params=settings.META_BACKENDS)
def storage(request):
    return get_proxy_storage(f"{request.param}-metadata")


@pytest.fixture
def calls(monkeypatch):
    """The names of the called methods of the original storage."""
    calls = []
    for name in ("_open", "_save", "size", "exists", "path", "get_created_time"):
        _count(monkeypatch, calls, name)
    for name in ("get_modified_time", "get_accessed_time", "delete", "listdir", "url"):
        _count(monkeypatch, calls, name)
    return calls


def _count(monkeypatch, calls, name):
    function = getattr(FileSystemStorage, name)

    def counted(self, *args, **kwargs):
        calls.append(name)
        return function(self, *args, **kwargs)

    monkeypatch.setattr(FileSystemStorage, name, counted)


def test_save_records_the_metadata(storage):
    before = timezone.now() - timedelta(milliseconds=1)
    record = storage.meta_backend.get(storage.save("cv.pdf", ContentFile(CONTENT)))
    assert record["size"] == len(CONTENT)
    assert record["checksum"] == hashlib.sha256(CONTENT).hexdigest()
    assert record["mime_type"] == "application/pdf"
    assert before <= record["created_at"] <= timezone.now()


def test_metadata_is_read_from_the_record(storage, calls, django_assert_num_queries):
    path = storage.save("cv.pdf", ContentFile(CONTENT))
    created = storage.meta_backend.get(path)["created_at"]
    calls.clear()
    with django_assert_num_queries(5 if storage.meta_backend.get_transaction_alias() else 0):
        assert storage.size(path) == len(CONTENT)
        assert storage.get_created_time(path) == created
        assert storage.get_modified_time(path) == created
        assert storage.get_accessed_time(path) == created
        assert storage.exists(path)
    assert calls == []


def test_content_is_read_once(storage, calls):
    class Content(ContentFile):
        passes = 0

        def chunks(self, chunk_size=None):
            self.passes += 1
            yield from super().chunks(chunk_size)

        def read(self, *args):
            raise AssertionError("The content was read without its chunks.")

    content = Content(CONTENT)
    content.file.read(5)
    type(content).read = lambda self, size: content.file.read(size)
    storage.save("cv.pdf", content)
    assert content.passes == 1
    assert content.file.tell() == len(CONTENT)
    assert "_open" not in calls


def test_mime_type_follows_from_the_name_not_from_the_browser(storage):
    upload = SimpleUploadedFile("cv.pdf", b"<script>", content_type="text/html")
    record = storage.meta_backend.get(storage.save("cv.pdf", upload))
    assert record["mime_type"] == "application/pdf"
    record = storage.meta_backend.get(storage.save("cv.unheard-of", upload))
    assert record["mime_type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "Grüße".encode(), "text/plain; charset=utf-8"),
        ("a.txt", b"", "text/plain; charset=utf-8"),
        ("a.csv", "Grüße".encode(), "text/csv; charset=utf-8"),
        ("a.txt", "Grüße".encode("latin-1"), "text/plain"),
        ("a.txt", "Grüße".encode("utf-16"), "text/plain"),
        ("a.json", b"{}", "application/json"),
        ("a.pdf", b"ASCII", "application/pdf"),
        ("a.css", b"ASCII", "application/octet-stream"),
    ],
)
def test_charset_of_text(storage, name, content, expected):
    record = storage.meta_backend.get(storage.save(name, ContentFile(content)))
    assert get_content_type(record) == expected
    assert record["mime_type"] == guess_mime_type(name)
    assert record["charset"] == ("utf-8" if "utf-8" in expected or name == "a.css" else "")


def test_charset_of_existing_bytes(storage):
    storage.original_storage.save("a.txt", ContentFile("Grüße".encode()))
    storage.original_storage.save("b.txt", ContentFile("Grüße".encode("latin-1")))
    for name, expected in (("a.txt", "utf-8"), ("b.txt", "")):
        path = storage.save(name, None, original_storage_path=name)
        assert storage.meta_backend.get(path)["charset"] == expected


@pytest.mark.parametrize("declared", ["text/plain; charset=koi8-r", "text/plain;Charset = koi8-r"])
def test_declared_charset_is_kept(storage, monkeypatch, declared):
    monkeypatch.setattr(type(storage), "get_mime_type", lambda self, name, content: declared)
    record = storage.meta_backend.get(storage.save("a.txt", ContentFile(b"ASCII")))
    assert get_content_type(record) == declared


@pytest.mark.parametrize("charset", ["", None, "utf-7", "utf-8\r\nX: y", 5])
def test_unknown_charset_of_a_record_is_ignored(charset):
    record = MetaBackendObject(path="/a.txt", charset=charset)
    assert get_content_type(record) == "text/plain"


@pytest.mark.parametrize("mime_type", ["", None])
def test_empty_mime_type_of_a_project(storage, monkeypatch, mime_type):
    monkeypatch.setattr(type(storage), "get_mime_type", lambda self, name, content: mime_type)
    if mime_type is None and storage.meta_backend.get_transaction_alias():
        pytest.skip("The column cannot be NULL.")
    record = storage.meta_backend.get(storage.save("a.txt", ContentFile(b"ASCII")))
    assert (record["charset"], get_content_type(record)) == ("", "text/plain")


def test_get_mime_type_can_read_the_content(storage, monkeypatch):
    def sniff(name, content):
        content.seek(0)
        return "text/html" if b"<" in content.read() else "text/plain"

    monkeypatch.setattr(storage, "get_mime_type", sniff)
    record = storage.meta_backend.get(storage.save("cv.pdf", ContentFile(b"<script>")))
    assert record["mime_type"] == "text/html"
    assert record["size"] == 8


def test_size_and_checksum_of_existing_bytes(storage):
    known = storage.get_original_storage().save("there.txt", ContentFile(CONTENT))
    path = storage.save("a.txt", None, original_storage_path=known)
    record = storage.meta_backend.get(path)
    assert record["checksum"] == hashlib.sha256(CONTENT).hexdigest()
    assert record["size"] == len(CONTENT)


def test_record_without_metadata_reads_the_original_storage(storage):
    path = storage.save("cv.pdf", ContentFile(b"12345"))
    storage.meta_backend.update(path, {"size": None, "created_at": None})
    assert storage.size(path) == 5
    for get_time in (
        storage.get_created_time,
        storage.get_modified_time,
        storage.get_accessed_time,
    ):
        assert abs(get_time(path) - timezone.now()) < timedelta(minutes=1)


@pytest.mark.parametrize("mode", ["wb", "w", "a", "r+b", "x"])
def test_file_cannot_be_opened_for_writing(storage, mode):
    path = storage.save("cv.pdf", ContentFile(b"12345"))
    with pytest.raises(ValueError, match="only be opened for reading"):
        storage.open(path, mode)
    with storage.open(path, "r") as file:
        assert file.read() == "12345"


def test_field_reads_its_size_from_the_record(storage, calls, monkeypatch):
    monkeypatch.setattr(Document._meta.get_field("orm_file"), "storage", storage)
    document = Document()
    document.orm_file.save("a.txt", ContentFile(b"12345"))
    calls.clear()
    assert Document.objects.get().orm_file.size == 5
    assert calls == []


class TestWithoutTimeZones:
    @pytest.fixture(autouse=True)
    def without_time_zones(self, settings):
        settings.USE_TZ = False
        settings.TIME_ZONE = "Asia/Tokyo"

    def test_time_is_naive_and_local(self, storage):
        path = storage.save("cv.pdf", ContentFile(b""))
        created = storage.get_created_time(path)
        assert timezone.is_naive(created)
        assert abs(created - timezone.now()) < timedelta(minutes=1)
        assert created == storage.meta_backend.get(path)["created_at"]

    def test_aware_time_in_a_record_is_converted(self, storage, monkeypatch):
        path = storage.save("cv.pdf", ContentFile(b""))
        aware = datetime(2026, 1, 1, 12, tzinfo=UTC)
        record = {**storage.meta_backend.get(path), "created_at": aware}
        monkeypatch.setattr(storage, "get_meta_backend_obj", lambda path: record)
        assert storage.get_created_time(path) == datetime(2026, 1, 1, 21)


def test_naive_time_in_a_record_is_converted(storage, monkeypatch):
    path = storage.save("cv.pdf", ContentFile(b""))
    record = {**storage.meta_backend.get(path), "created_at": datetime(2026, 1, 1)}
    monkeypatch.setattr(storage, "get_meta_backend_obj", lambda path: record)
    assert timezone.is_aware(storage.get_created_time(path))


def test_model_has_the_record_keys():
    names = {field.name for field in StoredFile._meta.get_fields()}
    assert names >= set(get_proxy_storage("orm-metadata").get_record_keys())


def test_former_names_are_aliases():
    assert facts.FileFactsProxyStorageMixin is metadata.FileMetadataProxyStorageMixin
    assert metadata.FileFactsProxyStorageMixin is metadata.FileMetadataProxyStorageMixin
