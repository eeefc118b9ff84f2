"""The MIME type by the extension of a name, which does not depend on the machine."""

import mimetypes

import pytest

from proxy_storage.checks import check_settings
from proxy_storage.mime_types import guess_mime_type
from proxy_storage.serving.headers import is_valid_content_type

TYPES = [
    ("a.avif", "image/avif"),
    ("a.webp", "image/webp"),
    ("a.heic", "image/heic"),
    ("a.m4a", "audio/mp4"),
    ("a.flac", "audio/flac"),
    ("a.opus", "audio/ogg"),
    ("a.mkv", "video/x-matroska"),
    ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("a.odt", "application/vnd.oasis.opendocument.text"),
    ("a.epub", "application/epub+zip"),
    ("a.md", "text/markdown"),
    ("a.7z", "application/x-7z-compressed"),
    ("A.PDF", "application/pdf"),
    ("letters/2026/a.tar.gz", "application/gzip"),
    ("a.tgz", "application/gzip"),
    ("a.tar.bz2", "application/x-bzip"),
    ("a.tar.xz", "application/x-xz"),
    ("a.txt.Z", "application/x-compress"),
    ("a.txt.br", "application/x-brotli"),
    ("a.pdf.exe", "application/octet-stream"),
    ("a.unheard-of", "application/octet-stream"),
    ("pdf", "application/octet-stream"),
    (".pdf", "application/octet-stream"),
    ("a.pdf/b", "application/octet-stream"),
    ("data:text/html,a.png", "image/png"),
    ("", "application/octet-stream"),
]


@pytest.mark.parametrize(("name", "expected"), TYPES)
def test_guess_mime_type(name, expected):
    assert guess_mime_type(name) == expected
    assert is_valid_content_type(expected)


def test_tables_of_the_machine_are_not_used(monkeypatch):
    mimetypes.init()  # The first call of guess_type would replace the tables.
    for name in ("a.docx", "a.flac", "a.unheard-of"):
        monkeypatch.setitem(mimetypes.types_map, name[1:], "text/html")
    assert mimetypes.guess_type("a.flac")[0] == "text/html"
    assert guess_mime_type("a.flac") == "audio/flac"
    assert guess_mime_type("a.unheard-of") == "application/octet-stream"


def test_setting_takes_precedence(settings):
    settings.PROXY_STORAGE = {"MIME_TYPES": {".step": "model/step", ".txt": "text/x-note"}}
    assert "proxy_storage.E015" not in {message.id for message in check_settings(None)}
    assert guess_mime_type("A.STEP") == "model/step"
    assert guess_mime_type("a.txt") == "text/x-note"
    assert guess_mime_type("a.pdf") == "application/pdf"


@pytest.mark.parametrize(
    "value",
    [
        ["model/step"],
        {"step": "model/step"},
        {".STEP": "model/step"},
        {".tar.gz": "application/gzip"},
        {5: "model/step"},
        {".step": "model"},
        {".step": None},
        {".step": "text/plain\r\nX: y"},
    ],
)
def test_wrong_types_of_the_project_give_an_error(settings, value):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "MIME_TYPES": value}
    errors = [message for message in check_settings(None) if message.id == "proxy_storage.E015"]
    (error,) = errors
    assert "MIME_TYPES'] must be a dict" in error.msg
    assert error.hint
