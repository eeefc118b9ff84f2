from urllib.parse import quote

import pytest

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving.headers import (
    get_disposition,
    get_file_headers,
    may_be_shared,
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
            ("a.txt.gz", "application/gzip", False),
            ("a.svgz", "application/gzip", False),
        ],
    )
    def test_content_type_and_disposition(self, name, content_type, inline):
        headers = get_file_headers(MetaBackendObject(path=f"/folder/{name}"))
        assert content_type in (None, headers["Content-Type"])
        disposition = "inline" if inline else "attachment"
        assert headers["Content-Disposition"] == f'{disposition}; filename="{name}"'
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "private, no-cache"

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
    def test_invalid_types_and_script_are_sent_as_octet_stream(self, recorded):
        headers = get_file_headers(MetaBackendObject(path="/a.txt", mime_type=recorded))
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"] == 'attachment; filename="a.txt"'

    @pytest.mark.parametrize("name", ["a.js", "a.mjs", "a.css"])
    def test_script_and_style_sheet_without_recorded_type_are_sent_as_octet_stream(self, name):
        headers = get_file_headers(MetaBackendObject(path=f"/{name}"))
        assert headers["Content-Type"] == "application/octet-stream"

    @pytest.mark.parametrize(
        ("recorded", "disposition"),
        [("text/html; charset=utf-8", "attachment"), ("Text/Plain; charset=utf-8", "inline")],
    )
    def test_recorded_type_wins_over_the_name(self, recorded, disposition):
        headers = get_file_headers(MetaBackendObject(path="/a.jpg", mime_type=recorded))
        assert headers["Content-Type"] == recorded
        assert headers["Content-Disposition"].startswith(disposition)

    def test_as_attachment_and_filename(self):
        headers = get_file_headers(
            MetaBackendObject(path="/a.jpg"), as_attachment=True, filename='the "one"\r\né.jpg'
        )
        assert headers["Content-Disposition"] == (
            "attachment; filename=\"the _one_e.jpg\"; filename*=utf-8''the%20%22one%22%C3%A9.jpg"
        )

    @pytest.mark.parametrize(
        ("name", "plain"),
        [
            ("100%41.txt", "100_41.txt"),
            ("=?utf-8?Q?evil=2Ehtml?=", "=_utf-8_Q_evil=2Ehtml_="),
            ("%2F", "_2F"),
            (" leading.txt", "_leading.txt"),
            ("trailing.txt ", "trailing.txt_"),
            ("Grüße.pdf", "Gru_e.pdf"),
            # The accent is a separate character, as in names from macOS.
            ("Gru\u0308ße.pdf", "Gru_e.pdf"),
            ("日本語.txt", "___.txt"),
            ("\uff21\ufb01.txt", "Afi.txt"),
            # Full-width characters whose ASCII forms are special.
            ("\uff0e\uff0e\uff0f\uff02\uff05", "_____"),
            ('é"\\?.txt', "e___.txt"),
            ("\u0308", "_"),
        ],
    )
    def test_similar_ascii_filename_comes_before_filename_with_charset(self, name, plain):
        for inline, kind in [(True, "inline"), (False, "attachment")]:
            disposition = get_disposition(inline, name)
            extended = quote(name, safe="")
            assert disposition == f"{kind}; filename=\"{plain}\"; filename*=utf-8''{extended}"

    def test_lone_surrogate_is_replaced(self):
        assert get_disposition(True, "a\ud800") == (
            "inline; filename=\"a_\"; filename*=utf-8''a%3F"
        )

    def test_empty_name(self):
        assert get_disposition(True, "") == "inline"
        assert get_disposition(False, "") == "attachment"

    def test_inline_types_of_the_project(self, settings):
        settings.PROXY_STORAGE = {"INLINE_CONTENT_TYPES": ["image/png"]}
        for name, disposition in (("a.png", "inline"), ("a.jpg", "attachment")):
            headers = get_file_headers(MetaBackendObject(path=f"/{name}"))
            assert headers["Content-Disposition"].startswith(disposition)


class TestCacheControl:
    @pytest.fixture
    def get(self, settings, empty_storages):
        """Return the header of a file in an original storage of "orm-multiple"."""

        def get(original, **entries):
            settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "CACHE_CONTROL": entries}
            record = MetaBackendObject(
                path="/a.txt", proxy_storage_name="orm-multiple", original_storage_name=original
            )
            return get_file_headers(record)["Cache-Control"]

        return get

    def test_most_specific_entry_wins(self, get):
        entries = {
            "orm-multiple/disk": "private, max-age=1",
            "orm-multiple": "private, max-age=2",
            "default": "private, max-age=3",
        }
        for original, seconds in (("disk", 1), ("gridfs", 2)):
            assert get(original, **entries) == f"private, max-age={seconds}"
        del entries["orm-multiple"]
        assert get("gridfs", **entries) == "private, max-age=3"
        assert get("gridfs", other="private, max-age=3") == "private, no-cache"

    @pytest.mark.parametrize(
        "value",
        [
            "private, max-age=60",
            'public ,s-maxage=1,no-cache="Set-Cookie, X"',
            "no-store",
            "private, max-age=60, stale-while-revalidate=5, immutable",
        ],
    )
    def test_valid_value_is_used(self, get, value):
        assert get("disk", default=value) == value

    @pytest.mark.parametrize(
        "value",
        ["", "max-age=60;private", "private,", "a b", "private\r\nX: y", 60, None, "é", "a="],
    )
    def test_invalid_value_raises_configuration_error(self, get, value):
        with pytest.raises(ConfigurationError, match=r"\['default'\] must be directives"):
            get("disk", default=value)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("private, no-cache", False),
            ("max-age=60 ,Private", False),
            ("no-store", False),
            ('max-age=1, private="X"', False),
            ("max-age=60", True),
            ("public, x=private", True),
            ("no-cache", True),
        ],
    )
    def test_may_be_shared(self, value, expected):
        assert may_be_shared(value) is expected


class TestFraming:
    @pytest.mark.parametrize(
        ("ancestors", "policy", "frame_options"),
        [
            (("'self'",), "'self'", "SAMEORIGIN"),
            ([], "'none'", "DENY"),
            (["'none'"], "'none'", "DENY"),
            (
                ["'self'", "https://app.example.com:8443", "*.example.org"],
                "'self' https://app.example.com:8443 *.example.org",
                None,
            ),
            (["https:"], "https:", None),
        ],
    )
    @pytest.mark.parametrize("name", ["a.pdf", "a.mp4", "a.html"])
    def test_frame_ancestors_and_x_frame_options(
        self, settings, ancestors, policy, frame_options, name
    ):
        settings.PROXY_STORAGE = {"FRAME_ANCESTORS": ancestors}
        headers = get_file_headers(MetaBackendObject(path=f"/{name}"))
        directives = headers["Content-Security-Policy"].split("; ")
        assert f"frame-ancestors {policy}" in directives
        assert headers.get("X-Frame-Options") == frame_options

    @pytest.mark.parametrize(
        "ancestors",
        [
            "'self'",
            None,
            ["self"],
            ["none"],
            ["a b"],
            ["a;b"],
            ["a,b"],
            ["'none'", "a"],
            [1],
            ["é"],
        ],
    )
    def test_invalid_ancestors_raise_configuration_error(self, settings, ancestors):
        settings.PROXY_STORAGE = {"FRAME_ANCESTORS": ancestors}
        with pytest.raises(ConfigurationError, match="FRAME_ANCESTORS"):
            get_file_headers(MetaBackendObject(path="/a.pdf"))


class TestMedia:
    @pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mp3", "a.wav"])
    def test_media_policy_allows_the_player_to_load_the_file(self, name):
        record = MetaBackendObject(path=f"/{name}")
        directives = get_file_headers(record)["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "media-src 'self'", "sandbox allow-same-origin"} <= {
            *directives
        }
        assert not any("script" in directive for directive in directives)

    @pytest.mark.parametrize(
        ("record", "as_attachment"),
        [
            (MetaBackendObject(path="/a.mp4"), True),
            (MetaBackendObject(path="/a.txt"), False),
            (MetaBackendObject(path="/a.mp4", mime_type="text/html"), False),
            # A media type that is not shown inline.
            (MetaBackendObject(path="/a", mime_type="video/x-unknown"), False),
        ],
    )
    def test_other_files_have_the_strict_policy(self, record, as_attachment):
        policy = get_file_headers(record, as_attachment=as_attachment)["Content-Security-Policy"]
        assert policy.endswith("; sandbox")
        assert "media-src" not in policy
