"""Python delivers files of every storage as RFC 9110 wants it."""

import asyncio
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.test import AsyncRequestFactory, RequestFactory
from django.utils import timezone
from django.utils.http import http_date

from proxy_storage.exceptions import ProxyFileNotFoundError
from proxy_storage.serving import serve

pytestmark = pytest.mark.django_db
CONTENT = b"0123456789"


def ask(record, method="get", **headers):
    """Ask for a file; header names have an underscore for each hyphen."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return serve(getattr(RequestFactory(), method)("/files/", headers=headers), record)


def read(response):
    content = b"".join(response) if response.streaming else response.content
    response.close()
    return content


@pytest.fixture
def record(storage):
    return storage.meta_backend.get(storage.save("hello.txt", ContentFile(CONTENT)))


class TestWhole:
    def test_answer(self, record):
        response = ask(record)
        assert response.status_code == 200
        assert response["Content-Length"] == "10"
        assert response["Accept-Ranges"] == "bytes"
        assert response["Content-Type"].split(";")[0] == "text/plain"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert read(response) == CONTENT

    def test_head_says_the_same_without_the_bytes(self, record):
        response, head = ask(record), ask(record, "head")
        assert head.headers == response.headers
        assert head.content == b""
        response.close()

    def test_empty_file(self, storage):
        record = storage.meta_backend.get(storage.save("empty.txt", ContentFile(b"")))
        response = ask(record, Range="bytes=-3")
        assert response.status_code == 200
        assert response["Content-Length"] == "0"
        assert read(response) == b""
        assert ask(record, Range="bytes=0-").status_code == 416

    def test_bytes_that_are_gone(self, record):
        record.get_original_storage().delete(record["original_storage_path"])
        with pytest.raises(ProxyFileNotFoundError, match="is missing"):
            ask(record)


class TestPart:
    @pytest.mark.parametrize(
        ("range_", "content_range", "expected"),
        [
            ("bytes=0-3", "bytes 0-3/10", b"0123"),
            ("bytes=5-", "bytes 5-9/10", b"56789"),
            ("bytes=-3", "bytes 7-9/10", b"789"),
            ("bytes=9-9", "bytes 9-9/10", b"9"),
            ("bytes=8-99", "bytes 8-9/10", b"89"),
            ("bytes=-99", "bytes 0-9/10", CONTENT),
        ],
    )
    def test_answer(self, record, range_, content_range, expected):
        response = ask(record, Range=range_)
        assert response.status_code == 206
        assert response["Content-Range"] == content_range
        assert response["Content-Length"] == str(len(expected))
        assert response["Content-Type"].split(";")[0] == "text/plain"
        assert read(response) == expected

    def test_beyond_the_end(self, record):
        response = ask(record, Range="bytes=10-")
        assert response.status_code == 416
        assert response["Content-Range"] == "bytes */10"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "Content-Type" not in response
        assert read(response) == b""

    def test_several_parts_are_answered_with_the_whole(self, record):
        response = ask(record, Range="bytes=0-1,4-5")
        assert response.status_code == 200
        assert read(response) == CONTENT

    def test_head_has_no_parts(self, record):
        assert ask(record, "head", Range="bytes=0-3").status_code == 200

    def test_part_of_the_version_that_the_client_has(self, record):
        etag = ask(record, "head")["ETag"]
        for condition, status in [(etag, 206), ('"other"', 200), (f"W/{etag}", 200)]:
            response = ask(record, Range="bytes=0-3", If_Range=condition)
            assert response.status_code == status
            assert read(response) == (b"0123" if status == 206 else CONTENT)


class TestPreconditions:
    @pytest.mark.parametrize("method", ["get", "head"])
    @pytest.mark.parametrize("template", ["{}", "W/{}", '"other", {}', "*"])
    def test_client_has_it(self, record, method, template):
        etag = ask(record, "head")["ETag"]
        response = ask(record, method, If_None_Match=template.format(etag), Range="bytes=99-")
        assert response.status_code == 304
        assert response["ETag"] == etag
        assert response["Cache-Control"] == "private, no-cache"
        assert response.content == b""

    def test_client_has_another(self, record):
        response = ask(record, If_None_Match='"other", W/"another"')
        assert response.status_code == 200
        assert read(response) == CONTENT

    def test_by_date(self, record):
        modified = ask(record, "head")["Last-Modified"]
        assert ask(record, If_Modified_Since=modified).status_code == 304
        long_ago = http_date((timezone.now() - timedelta(days=1)).timestamp())
        response = ask(record, If_Modified_Since=long_ago)
        assert read(response) == CONTENT
        # the tag counts more
        response = ask(record, If_Modified_Since=modified, If_None_Match='"other"')
        assert read(response) == CONTENT

    def test_only_if_it_is_this_version(self, record):
        etag = ask(record, "head")["ETag"]
        response = ask(record, If_Match=f'"other", {etag}')
        assert read(response) == CONTENT
        response = ask(record, If_Match='"other"')
        assert response.status_code == 412
        assert response.content == b""

    def test_another_file_has_another_tag(self, storage, record):
        other = storage.meta_backend.get(storage.save("other.txt", ContentFile(b"other bytes")))
        assert ask(other, "head")["ETag"] != ask(record, "head")["ETag"]


class TestEventLoop:
    @pytest.mark.parametrize(("range_", "expected"), [("", CONTENT), ("bytes=2-4", b"234")])
    def test_bytes_come_asynchronously(self, record, range_, expected):
        request = AsyncRequestFactory().get("/files/", headers={"Range": range_})
        response = serve(request, record)
        assert response.is_async

        async def read_all():
            return b"".join([block async for block in response])

        assert asyncio.run(read_all()) == expected
        assert response._body.closed
        response.close()
