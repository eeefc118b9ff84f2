"""The pages of the example project, for each user."""

import re
from time import time
from unittest import mock
from urllib.parse import urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from jobs.models import JobApply
from proxy_storage.records.models import StoredFile
from tests.unit.example.conftest import read

USERS = ("anonymous", "messi", "ronaldo", "admin")
# What each user may read of the application of ronaldo.
READERS = {
    "resume": {"ronaldo", "admin"},
    "avatar": set(USERS),
    "certificate": {"ronaldo", "admin"},
}
FIELDS = tuple(READERS)


def url_of_thumbnail(file):
    return f"/files/?path=thumbs/{file.name}.jpg"


@pytest.mark.parametrize("who", USERS)
@pytest.mark.parametrize("field", FIELDS)
def test_files_and_pages_agree(clients, ronaldo, who, field):
    """The endpoint, the home page, the page of the application and the explanation agree."""
    is_allowed = who in READERS[field]
    word = "allowed" if is_allowed else "refused"
    response = clients[who].get(getattr(ronaldo, field).url)
    read(response)
    assert response.status_code == (200 if is_allowed else 403)
    home = clients[who].get("/").content.decode()
    line = home.partition(f'data-user="ronaldo" data-field="{field}"')[2]
    assert re.search(r'class="answer \w+">(\w+)<', line)[1] == word
    detail = clients[who].get(ronaldo.get_absolute_url()).content.decode()
    section = detail.partition(f'id="{field}-title"')[2]
    assert re.search(r'class="answer \w+">(\w+)<', section)[1] == word
    page = clients[who].get(f"/applications/{ronaldo.pk}/{field}/why/").content.decode()
    assert re.search(r'class="answer \w+">(\w+)<', page)[1] == word


@pytest.mark.parametrize("who", USERS)
@pytest.mark.parametrize("field", ["avatar", "certificate"])
def test_thumbnail_is_as_private_as_its_picture(clients, ronaldo, who, field):
    response = clients[who].get(url_of_thumbnail(getattr(ronaldo, field)))
    content = read(response)
    assert response.status_code == (200 if who in READERS[field] else 403)
    assert content.startswith(b"\xff\xd8") == (who in READERS[field])


@pytest.mark.parametrize("who", USERS)
def test_links_of_other_users_are_refused(clients, ronaldo, who):
    status = {"anonymous": 302, "ronaldo": 200}.get(who, 404)
    for page in ("resume/link/", "certificate/delete/", "delete/"):
        url = f"/applications/{ronaldo.pk}/{page}"
        response = clients[who].post(url) if "link" in page else clients[who].get(url)
        assert response.status_code == status
    if who != "ronaldo":
        for page in ("certificate/delete/", "delete/"):
            clients[who].post(f"/applications/{ronaldo.pk}/{page}")
        assert JobApply.objects.get(pk=ronaldo.pk).certificate


@pytest.mark.parametrize("who", ["anonymous", "messi"])
@pytest.mark.parametrize("field", ["resume", "certificate"])
def test_explanation_for_a_stranger_reveals_nothing_of_the_file(clients, ronaldo, who, field):
    page = clients[who].get(f"/applications/{ronaldo.pk}/{field}/why/").content.decode()
    record = StoredFile.objects.get(path=getattr(ronaldo, field).name)
    assert "403 Forbidden" in page
    for secret in (str(record.size), record.checksum, record.original_storage_path):
        assert secret not in page
    assert "Content-Disposition" not in page


def test_reasons_come_from_the_rules(clients, ronaldo):
    url = f"/applications/{ronaldo.pk}/resume/why/"
    pages = {who: client.get(url).content.decode() for who, client in clients.items()}
    assert "You are not the owner." in pages["messi"]
    assert "You are the owner." in pages["ronaldo"]
    assert "You are a member of the staff." in pages["admin"]
    assert "The request does not have a valid signed link." in pages["anonymous"]


def test_headers_are_those_of_a_download(clients, ronaldo):
    download = clients["ronaldo"].get(ronaldo.certificate.url)
    read(download)
    page = clients["ronaldo"].get(f"/applications/{ronaldo.pk}/certificate/why/")
    headers = page.context["delivery"].headers
    assert headers["Content-Type"] == "image/png"
    for name, value in headers.items():
        assert download[name] == value


@pytest.mark.parametrize("server", ["XAccelRedirectServer", "XSendfileServer"])
def test_internals_of_the_server_are_for_the_staff(clients, ronaldo, settings, server):
    options = {"location": "/internal/"} if server == "XAccelRedirectServer" else {}
    entry = {"BACKEND": f"proxy_storage.serving.{server}", "OPTIONS": options}
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "SERVERS": {"file_system_proxy_storage": entry},
    }
    url = f"/applications/{ronaldo.pk}/avatar/why/"
    for who, client in clients.items():
        page = client.get(url).content.decode()
        assert server in page
        for internal in ("X-Accel-Redirect", "X-Sendfile", "/internal/", str(settings.FILES_ROOT)):
            assert who == "admin" or internal not in page


def test_number_of_queries_of_the_home_page(clients, django_assert_max_num_queries):
    with django_assert_max_num_queries(8):
        clients["messi"].get("/")
    messi = JobApply.objects.get(user__username="messi")
    for _ in range(5):
        copy = JobApply(user=messi.user, what_you_want="More")
        copy.resume.save("cv.txt", SimpleUploadedFile("cv.txt", b"x"), save=False)
        copy.avatar.save("me.jpg", SimpleUploadedFile("me.jpg", b"x"))
    with django_assert_max_num_queries(8):
        clients["messi"].get("/")


class TestMyFiles:
    def test_own_files_with_their_metadata(self, clients, ronaldo):
        page = clients["ronaldo"].get("/my-files/").content.decode()
        for text in ("ronaldo_resume.pdf", "application/pdf", "image/png", "ronaldo_avatar.jpg"):
            assert text in page
        assert "messi" not in page

    def test_staff_sees_own_files_only(self, clients):
        assert "You have no files here." in clients["admin"].get("/my-files/").content.decode()

    def test_log_in_is_required(self, clients):
        response = clients["anonymous"].get("/my-files/")
        assert response["Location"] == "/login/?next=/my-files/"

    def test_link_works_for_all_and_expires(self, clients, ronaldo):
        page = clients["ronaldo"].post(f"/applications/{ronaldo.pk}/resume/link/")
        link = page.context["link"]
        assert "no-store" in page["Cache-Control"]
        url = urlsplit(link.url)
        target = f"{url.path}?{url.query}"
        response = clients["anonymous"].get(target)
        assert read(response).startswith(b"%PDF")
        assert link.expires_at.timestamp() - time() <= 600
        with mock.patch("proxy_storage_permissions.links.time", return_value=time() + 601):
            assert clients["anonymous"].get(target).status_code == 403

    def test_link_needs_a_post(self, clients, ronaldo):
        response = clients["ronaldo"].get(f"/applications/{ronaldo.pk}/resume/link/")
        assert response.status_code == 405

    def test_delete_the_certificate(self, clients, ronaldo):
        name = ronaldo.certificate.name
        url = f"/applications/{ronaldo.pk}/certificate/delete/"
        assert "ronaldo_certificate.png" in clients["ronaldo"].get(url).content.decode()
        response = clients["ronaldo"].post(url, follow=True)
        assert "The certificate has been deleted." in response.content.decode()
        assert not JobApply.objects.get(pk=ronaldo.pk).certificate
        assert not StoredFile.objects.filter(path__contains=name).exists()

    @pytest.mark.parametrize("field", ["resume", "avatar", "user", "pk"])
    def test_required_files_cannot_be_deleted(self, clients, ronaldo, field):
        url = f"/applications/{ronaldo.pk}/{field}/delete/"
        assert clients["ronaldo"].post(url).status_code == 404

    def test_delete_the_application(
        self, clients, ronaldo, settings, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            clients["ronaldo"].post(f"/applications/{ronaldo.pk}/delete/")
        assert not JobApply.objects.filter(pk=ronaldo.pk).exists()
        assert not StoredFile.objects.filter(path__contains="ronaldo").exists()
        assert not list(settings.FILES_ROOT.rglob("ronaldo*"))
        assert list(settings.FILES_ROOT.rglob("messi*"))


@pytest.mark.parametrize("who", USERS)
@pytest.mark.parametrize(
    "url",
    [
        "/applications/999/",
        "/applications/999/resume/why/",
        "/applications/1/user/why/",
        "/applications/1/%3Cscript%3E/why/",
        "/nothing/",
    ],
)
def test_missing_pages(clients, who, url):
    response = clients[who].get(url)
    assert response.status_code == 404
    assert "This page does not exist" in response.content.decode()


@pytest.mark.parametrize("who", USERS)
def test_every_page_has_a_policy_and_nothing_inline(clients, ronaldo, who):
    for url in ("/", "/login/", "/apply/", "/my-files/", ronaldo.get_absolute_url(), "/nothing/"):
        response = clients[who].get(url, follow=True)
        policy = response["Content-Security-Policy"]
        assert "unsafe" not in policy
        page = response.content.decode()
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page)
        assert not re.search(r'(src|href|action)="(https?:)?//', page)


def test_log_in_leads_back_to_the_refused_file(clients, ronaldo):
    client = clients["anonymous"]
    refused = client.get(ronaldo.resume.url, headers={"Accept": "text/html"})
    assert refused.status_code == 403
    login = re.search(r'href="(/login/[^"]*)"', refused.content.decode())[1].replace("&amp;", "&")
    page = client.get(login)
    target = re.search(r'name="next" value="([^"]*)"', page.content.decode())[1]
    data = {"username": "ronaldo", "password": "ronaldo", "next": target}
    response = client.post("/login/", data, follow=True)
    assert read(response).startswith(b"%PDF")


@pytest.mark.parametrize("who", ["anonymous", "messi"])
@pytest.mark.parametrize(("name", "status"), [("ronaldo_resume.pdf", 403), ("nothing.pdf", 404)])
def test_page_of_a_refused_file_has_the_style_of_the_site(clients, who, name, status):
    response = clients[who].get("/files/", {"path": name}, headers={"Accept": "text/html"})
    assert response.status_code == status
    page = response.content.decode()
    assert "<h1>This file cannot be opened</h1>" in page
    assert "jobs/site.css" in page
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page)
    # Both links to log in lead back to the file.
    links = re.findall(r'href="(/login/[^"]*)"', page)
    assert len(links) == (2 if who == "anonymous" else 0)
    assert all(link.endswith("path%3D" + name) for link in links)
    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "script-src" not in policy
    assert response["X-Frame-Options"] == "DENY"


def test_names_in_the_log_in_page_are_escaped(clients):
    page = clients["anonymous"].get('/login/?user="><script>').content.decode()
    assert "<script>" not in page


@pytest.mark.parametrize(
    "url", ["/admin/jobs/jobapply/", "/admin/proxy_storage_records/storedfile/"]
)
def test_admin(clients, url):
    page = clients["admin"].get(url)
    assert "ronaldo" in page.content.decode()
    assert clients["ronaldo"].get(url).status_code == 302
