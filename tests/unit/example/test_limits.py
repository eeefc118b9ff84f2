"""Headers of pages, and the limit of a request's body."""

from unittest import mock

import pytest
from django.test import RequestFactory

from jobs.middleware import MAX_BODY_SIZE, limit_body
from jobs.models import MAX_FILE_SIZE
from tests.unit.example.conftest import read


class TestHeaders:
    @pytest.mark.parametrize("who", ["anonymous", "messi"])
    @pytest.mark.parametrize(
        "url", ["/", "/my-files/", "/apply/", "/applications/1/", "/api/applications/"]
    )
    def test_pages_are_not_cached_or_framed(self, clients, who, url):
        response = clients[who].get(url)
        assert response["Cache-Control"] == "private, no-store"
        if response.status_code == 200:
            assert response["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"]

    def test_files_keep_their_own_headers(self, clients, messi):
        response = clients["messi"].get(messi.avatar.url)
        read(response)
        assert response["Cache-Control"] == "private, no-cache"
        assert "frame-ancestors 'self'" in response["Content-Security-Policy"]

    @pytest.mark.parametrize("target", ["//evil.test/", "https://evil.test/", "javascript:x"])
    def test_log_in_does_not_lead_to_another_site(self, clients, target):
        data = {"username": "messi", "password": "messi", "next": target}
        assert clients["anonymous"].post("/login/", data)["Location"] == "/"


class TestBody:
    def test_longest_form_is_accepted(self):
        assert 3 * MAX_FILE_SIZE < MAX_BODY_SIZE

    @pytest.mark.parametrize(
        ("length", "status"),
        [
            ("", 200),
            ("0", 200),
            (str(MAX_BODY_SIZE), 200),
            (str(MAX_BODY_SIZE + 1), 413),
            ("-1", 413),
            ("1e3", 413),
        ],
    )
    def test_length(self, length, status):
        request = RequestFactory().post("/login/")
        request.META["CONTENT_LENGTH"] = length
        handler = limit_body(lambda request: mock.Mock(status_code=200))
        assert handler(request).status_code == status

    @pytest.mark.parametrize("url", ["/apply/", "/login/", "/files/", "/api/token/", "/admin/"])
    def test_long_body_is_not_read(self, clients, url):
        for client in clients.values():
            response = client.post(url, CONTENT_LENGTH=str(2**40))
            assert response.status_code == 413
