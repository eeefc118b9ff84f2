"""Signed links to many files, and links without a request."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import RequestFactory

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_proxy_storage
from proxy_storage_permissions import get_signed_url, get_signed_urls, links
from proxy_storage_permissions.links import is_valid_link
from tests.contract.content_objects import save_file
from tests.testapp.models import Document, PlainDocument
from tests.unit.permissions.links import ANONYMOUS, NOW, get_query, save

pytestmark = [pytest.mark.usefixtures("empty_storages"), pytest.mark.django_db]
ROOT = Path(__file__).parents[3]
# A process that makes a link from a record that it gets as an argument.
MAKE_LINK = """
import json, sys
import django
django.setup()
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_permissions import get_signed_url, links
links.time = lambda: float(sys.argv[2])
print(get_signed_url(MetaBackendObject(json.loads(sys.argv[1]))).url)
"""


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(links, "time", lambda: NOW)


@pytest.fixture
def documents():
    documents = [Document() for _ in range(3)]
    for document in documents:
        save_file(document, "orm_file")
        save_file(document, "mongo_file")
    return documents


def get_record(file):
    return file.storage.get_meta_backend_obj(file.name)


def configure(settings, **changes):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, **changes}


class TestList:
    def test_one_query_for_all_files(self, documents, django_assert_num_queries):
        files = [file for each in documents for file in (each.orm_file, each.mongo_file)]
        get_signed_urls(files)  # caches the content types
        with django_assert_num_queries(1):
            found = get_signed_urls(files)
        for link, file in zip(found, files, strict=True):
            record = get_record(file)
            assert link == get_signed_url(record)
            assert is_valid_link(record, get_query(link), "GET", ANONYMOUS)

    def test_records_need_no_query(self, documents, django_assert_num_queries):
        records = [get_record(document.orm_file) for document in documents]
        with django_assert_num_queries(0):
            found = get_signed_urls([*records, None])
        assert found == [*map(get_signed_url, records), None]

    def test_options_are_those_of_one_link(self, documents):
        request = RequestFactory().get("/")
        options = {"request": request, "max_age": 60, "as_attachment": True}
        files = [document.orm_file for document in documents]
        expected = [get_signed_url(get_record(file), **options) for file in files]
        assert get_signed_urls(files, **options) == expected
        assert expected[0].url.startswith("http://testserver/files/")

    def test_files_without_a_link(self, documents):
        first, second, third = documents
        thief = Document.objects.create(orm_file=first.orm_file.name)
        unsaved = Document(orm_file=first.orm_file.name)
        second.orm_file.storage.delete(second.orm_file.name)
        files = [thief, unsaved, second, Document(), third]
        found = get_signed_urls(each.orm_file for each in files)
        assert [link is None for link in found] == [True, True, True, True, False]

    def test_relative_name_of_a_full_path(self):
        """A row from before the field had a proxy storage has the relative name."""
        document = Document()
        save_file(document, "orm_file", "a.txt")
        Document.objects.update(orm_file="a.txt")
        (link,) = get_signed_urls([Document.objects.get().orm_file])
        assert link == get_signed_url(get_record(document.orm_file))

    def test_empty_list(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert get_signed_urls([]) == []

    def test_field_whose_files_have_no_content_object(self):
        document = PlainDocument()
        save_file(document, "orm_file")
        with pytest.raises(ConfigurationError, match=r"PlainDocument\.orm_file is a FileField"):
            get_signed_urls([document.orm_file])


class TestAbsolute:
    @pytest.fixture
    def record(self):
        return save(get_proxy_storage("orm-relative-disk"))

    @pytest.mark.parametrize("url", ["https://example.com", "http://127.0.0.1:8000/"])
    def test_url_begins_with_the_setting(self, record, settings, url):
        configure(settings, BASE_URL=url)
        plain = get_signed_url(record)
        link = get_signed_url(record, absolute=True)
        assert plain.url.startswith("/files/?")
        assert link.url == url.removesuffix("/") + plain.url
        assert is_valid_link(record, get_query(link), "GET", ANONYMOUS)

    def test_request_takes_precedence(self, record, settings):
        configure(settings, BASE_URL="https://example.com")
        link = get_signed_url(record, request=RequestFactory().get("/"), absolute=True)
        assert link.url.startswith("http://testserver/files/?")

    def test_missing_setting_is_an_error(self, record):
        with pytest.raises(ConfigurationError, match="needs a request or a host"):
            get_signed_url(record, absolute=True)

    @pytest.mark.parametrize(
        "url",
        [
            "example.com",
            "//example.com",
            "ftp://example.com",
            "https://",
            "https://example.com/app",
            "https://example.com?a=b",
            "https://example.com#a",
            "https://exam\nple.com",
            "https://exämple.com",
            "https://:8000",
            "",
            5,
            b"https://example.com",
        ],
        ids=str,
    )
    def test_invalid_setting_is_an_error(self, record, settings, url):
        configure(settings, BASE_URL=url)
        with pytest.raises(ConfigurationError, match="must be a scheme and a host"):
            get_signed_url(record, absolute=True)


@pytest.mark.slow
def test_processes_make_equal_links_within_a_step():
    record = save(get_proxy_storage("orm-relative-disk"), "a & é.txt")
    data = json.dumps({**record, "created_at": None})
    made = {get_signed_url(record).url}
    for seed, now in ((1, NOW), (2, NOW + 299)):
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONHASHSEED": str(seed),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        done = subprocess.run(
            [sys.executable, "-c", MAKE_LINK, data, str(now)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        made.add(done.stdout.strip())
    assert len(made) == 1
