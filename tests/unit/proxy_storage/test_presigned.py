import gzip
import re
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import Request, urlopen

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.test import RequestFactory
from django.utils import timezone

from proxy_storage.exceptions import ConfigurationError, ProxyFileNotFoundError, ServingError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.presigned import get_signing_problem
from proxy_storage.original_storages.s3 import S3Source
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving import get_server, serve
from tests.contract.temporary_storages import configure_proxy_storage
from tests.servers.site.checks import get_saved_name

pytestmark = pytest.mark.usefixtures("s3_endpoint", "empty_storages")

NAME = "a b/100%41 é+日.txt"
CONTENT = b"0123456789"


def use_server(settings, cls, **options):
    entry = {"BACKEND": f"proxy_storage.serving.{cls}", "OPTIONS": options}
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "SERVERS": {"default": entry}}


def save(storage="orm-s3", name=NAME):
    proxy = get_proxy_storage(storage)
    return proxy.meta_backend.get(proxy.save(name, ContentFile(CONTENT)))


def serve_request(record, method="get", **options):
    return serve(getattr(RequestFactory(), method)("/files/"), record, **options)


@pytest.fixture
def make_s3(s3_endpoint):
    from storages.backends.s3 import S3Storage

    return S3Storage


class TestRedirectServer:
    @pytest.fixture(autouse=True)
    def _server(self, settings):
        use_server(settings, "RedirectServer")

    def test_url_returns_the_file_with_the_headers_of_the_endpoint(self):
        response = serve_request(save())
        assert response.status_code == 302
        assert response.content == b""
        with urlopen(response["Location"]) as answer:
            assert answer.read() == CONTENT
            assert answer.headers["Content-Type"] == "text/plain"
            assert answer.headers["Cache-Control"] == "private, no-cache"
            assert re.fullmatch(
                r'inline; filename="100_41 e\+_\w*\.txt"; '
                r"filename\*=utf-8''100%2541%20%C3%A9%2B%E6%97%A5\w*\.txt",
                answer.headers["Content-Disposition"],
            )

    @pytest.mark.parametrize("name", ["A report.txt", 'a"; x="é.html', "日本.txt", "%41+b.txt"])
    def test_name_of_the_uploaded_file(self, name):
        """The key of the object, and the path, do not have it."""
        record = save()
        record.meta_backend.update(record["path"], {"name": name})
        record = record.meta_backend.get(record["path"])
        with urlopen(serve_request(record)["Location"]) as answer:
            assert get_saved_name(answer.headers["Content-Disposition"]) == name

    def test_range(self):
        request = Request(serve_request(save())["Location"], headers={"Range": "bytes=2-4"})
        with urlopen(request) as answer:
            assert answer.status == 206
            assert answer.read() == b"234"

    def test_html_is_an_attachment(self):
        url = serve_request(save(name="page.html"))["Location"]
        with urlopen(url) as answer:
            assert answer.headers["Content-Disposition"].startswith("attachment")

    def test_as_attachment_and_filename(self):
        url = serve_request(save(), as_attachment=True, filename="other.txt")["Location"]
        with urlopen(url) as answer:
            disposition = answer.headers["Content-Disposition"]
        assert disposition == 'attachment; filename="other.txt"'

    def test_url_is_signed_for_the_method(self):
        record = save()
        signatures = {
            parse_qs(urlsplit(serve_request(record, method)["Location"]).query)["X-Amz-Signature"][
                0
            ]
            for method in ("get", "head")
        }
        assert len(signatures) == 2
        url = serve_request(record, "head")["Location"]
        with urlopen(Request(url, method="HEAD")) as answer:
            assert answer.headers["Content-Length"] == "10"

    def test_headers_of_the_redirect(self):
        response = serve_request(save())
        assert response["Cache-Control"] == "private, no-store"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "Content-Type" not in response
        assert "Content-Disposition" not in response

    def test_expires_in_and_max_age(self, settings):
        use_server(settings, "RedirectServer", expires_in=20, max_age=10)
        response = serve_request(save())
        assert response["Cache-Control"] == "private, max-age=10"
        assert parse_qs(urlsplit(response["Location"]).query)["X-Amz-Expires"] == ["20"]

    @pytest.mark.parametrize(
        "options",
        [{"expires_in": 0}, {"max_age": -1}, {"expires_in": 10, "max_age": 10}],
    )
    def test_invalid_times_raise_configuration_error(self, settings, options):
        use_server(settings, "RedirectServer", **options)
        with pytest.raises(ConfigurationError, match=r"max_age|expires_in"):
            get_server(MetaBackendObject({"proxy_storage_name": "orm-s3"}))

    def test_original_without_presigned_urls_raises_serving_error(self):
        with pytest.raises(ServingError, match="FileSystemStorage cannot create presigned URLs"):
            serve_request(save("orm_disk"))


class TestXAccelRedirectServer:
    @pytest.fixture(autouse=True)
    def _server(self, settings):
        use_server(settings, "XAccelRedirectServer", location="/from-s3/")

    def test_uri_is_the_path_of_the_presigned_url_quoted_once_more(self, s3_endpoint):
        response = serve_request(save())
        assert response.content == b""
        assert response["Content-Type"] == "text/plain"
        uri = response["X-Accel-Redirect"]
        path, _, query = uri.partition("?")
        assert path.startswith("/from-s3/files/a%2520b/100%252541%2520")
        # nginx decodes the URI once and removes the location.
        key = unquote(path).removeprefix("/from-s3/")
        with urlopen(f"{s3_endpoint}/{key}?{query}") as answer:
            assert answer.read() == CONTENT
            assert answer.headers["Content-Type"] == "text/plain"

    def test_uri_does_not_contain_the_host(self, s3_endpoint):
        uri = serve_request(save())["X-Accel-Redirect"]
        assert urlsplit(s3_endpoint).netloc not in unquote(unquote(uri))

    def test_expires_in(self, settings):
        query = serve_request(save())["X-Accel-Redirect"].partition("?")[2]
        assert parse_qs(query)["X-Amz-Expires"] == ["60"]
        use_server(settings, "XAccelRedirectServer", location="/from-s3/", expires_in=0)
        with pytest.raises(ConfigurationError, match="expires_in"):
            get_server(MetaBackendObject({"proxy_storage_name": "orm-s3"}))

    def test_local_file_is_read_from_disk(self):
        assert serve_request(save("orm_disk", "a.txt"))["X-Accel-Redirect"] == "/from-s3/a.txt"


class TestStreamingServer:
    def test_recorded_metadata_saves_a_request_to_s3(self, monkeypatch):
        record = save()
        record.update(checksum="abc", size=10, created_at=timezone.now())
        monkeypatch.setattr(type(record.get_original_storage()), "open", None)
        assert serve_request(record, "head")["Content-Length"] == "10"
        request = RequestFactory().get("/files/", headers={"If-None-Match": '"abc"'})
        assert serve(request, record).status_code == 304


class WithUrls(FileSystemStorage):
    """A storage with its own method get_presigned_url."""

    def get_presigned_url(self, name, *, method, expires_in, headers):
        return f"https://files.example/{name}?{method}&{expires_in}&{headers['Content-Type']}"


class TestOriginalStorages:
    def test_signing_problems(self, make_s3, tmp_path):
        assert get_signing_problem(make_s3()) is None
        assert "querystring_auth" in get_signing_problem(make_s3(querystring_auth=False))
        assert "custom_domain" in get_signing_problem(make_s3(custom_domain="files.example"))
        assert "get_presigned_url" in get_signing_problem(FileSystemStorage(tmp_path))

    def test_storage_with_get_presigned_url(self, tmp_path, settings):
        use_server(settings, "RedirectServer", expires_in=5)
        storage = configure_proxy_storage(WithUrls(tmp_path), "orm", settings)
        record = storage.meta_backend.get(storage.save("a.txt", ContentFile(b"")))
        assert serve_request(record)["Location"] == "https://files.example/a.txt?GET&5&text/plain"

    # django-storages does not close the compressed file.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_compressed_object_is_decompressed_by_the_storage(self, make_s3):
        storage = make_s3(gzip=True)
        storage.save("a.css", ContentFile(CONTENT * 10))
        source = S3Source(storage, "a.css")
        assert source._file.obj.content_length < 100
        assert source.size == 100
        file = source.open(7, 12)
        assert file.read(5) == b"78901"
        file.close()

    def test_error_of_the_storage_becomes_a_serving_error(self, settings, tmp_path, monkeypatch):
        def get_presigned_url(self, name, **options):
            raise KeyError("no credentials")

        monkeypatch.setattr(WithUrls, "get_presigned_url", get_presigned_url)
        use_server(settings, "RedirectServer")
        storage = configure_proxy_storage(WithUrls(tmp_path), "orm", settings)
        record = storage.meta_backend.get(storage.save("a.txt", ContentFile(b"")))
        with pytest.raises(ServingError, match=r"could not create a presigned URL.*no credentials"):
            serve_request(record)

    def test_object_with_content_encoding_is_not_decompressed(self, make_s3):
        storage = make_s3(object_parameters={"ContentEncoding": "gzip"})
        compressed = gzip.compress(CONTENT)
        storage.save("a.gz", ContentFile(compressed))
        source = S3Source(storage, "a.gz")
        assert source.size == len(compressed)

    @pytest.mark.parametrize("other", [b"other bytes", None], ids=["replaced", "deleted"])
    def test_object_that_changes_before_it_is_opened(self, make_s3, other):
        storage = make_s3()
        storage.save("a.txt", ContentFile(CONTENT))
        source = S3Source(storage, "a.txt")
        assert source.size == 10
        storage.delete("a.txt")
        if other is not None:
            storage.save("a.txt", ContentFile(other))
        with pytest.raises(ProxyFileNotFoundError, match="was deleted, or replaced"):
            source.open(0, 3)

    def test_other_errors_of_the_driver_are_raised_unchanged(self, make_s3):
        storage = make_s3()
        storage.save("a.txt", ContentFile(CONTENT))
        source = S3Source(storage, "a.txt")
        with pytest.raises(Exception, match="InvalidRange"):
            source.open(source.size + 1, source.size + 2)

    def test_encryption_key_is_sent_with_each_request(self, make_s3):
        key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "0" * 32}
        storage = make_s3(object_parameters=key)
        storage.save("a.txt", ContentFile(CONTENT))
        sent = []
        source = S3Source(storage, "a.txt")
        source._file.obj.meta.client.meta.events.register(
            "before-send.s3.GetObject", lambda request, **kwargs: sent.append(request.headers)
        )
        file = source.open(0, 3)
        assert file.read(3) == b"012"
        file.close()
        assert "x-amz-server-side-encryption-customer-key" in sent[0]
