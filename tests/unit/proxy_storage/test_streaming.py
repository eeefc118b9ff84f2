import asyncio
import gzip
import os
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import connections, transaction
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.middleware.gzip import GZipMiddleware
from django.test import AsyncRequestFactory, RequestFactory

from proxy_storage.exceptions import ProxyFileNotFoundError, ServingError, UnsafePathError
from proxy_storage.original_storages.sources import StorageSource
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving import serve
from proxy_storage.serving.local import LocalFile, get_source
from proxy_storage.serving.streaming import release_connections
from proxy_storage.storages import gridfs
from tests.contract.special_storages import put_in_front_of

pytestmark = pytest.mark.usefixtures("empty_storages")

CONTENT = b"0123456789" * 100


def save(storage="orm_disk", name="hello.txt"):
    proxy = get_proxy_storage(storage) if isinstance(storage, str) else storage
    return proxy.meta_backend.get(proxy.save(name, ContentFile(CONTENT)))


def serve_request(record, method="get", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return serve(getattr(RequestFactory(), method)("/files/", headers=headers), record)


def serve_async(record):
    return serve(AsyncRequestFactory().get("/files/"), record)


class TestBody:
    def test_file_is_closed_with_the_response(self):
        response = serve_request(save())
        next(iter(response))
        response.close()
        assert response._body.closed

    def test_whole_file_has_a_descriptor_for_the_wsgi_server(self):
        response = serve_request(save())
        assert os.fstat(response.file_to_stream.fileno()).st_size == len(CONTENT)
        response.close()

    def test_range_does_not_have_a_descriptor(self):
        response = serve_request(save(), Range="bytes=0-3")
        assert not hasattr(response.file_to_stream, "fileno")
        response.close()

    @pytest.mark.parametrize("storage", ["orm_disk", "mongo_gridfs"])
    @pytest.mark.parametrize("condition", ["HEAD", "If-None-Match", "If-Match"])
    def test_file_is_not_opened_if_no_bytes_are_sent(self, storage, condition, monkeypatch):
        record = save(storage)
        monkeypatch.setattr(type(record.get_original_storage()), "_open", None)
        monkeypatch.setattr(gridfs, "GridFSPart", None)
        if condition == "HEAD":
            response = serve_request(record, "head")
            assert response["Content-Length"] == "1000"
        else:
            response = serve_request(
                record, **{condition: "*" if condition == "If-None-Match" else '"no"'}
            )
            assert response.status_code in (304, 412)
        assert response.content == b""

    def test_file_that_ends_early_raises_serving_error(self):
        record = save()
        response = serve_request(record)
        os.truncate(record["path"], 5)
        with pytest.raises(ServingError, match="too early"):
            list(response)
        response.close()


class TestConnections:
    """Database connections are closed before the first byte, see also tests/integration."""

    @pytest.fixture
    def connection(self, tmp_path):
        """A connection to a file: Django does not close databases in memory."""
        options = {**connections["default"].settings_dict}
        options |= {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
        options |= {"CONN_MAX_AGE": 0, "OPTIONS": {}, "AUTOCOMMIT": True}
        connection = DatabaseWrapper(options, "slow")
        connections.settings["slow"] = options
        connections["slow"] = connection
        connection.connect()
        yield connection
        connection.close()
        del connections["slow"], connections.settings["slow"]

    @pytest.fixture
    def response(self, tmp_path, settings):
        response = serve_request(save())
        yield response
        response.close()

    def test_connection_is_closed_before_the_first_byte(self, connection, response):
        assert connection.connection is not None
        assert next(iter(response))
        assert connection.connection is None

    def test_connection_is_closed_if_the_server_sends_by_descriptor(self, connection, response):
        response.file_to_stream.fileno()
        assert connection.connection is None

    def test_connection_in_a_transaction_stays_open(self, connection, response):
        with transaction.atomic(using="slow"):
            assert b"".join(response) == CONTENT
            assert connection.connection is not None
        connection.set_autocommit(False)
        release_connections()
        assert connection.connection is not None
        connection.rollback()

    def test_persistent_connection_stays_open(self, connection, response):
        connection.settings_dict["CONN_MAX_AGE"] = 60
        assert b"".join(response) == CONTENT
        assert connection.connection is not None

    def test_persistent_connection_is_closed_under_asgi(self, connection):
        """No later request uses the connections of this thread."""
        connection.settings_dict["CONN_MAX_AGE"] = 60
        release_connections(include_persistent=True)
        assert connection.connection is None

    def test_transaction_of_a_test_case_survives(self):
        assert connections["default"].in_atomic_block
        before = connections["default"].connection
        response = serve_request(save())
        assert b"".join(response) == CONTENT
        response.close()
        assert connections["default"].connection is before


class TestAsync:
    def test_file_is_closed_if_the_client_disconnects(self, monkeypatch):
        monkeypatch.setattr("proxy_storage.serving.streaming.ASYNC_BLOCK_SIZE", 10)
        response = serve_async(save())

        async def disconnect_early():
            blocks = aiter(response)
            first = await anext(blocks)
            await blocks.aclose()
            return first

        assert asyncio.run(disconnect_early()) == CONTENT[:10]
        assert response._body.closed

    def test_file_is_closed_with_an_unread_response(self):
        response = serve_async(save())
        response.close()
        assert response._body.closed

    def test_middleware_may_replace_the_content(self):
        response = serve_async(save())
        inner = response.streaming_content

        async def shout():
            async for block in inner:
                yield block.replace(b"0", b"O")

        response.streaming_content = shout()

        async def read_all():
            return b"".join([block async for block in response])

        assert asyncio.run(read_all()) == CONTENT.replace(b"0", b"O")
        assert response._body.closed


class TestCompression:
    @staticmethod
    def compress(record, **headers):
        headers = {"Accept-Encoding": "gzip", **headers}
        request = RequestFactory().get("/files/", headers=headers)
        response = GZipMiddleware(lambda request: serve(request, record))(request)
        return response, b"".join(response)

    def test_whole_file_is_compressed(self):
        response, content = self.compress(save())
        assert response["Content-Encoding"] == "gzip"
        assert response["ETag"].startswith("W/")
        assert gzip.decompress(content) == CONTENT
        response.close()

    def test_range_is_not_compressed(self):
        response, content = self.compress(save(), Range="bytes=0-499")
        assert response.status_code == 206
        assert "Content-Encoding" not in response
        assert content == CONTENT[:500]
        response.close()


class TestRecordedMetadata:
    def test_validators_are_recorded_checksum_and_time(self):
        record = save("orm-facts")
        response = serve_request(record, "head")
        assert response["ETag"] == f'"{record["checksum"]}"'
        created = record["created_at"].strftime("%a, %d %b %Y %H:%M:%S GMT")
        assert response["Last-Modified"] == created

    def test_recorded_metadata_is_ignored_if_the_size_differs(self):
        record = save("orm-facts")
        path = record.get_original_storage_full_path()
        with open(path, "ab") as file:
            file.write(b"more")
        response = serve_request(record, "head")
        assert response["Content-Length"] == "1004"
        assert record["checksum"] not in response["ETag"]
        response = serve_request(record, If_None_Match=f'"{record["checksum"]}"')
        assert b"".join(response) == CONTENT + b"more"
        response.close()

    def test_naive_time_in_the_record(self, settings):
        settings.USE_TZ = False
        record = save("orm-facts")
        modified = serve_request(record, "head")["Last-Modified"]
        assert serve_request(record, If_Modified_Since=modified).status_code == 304

    def test_record_without_metadata(self):
        record = save("orm_disk")
        first = serve_request(record, "head")["ETag"]
        with open(record["path"], "ab") as file:
            file.write(b"more")
        assert serve_request(record, "head")["ETag"] != first


class Reversing(FileSystemStorage):
    """Returns other bytes than those on disk."""

    def _open(self, name, mode="rb"):
        with super()._open(name, mode) as file:
            return ContentFile(file.read()[::-1], name)


class Unpacking(FileSystemStorage):
    """Returns more bytes than those on disk, while `size` is the size on disk."""

    def _open(self, name, mode="rb"):
        with super()._open(name, mode) as file:
            return ContentFile(file.read() * 3, name)


class WithSource(FileSystemStorage):
    """Has a method get_source."""

    def get_source(self, name):
        if not self.exists(name):
            raise FileNotFoundError(name)
        return StorageSource(self, name)


class TestGetSource:
    def test_file_on_disk(self):
        assert isinstance(get_source(save()), LocalFile)

    def test_symbolic_link_inside_the_storage(self):
        record = save(name="a/hello.txt")
        path = Path(record["path"])
        path.rename(path.with_name("target.txt"))
        path.symlink_to("target.txt")
        response = serve_request(record)
        assert b"".join(response) == CONTENT
        response.close()

    def test_folder_with_a_symbolic_link_out_of_the_storage(self, tmp_path):
        record = save(name="a/hello.txt")
        folder = Path(record["path"]).parent
        folder.rename(tmp_path / "outside")
        folder.symlink_to(tmp_path / "outside")
        with pytest.raises(UnsafePathError, match="symbolic link"):
            get_source(record)

    @pytest.mark.parametrize("name", ["a/../../outside.txt", "a/./../outside.txt"])
    def test_path_with_dot_parts_is_resolved(self, tmp_path, settings, name):
        """A storage of the project may return paths that are not normalized."""

        class Joining(FileSystemStorage):
            def path(self, name):
                return os.path.join(self.location, name)

        root = tmp_path / "root"
        (root / "a").mkdir(parents=True)
        for folder in (tmp_path, root):
            (folder / "outside.txt").touch()
        record = save(put_in_front_of(Joining(root), "orm", settings))
        record["original_storage_path"] = name
        if name.count("..") == 1:
            assert get_source(record).size == 0
        else:
            with pytest.raises(UnsafePathError):
                get_source(record)

    def test_storage_that_changes_the_bytes(self, tmp_path, settings):
        record = save(put_in_front_of(Reversing(tmp_path), "orm", settings))
        response = serve_request(record, Range="bytes=0-3")
        assert b"".join(response) == b"9876"
        response.close()

    def test_storage_that_returns_more_bytes_than_on_disk(self, tmp_path, settings):
        record = save(put_in_front_of(Unpacking(tmp_path), "orm", settings))
        response = serve_request(record)
        assert response["Content-Length"] == "3000"
        assert b"".join(response) == CONTENT * 3
        response.close()
        assert serve_request(record, "head")["Content-Length"] == "3000"

    def test_storage_with_get_source(self, tmp_path, settings):
        record = save(put_in_front_of(WithSource(tmp_path), "orm", settings))
        assert isinstance(get_source(record), StorageSource)
        response = serve_request(record, Range="bytes=0-3")
        assert b"".join(response) == b"0123"
        response.close()
        os.remove(record["path"])
        with pytest.raises(ProxyFileNotFoundError, match="is missing"):
            serve_request(record)

    def test_file_that_is_replaced_before_it_is_opened(self, tmp_path):
        record = save()
        source = get_source(record)
        secret = tmp_path / "secret.txt"
        secret.write_text("secret")
        os.remove(record["path"])
        os.symlink(secret, record["path"])
        with pytest.raises(ProxyFileNotFoundError, match="replaced"):
            source.open(0, 3)
