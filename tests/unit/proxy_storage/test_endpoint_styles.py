"""URLs of files with the path of the record in their own path."""

from urllib.parse import unquote, urlsplit

import pytest
from django.urls import resolve

from proxy_storage.endpoint import PATH_KWARG, add_to_query, get_file_url, is_kept_in_urls
from proxy_storage.exceptions import ConfigurationError
from tests.unit.proxy_storage.test_endpoint import use_one_meta_backend

KEPT = [
    "a.txt",
    "2026/report.pdf",
    "record",
    "link",
    "authorize",
    "record.json",
    "a b/é&?#=;+%41.txt",
    "%2e%2e/a",
    "...",
    ".hidden/..a",
    " a /b. ",
    "日本/語.txt",
    "~user:a@b,c!$'()*[]|<>^`{}\"",
]
CHANGED = [
    "/a.txt",
    "/var/files/cv.pdf",
    "a/",
    "a//b",
    ".",
    "..",
    "./a",
    "../a",
    "a/./b",
    "a/../b",
    "a/.",
    "a/..",
    "a\\b",
    "a\n",
    "a\x00b",
    "a\x85",
    "\ud800",
]


@pytest.fixture
def by_path(settings):
    use_one_meta_backend(settings, FILE_URL_STYLE="path")


@pytest.mark.usefixtures("by_path")
@pytest.mark.parametrize("path", KEPT)
def test_relative_path(path):
    url = get_file_url(path, "d")
    parts = urlsplit(url)
    assert (parts.query, parts.fragment) == ("", "")
    assert parts.path.startswith("/files/")
    assert unquote(parts.path) == f"/files/{path}"
    assert resolve(unquote(parts.path)).kwargs == {PATH_KWARG: path}


@pytest.mark.usefixtures("by_path")
@pytest.mark.parametrize("path", CHANGED)
def test_other_paths_are_in_the_query(path):
    assert not is_kept_in_urls(path)
    assert get_file_url(path, "d").startswith("/files/?path=")


@pytest.mark.usefixtures("by_path")
def test_url_without_path():
    assert get_file_url("", "d") == "/files/"


def test_query_is_the_default(settings):
    use_one_meta_backend(settings)
    assert get_file_url("a/b.txt", "d") == "/files/?path=a%2Fb.txt"


def test_storage_of_several_meta_backends(settings):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "FILE_URL_STYLE": "path"}
    assert get_file_url("a/b.txt", "orm_disk") == "/files/a/b.txt?storage=orm_disk"


@pytest.mark.parametrize("value", ["Path", None, "", 1, ["path"]])
def test_unknown_style_is_an_error(settings, value):
    use_one_meta_backend(settings, FILE_URL_STYLE=value)
    with pytest.raises(ConfigurationError, match="must be one of 'query', 'path', not"):
        get_file_url("a.txt", "d")


def test_add_to_query():
    assert add_to_query("/a", {}) == "/a"
    assert add_to_query("/a", {"b": "c d"}) == "/a?b=c+d"
    assert add_to_query("/a?b=1", {"c": "&"}) == "/a?b=1&c=%26"
