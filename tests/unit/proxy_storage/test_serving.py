import os
from urllib.parse import quote

import pytest
from django.core.files.base import ContentFile
from django.http import HttpResponse
from django.test import RequestFactory

from proxy_storage.exceptions import ConfigurationError, ProxyFileNotFoundError, ServingError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving import (
    ServerBase,
    StreamingServer,
    XAccelRedirectServer,
    XSendfileServer,
    get_server,
    serve,
)

GET = RequestFactory().get("/files/")
X_ACCEL = {
    "BACKEND": "proxy_storage.serving.XAccelRedirectServer",
    "OPTIONS": {"location": "/internal/"},
}
X_SENDFILE = {"BACKEND": "proxy_storage.serving.XSendfileServer"}
STREAMING = {"BACKEND": "proxy_storage.serving.StreamingServer"}


class OtherServer(ServerBase):
    def serve(self, request, meta_backend_obj, headers):
        return HttpResponse()


def use_servers(settings, **servers):
    names = {"-": "/"}
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "SERVERS": {key.translate(str.maketrans(names)): value for key, value in servers.items()},
    }


def save(name="hello.txt", content=b"hello world", storage="orm_disk"):
    proxy = get_proxy_storage(storage)
    return proxy.meta_backend.get(proxy.save(name, ContentFile(content)))


class TestGetServer:
    def test_default_is_streaming_server(self):
        assert isinstance(
            get_server(MetaBackendObject({"proxy_storage_name": "orm_disk"})), StreamingServer
        )

    def test_most_specific_entry_wins(self, settings):
        other = {"BACKEND": "tests.unit.proxy_storage.test_serving.OtherServer"}
        servers = {"orm_disk-s3": other, "orm_disk": X_ACCEL, "default": other}
        use_servers(settings, **servers)

        def choose(proxy, **record):
            return type(get_server(MetaBackendObject({"proxy_storage_name": proxy, **record})))

        assert choose("orm_disk", original_storage_name="s3") is OtherServer
        assert choose("orm_disk", original_storage_name="disk") is XAccelRedirectServer
        assert choose("orm_disk") is XAccelRedirectServer
        assert choose("orm-gridfs") is OtherServer

    def test_servers_are_built_once(self):
        record = MetaBackendObject({"proxy_storage_name": "orm_disk"})
        assert get_server(record) is get_server(record)

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            ({}, "KeyError"),
            ({"BACKEND": "no.Where"}, "cannot be built"),
            ({"BACKEND": "proxy_storage.serving.XAccelRedirectServer"}, "location"),
            ({**X_ACCEL, "OPTIONS": {"location": "internal"}}, "slash"),
            ({**X_ACCEL, "OPTIONS": {"location": "/"}}, "slash"),
            ({**X_ACCEL, "OPTIONS": {"location": "/internal"}}, "slash"),
            ({**X_ACCEL, "OPTIONS": {"location": "/a//b/"}}, "slash"),
            ({**X_ACCEL, "OPTIONS": {"location": "/../"}}, "slash"),
            ({**X_ACCEL, "OPTIONS": {"location": "/%41/"}}, "letters"),
            ({**X_ACCEL, "OPTIONS": {"location": "/a b/"}}, "letters"),
            ({**X_ACCEL, "OPTIONS": {"location": "/é/"}}, "letters"),
            ({"BACKEND": "builtins.dict"}, "must be a ServerBase"),
        ],
    )
    def test_invalid_entry_raises_configuration_error(self, settings, entry, message):
        use_servers(settings, orm_disk=entry)
        with pytest.raises(ConfigurationError, match=message) as caught:
            get_server(MetaBackendObject({"proxy_storage_name": "orm_disk"}))
        assert "PROXY_STORAGE['SERVERS']['orm_disk']" in str(caught.value)


@pytest.mark.usefixtures("empty_storages")
class TestXAccelRedirectServer:
    @pytest.fixture(autouse=True)
    def _server(self, settings):
        use_servers(settings, default=X_ACCEL)

    def test_response(self):
        response = serve(GET, save("folder/hello.txt"))
        assert response.content == b""
        assert response["X-Accel-Redirect"] == "/internal/folder/hello.txt"
        assert response["Content-Type"] == "text/plain"
        assert "Content-Length" not in response

    def test_uri_is_percent_encoded(self):
        response = serve(GET, save("a b/100%25 ?#+é日.txt"))
        assert response["X-Accel-Redirect"] == (
            "/internal/a%20b/100%2525%20%3F%23%2B%C3%A9%E6%97%A5.txt"
        )

    def test_missing_file_raises_file_not_found(self):
        record = save()
        os.remove(record.get_original_storage_full_path())
        with pytest.raises(ProxyFileNotFoundError, match="is missing"):
            serve(GET, record)

    def test_folder_raises_file_not_found(self):
        record = save("folder/hello.txt")
        with pytest.raises(ProxyFileNotFoundError):
            serve(GET, MetaBackendObject({**record, "original_storage_path": "folder"}))

    def test_original_without_local_files_raises_serving_error(self):
        with pytest.raises(ServingError, match="StreamingServer"):
            serve(GET, save(storage="orm-gridfs"))


@pytest.mark.usefixtures("empty_storages")
class TestXSendfileServer:
    @pytest.fixture(autouse=True)
    def _server(self, settings):
        use_servers(settings, default=X_SENDFILE)

    def test_response(self):
        record = save("hello.txt")
        response = serve(GET, record)
        assert response.content == b""
        assert response["X-Sendfile"] == record["path"]
        assert response["Content-Type"] == "text/plain"
        assert "Content-Length" not in response

    def test_path_is_sent_as_bytes(self):
        record = save("100%25 é日.txt")
        response = serve(GET, record)
        assert response["X-Sendfile"].encode("latin-1") == record["path"].encode()

    def test_escape_percent_encodes_the_path(self, settings):
        use_servers(settings, default={**X_SENDFILE, "OPTIONS": {"escape": True}})
        record = save("100%25 é日.txt")
        response = serve(GET, record)
        folder = os.path.dirname(record["path"])
        assert response["X-Sendfile"] == quote(folder) + "/100%2525%20%C3%A9%E6%97%A5.txt"

    @pytest.mark.parametrize("escape", [False, True])
    @pytest.mark.parametrize("name", ["a\nb.txt", "a\x7f.txt", "a\t.txt"])
    def test_path_with_control_character_cannot_be_encoded(self, name, escape):
        assert XSendfileServer(escape=escape).encode_path(f"/files/{name}") is None

    def test_path_with_trailing_blank_needs_escape(self):
        assert XSendfileServer().encode_path("/files/a.txt ") is None
        assert XSendfileServer(escape=True).encode_path("/files/a.txt ") == b"/files/a.txt%20"

    def test_path_that_is_not_utf_8_needs_raw_bytes(self):
        path = os.fsdecode(b"/files/\xe9.txt")
        assert XSendfileServer().encode_path(path) == b"/files/\xe9.txt"
        assert XSendfileServer(escape=True).encode_path(path) is None

    def test_python_streams_a_file_whose_path_cannot_be_encoded(self):
        response = serve(GET, save("a.txt "))
        assert "X-Sendfile" not in response
        assert b"".join(response) == b"hello world"
        response.close()

    def test_range_after_the_end_is_416_without_offloading(self):
        record = save()
        request = RequestFactory().get("/files/", headers={"Range": "bytes=11-"})
        response = serve(request, record)
        assert response.status_code == 416
        assert response["Content-Range"] == "bytes */11"
        assert "X-Sendfile" not in response
        request = RequestFactory().get("/files/", headers={"Range": "bytes=0-3"})
        assert "X-Sendfile" in serve(request, record)
        # HEAD requests have no ranges.
        request = RequestFactory().head("/files/", headers={"Range": "bytes=11-"})
        assert "X-Sendfile" in serve(request, record)

    def test_unchanged_file_is_304_without_offloading(self):
        record = save()
        etag = serve(GET, record)["ETag"]
        request = RequestFactory().get("/files/", headers={"If-None-Match": etag})
        response = serve(request, record)
        assert response.status_code == 304
        assert "X-Sendfile" not in response

    def test_etag_changes_with_the_file(self):
        record = save()
        first = serve(GET, record)["ETag"]
        assert serve(GET, record)["ETag"] == first
        with open(record["path"], "a") as file:
            file.write("more")
        assert serve(GET, record)["ETag"] != first

    def test_missing_file_raises_file_not_found(self):
        record = save()
        os.remove(record["path"])
        with pytest.raises(ProxyFileNotFoundError, match="is missing"):
            serve(GET, record)

    def test_original_without_local_files_raises_serving_error(self):
        with pytest.raises(ServingError, match="StreamingServer"):
            serve(GET, save(storage="orm-gridfs"))


@pytest.mark.usefixtures("empty_storages")
@pytest.mark.parametrize(
    "server", [X_ACCEL, X_SENDFILE, STREAMING], ids=["x-accel", "x-sendfile", "streaming"]
)
class TestFilesOutsideTheOriginalStorage:
    """No server delivers files that are outside the original storage."""

    @pytest.fixture(autouse=True)
    def _server(self, settings, server):
        use_servers(settings, default=server)

    @pytest.mark.parametrize("path", ["../outside.txt", "/etc/passwd"])
    def test_path_outside_raises_serving_error(self, path):
        record = save()
        with pytest.raises(ServingError, match="is outside"):
            serve(GET, MetaBackendObject({**record, "original_storage_path": path}))

    def test_symbolic_link_to_a_file_outside_raises_serving_error(self, tmp_path):
        secret = tmp_path / "secret.txt"
        secret.write_text("secret")
        record = save()
        path = record.get_original_storage_full_path()
        os.remove(path)
        os.symlink(secret, path)
        with pytest.raises(ServingError, match="symbolic link"):
            serve(GET, record)
