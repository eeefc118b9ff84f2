"""django-import-export, which keeps a file in the default storage until it is confirmed."""

from uuid import UUID

from django.core.files.base import ContentFile
from import_export.tmp_storages import MediaStorage

from tests.applications.models import Letter


def test_a_temporary_file_is_found_by_name_and_removed(media):
    saved = MediaStorage()
    saved.save(b"a,b")
    assert media() == {f"django-import-export/{UUID(saved.name).hex}": b"a,b"}
    found = MediaStorage(name=saved.name)
    assert found.read() == b"a,b"
    found.remove()
    assert media() == {}


def test_the_admin_imports_rows_from_a_file_that_was_confirmed(staff_client, media):
    rows = ContentFile(b"id,title,file\n,First,\n,Second,\n", "letters.csv")
    page = "/admin/applications/letter/import/"
    answer = staff_client.post(page, {"import_file": rows, "format": "0", "resource": ""})
    form = answer.context["confirm_form"]
    assert list(media()) == [f"django-import-export/{form.initial['import_file_name']}"]
    answer = staff_client.post("/admin/applications/letter/process_import/", form.initial)
    assert answer.status_code == 302
    assert set(Letter.objects.values_list("title", flat=True)) == {"First", "Second"}
    assert media() == {}
