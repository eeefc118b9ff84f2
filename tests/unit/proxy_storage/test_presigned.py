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

pytestmark = pytest.mark.usefixtures("s3_endpoint", "empty_storages")

NAME = "a b/100%41 é+日.txt"
CONTENT = b"0123456789"


def use_server(settings, cls, **options):
    entry = {"BACKEND": f"proxy_storage.serving.{cls}", "OPTIONS": options}
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "SERVERS": {"default": entry}}


def save(storage="orm-s3", name=NAME):
    proxy = get_proxy_storage(storage)
    return proxy.meta_backend.get(proxy.save(name, ContentFile(CONTENT)))


def ask(record, method="get", **options):
    return serve(getattr(RequestFactory(), method)("/files/"), record, **options)


@pytest.fixture
def make_s3(s3_endpoint):
    from storages.backends.s3 import S3Storage

    return S3Storage


class TestRedirectServer:
    @pytest.fixture(autouse=True)
    def _server(self, settings):
        use_server(settings, "RedirectServer")

    def test_url_gives_the_file_as_the_endpoint_would(self):
        response = ask(save())
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

    def test_part(self):
        request = Request(ask(save())["Location"], headers={"Range": "bytes=2-4"})
        with urlopen(request) as answer:
            assert answer.status == 206
            assert answer.read() == b"234"

    def test_what_browsers_could_execute_is_an_attachment_there_too(self):
        url = ask(save(name="page.html"))["Location"]
        with urlopen(url) as answer:
            assert answer.headers["Content-Disposition"].startswith("attachment")

    def test_wishes_of_the_caller(self):
        url = ask(save(), as_attachment=True, filename="other.txt")["Location"]
        with urlopen(url) as answer:
            disposition = answer.headers["Content-Disposition"]
        assert disposition == 'attachment; filename="other.txt"'

    def test_signed_for_the_method(self):
        record = save()
        signatures = {
            parse_qs(urlsplit(ask(record, method)["Location"]).query)["X-Amz-Signature"][0]
            for method in ("get", "head")
        }
        assert len(signatures) == 2
        url = ask(record, "head")["Location"]
        with urlopen(Request(url, method="HEAD")) as answer:
            assert answer.headers["Content-Length"] == "10"

    def test_headers_are_those_of_a_redirect(self):
        response = ask(save())
        assert response["Cache-Control"] == "private, no-store"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "Content-Type" not in response
        assert "Content-Disposition" not in response

    def test_times(self, settings):
        use_server(settings, "RedirectServer", expires_in=20, max_age=10)
        response = ask(save())
        assert response["Cache-Control"] == "private, max-age=10"
        assert parse_qs(urlsplit(response["Location"]).query)["X-Amz-Expires"] == ["20"]

    @pytest.mark.parametrize(
        "options",
        [{"expires_in": 0}, {"max_age": -1}, {"expires_in": 10, "max_age": 10}],
    )
    def test_times_that_do_not_fit(self, settings, options):
        use_server(settings, "RedirectServer", **options)
        with pytest.raises(ConfigurationError, match=r"max_age|expires_in"):
            get_server(MetaBackendObject({"proxy_storage_name": "orm-s3"}))

    def test_original_without_such_urls(self):
        with pytest.raises(ServingError, match="FileSystemStorage gives no presigned URLs"):
            ask(save("orm_disk"))


class TestXAccelRedirectServer:
    @pytest.fixture(autouse=True)
    def _server(self, settings):
        use_server(settings, "XAccelRedirectServer", location="/from-s3/")

    def test_uri_is_that_of_the_presigned_url_escaped_once_more(self, s3_endpoint):
        response = ask(save())
        assert response.content == b""
        assert response["Content-Type"] == "text/plain"
        uri = response["X-Accel-Redirect"]
        path, _, query = uri.partition("?")
        assert path.startswith("/from-s3/files/a%2520b/100%252541%2520")
        # what nginx makes of it: decoded once, without the location
        key = unquote(path).removeprefix("/from-s3/")
        with urlopen(f"{s3_endpoint}/{key}?{query}") as answer:
            assert answer.read() == CONTENT
            assert answer.headers["Content-Type"] == "text/plain"

    def test_where_nginx_connects_to_is_not_part_of_it(self, s3_endpoint):
        uri = ask(save())["X-Accel-Redirect"]
        assert urlsplit(s3_endpoint).netloc not in unquote(unquote(uri))

    def test_short_time(self, settings):
        query = ask(save())["X-Accel-Redirect"].partition("?")[2]
        assert parse_qs(query)["X-Amz-Expires"] == ["60"]
        use_server(settings, "XAccelRedirectServer", location="/from-s3/", expires_in=0)
        with pytest.raises(ConfigurationError, match="expires_in"):
            get_server(MetaBackendObject({"proxy_storage_name": "orm-s3"}))

    def test_local_files_are_read_from_the_disk(self):
        assert ask(save("orm_disk", "a.txt"))["X-Accel-Redirect"] == "/from-s3/a.txt"


class TestStreamingServer:
    def test_recorded_facts_spare_s3_a_request(self, monkeypatch):
        record = save()
        record.update(checksum="abc", size=10, created_at=timezone.now())
        monkeypatch.setattr(type(record.get_original_storage()), "open", None)
        assert ask(record, "head")["Content-Length"] == "10"
        request = RequestFactory().get("/files/", headers={"If-None-Match": '"abc"'})
        assert serve(request, record).status_code == 304


class WithUrls(FileSystemStorage):
    """A storage whose URLs are signed in its own way."""

    def get_presigned_url(self, name, *, method, expires_in, headers):
        return f"https://files.example/{name}?{method}&{expires_in}&{headers['Content-Type']}"


class TestOriginals:
    def test_what_is_wrong(self, make_s3, tmp_path):
        assert get_signing_problem(make_s3()) is None
        assert "querystring_auth" in get_signing_problem(make_s3(querystring_auth=False))
        assert "custom_domain" in get_signing_problem(make_s3(custom_domain="files.example"))
        assert "get_presigned_url" in get_signing_problem(FileSystemStorage(tmp_path))

    def test_storage_that_signs_itself(self, tmp_path, settings):
        use_server(settings, "RedirectServer", expires_in=5)
        storage = configure_proxy_storage(WithUrls(tmp_path), "orm", settings)
        record = storage.meta_backend.get(storage.save("a.txt", ContentFile(b"")))
        assert ask(record)["Location"] == "https://files.example/a.txt?GET&5&text/plain"

    # django-storages leaves the packed file to the garbage collector
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_object_that_is_packed_is_unpacked_as_the_storage_does(self, make_s3):
        storage = make_s3(gzip=True)
        storage.save("a.css", ContentFile(CONTENT * 10))
        source = S3Source(storage, "a.css")
        assert source._file.obj.content_length < 100
        assert source.size == 100
        file = source.open(7, 12)
        assert file.read(5) == b"78901"
        file.close()

    def test_storage_that_cannot_sign(self, settings, tmp_path, monkeypatch):
        def get_presigned_url(self, name, **options):
            raise KeyError("no credentials")

        monkeypatch.setattr(WithUrls, "get_presigned_url", get_presigned_url)
        use_server(settings, "RedirectServer")
        storage = configure_proxy_storage(WithUrls(tmp_path), "orm", settings)
        record = storage.meta_backend.get(storage.save("a.txt", ContentFile(b"")))
        with pytest.raises(ServingError, match=r"signed no URL.*no credentials"):
            ask(record)

    def test_object_that_was_packed_elsewhere_is_what_it_is(self, make_s3):
        storage = make_s3(object_parameters={"ContentEncoding": "gzip"})
        packed = gzip.compress(CONTENT)
        storage.save("a.gz", ContentFile(packed))
        source = S3Source(storage, "a.gz")
        assert source.size == len(packed)

    @pytest.mark.parametrize("other", [b"other bytes", None], ids=["replaced", "deleted"])
    def test_object_that_is_another_one_since_it_was_looked_at(self, make_s3, other):
        storage = make_s3()
        storage.save("a.txt", ContentFile(CONTENT))
        source = S3Source(storage, "a.txt")
        assert source.size == 10
        storage.delete("a.txt")
        if other is not None:
            storage.save("a.txt", ContentFile(other))
        with pytest.raises(ProxyFileNotFoundError, match="deleted or replaced"):
            source.open(0, 3)

    def test_other_errors_of_the_driver_stay_what_they_are(self, make_s3):
        storage = make_s3()
        storage.save("a.txt", ContentFile(CONTENT))
        source = S3Source(storage, "a.txt")
        with pytest.raises(Exception, match="InvalidRange"):
            source.open(source.size + 1, source.size + 2)

    def test_keys_of_a_bucket_go_with_each_request(self, make_s3):
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
