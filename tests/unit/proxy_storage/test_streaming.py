import asyncio
import gzip
import os

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import connections, transaction
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.middleware.gzip import GZipMiddleware
from django.test import AsyncRequestFactory, RequestFactory

from proxy_storage.exceptions import ProxyFileNotFoundError, ServingError
from proxy_storage.original_storages.sources import StorageSource
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving import serve
from proxy_storage.serving.local import LocalFile, get_source
from proxy_storage.serving.streaming import release_connections
from proxy_storage.storages import gridfs
from tests.contract.temporary_storages import configure_proxy_storage

pytestmark = pytest.mark.usefixtures("empty_storages")

CONTENT = b"0123456789" * 100


def save(storage="orm_disk", name="hello.txt"):
    proxy = get_proxy_storage(storage) if isinstance(storage, str) else storage
    return proxy.meta_backend.get(proxy.save(name, ContentFile(CONTENT)))


def ask(record, method="get", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return serve(getattr(RequestFactory(), method)("/files/", headers=headers), record)


def ask_asynchronously(record):
    return serve(AsyncRequestFactory().get("/files/"), record)


class TestOpenFile:
    def test_is_closed_with_the_response(self):
        response = ask(save())
        next(iter(response))
        response.close()
        assert response._body.closed

    def test_whole_file_is_for_the_kernel_to_copy(self):
        response = ask(save())
        assert os.fstat(response.file_to_stream.fileno()).st_size == len(CONTENT)
        response.close()

    def test_part_is_not(self):
        response = ask(save(), Range="bytes=0-3")
        assert not hasattr(response.file_to_stream, "fileno")
        response.close()

    @pytest.mark.parametrize("storage", ["orm_disk", "mongo_gridfs"])
    @pytest.mark.parametrize("condition", ["HEAD", "If-None-Match", "If-Match"])
    def test_nothing_is_opened_where_no_bytes_are_sent(self, storage, condition, monkeypatch):
        record = save(storage)
        monkeypatch.setattr(type(record.get_original_storage()), "_open", None)
        monkeypatch.setattr(gridfs, "GridFSPart", None)
        if condition == "HEAD":
            response = ask(record, "head")
            assert response["Content-Length"] == "1000"
        else:
            response = ask(record, **{condition: "*" if condition == "If-None-Match" else '"no"'})
            assert response.status_code in (304, 412)
        assert response.content == b""

    def test_file_that_ends_early_breaks_the_answer_off(self):
        record = save()
        response = ask(record)
        os.truncate(record["path"], 5)
        with pytest.raises(ServingError, match="too early"):
            list(response)
        response.close()


class TestConnections:
    """Connections are closed before the first byte. Real databases: tests/servers."""

    @pytest.fixture
    def connection(self, tmp_path):
        """A connection to a file: Django leaves databases in memory open."""
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
        response = ask(save())
        yield response
        response.close()

    def test_closed_before_the_first_byte(self, connection, response):
        assert connection.connection is not None
        assert next(iter(response))
        assert connection.connection is None

    def test_closed_where_the_server_sends_by_descriptor(self, connection, response):
        response.file_to_stream.fileno()
        assert connection.connection is None

    def test_transactions_go_on(self, connection, response):
        with transaction.atomic(using="slow"):
            assert b"".join(response) == CONTENT
            assert connection.connection is not None
        connection.set_autocommit(False)
        release_connections()
        assert connection.connection is not None
        connection.rollback()

    def test_persistent_ones_stay(self, connection, response):
        connection.settings_dict["CONN_MAX_AGE"] = 60
        assert b"".join(response) == CONTENT
        assert connection.connection is not None

    def test_persistent_ones_are_closed_under_asgi(self, connection):
        """Such a connection is one of the thread that has answered, which no request has again."""
        connection.settings_dict["CONN_MAX_AGE"] = 60
        release_connections(include_persistent=True)
        assert connection.connection is None

    def test_the_transaction_of_a_test_case_survives(self):
        assert connections["default"].in_atomic_block
        before = connections["default"].connection
        response = ask(save())
        assert b"".join(response) == CONTENT
        response.close()
        assert connections["default"].connection is before


class TestEventLoop:
    def test_client_that_leaves_closes_the_file(self, monkeypatch):
        monkeypatch.setattr("proxy_storage.serving.streaming.ASYNC_BLOCK_SIZE", 10)
        response = ask_asynchronously(save())

        async def leave_early():
            blocks = aiter(response)
            first = await anext(blocks)
            await blocks.aclose()
            return first

        assert asyncio.run(leave_early()) == CONTENT[:10]
        assert response._body.closed

    def test_response_that_nobody_reads_closes_the_file(self):
        response = ask_asynchronously(save())
        response.close()
        assert response._body.closed

    def test_content_that_a_middleware_has_replaced(self):
        response = ask_asynchronously(save())
        inner = response.streaming_content

        async def shout():
            async for block in inner:
                yield block.replace(b"0", b"O")

        response.streaming_content = shout()

        async def read_all():
            return b"".join([block async for block in response])

        assert asyncio.run(read_all()) == CONTENT.replace(b"0", b"O")
        assert response._body.closed


class TestMiddlewareThatPacks:
    @staticmethod
    def pack(record, **headers):
        headers = {"Accept-Encoding": "gzip", **headers}
        request = RequestFactory().get("/files/", headers=headers)
        response = GZipMiddleware(lambda request: serve(request, record))(request)
        return response, b"".join(response)

    def test_whole_file_is_packed(self):
        response, content = self.pack(save())
        assert response["Content-Encoding"] == "gzip"
        assert response["ETag"].startswith("W/")
        assert gzip.decompress(content) == CONTENT
        response.close()

    def test_part_is_a_part_of_the_file_itself(self):
        response, content = self.pack(save(), Range="bytes=0-499")
        assert response.status_code == 206
        assert "Content-Encoding" not in response
        assert content == CONTENT[:500]
        response.close()


class TestRecordedFacts:
    def test_checksum_is_the_tag_and_creation_the_time(self):
        record = save("orm-metadata")
        response = ask(record, "head")
        assert response["ETag"] == f'"{record["checksum"]}"'
        created = record["created_at"].strftime("%a, %d %b %Y %H:%M:%S GMT")
        assert response["Last-Modified"] == created

    def test_facts_of_other_bytes_do_not_count(self):
        record = save("orm-metadata")
        path = record.get_original_storage_full_path()
        with open(path, "ab") as file:
            file.write(b"more")
        response = ask(record, "head")
        assert response["Content-Length"] == "1004"
        assert record["checksum"] not in response["ETag"]
        response = ask(record, If_None_Match=f'"{record["checksum"]}"')
        assert b"".join(response) == CONTENT + b"more"
        response.close()

    def test_time_without_a_zone(self, settings):
        settings.USE_TZ = False
        record = save("orm-metadata")
        modified = ask(record, "head")["Last-Modified"]
        assert ask(record, If_Modified_Since=modified).status_code == 304

    def test_record_without_facts(self):
        record = save("orm_disk")
        first = ask(record, "head")["ETag"]
        with open(record["path"], "ab") as file:
            file.write(b"more")
        assert ask(record, "head")["ETag"] != first


class Reversing(FileSystemStorage):
    """Gives out other bytes than those on the disk."""

    def _open(self, name, mode="rb"):
        with super()._open(name, mode) as file:
            return ContentFile(file.read()[::-1], name)


class Unpacking(FileSystemStorage):
    """Gives out more bytes than those on the disk, whose number its `size` tells."""

    def _open(self, name, mode="rb"):
        with super()._open(name, mode) as file:
            return ContentFile(file.read() * 3, name)


class WithSource(FileSystemStorage):
    """Says itself how its files are read."""

    def get_source(self, name):
        if not self.exists(name):
            raise FileNotFoundError(name)
        return StorageSource(self, name)


class TestFinding:
    def test_file_on_disk(self):
        assert isinstance(get_source(save()), LocalFile)

    def test_storage_that_changes_the_bytes_is_read_through(self, tmp_path, settings):
        record = save(configure_proxy_storage(Reversing(tmp_path), "orm", settings))
        response = ask(record, Range="bytes=0-3")
        assert b"".join(response) == b"9876"
        response.close()

    def test_storage_that_gives_more_than_is_on_the_disk(self, tmp_path, settings):
        record = save(configure_proxy_storage(Unpacking(tmp_path), "orm", settings))
        response = ask(record)
        assert response["Content-Length"] == "3000"
        assert b"".join(response) == CONTENT * 3
        response.close()
        assert ask(record, "head")["Content-Length"] == "3000"

    def test_storage_that_has_a_source_of_its_own(self, tmp_path, settings):
        record = save(configure_proxy_storage(WithSource(tmp_path), "orm", settings))
        assert isinstance(get_source(record), StorageSource)
        response = ask(record, Range="bytes=0-3")
        assert b"".join(response) == b"0123"
        response.close()
        os.remove(record["path"])
        with pytest.raises(ProxyFileNotFoundError, match="gone"):
            ask(record)

    def test_file_that_was_replaced_after_it_was_looked_at(self, tmp_path):
        record = save()
        source = get_source(record)
        secret = tmp_path / "secret.txt"
        secret.write_text("secret")
        os.remove(record["path"])
        os.symlink(secret, record["path"])
        with pytest.raises(ProxyFileNotFoundError, match="replaced"):
            source.open(0, 3)
