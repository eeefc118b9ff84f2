import pytest
from django.core import checks
from django.core.files.storage import FileSystemStorage
from django.db import connections, models
from django.test.utils import isolate_apps
from storages.backends.s3 import S3Storage

from proxy_storage.checks import check_front, check_settings
from proxy_storage.db.fields import ProxyStorageFileField
from proxy_storage.meta_backends import orm
from proxy_storage.meta_backends.orm import (
    ContentObjectFieldMixin,
    ORMMetaBackend,
    ProxyStorageModelBase,
)
from proxy_storage.scopes import SCOPE_KEY
from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase
from proxy_storage.storages.fallback import FallbackProxyStorageMixin
from proxy_storage.storages.metadata import FileMetadataProxyStorageMixin
from tests.testapp import storages as tests_storages
from tests.testapp.storages import OrmDiskStorage

X_ACCEL = {
    "BACKEND": "proxy_storage.serving.XAccelRedirectServer",
    "OPTIONS": {"location": "/internal/"},
}
X_SENDFILE = {"BACKEND": "proxy_storage.serving.XSendfileServer"}
REDIRECT = {"BACKEND": "proxy_storage.serving.RedirectServer"}
SENDFILE = {"BACKEND": "proxy_storage.serving.SendfileServer"}


class Bare(ProxyStorageBase):
    """Has neither of the two attributes."""


class WithArguments(OrmDiskStorage):
    def __init__(self, location):
        self.location = location


class WithoutModel(OrmDiskStorage):
    meta_backend = ORMMetaBackend("testapp.Nothing")


class WithoutOwner(OrmDiskStorage):
    meta_backend = ORMMetaBackend("testapp.PlainStoredFile")


class WithoutFacts(FileMetadataProxyStorageMixin, WithoutOwner):
    """Its records have no place for the facts."""


class Several(MultipleOriginalStoragesMixin, OrmDiskStorage):
    original_storages = [(name, FileSystemStorage(f"/var/{name}")) for name in ("one", "two")]


class WithoutName(Several):
    meta_backend = ORMMetaBackend("testapp.PlainStoredFile")


class WithoutOriginals(Several):
    original_storages = ()


class OneNameTwice(Several):
    original_storages = [("one", FileSystemStorage("/var/one"))] * 2


class NoPairs(Several):
    original_storages = [FileSystemStorage("/var/one")]


class NeverFurther(FallbackProxyStorageMixin, OrmDiskStorage):
    original_storages = Several.original_storages


DISK = "tests.testapp.storages.OrmDiskStorage"
STREAM = {"BACKEND": "proxy_storage.serving.StreamingServer"}


def check():
    """Run the check of the settings; without the warnings about names, which are many here."""
    return [message for message in check_settings(None) if message.id != "proxy_storage.W006"]


def ids(settings, value):
    settings.PROXY_STORAGE = value
    settings.STORAGES = {}
    return [message.id for message in check()]


def test_settings_of_the_tests_are_fine():
    # a unique text of 500 characters fits into an index of InnoDB, which has 3,072 bytes
    found = [message for message in checks.run_checks() if not message.is_silenced()]
    assert [message for message in found if message.id != "mysql.W003"] == []


@pytest.mark.parametrize("types", ["image/png", 5, None])
def test_types_that_are_shown_in_place(settings, types):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "INLINE_CONTENT_TYPES": types}
    (error,) = check()
    assert error.id == "proxy_storage.E007"
    assert repr(types) in error.msg


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", ["proxy_storage.E001"]),
        ({"PROXY_STORAGE_CLASES": {}}, ["proxy_storage.W001"]),
        ({"PROXY_STORAGE_CLASSES": {"a": "no.Where"}}, ["proxy_storage.E002"]),
        ({"PROXY_STORAGE_CLASSES": {"a": OrmDiskStorage}}, ["proxy_storage.E002"]),
        ({"PROXY_STORAGE_CLASSES": None}, ["proxy_storage.E002"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.Bare"}}, ["proxy_storage.E002"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.WithArguments"}}, ["proxy_storage.E002"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.WithoutModel"}}, ["proxy_storage.E005"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.WithoutFacts"}}, ["proxy_storage.E005"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.WithoutName"}}, ["proxy_storage.E005"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.WithoutOriginals"}}, ["proxy_storage.E002"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.OneNameTwice"}}, ["proxy_storage.E002"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.NoPairs"}}, ["proxy_storage.E002"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.NeverFurther"}}, ["proxy_storage.W004"]),
        ({"PROXY_STORAGE_CLASSES": dict.fromkeys("ab", DISK)}, ["proxy_storage.E004"]),
        ({"PROXY_STORAGE_CLASSES": {"a": DISK}, "SERVERS": {"b": STREAM}}, ["proxy_storage.W003"]),
        ({"SERVERS": {"default": STREAM, "nowhere/disk": STREAM}}, ["proxy_storage.W003"]),
        (
            {"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.Several"}, "SERVERS": {"a/two": STREAM}},
            [],
        ),
        ({"SERVERS": {"default": {"BACKEND": "no.Where"}}}, ["proxy_storage.E003"]),
        ({"SERVERS": {"default": {"BACKEND": None}}}, ["proxy_storage.E003"]),
        ({"SERVERS": {"default": None}}, ["proxy_storage.E003"]),
        ({"SERVERS": None}, ["proxy_storage.E003"]),
        ({"CONTENT_OBJECT_DATABASES": None}, ["proxy_storage.E010"]),
        ({"CONTENT_OBJECT_DATABASES": 5}, ["proxy_storage.E010"]),
        ({"CONTENT_OBJECT_DATABASES": [["other"]]}, ["proxy_storage.E010"]),
        ({"CONTENT_OBJECT_DATABASES": ["other"]}, []),
        ({"GET_TENANT": "tests.broken.get_tenant"}, ["proxy_storage.E011"]),
        ({"FILE_URL_KWARGS": "tests.broken.get_arguments"}, ["proxy_storage.E014"]),
        ({"DEFAULT_PERMISSION_CLASSES": []}, []),
    ],
)
def test_wrong_settings(settings, value, expected):
    assert ids(settings, value) == expected


@pytest.mark.parametrize("value", ["text", {"SERVERS": None}, {"PROXY_STORAGE_CLASSES": None}])
def test_every_message_says_what_to_do(settings, value):
    settings.PROXY_STORAGE = value
    assert all(message.hint for message in check())


@pytest.mark.parametrize(
    ("original", "reason"),
    [
        (FileSystemStorage("/var/private"), None),
        (FileSystemStorage("/var/private", base_url="/avatars/"), "base_url='/avatars/'"),
        (FileSystemStorage("/var/www/media/sub"), "MEDIA_ROOT"),
        (FileSystemStorage(), "MEDIA_ROOT"),
        (FileSystemStorage("/var/www/media2"), None),
        (S3Storage(bucket_name="files"), None),
        (S3Storage(bucket_name="files", querystring_auth=False), "querystring_auth=False"),
        (S3Storage(bucket_name="files", default_acl="public-read"), "default_acl='public-read'"),
        (S3Storage(bucket_name="files", default_acl="private"), None),
        (S3Storage(bucket_name="files", custom_domain="cdn.test"), "custom_domain='cdn.test'"),
    ],
)
def test_original_that_anybody_can_read(settings, monkeypatch, original, reason):
    settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": {"a": DISK}}
    settings.STORAGES, settings.MEDIA_ROOT, settings.MEDIA_URL = {}, "/var/www/media", "/media/"
    monkeypatch.setattr(OrmDiskStorage, "original_storage", original)
    messages = check()
    assert [message.id for message in messages] == (
        [] if reason is None else ["proxy_storage.W002"]
    )
    assert reason is None or reason in messages[0].msg


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ({"orm-gridfs": X_ACCEL}, ["proxy_storage.E006"]),
        ({"orm-gridfs": X_SENDFILE}, ["proxy_storage.E006"]),
        ({"orm-multiple/gridfs": X_ACCEL}, ["proxy_storage.E006"]),
        ({"orm-multiple/disk": X_ACCEL}, []),
        ({"orm-disk": X_ACCEL, "orm-s3": X_ACCEL}, []),
        ({"orm-s3": X_SENDFILE}, ["proxy_storage.E006"]),
        ({"orm-memory": X_ACCEL}, ["proxy_storage.E006"]),
        ({"orm-disk": REDIRECT}, ["proxy_storage.E006"]),
        ({"orm-s3": REDIRECT}, []),
        ({"orm-disk": SENDFILE}, ["proxy_storage.E006"]),
    ],
)
def test_server_that_cannot_deliver_the_files_of_a_storage(settings, servers, expected):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "SERVERS": servers}
    messages = check()
    assert [message.id for message in messages] == expected
    for message in messages:
        assert "cannot deliver the files of" in message.msg
        assert "StreamingServer" in message.hint


@pytest.mark.parametrize(
    ("servers", "required", "expected"),
    [
        ({}, False, []),
        ({"orm-disk": STREAM, "orm-s3": REDIRECT}, False, []),
        ({"orm-disk": X_ACCEL}, False, ["proxy_storage.W005"]),
        ({"orm-disk": X_SENDFILE}, False, ["proxy_storage.W005"]),
        ({"orm-disk": X_SENDFILE}, True, []),
        ({"orm-disk": None}, False, []),
    ],
)
def test_answers_that_are_empty_around_the_web_server(settings, servers, required, expected):
    settings.PROXY_STORAGE = {"SERVERS": servers, "REQUIRE_SENDFILE_TYPE": required}
    messages = check_front(None)
    assert [message.id for message in messages] == expected
    for message in messages:
        assert "orm-disk" in message.msg


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("CACHE_CONTROL", {"orm-disk": "private, max-age=60"}, []),
        ("CACHE_CONTROL", {"orm-multiple/disk": "no-store", "default": "private"}, []),
        ("CACHE_CONTROL", {"orm-disk": "max-age=60"}, ["proxy_storage.W007"]),
        ("CACHE_CONTROL", {"nothing": "private"}, ["proxy_storage.W003"]),
        ("CACHE_CONTROL", {"orm-disk": 60}, ["proxy_storage.E012"]),
        ("CACHE_CONTROL", "private", ["proxy_storage.E012"]),
        ("FRAME_ANCESTORS", ["'self'", "https://app.example.com"], []),
        ("FRAME_ANCESTORS", "'self'", ["proxy_storage.E013"]),
        ("FRAME_ANCESTORS", ["self"], ["proxy_storage.E013"]),
    ],
)
def test_headers_of_files(settings, key, value, expected):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, key: value}
    own = ("E012", "E013", "W003", "W007")
    messages = [message for message in check_settings(None) if message.id.endswith(own)]
    assert [message.id for message in messages] == expected
    for message in messages:
        assert key in message.msg
        assert message.hint


@isolate_apps("tests.testapp")
def test_records_with_a_composite_key(settings, monkeypatch):
    class TenantFile(ContentObjectFieldMixin, ProxyStorageModelBase):
        pk = models.CompositePrimaryKey("tenant", "number")
        tenant = models.IntegerField()
        number = models.IntegerField()

        class Meta:
            app_label = "testapp"

    monkeypatch.setattr(orm, "apps", TenantFile._meta.apps)
    monkeypatch.setattr(OrmDiskStorage, "meta_backend", ORMMetaBackend("testapp.TenantFile"))
    settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": {"a": DISK}}
    settings.STORAGES = {}
    (error,) = check()
    assert error.id == "proxy_storage.E008"
    assert "TenantFile has a composite primary key" in error.msg
    assert "one column" in error.hint


def test_records_in_a_database_of_django_mongodb_backend(settings, monkeypatch):
    monkeypatch.setattr(connections["other"], "vendor", "mongodb")
    storages = ["ElsewhereStorage", "ElsewhereAgain", "OrmDiskStorage"]
    names = {name: f"{tests_storages.__name__}.{name}" for name in storages}
    again = type("ElsewhereAgain", (tests_storages.ElsewhereStorage,), {})
    monkeypatch.setattr(tests_storages, "ElsewhereAgain", again, raising=False)
    settings.PROXY_STORAGE, settings.STORAGES = {"PROXY_STORAGE_CLASSES": names}, {}
    # one message for the two storages that have one meta backend
    (error,) = check()
    assert error.id == "proxy_storage.E009"
    assert "testapp.ElsewhereStoredFile are in the database 'other'" in error.msg
    assert "MongoMetaBackend" in error.hint


def test_unknown_key_gets_a_hint(settings):
    settings.PROXY_STORAGE = {"SERVER": {}}
    (warning,) = check()
    assert "'SERVER'" in warning.msg
    assert "SERVERS" in warning.hint


@isolate_apps("tests.testapp")
def test_field_without_a_proxy_storage():
    class Wrong(models.Model):
        file = ProxyStorageFileField(storage=FileSystemStorage())

        class Meta:
            app_label = "testapp"

    (error,) = Wrong.check()
    assert error.id == "proxy_storage.E101"
    assert "FileSystemStorage" in error.msg


@isolate_apps("tests.testapp")
@pytest.mark.parametrize("storage", [WithoutOwner(), WithoutModel(), Bare()])
def test_field_whose_records_cannot_have_an_owner(storage):
    class Wrong(models.Model):
        file = ProxyStorageFileField(storage=storage)

        class Meta:
            app_label = "testapp"

    (error,) = Wrong.check()
    assert error.id == "proxy_storage.E102"


@isolate_apps("tests.testapp")
def test_field_whose_records_cannot_tell_databases_apart(monkeypatch):
    class Shard(models.Model):
        file = ProxyStorageFileField(storage=OrmDiskStorage())

        class Meta:
            app_label = "testapp"

    assert Shard.check() == []
    can_hold = ORMMetaBackend.can_hold
    monkeypatch.setattr(
        ORMMetaBackend,
        "can_hold",
        lambda self, *keys: SCOPE_KEY not in keys and can_hold(self, *keys),
    )
    (warning,) = Shard.check()
    assert warning.id == "proxy_storage.W102"
    assert "ContentObjectFieldMixin" in warning.hint


@isolate_apps("tests.testapp")
def test_rows_that_the_database_deletes_itself(monkeypatch):
    monkeypatch.setattr(models, "DB_CASCADE", models.CASCADE, raising=False)

    class Folder(models.Model):
        class Meta:
            app_label = "testapp"

    class Sheet(models.Model):
        folder = models.ForeignKey(Folder, models.CASCADE)
        file = ProxyStorageFileField(storage=OrmDiskStorage())

        class Meta:
            app_label = "testapp"

    (warning,) = Sheet._meta.get_field("file").check()
    assert warning.id == "proxy_storage.W101"
    assert "testapp.Sheet.folder has on_delete=DB_CASCADE" in warning.msg


@isolate_apps("tests.testapp")
def test_field_of_a_model_with_a_composite_key():
    class Wrong(models.Model):
        pk = models.CompositePrimaryKey("a", "b")
        a = models.IntegerField()
        b = models.IntegerField()
        file = ProxyStorageFileField(storage=OrmDiskStorage())

        class Meta:
            app_label = "testapp"

    assert "proxy_storage.E103" in [error.id for error in Wrong.check()]


@pytest.mark.parametrize("max_length", [None, 100, 255, 300])
def test_field_keeps_its_max_length_in_migrations(max_length):
    field = ProxyStorageFileField(storage=OrmDiskStorage(), max_length=max_length or 255)
    assert field.clone().max_length == (max_length or 255)
    assert ProxyStorageFileField(storage=OrmDiskStorage()).clone().max_length == 255


class Exclusive(S3Storage):
    supports_exclusive_create = True


class Overwriting(FileSystemStorage):
    def _save(self, name, content):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("original", "words"),
    [
        (Overwriting("/var/files"), "supports_exclusive_create = True on Overwriting"),
        (S3Storage(bucket_name="files"), "paths = 'relative'"),
        (Exclusive(bucket_name="files"), None),
        (FileSystemStorage("/var/files"), None),
    ],
)
@pytest.mark.parametrize("paths", ["full", "relative"])
def test_original_that_makes_names_longer(settings, monkeypatch, original, words, paths):
    settings.SILENCED_SYSTEM_CHECKS = []
    settings.STORAGES = {}
    settings.PROXY_STORAGE = {
        "PROXY_STORAGE_CLASSES": {"disk": "tests.testapp.storages.OrmDiskStorage"}
    }
    monkeypatch.setattr(tests_storages.OrmDiskStorage, "original_storage", original)
    monkeypatch.setattr(tests_storages.OrmDiskStorage, "paths", paths, raising=False)
    found = [message for message in check_settings(None) if message.id == "proxy_storage.W006"]
    assert len(found) == (words is not None and paths == "full")
    for message in found:
        assert words in message.hint
