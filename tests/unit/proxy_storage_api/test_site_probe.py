"""``proxystorage doctor --site``: requests to a running site."""

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db import connections
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.test import Client, modify_settings
from django.urls import include, path
from rest_framework.permissions import AllowAny, IsAdminUser

from demo.services import free_port
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving import XAccelRedirectServer
from proxy_storage.serving.base import ServerBase
from proxy_storage_api.site_probe import examine_site
from proxy_storage_permissions import HasValidSignature
from tests.local_servers import serving
from tests.unit.proxy_storage.serverconf_settings import use_storages

pytestmark = pytest.mark.django_db(transaction=True)
CONTENT = b"content of a file"


class Answers(ServerBase):
    """Returns a wrong response."""

    content, status, headers = b"", 200, {}

    def serve(self, request, meta_backend_obj, headers):
        return HttpResponse(self.content, status=self.status, headers={**headers, **self.headers})


class Redirects(ServerBase):
    def serve(self, request, meta_backend_obj, headers):
        return HttpResponseRedirect("/elsewhere/", headers=headers)


def elsewhere(request, **kwargs):
    """Return the content, but not to requests with cookies."""
    return HttpResponse(b"" if request.COOKIES else CONTENT)


def missing(request, **kwargs):
    raise Http404


class Urls:
    """The URLs of a site, with its internal location or the URL of an original storage."""

    def __init__(self, view=missing):
        self.urlpatterns = [
            path("files/", include("proxy_storage_api.urls")),
            path("elsewhere/", elsewhere),
            path("internal/<path:name>", view),
        ]


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format, *args):  # noqa: A002  (the name of the parent)
        pass


class JoiningServer(ThreadedWSGIServer):
    daemon_threads = False  # `server_close` waits for the threads.


@pytest.fixture(autouse=True)
def silenced(settings):
    """Silence the checks of models and permissions whose storages these tests replace."""
    ids = ["proxy_storage.E105", "proxy_storage_api.W004", "proxy_storage_api.W005"]
    settings.SILENCED_SYSTEM_CHECKS = [*settings.SILENCED_SYSTEM_CHECKS, *ids]


@pytest.fixture
def site_url(transactional_db):
    """The URL of a site in another thread, which uses the databases in memory of this one.

    The server of Django's tests would take the requests for files below MEDIA_URL.
    """
    shared = {one.alias: one for one in connections.all() if one.vendor == "sqlite"}
    for connection in shared.values():
        connection.inc_thread_sharing()
    address = ("127.0.0.1", 0)
    server = JoiningServer(address, QuietHandler, connections_override=shared)
    server.set_app(WSGIHandler())
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"
    for connection in shared.values():
        connection.dec_thread_sharing()


@pytest.fixture
def examine(settings, tmp_path, site_url):
    """Return a function that checks the site, whose files are in one folder."""
    settings.ROOT_URLCONF = Urls()

    def examine(server=None, *, permission=AllowAny, name="a.txt", base_url=None, **options):
        original = FileSystemStorage(tmp_path, base_url=base_url)
        use_storages(settings, letters=(original, server))
        settings.PROXY_STORAGE["DEFAULT_PERMISSION_CLASSES"] = [permission]
        if name is not None:
            get_proxy_storage("letters").save(name, ContentFile(CONTENT))
        findings = list(examine_site(options.pop("site", site_url), **options))
        # Only the tests of public URLs are about this one.
        return [
            one for one in findings if base_url or "URL of the original storage" not in one.check
        ]

    return examine


def get_problems(findings):
    return [one.problem for one in findings if one.problem is not None]


def test_file_is_delivered(examine):
    (found,) = examine()
    assert found.check == "site: '/letters/a.txt' of 'letters' by StreamingServer"
    assert found.problem is None


def test_signed_link(examine):
    (found,) = examine(permission=HasValidSignature)
    assert found.problem is None


@pytest.mark.parametrize("permission", [AllowAny, HasValidSignature])
def test_probe_file_is_deleted(examine, permission, tmp_path):
    (found,) = examine(permission=permission, name=None)
    assert found.problem is None
    assert "proxy-storage-doctor-" in found.check
    assert list(tmp_path.iterdir()) == []
    assert list(get_proxy_storage("letters").meta_backend) == []


@pytest.mark.parametrize(
    "options", [{"permission": IsAdminUser}, {"name": None, "skip_writes": True}]
)
def test_no_readable_file(examine, options, tmp_path):
    (found,) = examine(**options)
    assert found.is_warning
    assert not found.failed
    assert found.problem.startswith("The delivery was not checked")
    assert len(list(tmp_path.iterdir())) == (options.get("name", 1) is not None)


def test_missing_and_empty_files_are_not_requested(examine, tmp_path):
    for name in ("a.txt", "b.txt"):
        assert examine(name=name)[0].problem is None
    (tmp_path / "a.txt").unlink()
    (tmp_path / "b.txt").write_bytes(b"")
    (found,) = examine(name="c.txt")
    assert found.check.startswith("site: '/letters/c.txt'")


def test_path_with_the_cookies_of_a_user(examine, log_in):
    cookie = log_in("admin").cookies["sessionid"].value
    options = {"permission": IsAdminUser, "paths": ["/letters/a.txt"]}
    (found,) = examine(**options, headers={"Cookie": f"sessionid={cookie}"})
    assert found.problem is None
    (found,) = examine(**options, name=None)
    assert found.problem == "The status of the response is 403."
    assert found.cure.startswith("Run manage.py proxystorage explain")


@pytest.fixture
def log_in(transactional_db):
    def log_in(name):
        client = Client()
        client.force_login(User.objects.create(username=name, is_staff=True))
        return client

    return log_in


def test_unknown_path(examine):
    (found,) = examine(paths=["/nothing"])
    assert found.problem == "No record has this path."


def test_redirect_is_followed_without_cookies(examine):
    (found,) = examine(Redirects(), paths=["/letters/a.txt"], headers={"Cookie": "a=b"})
    assert found.problem is None


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "The response is empty."),
        ({"content": b"other"}, "The response does not have the content of the file."),
        ({"status": 404}, "The status of the response is 404."),
    ],
)
def test_wrong_response(examine, monkeypatch, values, problem):
    for name, value in values.items():
        monkeypatch.setattr(Answers, name, value)
    (found,) = examine(Answers())
    assert found.problem == problem
    assert found.cure.startswith("Compare the configuration of the web server")


def test_client_gets_the_header_for_the_web_server(examine):
    headers = {"X-Sendfile-Type": "X-Accel-Redirect"}
    paths = ["/letters/a.txt"]
    first, second = examine(XAccelRedirectServer("/internal/"), paths=paths, headers=headers)
    assert first.problem == "The client gets the header X-Accel-Redirect, and not the file."
    assert second.check == "site: internal location '/internal/a.txt' is closed"
    assert second.problem is None


def test_error_of_the_site(examine):
    """Django's server refuses to send the header for a web server."""
    first, _ = examine(XAccelRedirectServer("/internal/"))
    assert first.problem == "The status of the response is 500."
    assert first.cure == "The log of the site has the error."


def test_internal_location_is_open(examine, settings, site_url):
    settings.ROOT_URLCONF = Urls(elsewhere)
    _, found = examine(XAccelRedirectServer("/internal/"))
    assert found.problem == (
        f"PUBLIC: '{site_url}/internal/a.txt' returns the file without a permission check."
    )


@pytest.mark.parametrize("is_public", [True, False])
def test_url_of_the_original_storage(examine, settings, is_public):
    settings.ROOT_URLCONF = Urls(elsewhere if is_public else missing)
    first, second = examine(base_url="/internal/")
    assert first.problem is None
    assert second.check == "site: URL of the original storage '/internal/a.txt' is closed"
    assert (second.problem is not None) is is_public


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:1/", "ftp://files.example/"])
def test_url_of_the_original_storage_without_an_answer(examine, base_url):
    assert get_problems(examine(base_url=base_url)) == []


def test_original_storage_without_a_url(examine, monkeypatch):
    monkeypatch.setattr(FileSystemStorage, "url", Storage.url)
    assert len(examine(base_url="/internal/")) == 1


def test_site_does_not_answer(examine):
    (found,) = examine(site=f"http://127.0.0.1:{free_port()}")
    assert found.problem.startswith("URLError: ")
    assert found.cure == "Start the web server, or correct --site."


def test_project_without_an_endpoint(examine, settings):
    examine()
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "FILE_URL_NAME": "nowhere"}
    (found,) = examine_site("http://127.0.0.1:1")
    assert found.problem.startswith("No URL with the name 'nowhere'")
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "FILE_URL_NAME": None}
    with modify_settings(INSTALLED_APPS={"remove": "proxy_storage_api"}):
        (found,) = examine_site("http://127.0.0.1:1")
    assert found.problem == "The project has no download endpoint."


def test_failing_storage(examine, monkeypatch):
    def fail(self, name, content):
        raise OSError("no space")

    monkeypatch.setattr(FileSystemStorage, "_save", fail)
    (found,) = examine(name=None)
    assert found.problem == "OSError: no space"
    assert found.cure == "Correct the problems above first."


def test_several_original_storages(settings, tmp_path, site_url):
    settings.ROOT_URLCONF = Urls()
    disk = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {
        "several": {
            "BACKEND": "tests.testapp.storages.MultipleStorage",
            "OPTIONS": {
                "original_storages": {
                    name: {"BACKEND": disk, "OPTIONS": {"location": tmp_path / name}}
                    for name in ("one", "two")
                },
                "meta_backend": settings.META_BACKENDS["orm"],
            },
        }
    }
    settings.PROXY_STORAGE = {"DEFAULT_PERMISSION_CLASSES": [AllowAny]}
    storage = get_proxy_storage("several")
    storage.save("a.txt", ContentFile(CONTENT))
    first, *_, second = examine_site(site_url)
    assert first.problem is None
    assert second.check == "site: 'several/two'"
    assert second.is_warning


def test_command(examine, site_url):
    examine()
    out = StringIO()
    call_command("proxystorage", "doctor", "--site", site_url, stdout=out)
    expected = "ok    site: '/letters/a.txt' of 'letters' by StreamingServer\n"
    assert expected in out.getvalue()
    arguments = ["--path", "/letters/a.txt", "--header", "Cookie: a=b"]
    call_command("proxystorage", "doctor", "--site", site_url, *arguments, stdout=out)
    assert out.getvalue().count(expected) == 2
