import os

import pytest
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage
from django.http import HttpResponse

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serverconf.plan import (
    AliasLocation,
    ListedFolder,
    NoFolder,
    ProxyPassLocation,
    make_plan,
)
from proxy_storage.serving import (
    RedirectServer,
    SendfileServer,
    ServerBase,
    StreamingServer,
    XAccelRedirectServer,
    XSendfileServer,
)
from tests.unit.proxy_storage.serverconf_settings import SigningStorage, use_storages

ROOT = FileSystemStorage("/srv/files/")
OTHER_ROOT = FileSystemStorage("/srv/other")


class OwnServer(ServerBase):
    """A server class of the project."""

    def serve(self, request, meta_backend_obj, headers):
        return HttpResponse()


def plan(settings, **storages):
    use_storages(settings, **storages)
    return make_plan()


def deliveries(settings, **storages):
    return plan(settings, **storages).deliveries


class TestDeliveries:
    def test_delivery_of_each_server(self, settings):
        found = plan(
            settings,
            accel=(ROOT, XAccelRedirectServer("/a/")),
            signed=(SigningStorage(), XAccelRedirectServer("/s/")),
            listed=(ROOT, XSendfileServer()),
            escaped=(ROOT, XSendfileServer(escape=True)),
            streamed=(InMemoryStorage(), StreamingServer()),
            redirected=(SigningStorage(), RedirectServer()),
            own=(ROOT, OwnServer()),
        )
        assert found.deliveries == {
            AliasLocation("/a/", "/srv/files"): ("accel",),
            ProxyPassLocation("/s/", "https", "files.example", path_identifies_file=True): (
                "signed",
            ),
            ListedFolder("/srv/files", escape=False): ("listed",),
            ListedFolder("/srv/files", escape=True): ("escaped",),
            NoFolder(is_known=True): ("streamed", "redirected"),
            NoFolder(is_known=False): ("own",),
        }
        assert found.servers["own"] == "OwnServer"
        assert found.of(NoFolder) == {
            NoFolder(is_known=True): ("streamed", "redirected"),
            NoFolder(is_known=False): ("own",),
        }

    def test_same_folder_and_location_is_one_delivery(self, settings):
        server = XAccelRedirectServer("/a/")
        found = deliveries(settings, one=(ROOT, server), two=(ROOT, server))
        assert found == {AliasLocation("/a/", "/srv/files"): ("one", "two")}

    def test_delivery_of_each_original_storage(self, settings):
        use_storages(settings)
        settings.STORAGES = {
            "letters": {
                "BACKEND": "tests.testapp.storages.MultipleStorage",
                "OPTIONS": {
                    "original_storages": {"disk": ROOT, "memory": InMemoryStorage()},
                    "meta_backend": settings.META_BACKENDS["orm"],
                },
            }
        }
        settings.PROXY_STORAGE = {"SERVERS": {"letters/disk": XSendfileServer()}}
        found = make_plan()
        assert found.deliveries == {
            ListedFolder("/srv/files", escape=False): ("letters/disk",),
            NoFolder(is_known=True): ("letters/memory",),
        }

    def test_folder_is_preferred_to_presigned_urls(self, settings):
        class Both(SigningStorage):
            def path(self, name):
                return os.path.join("/srv/both", name)

        found = deliveries(settings, both=(Both(), XAccelRedirectServer("/a/")))
        assert list(found) == [AliasLocation("/a/", "/srv/both")]

    def test_root_folder(self, settings):
        found = deliveries(settings, all=(FileSystemStorage("/"), XSendfileServer()))
        assert list(found) == [ListedFolder("", escape=False)]

    @pytest.mark.parametrize("root", ["/srv/a\nb", "/srv/a\x7fb", "/srv/\udcff"])
    def test_folder_that_cannot_be_written_raises_configuration_error(self, settings, root):
        with pytest.raises(ConfigurationError, match=r"one: .*Rename"):
            plan(settings, one=(FileSystemStorage(root), XSendfileServer()))

    def test_unsuitable_server_raises_configuration_error(self, settings):
        with pytest.raises(ConfigurationError, match=r"one: .*InMemoryStorage"):
            plan(settings, one=(InMemoryStorage(), XSendfileServer()))


class TestSendfile:
    @pytest.fixture(autouse=True)
    def _sendfile(self, settings):
        settings.SENDFILE_ROOT = "/srv/files"
        settings.SENDFILE_URL = "/sendfile//here"

    def use_backend(self, settings, name, server=None):
        settings.SENDFILE_BACKEND = f"django_sendfile.backends.{name}"
        return list(deliveries(settings, one=(FileSystemStorage("/srv/files/sub"), server)))

    @pytest.mark.parametrize("server", [None, SendfileServer()])
    @pytest.mark.parametrize(
        ("backend", "delivery"),
        [
            ("nginx", AliasLocation("/sendfile/here/", "/srv/files")),
            ("xsendfile", ListedFolder("/srv/files", escape=False)),
            ("simple", NoFolder(is_known=True)),
            ("development", NoFolder(is_known=True)),
            ("mod_wsgi", NoFolder(is_known=False)),
        ],
    )
    def test_delivery_of_each_backend(self, settings, backend, delivery, server):
        assert self.use_backend(settings, backend, server) == [delivery]

    def test_nginx_needs_sendfile_url(self, settings):
        del settings.SENDFILE_URL
        assert self.use_backend(settings, "nginx") == [NoFolder(is_known=True)]
        with pytest.raises(ConfigurationError, match="SENDFILE_URL"):
            plan(settings, one=(ROOT, SendfileServer()))

    def test_files_outside_the_root_are_streamed(self, settings):
        settings.SENDFILE_ROOT = "/srv/elsewhere"
        assert self.use_backend(settings, "nginx") == [NoFolder(is_known=True)]


class TestHosts:
    @pytest.mark.parametrize(
        ("base", "scheme", "host"),
        [
            ("http://127.0.0.1:9000/bucket/", "http", "127.0.0.1:9000"),
            ("https://[::1]:9000/", "https", "[::1]:9000"),
            ("https://bucket.s3.eu-north-1.amazonaws.com/", "https", None),
        ],
    )
    def test_scheme_and_host_are_those_of_the_urls(self, settings, base, scheme, host):
        server = XAccelRedirectServer("/s/")
        [found] = deliveries(settings, one=(SigningStorage(base), server))
        expected = host or "bucket.s3.eu-north-1.amazonaws.com"
        assert (found.scheme, found.host) == (scheme, expected)
        assert found.path_identifies_file

    def test_path_may_not_identify_the_file(self, settings):
        storage = SigningStorage("https://files.example/?name=")
        [found] = deliveries(settings, one=(storage, XAccelRedirectServer("/s/")))
        assert not found.path_identifies_file

    @pytest.mark.parametrize("base", ["ftp://files.example/", "https://me:key@x/", "/here/"])
    def test_url_that_nginx_cannot_fetch_raises_configuration_error(self, settings, base):
        with pytest.raises(ConfigurationError, match=r"one: nginx cannot fetch"):
            plan(settings, one=(SigningStorage(base), XAccelRedirectServer("/s/")))

    def test_error_of_the_storage_becomes_a_configuration_error(self, settings):
        class Broken(Storage):
            def get_presigned_url(self, name, **options):
                raise OSError("no credentials")

        with pytest.raises(
            ConfigurationError, match=r"Broken could not create a presigned URL.*no cred"
        ):
            plan(settings, one=(Broken(), XAccelRedirectServer("/s/")))

    def test_s3_is_not_connected_to(self, settings):
        from storages.backends.s3 import S3Storage

        s3 = S3Storage(
            bucket_name="bucket",
            region_name="eu-north-1",
            access_key="a",
            secret_key="b",
            endpoint_url="https://nobody.invalid",
        )
        [found] = deliveries(settings, one=(s3, XAccelRedirectServer("/s/")))
        assert found == ProxyPassLocation(
            "/s/", "https", "nobody.invalid", path_identifies_file=True
        )


class TestLocations:
    @pytest.mark.parametrize(
        "location", ["/a b/", "/é/", "/%41/", "/../", "/a/./b/", '/"/', "/$a/", "/a;/"]
    )
    def test_location_that_a_web_server_may_change(self, settings, location):
        settings.SENDFILE_BACKEND = "django_sendfile.backends.nginx"
        settings.SENDFILE_ROOT, settings.SENDFILE_URL = ROOT.location, location
        with pytest.raises(ConfigurationError, match="one: The location"):
            plan(settings, one=(ROOT, SendfileServer()))

    @pytest.mark.parametrize("location", ["/a/", "/Serve-from_fs/v1.0/~x/", "/..a/.b/"])
    def test_plain_location(self, settings, location):
        [found] = deliveries(settings, one=(ROOT, XAccelRedirectServer(location)))
        assert found.location == location

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ((ROOT, "/a/"), (OTHER_ROOT, "/a/")),
            ((ROOT, "/a/"), (OTHER_ROOT, "/a/b/")),
            ((ROOT, "/a/b/"), (OTHER_ROOT, "/a/")),
            ((FileSystemStorage("/"), "/a/"), (OTHER_ROOT, "/a/")),
            ((ROOT, "/a/"), (SigningStorage(), "/a/")),
            ((ROOT, "/a/b/"), (SigningStorage(), "/a/")),
            ((SigningStorage("http://one/"), "/a/"), (SigningStorage("http://two/"), "/a/")),
        ],
    )
    def test_overlapping_locations_raise_configuration_error(self, settings, first, second):
        pairs = {"one": first, "two": second}
        storages = {
            name: (storage, XAccelRedirectServer(location))
            for name, (storage, location) in pairs.items()
        }
        with pytest.raises(ConfigurationError, match=r"^one and two cannot|^two and one cannot"):
            plan(settings, **storages)

    def test_overlapping_locations_of_the_same_folder(self, settings):
        below = FileSystemStorage("/srv/files/b")
        found = deliveries(
            settings,
            one=(ROOT, XAccelRedirectServer("/a/")),
            two=(below, XAccelRedirectServer("/a/b/")),
            three=(OTHER_ROOT, XAccelRedirectServer("/ab/")),
        )
        assert len(found) == 3
