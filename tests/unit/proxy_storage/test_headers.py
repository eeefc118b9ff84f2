from urllib.parse import quote

import pytest

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving.headers import (
    get_content_type,
    get_disposition,
    get_file_headers,
    is_inline,
)


class TestHeaders:
    @pytest.mark.parametrize(
        ("name", "content_type", "inline"),
        [
            ("a.txt", "text/plain", True),
            ("a.jpg", "image/jpeg", True),
            ("a.pdf", "application/pdf", True),
            ("a.mp4", "video/mp4", True),
            ("a.wav", "audio/x-wav", True),
            ("a.html", "text/html", False),
            ("a.svg", "image/svg+xml", False),
            ("a.xml", None, False),
            ("a.js", None, False),
            ("a.xhtml", None, False),
            ("a", "application/octet-stream", False),
            ("a.txt.gz", "application/octet-stream", False),
            ("a.svgz", "application/octet-stream", False),
        ],
    )
    def test_type_and_disposition(self, name, content_type, inline):
        headers = get_file_headers(MetaBackendObject(path=f"/folder/{name}"))
        assert content_type in (None, headers["Content-Type"])
        word = "inline" if inline else "attachment"
        assert headers["Content-Disposition"] == f'{word}; filename="{name}"'
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "private"

    @pytest.mark.parametrize(
        "recorded",
        [
            "text/plain, text/html",
            "text/plain; charset=utf-8, text/html",
            "text/plain\r\nSet-Cookie: a=b",
            "text/plain; charset=\u00e9",
            "text",
            "text/",
            "text/javascript",
            "Application/X-JavaScript; charset=utf-8",
            "text/livescript",
            "text/jscript",
            "application/ecmascript",
            "text/css",
        ],
    )
    def test_type_that_no_browser_may_take_for_a_part_of_the_site(self, recorded):
        headers = get_file_headers(MetaBackendObject(path="/a.txt", mime_type=recorded))
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"] == 'attachment; filename="a.txt"'

    @pytest.mark.parametrize("name", ["a.js", "a.mjs", "a.css"])
    def test_script_and_style_by_name(self, name):
        headers = get_file_headers(MetaBackendObject(path=f"/{name}"))
        assert headers["Content-Type"] == "application/octet-stream"

    def test_recorded_type_counts(self):
        record = MetaBackendObject(path="/a.jpg", mime_type="text/html; charset=utf-8")
        assert get_content_type(record) == "text/html; charset=utf-8"
        assert not is_inline(get_content_type(record))
        assert is_inline("Text/Plain; charset=utf-8")

    def test_wishes_of_the_caller(self):
        headers = get_file_headers(
            MetaBackendObject(path="/a.jpg"), as_attachment=True, filename='the "one"\r\né.jpg'
        )
        assert headers["Content-Disposition"] == (
            "attachment; filename*=utf-8''the%20%22one%22%C3%A9.jpg"
        )

    @pytest.mark.parametrize(
        "name", ["100%41.txt", "=?utf-8?Q?evil=2Ehtml?=", "%2F", " leading.txt", "trailing.txt "]
    )
    def test_name_that_looks_encoded_is_given_in_the_extended_form_only(self, name):
        for inline, kind in [(True, "inline"), (False, "attachment")]:
            disposition = get_disposition(inline, name)
            assert disposition == f"{kind}; filename*=utf-8''{quote(name, safe='')}"

    def test_file_without_a_name(self):
        assert get_disposition(True, "") == "inline"
        assert get_disposition(False, "") == "attachment"

    def test_inline_types_of_the_project(self, settings):
        settings.PROXY_STORAGE = {"INLINE_CONTENT_TYPES": ["image/png"]}
        assert is_inline("image/png")
        assert not is_inline("image/jpeg")
