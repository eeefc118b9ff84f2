import re

import pytest
from django.core.files.storage import FileSystemStorage

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serverconf import Options, get_configuration, nginx
from proxy_storage.serving import XAccelRedirectServer
from tests.unit.proxy_storage.serverconf_settings import SigningStorage, use_storages


@pytest.fixture
def resolv_conf(tmp_path, monkeypatch):
    path = tmp_path / "resolv.conf"
    path.write_text("search example\nnameserver 10.0.0.1\n")
    monkeypatch.setattr(nginx, "RESOLV_CONF", path)
    return path


@pytest.fixture
def write(settings, resolv_conf):
    """Return the configuration of nginx for a storage whose URLs begin like this."""

    def write(base, **options):
        use_storages(settings, one=(SigningStorage(base), XAccelRedirectServer("/s.3/")))
        return get_configuration("nginx", Options(**options)).text

    return write


def test_host_is_fixed(write):
    text = write("http://127.0.0.1:9000/bucket/")
    assert "location ^~ /s.3/ {\n    internal;\n" in text
    assert '    location ~ "^/s\\.3/(?<proxy_storage_key>.*)$" {\n        internal;\n' in text
    url = "http://127.0.0.1:9000/$proxy_storage_key$is_args$args"
    assert f"        proxy_pass {url};\n" in text
    assert '        proxy_set_header Host "127.0.0.1:9000";\n' in text
    for word in ("resolver", "proxy_ssl", "proxy_cache", "http { }"):
        assert word not in text


def test_localhost_needs_no_resolver(write):
    text = write("http://localhost:9000/localhost/")
    assert "proxy_pass http://127.0.0.1:9000/$" in text
    assert 'proxy_set_header Host "localhost:9000";' in text
    assert "resolver" not in text


def test_ip_address_needs_no_resolver(write):
    text = write("http://[::1]:9000/")
    assert "proxy_pass http://[::1]:9000/$" in text
    assert "resolver" not in text


@pytest.mark.parametrize("exists", [True, False])
def test_https(write, monkeypatch, tmp_path, exists):
    ca_file = tmp_path / "ca.pem"
    if exists:
        ca_file.touch()
    monkeypatch.setattr(nginx, "CA_FILES", ("/nowhere.pem", str(ca_file)))
    text = write("https://files.example:9000/")
    assert 'proxy_ssl_name "files.example";\n' in text
    assert "proxy_ssl_verify on;\n" in text
    trusted = ca_file if exists else "/nowhere.pem"
    assert f'proxy_ssl_trusted_certificate "{trusted}";\n' in text


class TestResolver:
    def test_default_is_that_of_the_machine(self, write, resolv_conf):
        resolv_conf.write_text(
            "# nameserver 10.0.0.9\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver ::1\n"
            "nameserver\n"
        )
        assert "        resolver 10.0.0.1 [::1];\n" in write("http://files.example/")

    def test_option_resolvers(self, write):
        text = write("http://files.example/", resolvers=("10.0.0.2", "10.0.0.3"))
        assert "        resolver 10.0.0.2 10.0.0.3;\n" in text

    @pytest.mark.parametrize("text", ["", None])
    def test_missing_resolver_raises_configuration_error(self, write, resolv_conf, text):
        resolv_conf.unlink() if text is None else resolv_conf.write_text(text)
        with pytest.raises(ConfigurationError, match="--resolver"):
            write("http://files.example/")


class TestCache:
    def test_cache_key_has_no_signature(self, write):
        text = write("https://files.example/", cache="objects")
        key = '"$request_method https://files.example/$proxy_storage_key"'
        assert f"        proxy_cache_key {key};\n" in text
        assert "#     proxy_cache_path /var/cache/nginx/objects keys_zone=objects:10m" in text
        assert "proxy_cache_convert_head off;" in text
        # A range in the cache would be used as the whole object.
        assert "$http_range" not in text

    def test_urls_with_equal_paths_cannot_be_cached(self, write):
        with pytest.raises(ConfigurationError, match=r"files\.example .*--cache"):
            write("http://files.example/?name=", cache="objects")

    def test_cache_is_ignored_without_hosts(self, settings):
        use_storages(settings, one=(FileSystemStorage("/srv"), XAccelRedirectServer("/a/")))
        text = get_configuration("nginx", Options(cache="objects")).text
        assert "objects" not in text


def test_every_error_has_an_error_page(write):
    text = write("http://127.0.0.1/")
    pages = re.findall(r"error_page ([\d\s]+)=(\d+) (@\w+);", text)
    told = {int(said): int(status) for codes, status, _ in pages for said in codes.split()}
    assert 304 not in told
    assert {301, 307, 400, 401, 405, 429, 500, 503, 511} <= told.keys()
    assert {status for status in told.values() if status != 502} == {404, 412, 416}
    for _, status, location in pages:
        assert location == f"@proxy_storage_{status}"
        assert text.count(f"location {location} {{\n") == 1


def test_two_hosts_share_their_error_pages(settings, resolv_conf):
    use_storages(
        settings,
        one=(SigningStorage("http://one.example/"), XAccelRedirectServer("/one/")),
        two=(SigningStorage("http://two.example/"), XAccelRedirectServer("/two/")),
    )
    text = get_configuration("nginx").text
    assert text.count("location @proxy_storage_404 {") == 1
    assert text.count("proxy_pass ") == 2
