"""The admin of records."""

import runpy
import sys
from html import unescape

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.checks import run_checks
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import include, path, reverse

from proxy_storage.records.admin import RecordAdmin
from proxy_storage.records.models import StoredFile
from proxy_storage.storages.base import ProxyStorageBase
from tests.testapp.models import Document, KeyedDocument, PlainStoredFile, ShardDocument
from tests.testapp.models import StoredFile as OwnStoredFile
from tests.testapp.storages import MemoryStorage, OrmStorage

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

site = admin.AdminSite()
for model in (StoredFile, OwnStoredFile, PlainStoredFile):
    site.register(model, RecordAdmin)
site.register([Document, ShardDocument])
urlpatterns = [path("admin/", site.urls), path("files/", include("proxy_storage_api.urls"))]

PROXY = "proxy_storage.storages.ProxyStorage"
CHECKSUM = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
SECRET = "/srv/secret"


class UndeletableStorage(MemoryStorage):
    """Its error names a folder of the server, as errors of the operating system do."""

    def delete(self, name):
        if name:
            raise PermissionError(13, "Permission denied", f"{SECRET}/{name}")


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """Proxy storages with the ready model of records, and one with records elsewhere."""
    folder = tmp_path / "secret"
    memory = {"BACKEND": "tests.testapp.storages.MemoryStorage"}
    undeletable = {"BACKEND": f"{__name__}.UndeletableStorage"}
    settings.MEDIA_ROOT = folder
    settings.MEDIA_URL = ""
    options = {
        "disk": {},
        "full": {"paths": "full"},
        "prefixed": {"path_prefix": "/private/"},
        "memory": {"original_storage": memory, "paths": "full"},
        "undeletable": {"original_storage": undeletable},
        "elsewhere": {"meta_backend": OrmStorage.meta_backend},
    }
    settings.STORAGES = {
        alias: {"BACKEND": PROXY, "OPTIONS": value} for alias, value in options.items()
    }
    settings.PROXY_STORAGE = {}
    return folder


def save(alias, name="letters/hello.txt", content=b"hello", model=StoredFile, **values):
    saved_path = storages[alias].save(name, ContentFile(content))
    row = model.objects.get(path=saved_path)
    model.objects.filter(pk=row.pk).update(**values)
    row.refresh_from_db()
    return row


def get_values(instance, field):
    content_type = ContentType.objects.get_for_model(instance)
    return {"content_type": content_type, "object_id": instance.pk, "field": field}


def get_url(row, view="changelist"):
    args = () if view == "changelist" else (row.pk,)
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{view}", args=args)


@pytest.fixture
def log_in(client):
    def log_in(*permissions, is_superuser=False):
        user = User.objects.create(username="staff", is_staff=True, is_superuser=is_superuser)
        for codename in permissions:
            user.user_permissions.add(
                *Permission.objects.filter(
                    codename=codename,
                    content_type__app_label__in=["proxy_storage_records", "testapp"],
                )
            )
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def staff(log_in):
    return log_in(is_superuser=True)


def delete_one(client, *rows):
    (row,) = rows
    return client.post(get_url(row, "delete"), {"post": "yes"}, follow=True)


def delete_selected(client, *rows):
    data = {"action": "delete_selected", "_selected_action": [row.pk for row in rows]}
    return client.post(get_url(rows[0]), {**data, "post": "yes"}, follow=True)


both_ways = pytest.mark.parametrize("delete", [delete_one, delete_selected])


def get_messages(response):
    return [str(message) for message in response.context["messages"]]


def has_file(row):
    storage = storages[row.proxy_storage_name]
    return storage.original_storage.exists(row.original_storage_path)


def test_checks_pass():
    assert [error for error in run_checks() if error.id.startswith("admin.")] == []


class TestPages:
    def test_list(self, staff):
        document = Document.objects.create()
        row = save("disk", **get_values(document, "orm_file"))
        page = unescape(staff.get(get_url(row)).text)
        for text in ("letters/hello.txt", "disk", f"document {document.pk}", "(orm_file)"):
            assert text in page
        assert "5\xa0bytes" in page
        assert "text/plain" in page
        assert f'href="/admin/testapp/document/{document.pk}/change/"' in page
        assert 'href="/files/?path=letters%2Fhello.txt' in page

    def test_one_record(self, staff):
        row = save("disk", uploader_id="77")
        page = staff.get(get_url(row, "change")).text
        for text in ("letters/hello.txt", "Open", "hello.txt", CHECKSUM, "text/plain", "77"):
            assert text in page
        assert row.original_storage_path not in page
        assert 'name="_save"' not in page

    def test_own_model_without_mixins(self, staff):
        row = PlainStoredFile.objects.create(
            path="a.txt", proxy_storage_name="disk", original_storage_path="a_1.txt"
        )
        for url in (get_url(row), get_url(row, "change"), f"{get_url(row)}?q=a"):
            page = staff.get(url).text
            assert "a.txt" in page
            assert "MIME type" not in page
            assert "a_1.txt" not in page

    def test_records_without_metadata(self, staff):
        row = save("disk", size=None, created_at=None, mime_type="")
        for view in ("changelist", "change"):
            assert staff.get(get_url(row, view)).status_code == 200

    def test_missing_record(self, staff):
        url = reverse("admin:proxy_storage_records_storedfile_change", args=[77])
        assert staff.get(url).status_code == 302

    def test_values_cannot_be_changed(self, staff):
        row = save("disk")
        assert staff.post(get_url(row, "change"), {"name": "x"}).status_code == 403
        url = reverse("admin:proxy_storage_records_storedfile_add")
        assert staff.get(url).status_code == 403

    def test_unregistered_storage(self, staff):
        for saved_path, shown in (("b/a.txt", "b/a.txt"), (f"{SECRET}/a.txt", "a.txt")):
            row = StoredFile.objects.create(
                path=saved_path, proxy_storage_name="old", original_storage_path="a.txt"
            )
            for view in ("changelist", "change", "delete", "history"):
                response = staff.get(get_url(row, view))
                assert response.status_code == 200
                assert shown in response.text
                assert SECRET not in response.text
                assert "Open" not in response.text

    def test_hostile_name(self, staff):
        row = save("disk", "a.txt", path="<b>&.txt")
        StoredFile.objects.update(name="<i>.txt")
        for view in ("changelist", "change", "delete"):
            page = staff.get(get_url(row, view)).text
            assert "&lt;b&gt;&amp;.txt" in page
            assert "<b>" not in page
            assert "<i>" not in page

    def test_number_of_queries(self, staff):
        def count():
            with CaptureQueriesContext(connection) as queries:
                assert "hello" in staff.get(get_url(row)).text
            return len(queries)

        for number in range(50):
            document = Document.objects.create()
            row = save("disk", f"hello{number}.txt", **get_values(document, "orm_file"))
            if number == 0:
                count()  # fills the cache of content types
                first = count()
        assert count() == first <= 8


class TestContentObject:
    def get_link(self, client, row):
        page = client.get(get_url(row)).text
        return f'href="/admin/testapp/{row.content_type.model}/{row.object_id}/change/"' in page

    @pytest.mark.parametrize("may_view", [True, False])
    def test_link_needs_the_permission(self, log_in, may_view):
        row = save("disk", **get_values(Document.objects.create(), "orm_file"))
        client = log_in("view_storedfile", *(["view_document"] if may_view else []))
        assert self.get_link(client, row) is may_view
        assert f"document {row.object_id}" in client.get(get_url(row)).text

    def test_no_link_to_a_model_without_admin(self, staff):
        row = save("disk", **get_values(KeyedDocument.objects.create(), "orm_file"))
        assert not self.get_link(staff, row)
        assert f"keyed document {row.object_id}" in staff.get(get_url(row)).text

    @pytest.mark.django_db(databases=["default", "other"])
    def test_no_link_to_a_row_of_another_database(self, staff, settings):
        settings.PROXY_STORAGE = {"CONTENT_OBJECT_DATABASES": ["other"]}
        document = ShardDocument.objects.using("other").create(pk=5)
        row = save("disk", **get_values(document, "orm_file"), content_object_scope="other")
        ShardDocument.objects.create(pk=5)
        assert not self.get_link(staff, row)
        StoredFile.objects.update(content_object_scope=None)
        assert self.get_link(staff, row)

    def test_deleted_content_object(self, staff):
        values = get_values(Document.objects.create(), "orm_file")
        row = save("disk", **values)
        Document.objects.all().delete()
        StoredFile.objects.update(**values)
        assert not self.get_link(staff, row)

    def test_removed_model(self, staff):
        ContentType.objects.clear_cache()  # Another test may have had the same keys.
        values = {"object_id": "5", "field": "scan"}
        removed = ContentType.objects.create(app_label="gone", model="paper")
        save("disk", content_type=removed, **values)
        row = save("disk", "b.txt", content_type_id=99999, **values)
        page = staff.get(get_url(row)).text
        assert "paper 5 (scan)" in page
        assert "? 5 (scan)" in page


class TestFolders:
    """Pages and messages do not contain a folder of the server."""

    @pytest.mark.parametrize("alias", ["disk", "full", "prefixed", "memory"])
    def test_kinds_of_paths(self, staff, folder, alias):
        row = save(alias)
        assert (str(folder) in row.path) is (alias == "full")
        for view in ("changelist", "change", "delete", "history"):
            page = unescape(staff.get(get_url(row, view)).text)
            assert str(row) in page
            assert str(folder) not in page
        page = staff.get(get_url(row, "change")).text
        assert ("/files/?path=" in page) is (alias != "full")

    @pytest.mark.parametrize(
        ("alias", "saved_path", "shown"),
        [
            ("full", "{folder}/letters/hello.txt", "letters/hello.txt"),
            # The paths were full, and the folder was another one.
            ("full", f"{SECRET}/letters/hello.txt", "hello.txt"),
            ("disk", "{folder}/letters/hello.txt", "letters/hello.txt"),
            ("disk", f"{SECRET}/letters/hello.txt", "hello.txt"),
            ("prefixed", "{folder}/letters/hello.txt", "letters/hello.txt"),
            ("prefixed", f"{SECRET}/letters/hello.txt", "hello.txt"),
            ("prefixed", "/private/letters/hello.txt", "/private/letters/hello.txt"),
            # The bytes were on the disk, and are in another storage.
            ("memory", f"{SECRET}/letters/hello.txt", "hello.txt"),
            ("memory", "/letters/hello.txt", "letters/hello.txt"),
            ("old", f"{SECRET}/letters/hello.txt", "hello.txt"),
            ("old", "letters/hello.txt", "letters/hello.txt"),
        ],
    )
    def test_display_path(self, folder, alias, saved_path, shown):
        row = StoredFile(
            path=saved_path.format(folder=folder),
            proxy_storage_name=alias,
            original_storage_path="letters/hello.txt",
        )
        assert str(row) == shown

    @both_ways
    def test_deletion(self, staff, folder, delete):
        row = save("full")
        response = delete(staff, row)
        assert not has_file(row)
        assert str(folder) not in response.text
        assert LogEntry.objects.get().object_repr == "letters/hello.txt"
        assert str(folder) not in staff.get(reverse("admin:index")).text

    @pytest.mark.parametrize("key", ["path", "original_storage_path"])
    def test_path_cannot_be_guessed_by_a_lookup(self, staff, folder, key):
        row = save("full")
        response = staff.get(get_url(row), {f"{key}__startswith": str(folder)})
        assert response.status_code == 400
        assert staff.get(get_url(row), {"name__startswith": "hello"}).status_code == 200

    def test_path_cannot_be_guessed_by_a_search(self, staff, folder):
        row = save("full")
        save("memory", path=f"{SECRET}/hello.txt")
        for text in (str(folder), str(folder)[1:], SECRET, SECRET[1:]):
            changelist = staff.get(get_url(row), {"q": text}).context["cl"]
            assert changelist.result_list == []


@pytest.mark.database
class TestSearch:
    @pytest.fixture
    def row(self):
        save("disk", "other.txt", b"other")
        return save("full", **get_values(KeyedDocument.objects.create(), "orm_file"))

    @pytest.mark.parametrize(
        "get_term",
        [
            lambda row: "letters/he",
            lambda row: "ello",
            lambda row: row.path,
            lambda row: CHECKSUM.upper(),
            lambda row: f" {row.object_id} ",
        ],
        ids=["path", "name", "full path", "checksum", "object_id"],
    )
    def test_search(self, staff, row, get_term):
        changelist = staff.get(get_url(row), {"q": get_term(row)}).context["cl"]
        assert [found.pk for found in changelist.result_list] == [row.pk]

    def test_path_in_a_storage_without_local_files(self, staff):
        row = save("memory")
        changelist = staff.get(get_url(row), {"q": "letters/h"}).context["cl"]
        assert changelist.result_list == [row]

    def test_storage_that_cannot_be_built(self, staff, row, settings):
        broken = {"BACKEND": PROXY, "OPTIONS": {"original_storage": "missing"}}
        settings.STORAGES = {**settings.STORAGES, "broken": broken}
        StoredFile.objects.filter(path="other.txt").update(proxy_storage_name="broken")
        changelist = staff.get(get_url(row), {"q": "other"}).context["cl"]
        assert [found.path for found in changelist.result_list] == ["other.txt"]
        assert staff.get(get_url(row), {"q": " "}).context["cl"].result_count == 2


@pytest.mark.database
class TestFilters:
    @pytest.fixture(autouse=True)
    def rows(self):
        save("disk", "a.txt")
        save("memory", "b.png", **get_values(Document.objects.create(), "orm_file"))
        save("disk", "c.pdf", proxy_storage_name="old")
        save("disk", "d.odd", mime_type="")

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ({}, "abcd"),
            ({"storage": "memory"}, "b"),
            ({"storage": "-"}, "c"),
            ({"model": "testapp.document"}, "b"),
            ({"model": "testapp.team"}, ""),
            ({"has_content_object": "yes"}, "b"),
            ({"has_content_object": "no"}, "acd"),
            ({"mime_type": "image/"}, "b"),
            ({"mime_type": "application/pdf"}, "c"),
            ({"mime_type": "-"}, "d"),
            ({"mime_type": "no"}, ""),
        ],
        ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else value,
    )
    def test_filter(self, staff, query, names):
        url = reverse("admin:proxy_storage_records_storedfile_changelist")
        response = staff.get(url, query)
        found = sorted(row.path.lstrip("/")[0] for row in response.context["cl"].result_list)
        assert found == list(names)
        assert "not registered" in response.text

    def test_pages_count_once(self, staff):
        url = reverse("admin:proxy_storage_records_storedfile_changelist")
        with CaptureQueriesContext(connection) as queries:
            staff.get(url)
        sql = [query["sql"] for query in queries if "proxy_storage_records" in query["sql"]]
        assert sum("COUNT(*)" in one for one in sql) == 1
        assert not any("DISTINCT" in one or "JOIN" in one for one in sql)


class TestDeletion:
    @both_ways
    @pytest.mark.parametrize("alias", ["disk", "full", "prefixed", "memory"])
    def test_file_and_record_are_deleted(self, staff, delete, alias):
        row, other = save(alias), save(alias, "other.txt")
        assert has_file(row)
        response = delete(staff, row)
        assert response.redirect_chain == [(get_url(row), 302)]
        assert "uccessfully" in get_messages(response)[0]
        assert not has_file(row)
        assert has_file(other)
        assert list(StoredFile.objects.all()) == [other]
        entry = LogEntry.objects.get()
        assert (entry.object_id, entry.object_repr) == (str(row.pk), str(row))
        assert entry.is_deletion()

    @both_ways
    def test_field_of_the_content_object_is_cleared(self, staff, delete):
        document, other = Document.objects.create(), Document.objects.create()
        row = save("disk", **get_values(document, "orm_file"))
        Document.objects.update(orm_file=row.path)
        delete(staff, row)
        document.refresh_from_db()
        other.refresh_from_db()
        assert (document.orm_file.name, other.orm_file.name) == ("", row.path)

    @both_ways
    def test_field_that_names_a_later_file_is_kept(self, staff, delete, monkeypatch):
        """Another request replaces the file after the page was requested."""
        document = Document.objects.create()
        row = save("disk", **get_values(document, "orm_file"))
        Document.objects.update(orm_file=row.path)
        delete_record = ProxyStorageBase.delete_record

        def replace_and_delete(self, record, where=None):
            monkeypatch.undo()
            assert delete_record(self, record)
            assert save("disk", **get_values(document, "orm_file")).path == row.path
            return delete_record(self, record, where)

        monkeypatch.setattr(ProxyStorageBase, "delete_record", replace_and_delete)
        delete(staff, row)
        document.refresh_from_db()
        assert document.orm_file.name == row.path
        assert StoredFile.objects.filter(path=row.path).exists()

    @both_ways
    def test_failed_deletion_keeps_the_record(self, staff, delete, caplog):
        document = Document.objects.create()
        row = save("undeletable", **get_values(document, "orm_file"))
        Document.objects.update(orm_file=row.path)
        response = delete(staff, row)
        (message,) = get_messages(response)
        assert message.startswith("1 file was not deleted: letters/hello.txt. The storage raised")
        assert "PermissionError" in message
        assert SECRET not in response.text
        assert SECRET in caplog.text
        assert has_file(row)
        assert StoredFile.objects.get() == row
        assert not LogEntry.objects.exists()
        document.refresh_from_db()
        assert document.orm_file.name == row.path

    @both_ways
    @pytest.mark.django_db(transaction=True)
    def test_atomic_requests(self, staff, delete, monkeypatch):
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
        row, failing = save("disk"), save("undeletable", "b.txt")
        assert "uccessfully" in get_messages(delete(staff, row))[0]
        assert "not deleted" in get_messages(delete(staff, failing))[0]
        assert not has_file(row)
        assert has_file(failing)
        assert StoredFile.objects.get() == failing

    @both_ways
    def test_unregistered_storage(self, staff, delete):
        row = save("disk", proxy_storage_name="old")
        response = delete(staff, row)
        (message,) = get_messages(response)
        assert "The proxy storage “old” is not registered. Add it to" in message
        assert StoredFile.objects.get() == row
        assert storages["disk"].original_storage.exists(row.original_storage_path)

    @both_ways
    def test_storage_with_records_elsewhere(self, staff, delete):
        row = save("elsewhere", model=OwnStoredFile)
        row = StoredFile.objects.create(
            pk=row.pk,
            path=row.path,
            proxy_storage_name="elsewhere",
            original_storage_path=row.original_storage_path,
        )
        (message,) = get_messages(delete(staff, row))
        assert "Set its meta backend to one with the model proxy_storage_records." in message
        assert has_file(row)
        assert StoredFile.objects.exists()
        assert OwnStoredFile.objects.exists()

    @both_ways
    def test_storage_that_cannot_be_built(self, staff, delete, settings):
        row = save("disk", proxy_storage_name="broken")
        broken = {"BACKEND": PROXY, "OPTIONS": {"original_storage": "missing"}}
        settings.STORAGES = {**settings.STORAGES, "broken": broken}
        (message,) = get_messages(delete(staff, row))
        assert "The storage raised ConfigurationError" in message
        assert StoredFile.objects.get() == row

    def test_some_of_several(self, staff):
        good = [save("disk", "a.txt"), save("memory", "b.txt")]
        bad = [save("undeletable", f"{number:02}.txt") for number in range(22)]
        old = save("disk", "c.txt", proxy_storage_name="old")
        response = delete_selected(staff, *good, *bad, old)
        assert set(StoredFile.objects.all()) == {*bad, old}
        assert not any(map(has_file, good))
        first, second, last = sorted(get_messages(response))
        assert first.startswith("1 file was not deleted: c.txt. The proxy storage “old” is not")
        assert second.startswith("22 files were not deleted: 21.txt, 20.txt,")
        assert ", 02.txt and 2 more. The storage raised PermissionError" in second
        assert last == "Successfully deleted 2 stored files."

    def test_action_asks_for_confirmation(self, staff):
        row = save("disk")
        data = {"action": "delete_selected", "_selected_action": [row.pk]}
        response = staff.post(get_url(row), data)
        assert "letters/hello.txt" in response.text
        assert StoredFile.objects.exists()

    def test_disabled_action(self, staff, monkeypatch):
        monkeypatch.setattr(site, "_actions", {})
        delete_selected(staff, save("disk"))
        assert StoredFile.objects.exists()

    @pytest.mark.parametrize(
        ("actions", "names"),
        [
            (["publish"], ["publish", "delete_selected"]),
            (["delete_selected"], ["delete_selected"]),
            (None, []),
        ],
        ids=["added", "named", "none"],
    )
    def test_actions_of_a_subclass(self, rf, admin_user, actions, names):
        class Subclass(RecordAdmin):
            def publish(self, request, queryset):
                pass

        Subclass.actions = actions
        request = rf.get("/")
        request.user = admin_user
        model_admin = Subclass(StoredFile, site)
        assert list(model_admin.get_actions(request)) == names
        assert model_admin.check() == []

    def test_file_that_was_deleted_already(self, staff):
        row = save("disk")
        url = get_url(row, "delete")
        delete_one(staff, row)
        assert staff.post(url, {"post": "yes"}).status_code == 302

    def test_popup(self, staff):
        row = save("disk")
        response = staff.post(get_url(row, "delete"), {"post": "yes", "_popup": "1"})
        assert response.status_code == 200
        assert not StoredFile.objects.exists()

    def test_methods_of_the_admin(self, staff, rf):
        """Actions of a project may call Django's methods."""
        model_admin = site._registry[StoredFile]
        rows = [save("disk"), save("full")]
        model_admin.delete_queryset(rf.get("/"), StoredFile.objects.all())
        assert not any(map(has_file, rows))
        row = save("disk", proxy_storage_name="old")
        with pytest.raises(Exception, match="not registered"):
            model_admin.delete_model(rf.get("/"), row)


class TestPermissions:
    def test_none(self, log_in):
        row, client = save("disk"), log_in()
        for view in ("changelist", "change", "delete", "history"):
            assert client.get(get_url(row, view)).status_code == 403
        assert delete_one(client, row).status_code == 403
        assert has_file(row)

    @pytest.mark.parametrize("codename", ["view_storedfile", "change_storedfile"])
    def test_view(self, log_in, codename):
        row, client = save("disk"), log_in(codename, "view_document")
        for view, status in (("changelist", 200), ("change", 200), ("delete", 403)):
            assert client.get(get_url(row, view)).status_code == status
        assert delete_one(client, row).status_code == 403
        delete_selected(client, row)
        assert has_file(row)
        assert StoredFile.objects.exists()

    def test_delete_without_view(self, log_in):
        row, client = save("disk"), log_in("delete_storedfile")
        assert client.get(get_url(row)).status_code == 403
        assert client.get(get_url(row, "delete")).status_code == 200
        response = delete_one(client, row)
        assert response.redirect_chain == [("/admin/", 302)]
        assert not has_file(row)

    def test_error_without_view(self, log_in):
        row, client = save("undeletable"), log_in("delete_storedfile")
        response = delete_one(client, row)
        assert "1 file was not deleted" in response.text

    @both_ways
    def test_delete_permission_for_one_object(self, staff, delete, monkeypatch):
        row = save("disk")
        monkeypatch.setattr(
            RecordAdmin, "has_delete_permission", lambda self, request, obj=None: obj is None
        )
        assert delete(staff, row).status_code == 403
        assert has_file(row)


def test_ready_model_is_registered():
    assert type(admin.site.get_model_admin(StoredFile)) is RecordAdmin


def test_class_can_be_used_without_the_app(settings):
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if app != "proxy_storage.records"
    ]
    assert "RecordAdmin" in runpy.run_path(sys.modules[RecordAdmin.__module__].__file__)
