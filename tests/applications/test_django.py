"""What Django itself does with the files of a storage."""

import os
import re
from html import unescape
from time import time

import pytest
from django.contrib.staticfiles.utils import get_files
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command

from tests.applications.files import make_image, read_all
from tests.applications.models import Letter, Picture


@pytest.fixture
def static_files(settings, tmp_path):
    folder = tmp_path / "assets"
    (folder / "css").mkdir(parents=True)
    (folder / "site.js").write_bytes(b"1")
    (folder / "css" / "site.css").write_bytes(b"2")
    settings.STATICFILES_DIRS = [folder]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    return folder


@pytest.mark.django_db
def test_a_second_collectstatic_copies_nothing(static_files, capsys):
    collected = {"site.js": b"1", "css/site.css": b"2"}
    call_command("collectstatic", interactive=False)
    assert "2 static files copied" in capsys.readouterr().out
    assert read_all("staticfiles") == collected
    call_command("collectstatic", interactive=False)
    assert "0 static files copied" in capsys.readouterr().out
    assert read_all("staticfiles") == collected


@pytest.mark.django_db
def test_collectstatic_replaces_a_file_that_has_changed(static_files):
    call_command("collectstatic", interactive=False, verbosity=0)
    (static_files / "site.js").write_bytes(b"new")
    tomorrow = time() + 24 * 60 * 60
    os.utime(static_files / "site.js", (tomorrow, tomorrow))
    call_command("collectstatic", interactive=False, verbosity=0)
    assert read_all("staticfiles") == {"site.js": b"new", "css/site.css": b"2"}


@pytest.mark.django_db
def test_get_files_finds_every_file_by_the_name_it_was_saved_with():
    names = {"top.txt", "letters/a.txt", "letters/2026/a.txt"}
    for name in names:
        assert default_storage.save(name, ContentFile(b"1")) == name
    assert set(get_files(default_storage)) == names
    assert set(get_files(default_storage, location="letters")) == names - {"top.txt"}


@pytest.mark.django_db
def test_a_file_field_names_its_files_as_upload_to_says(media):
    for content in (b"1", b"2"):
        Letter.objects.create(title="x", file=ContentFile(content, "a.txt"))
    first, second = (letter.file for letter in Letter.objects.order_by("pk"))
    assert re.fullmatch(r"letters/\d{4}/a\.txt", first.name)
    assert second.name != first.name
    assert media()[first.name] == b"1"


@pytest.mark.django_db
def test_the_admin_uploads_shows_and_clears_a_file(staff_client, media):
    data = {"title": "x", "file": ContentFile(b"1", "a.txt")}
    assert staff_client.post("/admin/applications/letter/add/", data).status_code == 302
    letter = Letter.objects.get()
    page = f"/admin/applications/letter/{letter.pk}/change/"
    (url,) = re.findall(r'Currently: <a href="([^"]+)"', staff_client.get(page).content.decode())
    assert unescape(url) == letter.file.url
    assert list(media()) == [letter.file.name]
    data = {"title": "x", "file-clear": "on"}
    assert staff_client.post(page, data).status_code == 302
    letter.refresh_from_db()
    assert not letter.file


@pytest.mark.django_db
def test_the_link_in_the_admin_leads_to_the_file(staff_client, owner, stranger, client, records):
    data = {"user": owner.pk, "image": make_image()}
    assert staff_client.post("/admin/applications/picture/add/", data).status_code == 302
    picture = Picture.objects.get()
    page = staff_client.get(f"/admin/applications/picture/{picture.pk}/change/").content.decode()
    url = unescape(re.search(r'Currently: <a href="([^"]+)"', page)[1])
    for user, status in ((owner, 200), (stranger, 403)):
        client.force_login(user)
        assert client.get(url).status_code == status
