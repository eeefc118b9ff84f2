"""Python delivers files of every storage according to RFC 9110."""

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


def request_file(record, method="get", **headers):
    """Return the response for a file. Header names have underscores instead of hyphens."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return serve(getattr(RequestFactory(), method)("/files/", headers=headers), record)


def read(response):
    content = b"".join(response) if response.streaming else response.content
    response.close()
    return content


@pytest.fixture
def record(storage):
    return storage.meta_backend.get(storage.save("hello.txt", ContentFile(CONTENT)))


class TestCompleteFile:
    def test_response_has_headers_and_content(self, record):
        response = request_file(record)
        assert response.status_code == 200
        assert response["Content-Length"] == "10"
        assert response["Accept-Ranges"] == "bytes"
        assert response["Content-Type"].split(";")[0] == "text/plain"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert read(response) == CONTENT

    def test_head_has_the_same_headers_without_content(self, record):
        response, head = request_file(record), request_file(record, "head")
        assert head.headers == response.headers
        assert head.content == b""
        response.close()

    def test_empty_file(self, storage):
        record = storage.meta_backend.get(storage.save("empty.txt", ContentFile(b"")))
        response = request_file(record, Range="bytes=-3")
        assert response.status_code == 200
        assert response["Content-Length"] == "0"
        assert read(response) == b""
        assert request_file(record, Range="bytes=0-").status_code == 416

    def test_missing_file_raises_file_not_found(self, record):
        record.get_original_storage().delete(record["original_storage_path"])
        with pytest.raises(ProxyFileNotFoundError, match="is missing"):
            request_file(record)


class TestRange:
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
    def test_response_has_the_requested_range(self, record, range_, content_range, expected):
        response = request_file(record, Range=range_)
        assert response.status_code == 206
        assert response["Content-Range"] == content_range
        assert response["Content-Length"] == str(len(expected))
        assert response["Content-Type"].split(";")[0] == "text/plain"
        assert read(response) == expected

    def test_range_beyond_the_end_returns_416(self, record):
        response = request_file(record, Range="bytes=10-")
        assert response.status_code == 416
        assert response["Content-Range"] == "bytes */10"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "Content-Type" not in response
        assert read(response) == b""

    def test_several_ranges_return_the_complete_file(self, record):
        response = request_file(record, Range="bytes=0-1,4-5")
        assert response.status_code == 200
        assert read(response) == CONTENT

    def test_head_ignores_ranges(self, record):
        assert request_file(record, "head", Range="bytes=0-3").status_code == 200

    def test_if_range_returns_a_range_of_the_same_version_only(self, record):
        etag = request_file(record, "head")["ETag"]
        for condition, status in [(etag, 206), ('"other"', 200), (f"W/{etag}", 200)]:
            response = request_file(record, Range="bytes=0-3", If_Range=condition)
            assert response.status_code == status
            assert read(response) == (b"0123" if status == 206 else CONTENT)


class TestPreconditions:
    @pytest.mark.parametrize("method", ["get", "head"])
    @pytest.mark.parametrize("template", ["{}", "W/{}", '"other", {}', "*"])
    def test_if_none_match_with_the_current_etag_returns_304(self, record, method, template):
        etag = request_file(record, "head")["ETag"]
        response = request_file(
            record, method, If_None_Match=template.format(etag), Range="bytes=99-"
        )
        assert response.status_code == 304
        assert response["ETag"] == etag
        assert response["Cache-Control"] == "private, no-cache"
        assert response.content == b""

    def test_if_none_match_with_another_etag_returns_the_file(self, record):
        response = request_file(record, If_None_Match='"other", W/"another"')
        assert response.status_code == 200
        assert read(response) == CONTENT

    def test_if_modified_since(self, record):
        modified = request_file(record, "head")["Last-Modified"]
        assert request_file(record, If_Modified_Since=modified).status_code == 304
        long_ago = http_date((timezone.now() - timedelta(days=1)).timestamp())
        response = request_file(record, If_Modified_Since=long_ago)
        assert read(response) == CONTENT
        # If-None-Match takes precedence.
        response = request_file(record, If_Modified_Since=modified, If_None_Match='"other"')
        assert read(response) == CONTENT

    def test_if_match_with_another_etag_returns_412(self, record):
        etag = request_file(record, "head")["ETag"]
        response = request_file(record, If_Match=f'"other", {etag}')
        assert read(response) == CONTENT
        response = request_file(record, If_Match='"other"')
        assert response.status_code == 412
        assert response.content == b""

    def test_another_file_has_another_etag(self, storage, record):
        other = storage.meta_backend.get(storage.save("other.txt", ContentFile(b"other bytes")))
        assert request_file(other, "head")["ETag"] != request_file(record, "head")["ETag"]


class TestEventLoop:
    @pytest.mark.parametrize(("range_", "expected"), [("", CONTENT), ("bytes=2-4", b"234")])
    def test_asynchronous_response_has_the_content(self, record, range_, expected):
        request = AsyncRequestFactory().get("/files/", headers={"Range": range_})
        response = serve(request, record)
        assert response.is_async

        async def read_all():
            return b"".join([block async for block in response])

        assert asyncio.run(read_all()) == expected
        assert response._body.closed
        response.close()
