"""The command ``proxystorage explain``."""

import json
import re
import shutil
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.core.management import CommandError, call_command
from django.db.models import Q
from django.http import HttpResponse
from django.urls import include, path
from rest_framework.permissions import AllowAny, IsAdminUser

from jobs.models import JobApply
from jobs.permissions import JobApplyFiles
from proxy_storage.management.commands import proxystorage
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving import RedirectServer, XAccelRedirectServer, XSendfileServer
from proxy_storage.serving.base import ServerBase
from proxy_storage_api.explanation import find_similar_paths, parse_target
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import CanReadSource, get_signed_url
from tests.unit.proxy_storage.serverconf_settings import SigningStorage, use_storages

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]


class StaffFiles(FileViewSet):
    permission_classes = [IsAdminUser]


class NoFiles(FileViewSet):
    permission_classes = [AllowAny]

    def get_queryset(self):
        return super().get_queryset().filter(path="nothing")


class RootFiles(FileViewSet):
    permission_classes = [AllowAny]


class ProjectUrls:
    """A URLconf."""

    app_name = "proxy_storage_api"

    def __init__(self, *views):
        self.urlpatterns = [
            path(f"{view.__name__}/", view.as_view({"get": "list"}), name="files") for view in views
        ]


class FailingServer(ServerBase):
    def serve(self, request, meta_backend_obj, headers):
        raise RuntimeError("no reason")


class PublicServer(ServerBase):
    def serve(self, request, meta_backend_obj, headers):
        return HttpResponse(b"", headers=headers)


class BrokenDisk(FileSystemStorage):
    def exists(self, name):
        raise OSError("https://files.example/a?signature=secret")


@pytest.fixture
def resume():
    application = JobApply(user=User.objects.create(username="messi"))
    application.resume.save("messi_resume.txt", ContentFile(b"resume"))
    return application.resume


@pytest.fixture
def use_urls(settings):
    def use_urls(*views):
        urls = ProjectUrls(*views)
        urls.urlpatterns = [path("files/", include((urls.urlpatterns, "proxy_storage_api")))]
        settings.ROOT_URLCONF = urls

    return use_urls


def explain(*arguments):
    out = StringIO()
    call_command("proxystorage", "explain", *arguments, stdout=out)
    return out.getvalue()


def explain_json(*arguments):
    return json.loads(explain(*arguments, "--json"))


def save(settings, original, server):
    """Save a file in a storage with a server, and return its name."""
    use_storages(settings, letters=(original, server))
    return get_proxy_storage("letters").save("a.txt", ContentFile(b"content"))


class TestText:
    def test_refused(self, resume):
        User.objects.create(username="ronaldo")
        text = explain(resume.name, "--user", "ronaldo")
        lines = [line.strip() for line in text.splitlines()]
        assert "path: '/messi_resume.txt'" in lines
        assert f"content object: jobs.JobApply {resume.instance.pk}: {resume.instance}" in text
        assert "original storage: GridFSStorage" in lines
        assert (
            "Permissions of proxy_storage_api.viewsets.FileViewSet for download by user 'ronaldo'"
        ) in lines
        assert "no  IsAdminUser" in lines
        assert "Answer: refused" in lines
        assert "file exists: yes" in lines
        assert "server: StreamingServer" in lines
        assert "response: 200, the content is sent by Python" in lines
        assert 'Content-Disposition: inline; filename="messi_resume.txt"' in lines

    def test_allowed(self, resume):
        text = explain(resume.name, "--user", "messi")
        assert "Answer: allowed\n" in text
        assert "problem:" not in text

    def test_derived_file_is_explained_by_the_field_of_its_source(self, resume, change):
        source = CanReadSource(re.compile(r"(?P<source>.+)\.small"), JobApplyFiles)
        change(DEFAULT_PERMISSION_CLASSES=[JobApplyFiles | source])
        resume.storage.save("messi_resume.txt.small", ContentFile(b"small"))
        User.objects.create(username="ronaldo")
        lines = explain(f"{resume.name}.small", "--user", "ronaldo").splitlines()
        start = lines.index("    no  or")
        assert [line.strip() for line in lines[start + 1 : start + 5]] == [
            "no  JobApplyFiles: The file does not have a content object.",
            "no  CanReadSource(_SourceByPattern, JobApplyFiles)",
            "no  JobApplyFiles['resume']",
            "no  or",
        ]

    def test_control_characters_are_escaped(self, resume):
        JobApply.objects.update(what_you_want="\x1b[31mred")
        resume.storage.meta_backend.update(resume.name, {"path": "/a\x1b\n.txt"})
        text = explain("/a\x1b\n.txt")
        assert "\x1b" not in text
        assert r"/a\x1b\n.txt" in text


class TestAnswer:
    """The answer is the one of the endpoint."""

    @pytest.mark.parametrize("user", ["messi", "ronaldo", "admin", None])
    @pytest.mark.parametrize("action", ["download", "retrieve", "authorize"])
    def test_same_answer_as_the_endpoint(self, resume, log_in, client, user, action):
        if user is not None:
            client = log_in(user)
        who = ["--anonymous"] if user is None else ["--user", user]
        found = explain_json(resume.name, "--action", action, *who)
        assert found["user"] == user
        url = {"download": "", "retrieve": "record/", "authorize": "authorize/"}[action]
        response = client.get(f"/files/{url}", {"path": resume.name})
        assert found["is_allowed"] is (response.status_code in (200, 204))
        response.close()  # This closes the connection to a database that is not in memory.

    def test_disabled_action(self, resume, change):
        found = explain_json(resume.name, "--user", "messi", "--action", "destroy")
        assert found["problems"] == ["The action 'destroy' is disabled."]
        assert found["is_allowed"] is False
        change(DELETE_PERMISSION_CLASSES=[AllowAny])
        assert explain_json(resume.name, "--action", "destroy")["is_allowed"] is True
        assert explain_json(resume.name, "--action", "link")["is_allowed"] is False

    def test_signed_link(self, resume):
        record = resume.storage.get_meta_backend_obj(resume.name)
        url = get_signed_url(record).url
        assert explain_json(resume.name)["is_allowed"] is False
        for arguments in (
            [url],
            [f"https://site.example{url}"],
            [resume.name, "--link", url],
            [resume.name, "--link", url.partition("?")[2]],
        ):
            assert explain_json(*arguments)["is_allowed"] is True
        text = explain(f"{url}x")
        assert "The signature is not valid for this file" in text

    def test_storage_that_is_not_registered(self, resume, settings):
        resume.storage.meta_backend.update(resume.name, {"proxy_storage_name": "former"})
        text = explain(resume.name, "--user", "messi")
        assert "The storage of the record is not registered any more." in text
        assert "file exists: not known" in text
        assert "server: None" in text

    def test_content_object_without_text(self, resume, monkeypatch):
        monkeypatch.setattr(JobApply, "__str__", lambda self: 1 // 0)
        found = explain_json(resume.name)["content_object"]
        assert found.startswith("not readable. ZeroDivisionError: ")

    def test_content_object_of_a_deleted_model(self, resume):
        resume.storage.meta_backend.update(resume.name, {"object_id": "no key"})
        assert explain_json(resume.name)["content_object"] is None


class TestViewset:
    def test_viewset_of_the_project(self, resume, use_urls):
        use_urls(StaffFiles)
        found = explain_json(resume.name, "--user", "messi")
        assert found["viewset"] == f"{__name__}.StaffFiles"
        assert [one["permission"] for one in found["permissions"]] == ["IsAdminUser"]

    def test_viewset_that_narrows_records(self, resume, use_urls):
        use_urls(NoFiles)
        found = explain_json(resume.name)
        assert found["problems"] == [
            "The viewset does not find the record. Its get_queryset() or a filter excludes it."
        ]
        assert found["is_allowed"] is False

    def test_several_viewsets(self, resume, use_urls):
        use_urls(StaffFiles, RootFiles)
        found = explain_json(resume.name)
        assert found["viewset"] == "proxy_storage_api.viewsets.FileViewSet"


class TestFind:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("/a?b.txt", ("/a?b.txt", None, "")),
            ("https://a/files/?path=%2Fa+b", ("/a b", None, "path=%2Fa+b")),
            ("/files/?path=a&storage=b", ("a", "b", "path=a&storage=b")),
            ("http://[a", ("http://[a", None, "")),
        ],
    )
    def test_parse_target(self, text, expected):
        assert parse_target(text) == expected

    def test_relative_name(self, resume):
        assert explain_json("messi_resume.txt")["record"]["path"] == resume.name
        found = explain_json("messi_resume.txt", "--storage", "gridfs_proxy_storage")
        assert found["record"]["path"] == resume.name

    def test_unknown_path(self, resume):
        with pytest.raises(CommandError) as error:
            explain("/letters/messi_resum.txt")
        assert str(error.value) == (
            "No record has the path '/letters/messi_resum.txt'.\n"
            "Similar paths:\n  '/messi_resume.txt'"
        )
        assert error.value.returncode == 1
        with pytest.raises(CommandError, match=r"^No record has the path '/z'\.$"):
            explain("/z")

    @pytest.mark.parametrize(
        "path", ["/x/messi_resume.txt", "/messi_rex.txt", "MESSI_RESUME.pdf", "/messi_x/"]
    )
    def test_similar_paths(self, resume, path):
        assert find_similar_paths(path) == ([] if path.endswith("/") else [resume.name])

    def test_wrong_storage(self, resume):
        with pytest.raises(CommandError, match="No record has the path"):
            explain(resume.name, "--storage", "orm_disk")

    def test_several_storages(self, resume):
        other = get_proxy_storage("orm_disk")
        path = other.save("a.txt", ContentFile(b""))
        resume.storage.meta_backend.update(resume.name, {"path": path})
        with pytest.raises(CommandError) as error:
            explain(path)
        assert str(error.value) == (
            f"Several proxy storages have the path {path!r}: gridfs_proxy_storage, orm_disk. "
            "Choose one with --storage."
        )
        for name in ("orm_disk", "gridfs_proxy_storage"):
            found = explain_json(path, "--storage", name)
            assert found["record"]["proxy_storage_name"] == name
            assert explain_json(f"/files/?path={path}&storage={name}")["problems"] == []

    def test_unknown_user(self, resume):
        with pytest.raises(CommandError) as error:
            explain(resume.name, "--user", "mesi")
        assert str(error.value) == "The user 'mesi' does not exist. Did you mean 'messi'?"
        with pytest.raises(CommandError, match=r"^The user 'x' does not exist\.$"):
            explain(resume.name, "--user", "x")


class TestDelivery:
    def get_delivery(self, path):
        return explain_json(path)["delivery"]

    @pytest.mark.parametrize("is_required", [True, False])
    def test_offloaded_file(self, settings, tmp_path, is_required):
        for server, sends in (
            (XAccelRedirectServer("/internal/"), "X-Accel-Redirect: /internal/a.txt"),
            (XSendfileServer(), f"X-Sendfile: {tmp_path}/a.txt"),
        ):
            (tmp_path / "a.txt").unlink(missing_ok=True)
            path = save(settings, FileSystemStorage(tmp_path), server)
            settings.PROXY_STORAGE["REQUIRE_SENDFILE_TYPE"] = is_required
            found = self.get_delivery(path)
            assert (found["server"], found["sends"]) == (type(server).__name__, sends)
            assert found["headers"]["Content-Type"] == "text/plain"
            assert found["exists"] is True
            get_proxy_storage("letters").delete(path)

    def test_signature_of_a_presigned_url_is_not_shown(self, settings, tmp_path):
        path = save(settings, PresigningDisk(tmp_path), RedirectServer())
        text = explain(path)
        assert "response: 302 redirect to https://files.example/a.txt?...\n" in text
        assert "secret" not in text

    def test_missing_file(self, settings, tmp_path):
        path = save(settings, FileSystemStorage(tmp_path), XAccelRedirectServer("/internal/"))
        (tmp_path / "a.txt").unlink()
        found = self.get_delivery(path)
        assert found["exists"] is False
        assert found["problem"].startswith(
            "FileSystemStorage does not have a file 'a.txt'. Restore"
        )
        assert "response: none\n    problem: FileSystemStorage does not" in explain(path)

    def test_missing_folder(self, settings, tmp_path):
        path = save(settings, FileSystemStorage(tmp_path / "a"), XAccelRedirectServer("/internal/"))
        shutil.rmtree(tmp_path / "a")
        found = self.get_delivery(path)
        assert found["problem"].startswith(f"The folder '{tmp_path}/a' does not exist.")

    def test_server_that_cannot_deliver_the_file(self, settings, tmp_path):
        path = save(settings, FileSystemStorage(tmp_path), XAccelRedirectServer("/internal/"))
        settings.STORAGES["letters"]["OPTIONS"]["original_storage"] = InMemoryStorage()
        settings.STORAGES = {**settings.STORAGES}
        assert self.get_delivery(path)["problem"].startswith(
            "ServingError: The web server cannot read the files of InMemoryStorage"
        )

    def test_error_of_a_server(self, settings, tmp_path):
        path = save(settings, FileSystemStorage(tmp_path), FailingServer())
        assert self.get_delivery(path)["problem"] == "RuntimeError: no reason"

    def test_storage_that_does_not_answer(self, settings, tmp_path):
        use_storages(settings, letters=(FileSystemStorage(tmp_path), PublicServer()))
        path = get_proxy_storage("letters").save("a.txt", ContentFile(b"content"))
        use_storages(settings, letters=(BrokenDisk(tmp_path), PublicServer()))
        found = self.get_delivery(path)
        assert found["exists"] is None
        assert (
            found["problem"] == "BrokenDisk does not answer. OSError: https://files.example/a?..."
        )


class PresigningDisk(FileSystemStorage):
    def get_presigned_url(self, name, **options):
        return SigningStorage().get_presigned_url(name, **options) + "?signature=secret"


class TestMissingPackage:
    @pytest.fixture(autouse=True)
    def _missing(self, monkeypatch):
        monkeypatch.setitem(proxystorage.SUBCOMMANDS, "explain", "nowhere.Explain")

    @pytest.mark.parametrize("arguments", [["a"], ["a", "--user", "b"], ["--user", "b", "a"]])
    def test_cure_is_shown(self, arguments):
        with pytest.raises(CommandError, match="cannot be imported: No module named 'nowhere'"):
            explain(*arguments)

    def test_other_subcommands_work(self, settings, capsys):
        parser = proxystorage.Command().create_parser("manage.py", "proxystorage")
        assert "Not available, because a package is missing." in parser.format_help()


def test_condition_of_similar_paths_is_a_documented_lookup(resume):
    assert find_similar_paths("") == []
    assert resume.storage.meta_backend.count(Q(path__icontains="messi")) == 1
