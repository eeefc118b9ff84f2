"""Django's contract of saving on the file system: content, folders and permissions."""

import io
import os
import stat
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import (
    InMemoryUploadedFile,
    SimpleUploadedFile,
    TemporaryUploadedFile,
)

from proxy_storage.registry import get_proxy_storage, get_proxy_storage_name
from tests.contract.reading import read
from tests.contract.temporary_storages import configure_proxy_storage

TEXT = "straße\n" * 3


@pytest.fixture(params=["orm-disk", "mongo-disk", "orm_disk", "mongo_disk"])
def storage(request, empty_storages):
    return get_proxy_storage(request.param)


def get_files(storage):
    """Return the names in the original storage, and the number of records."""
    root = Path(storage.original_storage.location)
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    where = {"proxy_storage_name": get_proxy_storage_name(storage)}
    return files, len(list(storage.meta_backend.filter(where)))


class ChunksOnly:
    name = "chunks.txt"

    def chunks(self):
        yield from (TEXT[:5].encode(), TEXT[5:].encode())


class TextChunksOnly:
    name = "chunks.txt"

    def chunks(self):
        yield from TEXT.splitlines(keepends=True)


class ReadOnly:
    """A file object without a position and a size."""

    def __init__(self):
        self._parts = [TEXT[5:].encode(), TEXT[:5].encode()]

    def read(self, size=-1):
        return self._parts.pop() if self._parts else b""


class SmallChunks(File):
    DEFAULT_CHUNK_SIZE = 3


def make_temporary_upload():
    upload = TemporaryUploadedFile("a.txt", "text/plain", len(TEXT.encode()), "utf-8")
    upload.write(TEXT.encode())
    upload.seek(0)
    return upload


CONTENTS = {
    "ContentFile": lambda: ContentFile(TEXT.encode()),
    "ContentFile of text": lambda: ContentFile(TEXT),
    "BytesIO": lambda: io.BytesIO(TEXT.encode()),
    "StringIO": lambda: io.StringIO(TEXT),
    "File of BytesIO": lambda: File(io.BytesIO(TEXT.encode())),
    "File of StringIO": lambda: File(io.StringIO(TEXT), name="a.txt"),
    "small chunks": lambda: SmallChunks(io.BytesIO(TEXT.encode())),
    "SimpleUploadedFile": lambda: SimpleUploadedFile("a.txt", TEXT.encode()),
    "InMemoryUploadedFile": lambda: InMemoryUploadedFile(
        io.BytesIO(TEXT.encode()), "file", "a.txt", "text/plain", len(TEXT.encode()), None
    ),
    "InMemoryUploadedFile of text": lambda: InMemoryUploadedFile(
        io.StringIO(TEXT), "file", "a.txt", "text/plain", len(TEXT), "utf-8"
    ),
    "TemporaryUploadedFile": make_temporary_upload,
    "chunks only": ChunksOnly,
    "text chunks only": TextChunksOnly,
    "read only": ReadOnly,
    "File of read only": lambda: File(ReadOnly()),
}


class TestContents:
    @pytest.mark.parametrize("kind", CONTENTS)
    def test_complete_content_is_saved(self, storage, kind):
        content = CONTENTS[kind]()
        path = storage.save("letters/a.txt", content)
        assert read(storage, path) == TEXT.encode()
        assert storage.size(path) == len(TEXT.encode())
        if hasattr(content, "closed"):
            assert not content.closed
            content.close()

    def test_temporary_file_is_copied(self, storage):
        with make_temporary_upload() as upload:
            path = storage.save("a.txt", upload)
            temporary = Path(upload.temporary_file_path())
            assert temporary.read_bytes() == Path(path).read_bytes() == TEXT.encode()
            assert not temporary.samefile(path)

    @pytest.mark.parametrize("mode", ["r", "rb"])
    @pytest.mark.parametrize("wrapper", [lambda file: file, File])
    def test_open_file_object_is_saved(self, storage, tmp_path, mode, wrapper):
        source = tmp_path / "source.txt"
        source.write_text(TEXT)
        with source.open(mode) as file:
            path = storage.save("a.txt", wrapper(file))
            assert not file.closed
        assert read(storage, path) == TEXT.encode()

    def test_pipe_is_saved(self, storage):
        read_end, write_end = os.pipe()
        with open(read_end, "rb") as source:
            with open(write_end, "wb") as target:
                target.write(TEXT.encode())
            path = storage.save("a.txt", source)
        assert read(storage, path) == TEXT.encode()

    def test_http_response_is_saved(self, storage, tmp_path):
        (tmp_path / "page.txt").write_text(TEXT * 10_000)
        handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                with urlopen(f"http://127.0.0.1:{server.server_port}/page.txt") as response:
                    path = storage.save("a.txt", File(response))
            finally:
                server.shutdown()
                thread.join()
        assert read(storage, path) == (TEXT * 10_000).encode()

    def test_name_of_the_content_is_the_default(self, storage):
        path = storage.save(None, ContentFile(b"x", name="sub/named.txt"))
        assert path == f"{storage.original_storage.location}/sub/named.txt"

    def test_empty_file_is_saved(self, storage):
        path = storage.save("empty.txt", ContentFile(b""))
        assert read(storage, path) == b""
        assert storage.size(path) == 0

    @pytest.mark.parametrize("chunks", [[], [b"some"], ["some"]])
    def test_failing_chunks_leave_no_file(self, storage, chunks):
        def fail():
            yield from chunks
            raise OSError("unreadable")

        content = ContentFile(b"some bytes")
        content.chunks = fail
        with pytest.raises(OSError, match="unreadable"):
            storage.save("a.txt", content)
        assert get_files(storage) == ([], 0)

    def test_closed_content_leaves_no_file(self, storage):
        content = SimpleUploadedFile("a.txt", b"x")
        content.file.close()
        with pytest.raises(ValueError, match="closed"):
            storage.save("a.txt", content)
        assert get_files(storage) == ([], 0)


class TestFolders:
    def test_folders_are_created(self, storage):
        path = storage.save("path/to/a.txt", ContentFile(b"x"))
        assert path == f"{storage.original_storage.location}/path/to/a.txt"
        assert Path(path).is_file()

    def test_folder_created_by_another_process_is_used(self, storage, monkeypatch):
        makedirs = os.makedirs

        def make_twice(path, *args, **kwargs):
            makedirs(path, exist_ok=True)
            makedirs(path, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(os, "makedirs", make_twice)
            path = storage.save("raced/a.txt", ContentFile(b"x"))
        assert read(storage, path) == b"x"

    def test_failure_to_create_a_folder_raises(self, storage, monkeypatch):
        def raise_permission_error(path, *args, **kwargs):
            raise PermissionError(path)

        with monkeypatch.context() as patch:
            patch.setattr(os, "makedirs", raise_permission_error)
            with pytest.raises(PermissionError):
                storage.save("refused/a.txt", ContentFile(b"x"))
        assert get_files(storage) == ([], 0)

    def test_file_with_the_name_of_a_folder_raises(self, storage):
        path = storage.save("a", ContentFile(b"file"))
        with pytest.raises((OSError, SuspiciousFileOperation)):
            storage.save("a/b.txt", ContentFile(b"x"))
        assert read(storage, path) == b"file"
        assert get_files(storage) == (["a"], 1)

    def test_folder_with_the_name_of_a_file(self, storage):
        inner = storage.save("a/b.txt", ContentFile(b"inner"))
        path = storage.save("a", ContentFile(b"file"))
        assert path.startswith(f"{storage.original_storage.location}/a_")
        assert read(storage, path) == b"file"
        assert read(storage, inner) == b"inner"


def get_mode(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


class TestPermissions:
    def test_permissions_of_the_original_storage_are_used(
        self, tmp_path, empty_storages, meta_backend_name, settings
    ):
        original = FileSystemStorage(
            tmp_path / "files", file_permissions_mode=0o640, directory_permissions_mode=0o710
        )
        storage = configure_proxy_storage(original, meta_backend_name, settings)
        for content in (ContentFile(b"x"), make_temporary_upload()):
            path = Path(storage.save("path/to/a.txt", content))
            content.close()
            assert get_mode(path) == 0o640
            assert [get_mode(folder) for folder in list(path.parents)[:2]] == [0o710, 0o710]

    def test_permissions_of_the_settings_are_used(self, storage, settings):
        settings.FILE_UPLOAD_PERMISSIONS = 0o604
        settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o705
        path = Path(storage.save("sub/a.txt", ContentFile(b"x")))
        assert (get_mode(path), get_mode(path.parent)) == (0o604, 0o705)

    def test_umask_of_the_process_is_used(self, storage, settings, umask):
        settings.FILE_UPLOAD_PERMISSIONS = settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS = None
        path = Path(storage.save("sub/a.txt", ContentFile(b"x")))
        assert (get_mode(path), get_mode(path.parent)) == (0o666 & ~umask, 0o777 & ~umask)
