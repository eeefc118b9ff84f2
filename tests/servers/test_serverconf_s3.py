"""nginx with the output of ``proxystorage serverconf nginx`` delivers objects by presigned URLs."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.test import override_settings

from demo.services import free_port
from proxy_storage.serving.headers import CONTENT_SECURITY_POLICY
from tests.hostile_names import KEYS
from tests.programs import new_bucket
from tests.servers.serverconf_fronts import (
    OF_THE_PROJECT,
    VARY,
    FaultyHost,
    FaultyStorage,
    Front,
    Site,
    answering,
    make_settings,
    print_configuration,
    running_program,
)
from tests.servers.site.nginx import write_nginx

pytestmark = pytest.mark.slow

CONTENT = b"0123456789" * 10
SECRETS = ("amz", "secret", "signature", "<error>", "accesskey", "127.0.0.1")


@pytest.fixture(scope="module")
def s3(s3_endpoint):
    """The address of an S3 server with objects in a new bucket."""
    with new_bucket(s3_endpoint, "serverconf") as bucket:
        for key in KEYS:
            bucket.put_object(
                Key=key, Body=CONTENT, ContentType="text/html", CacheControl="public, max-age=99"
            )
        yield urlsplit(s3_endpoint).netloc
        bucket.objects.delete()


@pytest.fixture(scope="module")
def host():
    return FaultyHost()


@pytest.fixture(scope="module")
def fronts(s3, host, need_program):
    """Two servers of one nginx. One has a cache and trusts only real authorities."""
    need_program("nginx")
    with TemporaryDirectory(prefix="proxy-storage-serverconf-") as name, ExitStack() as stack:
        folder = Path(name).resolve()
        faulty = stack.enter_context(answering(host))
        tls_port = free_port()
        storages = {
            "s3": make_s3(f"http://{s3}"),
            "tls": make_s3(f"https://localhost:{tls_port}"),
            "faulty": FaultyStorage(faulty),
        }
        storages = {
            name: (original, "XAccelRedirectServer", {"location": f"/internal/{name}/"})
            for name, original in storages.items()
        }
        certificate = write_certificate(folder)
        stack.enter_context(override_settings(**make_settings(storages)))
        site = stack.enter_context(answering(Site()))
        texts = {
            "plain": print_configuration("nginx", "--ca-file", str(certificate)),
            "cached": print_configuration("nginx", "--cache", "objects"),
        }
        ports = {name: free_port() for name in texts}
        tls = (
            f"server {{ listen 127.0.0.1:{tls_port} ssl; ssl_certificate {certificate};"
            f" ssl_certificate_key {certificate};"
            f" location / {{ proxy_pass http://{s3}; proxy_set_header Host $http_host; }} }}"
        )
        conf = folder / "nginx.conf"
        conf.write_text(
            write_nginx(folder, *((ports[name], site, texts[name]) for name in texts), more=tls)
        )
        stack.enter_context(running_program("nginx", folder, conf, ports["plain"]))
        yield {name: Front(name, f"127.0.0.1:{port}") for name, port in ports.items()}


def make_s3(endpoint_url):
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "endpoint_url": endpoint_url,
            "bucket_name": "serverconf",
            "region_name": "us-east-1",
            "access_key": "tests",
            "secret_key": "tests",
            "signature_version": "s3v4",
            "addressing_style": "path",
        },
    }


def write_certificate(folder):
    """Make a self-signed certificate of localhost; return the key and the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(encoding)
    )
    return path


@pytest.fixture(params=["plain", "cached"])
def front(request, fronts):
    return fronts[request.param]


def assert_tells_nothing(answer):
    told = f"{answer.headers}{answer.body.decode('latin-1')}".lower()
    assert [secret for secret in SECRETS if secret in told] == []


@pytest.mark.parametrize("key", KEYS)
def test_object_of_every_key_arrives(front, key):
    for method, body in (("GET", CONTENT), ("HEAD", b""), ("GET", CONTENT)):
        answer = front.ask("s3", key, method=method)
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers["Content-Length"] == "100"
        assert_tells_nothing(answer)


@pytest.mark.parametrize(
    ("value", "start", "stop"), [("3-6", 3, 7), ("90-", 90, 100), ("-4", 96, 100)]
)
def test_part_arrives(front, value, start, stop):
    answer = front.ask("s3", "plain.txt", {"Range": f"bytes={value}"})
    assert (answer.status, answer.body) == (206, CONTENT[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/100"


def test_part_beyond_the_end(front):
    answer = front.ask("s3", "plain.txt", {"Range": "bytes=100-"})
    assert answer.status == 416
    if front.name == "cached":  # The S3 server of the tests does not send the length.
        assert answer.headers["Content-Range"] == "bytes */100"
    assert answer.headers["Referrer-Policy"] == OF_THE_PROJECT["Referrer-Policy"]
    assert_tells_nothing(answer)


def test_part_of_what_has_not_changed(front):
    etag = front.ask("s3", "plain.txt").headers["ETag"]
    headers = {"Range": "bytes=3-6", "If-Range": etag}
    answer = front.ask("s3", "plain.txt", headers)
    assert (answer.status, answer.body) == (206, b"3456")
    assert answer.headers["Content-Range"] == "bytes 3-6/100"
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert_tells_nothing(answer)
    assert front.ask("s3", "gone.txt", headers).status == 404


def test_conditions(front):
    headers = front.ask("s3", "plain.txt").headers
    etag = headers["ETag"]
    for condition in ({"If-None-Match": etag}, {"If-Modified-Since": headers["Last-Modified"]}):
        answer = front.ask("s3", "plain.txt", condition)
        assert (answer.status, answer.body) == (304, b"")
    answer = front.ask("s3", "plain.txt", {"If-Match": '"another"'})
    assert answer.status == 412
    assert_tells_nothing(answer)
    answer = front.ask("s3", "plain.txt", {"Range": "bytes=3-6", "If-Range": '"another"'})
    assert (answer.status, answer.body) == (200, CONTENT)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_missing_object_is_a_404_of_nginx(front, method):
    answer = front.ask("s3", "gone.txt", method=method)
    assert answer.status == 404
    assert answer.headers.get_all("Content-Type") == ["text/html"]
    assert_tells_nothing(answer)


@pytest.mark.parametrize("storage", ["s3", "faulty"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_headers_are_the_sites_own(front, method, storage):
    name = {"s3": "plain.txt", "faulty": "200-headers.txt"}[storage]
    for _ in range(2):
        answer = front.ask(storage, name, method=method)
        expected = {
            "Content-Type": ["text/plain"],
            "Content-Disposition": [f'inline; filename="{name}"'],
            "Cache-Control": ["private, no-cache"],
            "X-Content-Type-Options": ["nosniff"],
            "Content-Security-Policy": [CONTENT_SECURITY_POLICY],
            "Vary": [VARY],
            "X-Frame-Options": ["SAMEORIGIN"],
            "X-Of-Server": ["yes"],
            **{name: [value] for name, value in OF_THE_PROJECT.items()},
            **dict.fromkeys(("Set-Cookie", "Expires", "Location")),
        }
        assert {name: answer.headers.get_all(name) for name in expected} == expected
    # Another location would have followed the host's X-Accel-Redirect.
    assert answer.status == 200


def test_headers_of_the_user_do_not_go_to_the_host(front, host):
    name = f"200-{front.name}.txt"
    front.ask("faulty", name, {"Authorization": "Basic secret", "Referer": "http://secret/"})
    [request] = [request for request in host.requests if name in request["PATH_INFO"]]
    sent = {key for key, value in request.items() if key.startswith("HTTP_") and value}
    assert sent == {"HTTP_HOST", "HTTP_CONNECTION"}


def test_part_is_requested_from_the_host(fronts, host):
    """Except for requests with a condition that S3 does not support."""
    for condition in ({}, {"If-Range": '"a"'}):
        fronts["plain"].ask("faulty", "200-part.txt", {"Range": "bytes=3-6", **condition})
    requests = [request for request in host.requests if "200-part" in request["PATH_INFO"]]
    assert [request.get("HTTP_RANGE") for request in requests] == ["bytes=3-6", None]
    assert not any("HTTP_IF_RANGE" in request for request in requests)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_error_pages_of_the_host_are_not_passed_on(front, method):
    told = {}
    for status in (301, 302, 307, 400, 401, 403, 404, 405, 409, 412, 416, 429, 500, 502, 503, 520):
        answer = front.ask("faulty", f"{status}-error.txt", method=method)
        told[status] = answer.status
        assert "Location" not in answer.headers
        assert "Set-Cookie" not in answer.headers
        assert_tells_nothing(answer)
    # S3 answers 403 for a missing object to users who may not list the bucket.
    expected = {403: 404, 404: 404, 412: 412, 416: 416}
    assert told == {status: expected.get(status, 502) for status in told}


@pytest.mark.parametrize("headers", [{}, {"X-Accel-Redirect": "/internal/s3/"}])
@pytest.mark.parametrize("target", ["/internal/s3/serverconf/plain.txt", "/internal/s3/", "/x/"])
def test_internal_location_is_closed_from_outside(front, target, headers):
    assert front.ask_for(target, headers).status == 404


def test_cache_keeps_objects_whatever_their_signature(fronts, host):
    for name, times in (("plain", 3), ("cached", 1)):
        file = f"200-kept-by-{name}.txt"
        for _ in range(3):
            assert fronts[name].ask("faulty", file).body == b"<Error>secret</Error>"
        assert sum(file in request["PATH_INFO"] for request in host.requests) == times


def test_certificates_are_verified(fronts):
    assert fronts["plain"].ask("tls", "%41.txt").body == CONTENT
    answer = fronts["cached"].ask("tls", "%41.txt")
    assert answer.status == 502
    assert CONTENT not in answer.body
