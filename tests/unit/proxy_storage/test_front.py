import sys

import pytest
from django.core.servers.basehttp import WSGIRequestHandler
from django.test import AsyncRequestFactory, RequestFactory

from proxy_storage.exceptions import ServingError
from proxy_storage.serving.base import require_front

# what the server of runserver says of itself
DEVELOPMENT = WSGIRequestHandler.server_version


def ask(announced=None, **environ):
    headers = {} if announced is None else {"X-Sendfile-Type": announced}
    return RequestFactory().get("/files/", headers=headers, **environ)


class TestRequireFront:
    def test_web_server_that_says_nothing(self):
        require_front(ask(), "X-Sendfile")

    @pytest.mark.parametrize("announced", ["X-Sendfile", "x-sendfile"])
    @pytest.mark.parametrize("environ", [{}, {"SERVER_SOFTWARE": "WSGIServer/0.2"}])
    def test_web_server_that_understands(self, announced, environ):
        require_front(ask(announced, **environ), "X-Sendfile")

    @pytest.mark.parametrize("announced", ["X-Accel-Redirect", "", "X-Sendfile, X-Accel-Redirect"])
    def test_web_server_that_does_not(self, announced):
        with pytest.raises(ServingError, match="announces"):
            require_front(ask(announced), "X-Sendfile")

    def test_nobody_in_front_of_the_development_server(self):
        with pytest.raises(ServingError, match=r"StreamingServer.*X-Sendfile-Type: X-Sendfile"):
            require_front(ask(SERVER_SOFTWARE="WSGIServer/0.2"), "X-Sendfile")

    @pytest.mark.parametrize(
        "environ", [{"SERVER_PROTOCOL": "HTTP/1.0"}, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}]
    )
    def test_web_server_in_front_of_the_development_server(self, environ):
        require_front(ask(SERVER_SOFTWARE="WSGIServer/0.2", **environ), "X-Sendfile")

    def test_nobody_in_front_of_the_development_server_under_asgi(self, monkeypatch):
        request = AsyncRequestFactory().get("/files/")
        require_front(request, "X-Sendfile")
        monkeypatch.setitem(sys.modules, "daphne.management.commands.runserver", sys)
        with pytest.raises(ServingError, match=r"StreamingServer.*X-Sendfile-Type: X-Sendfile"):
            require_front(request, "X-Sendfile")
        request.scope["http_version"] = "1.0"
        require_front(request, "X-Sendfile")

    def test_project_that_wants_to_be_told(self, settings):
        settings.PROXY_STORAGE = {"REQUIRE_SENDFILE_TYPE": True}
        with pytest.raises(ServingError, match=r"StreamingServer.*X-Sendfile-Type: X-Sendfile"):
            require_front(ask(), "X-Sendfile")
        require_front(ask("X-Sendfile"), "X-Sendfile")

    def test_the_development_server_is_called_so(self):
        assert DEVELOPMENT.startswith("WSGIServer/")
