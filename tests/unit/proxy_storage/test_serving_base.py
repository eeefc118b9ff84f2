import sys

import pytest
from django.core.servers.basehttp import WSGIRequestHandler
from django.test import AsyncRequestFactory, RequestFactory

from proxy_storage.exceptions import ServingError
from proxy_storage.serving.base import check_sendfile_type

# SERVER_SOFTWARE of runserver
DEVELOPMENT = WSGIRequestHandler.server_version


def make_request(sendfile_type=None, **environ):
    headers = {} if sendfile_type is None else {"X-Sendfile-Type": sendfile_type}
    return RequestFactory().get("/files/", headers=headers, **environ)


class TestCheckSendfileType:
    def test_request_without_the_header_is_accepted(self):
        check_sendfile_type(make_request(), "X-Sendfile")

    @pytest.mark.parametrize("sendfile_type", ["X-Sendfile", "x-sendfile"])
    @pytest.mark.parametrize("environ", [{}, {"SERVER_SOFTWARE": "WSGIServer/0.2"}])
    def test_same_header_is_accepted(self, sendfile_type, environ):
        check_sendfile_type(make_request(sendfile_type, **environ), "X-Sendfile")

    @pytest.mark.parametrize(
        "sendfile_type", ["X-Accel-Redirect", "", "X-Sendfile, X-Accel-Redirect"]
    )
    def test_other_header_raises_serving_error(self, sendfile_type):
        with pytest.raises(ServingError, match="according to X-Sendfile-Type"):
            check_sendfile_type(make_request(sendfile_type), "X-Sendfile")

    def test_development_server_raises_serving_error(self):
        with pytest.raises(ServingError, match=r"StreamingServer.*X-Sendfile-Type: X-Sendfile"):
            check_sendfile_type(make_request(SERVER_SOFTWARE="WSGIServer/0.2"), "X-Sendfile")

    @pytest.mark.parametrize(
        "environ", [{"SERVER_PROTOCOL": "HTTP/1.0"}, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}]
    )
    def test_development_server_behind_a_web_server_is_accepted(self, environ):
        check_sendfile_type(make_request(SERVER_SOFTWARE="WSGIServer/0.2", **environ), "X-Sendfile")

    def test_development_server_for_asgi_raises_serving_error(self, monkeypatch):
        request = AsyncRequestFactory().get("/files/")
        check_sendfile_type(request, "X-Sendfile")
        monkeypatch.setitem(sys.modules, "daphne.management.commands.runserver", sys)
        with pytest.raises(ServingError, match=r"StreamingServer.*X-Sendfile-Type: X-Sendfile"):
            check_sendfile_type(request, "X-Sendfile")
        request.scope["http_version"] = "1.0"
        check_sendfile_type(request, "X-Sendfile")

    def test_require_sendfile_type_raises_serving_error_without_the_header(self, settings):
        settings.PROXY_STORAGE = {"REQUIRE_SENDFILE_TYPE": True}
        with pytest.raises(ServingError, match=r"StreamingServer.*X-Sendfile-Type: X-Sendfile"):
            check_sendfile_type(make_request(), "X-Sendfile")
        check_sendfile_type(make_request("X-Sendfile"), "X-Sendfile")

    def test_server_software_of_runserver(self):
        assert DEVELOPMENT.startswith("WSGIServer/")
