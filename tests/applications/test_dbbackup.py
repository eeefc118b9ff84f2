"""Backups of django-dbbackup, kept in one proxy storage and made of another."""

import dbbackup.settings
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command

from tests.applications.files import read_all
from tests.applications.models import Letter

# Each command closes the connection, which a test in a transaction would not survive.
pytestmark = pytest.mark.django_db(transaction=True)


def test_every_file_is_restored_under_its_name(media):
    files = {"top.txt": b"1", "letters/2026/a.txt": b"2", "letters/2026/é ü.txt": b"\x00" * 70_000}
    for name, content in files.items():
        default_storage.save(name, ContentFile(content))
    call_command("mediabackup", quiet=True)
    (backup,) = read_all("dbbackup")
    assert backup.endswith(".tar")
    for name in files:
        default_storage.delete(name)
    default_storage.save("top.txt", ContentFile(b"saved after the backup"))
    assert set(media()) == {"top.txt"}
    call_command("mediarestore", interactive=False, quiet=True, replace=True)
    assert media() == files


def test_rows_and_their_files_are_there_after_a_restore(media, records):
    letter = Letter.objects.create(title="x", file=ContentFile(b"1", "a.txt"))
    call_command("dbbackup", quiet=True)
    assert any(name.endswith(".sqlite3") for name in read_all("dbbackup"))
    Letter.objects.all().delete()
    call_command("dbrestore", interactive=False, quiet=True)
    assert Letter.objects.get().file.read() == b"1"
    assert media() == {letter.file.name: b"1"}
    # The backup was saved after the database was read.
    assert not records.filter(proxy_storage_name="dbbackup").exists()


def test_old_backups_are_deleted(monkeypatch):
    monkeypatch.setattr(dbbackup.settings, "CLEANUP_KEEP_MEDIA", 1)
    default_storage.save("a.txt", ContentFile(b"1"))
    for day in ("01", "02"):
        call_command("mediabackup", quiet=True, output_filename=f"site-2026-01-{day}-000000.tar")
    call_command("mediabackup", quiet=True, clean=True)
    (backup,) = read_all("dbbackup")
    assert not backup.startswith("site-")
