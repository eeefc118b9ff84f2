import os
import sys

import pytest
from django.core.files.base import ContentFile
from django.test import RequestFactory
from django_sendfile import utils

from proxy_storage.exceptions import ConfigurationError, ServingError
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving import SendfileServer, StreamingServer, get_server, serve

pytestmark = pytest.mark.usefixtures("empty_storages")

NGINX = "django_sendfile.backends.nginx"
APACHE = "django_sendfile.backends.xsendfile"
GET = RequestFactory().get("/files/")


@pytest.fixture(autouse=True)
def _no_backend_of_another_test():
    utils._get_sendfile.cache_clear()
    yield
    utils._get_sendfile.cache_clear()


@pytest.fixture(autouse=True)
def _sendfile(settings):
    settings.SENDFILE_BACKEND = NGINX
    settings.SENDFILE_ROOT = str(settings.TEST_FILES_ROOT)
    settings.SENDFILE_URL = "/protected"


def save(name="hello.txt", storage="orm_disk"):
    proxy = get_proxy_storage(storage)
    return proxy.meta_backend.get(proxy.save(name, ContentFile(b"hello world")))


def use_sendfile(settings):
    entry = {"BACKEND": "proxy_storage.serving.SendfileServer"}
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "SERVERS": {"default": entry}}


class TestGetServer:
    def test_is_chosen_if_the_project_uses_sendfile(self):
        assert isinstance(get_server(save()), SendfileServer)

    @pytest.mark.parametrize("name", ["SENDFILE_BACKEND", "SENDFILE_ROOT", "SENDFILE_URL"])
    def test_is_not_chosen_if_a_setting_is_missing(self, settings, name):
        delattr(settings, name)
        assert isinstance(get_server(save()), StreamingServer)

    def test_is_not_chosen_for_files_outside_the_root(self, settings):
        settings.SENDFILE_ROOT = str(settings.TEST_FILES_ROOT / "disk")
        assert isinstance(get_server(save()), StreamingServer)

    def test_is_not_chosen_for_files_that_are_not_local(self):
        assert isinstance(get_server(save(storage="mongo_gridfs")), StreamingServer)

    def test_is_not_chosen_if_a_server_is_configured(self, settings):
        entry = {"BACKEND": "proxy_storage.serving.StreamingServer"}
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "SERVERS": {"default": entry}}
        assert isinstance(get_server(save()), StreamingServer)


class TestResponse:
    def test_nginx(self):
        response = serve(GET, save("a b/é.txt"))
        assert response["X-Accel-Redirect"] == "/protected/a%20b/%C3%A9.txt"
        assert response["Content-Type"] == "text/plain"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response["Content-Security-Policy"]
        assert response["Content-Disposition"].startswith("inline; filename=")
        assert "; filename*=utf-8''" in response["Content-Disposition"]
        assert response.content == b""
        assert "Content-Length" not in response

    def test_apache(self, settings):
        settings.SENDFILE_BACKEND = APACHE
        record = save("日 100%41.txt")
        response = serve(GET, record)
        assert response["X-Sendfile"].encode("latin-1") == record["path"].encode()
        assert response["ETag"].startswith('"')

    def test_compressed_file_has_no_content_encoding(self):
        response = serve(GET, save("a.txt.gz"))
        assert "Content-Encoding" not in response
        assert response["Content-Type"] == "application/gzip"
        assert response["Content-Disposition"] == 'attachment; filename="a.txt.gz"'

    @pytest.mark.parametrize("backend", ["simple", "development"])
    def test_python_streams_with_ranges(self, settings, backend):
        settings.SENDFILE_BACKEND = f"django_sendfile.backends.{backend}"
        request = RequestFactory().get("/files/", headers={"Range": "bytes=0-3"})
        response = serve(request, save())
        assert response.status_code == 206
        assert b"".join(response) == b"hell"
        response.close()

    def test_other_web_server_raises_serving_error(self):
        request = RequestFactory().get("/files/", headers={"X-Sendfile-Type": "X-Sendfile"})
        with pytest.raises(ServingError, match="X-Accel-Redirect"):
            serve(request, save())

    def test_own_backend_of_the_project(self, settings):
        settings.SENDFILE_BACKEND = "tests.unit.proxy_storage.test_sendfile"
        response = serve(GET, save())
        assert response["Location"] == "/elsewhere/hello.txt"
        assert response["X-Content-Type-Options"] == "nosniff"


class TestErrors:
    def test_symbolic_link_to_a_file_outside(self, tmp_path):
        record = save()
        secret = tmp_path / "secret.txt"
        secret.write_text("secret")
        os.remove(record["path"])
        os.symlink(secret, record["path"])
        with pytest.raises(ServingError, match="symbolic link"):
            serve(GET, record)

    def test_file_outside_of_the_root(self, settings):
        use_sendfile(settings)
        settings.SENDFILE_ROOT = str(settings.TEST_FILES_ROOT / "disk")
        with pytest.raises(ServingError, match="SENDFILE_ROOT"):
            serve(GET, save())

    def test_storage_outside_of_the_root(self, settings, tmp_path):
        use_sendfile(settings)
        settings.SENDFILE_ROOT = str(tmp_path)
        with pytest.raises(ServingError, match="are not below SENDFILE_ROOT"):
            serve(GET, save())

    def test_files_that_are_not_local(self, settings):
        use_sendfile(settings)
        with pytest.raises(ServingError, match="StreamingServer"):
            serve(GET, save(storage="mongo_gridfs"))
        original = get_proxy_storage("mongo_gridfs").get_original_storage()
        assert "GridFSStorage" in SendfileServer().get_problem(original)

    @pytest.mark.parametrize("name", ["SENDFILE_BACKEND", "SENDFILE_ROOT"])
    def test_missing_setting(self, settings, name):
        use_sendfile(settings)
        delattr(settings, name)
        with pytest.raises(ServingError, match="needs SENDFILE_BACKEND and SENDFILE_ROOT"):
            serve(GET, save())

    def test_missing_location_of_nginx(self, settings):
        use_sendfile(settings)
        del settings.SENDFILE_URL
        with pytest.raises(ServingError, match="SENDFILE_URL"):
            serve(GET, save())

    def test_missing_package(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "django_sendfile", None)
        with pytest.raises(ConfigurationError, match=r'pip install "django-proxy-storage\[api\]"'):
            serve(GET, save())


def sendfile(request, path, **kwargs):
    """A backend of a project, as a function of this module."""
    from django.http import HttpResponse

    return HttpResponse(headers={"Location": f"/elsewhere/{path.name}"})
