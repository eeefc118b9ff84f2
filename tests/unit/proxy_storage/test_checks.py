import pytest
from django.core import checks
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import connections, models
from django.test.utils import isolate_apps
from storages.backends.s3 import S3Storage

from proxy_storage import registry
from proxy_storage.checks import check_front, check_settings, check_tables
from proxy_storage.content_objects import SCOPE_KEY
from proxy_storage.db.fields import ProxyStorageFileField
from proxy_storage.meta_backends import orm
from proxy_storage.meta_backends.orm import (
    ContentObjectFieldMixin,
    ORMMetaBackend,
    ProxyStorageModelBase,
)
from proxy_storage.settings import DEFAULTS
from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase
from proxy_storage.storages.fallback import FallbackProxyStorageMixin
from proxy_storage.storages.metadata import FileMetadataProxyStorageMixin
from tests.testapp import storages as tests_storages
from tests.testapp.models import Case, Document
from tests.testapp.storages import OrmDiskStorage

X_ACCEL = {
    "BACKEND": "proxy_storage.serving.XAccelRedirectServer",
    "OPTIONS": {"location": "/internal/"},
}
X_SENDFILE = {"BACKEND": "proxy_storage.serving.XSendfileServer"}
REDIRECT = {"BACKEND": "proxy_storage.serving.RedirectServer"}
SENDFILE = {"BACKEND": "proxy_storage.serving.SendfileServer"}
STREAM = {"BACKEND": "proxy_storage.serving.StreamingServer"}
DISK = "tests.testapp.storages.OrmDiskStorage"


class Bare(ProxyStorageBase):
    """Has neither an original storage nor a meta backend."""


class WithArguments(OrmDiskStorage):
    def __init__(self, location):
        self.location = location


class WithoutModel(OrmDiskStorage):
    meta_backend = ORMMetaBackend("testapp.Nothing")


class WithoutContentObject(OrmDiskStorage):
    meta_backend = ORMMetaBackend("testapp.PlainStoredFile")


class WithoutMetadata(FileMetadataProxyStorageMixin, WithoutContentObject):
    """Its records have no columns for the metadata."""


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


def check():
    """Return the messages of check_settings without W006, which many storages here have."""
    return [message for message in check_settings(None) if message.id != "proxy_storage.W006"]


def ids(settings, value):
    settings.PROXY_STORAGE = value
    settings.STORAGES = {}
    return [message.id for message in check()]


def test_settings_of_the_tests_have_no_messages():
    # a unique text of 500 characters fits into an index of InnoDB, which has 3,072 bytes
    found = [message for message in checks.run_checks() if not message.is_silenced()]
    # The tests of this model register its storage.
    found = [one for one in found if getattr(one.obj, "model", None) is not Case]
    assert [message for message in found if message.id != "mysql.W003"] == []


WRONG_VALUES = [
    ("PROXY_STORAGE_CLASSES", "E016", ["a.B", ["a.B"], None, 5, True, {5: DISK}, {"": DISK}]),
    ("SERVERS", "E003", ["default", [STREAM], None, 5, {"default": None}, {"default": "a.B"}]),
    ("FILE_URL_NAME", "E017", [5, "", ["files"], {"name": "files"}, True, b"files"]),
    ("FILE_URL_KWARGS", "E014", [5, None, ["v1"], "", "tests.broken_module.get_arguments"]),
    ("FILE_URL_STYLE", "E019", ["Path", "", None, 5, True, ["path"], {}]),
    ("GET_TENANT", "E011", [5, "", True, ["a.b"], {}, "tests.broken_module.get_tenant"]),
    ("CONTENT_OBJECT_DATABASES", "E010", [None, 5, "other", ["nowhere"], [["other"]], [5]]),
    ("REQUIRE_SENDFILE_TYPE", "E018", ["False", "True", 0, 1, None, []]),
    ("STREAM_IN_DEBUG", "E020", ["False", "True", 0, 1, None, []]),
    ("CACHE_CONTROL", "E012", ["private", None, 5, ["private"], {"orm_disk": 60}]),
    ("FRAME_ANCESTORS", "E013", ["'self'", None, 5, ["self"], [5], {"'self'": 1}]),
    ("MIME_TYPES", "E015", [None, 5, "model/step", ["model/step"], {".step": 5}, {5: "a/b"}]),
    ("INLINE_CONTENT_TYPES", "E007", ["image/png", 5, None, [5], ["png"], [["image/png"]]]),
]


@pytest.mark.parametrize(
    ("key", "number", "value"),
    [(key, number, value) for key, number, values in WRONG_VALUES for value in values],
)
def test_each_setting_has_a_check_for_wrong_values(settings, key, number, value):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, key: value}
    (error,) = check()
    assert error.id == f"proxy_storage.{number}"
    assert f"PROXY_STORAGE['{key}']" in error.msg
    assert error.hint
    assert check_front(None) == []


def test_all_settings_of_the_package_are_checked():
    assert {key for key, number, values in WRONG_VALUES} == set(DEFAULTS)
    assert len({number for key, number, values in WRONG_VALUES}) == len(DEFAULTS)


@pytest.mark.parametrize("value", [["image/png"], {"image/png"}, ("image/png",), []])
def test_inline_content_types_may_be_any_collection(settings, value):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "INLINE_CONTENT_TYPES": value}
    assert check() == []


@pytest.mark.parametrize("value", ["admin:index", None])
def test_name_of_a_url_is_accepted(settings, value):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "FILE_URL_NAME": value}
    assert check() == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", ["proxy_storage.E001"]),
        ({"PROXY_STORAGE_CLASES": {}}, ["proxy_storage.W001"]),
        ({"PROXY_STORAGE_CLASSES": {"a": "no.Where"}}, ["proxy_storage.E002"]),
        ({"PROXY_STORAGE_CLASSES": {"a": OrmDiskStorage}}, ["proxy_storage.E002"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.Bare"}}, ["proxy_storage.E002"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.WithArguments"}}, ["proxy_storage.E002"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.WithoutModel"}}, ["proxy_storage.E005"]),
        ({"PROXY_STORAGE_CLASSES": {"a": f"{__name__}.WithoutMetadata"}}, ["proxy_storage.E005"]),
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
        ({"CONTENT_OBJECT_DATABASES": ["other"]}, []),
        ({"DEFAULT_PERMISSION_CLASSES": []}, []),
    ],
)
def test_wrong_settings(settings, value, expected):
    assert ids(settings, value) == expected


@pytest.mark.parametrize("value", ["text", {"SERVERS": None}, {"PROXY_STORAGE_CLASSES": None}])
def test_every_message_has_a_hint(settings, value):
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
def test_original_storage_with_public_files_gives_a_warning(
    settings, monkeypatch, original, reason
):
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
def test_server_that_cannot_deliver_the_files_gives_an_error(settings, servers, expected):
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
def test_offloading_without_required_header_gives_a_warning(settings, servers, required, expected):
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
        ("CACHE_CONTROL", {"nothing": "private"}, ["proxy_storage.W008"]),
        ("FRAME_ANCESTORS", ["'self'", "https://app.example.com"], []),
    ],
)
def test_headers_of_files(settings, key, value, expected):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, key: value}
    own = ("E012", "E013", "W007", "W008")
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
    # The two storages with the same meta backend have one message.
    (error,) = check()
    assert error.id == "proxy_storage.E009"
    assert "testapp.ElsewhereStoredFile are in the database 'other'" in error.msg
    assert "MongoMetaBackend" in error.hint


def test_unknown_setting_gives_a_warning_with_the_known_settings(settings):
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
@pytest.mark.parametrize("storage", [WithoutContentObject(), WithoutModel(), Bare()])
def test_field_whose_records_cannot_have_a_content_object(storage):
    class Wrong(models.Model):
        file = ProxyStorageFileField(storage=storage)

        class Meta:
            app_label = "testapp"

    errors = Wrong.check()
    # The storage is not registered either.
    assert [error.id for error in errors] == ["proxy_storage.E105", "proxy_storage.E102"]


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
def test_foreign_key_with_db_cascade_gives_a_warning(monkeypatch):
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
def test_original_storage_without_exclusive_create_gives_a_warning(
    settings, monkeypatch, original, words, paths
):
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


def test_field_without_the_app(settings):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "proxy_storage"]
    assert [one.id for one in Document.check()].count("proxy_storage.E104") == 2


@isolate_apps("tests.testapp")
def test_field_whose_default_storage_cannot_be_built(settings):
    class Letter(models.Model):
        file = ProxyStorageFileField()

        class Meta:
            app_label = "testapp"

    backend = "proxy_storage.storages.ProxyStorage"
    settings.STORAGES = {"default": {"BACKEND": backend, "OPTIONS": {"unknown": 1}}}
    assert Letter.check() == []
    assert [one.id for one in check()] == ["proxy_storage.E002"]


@isolate_apps("tests.testapp")
def test_registration_is_not_checked_if_the_settings_are_wrong(settings):
    class Letter(models.Model):
        file = ProxyStorageFileField(storage=OrmDiskStorage())

        class Meta:
            app_label = "testapp"

    settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": {"a": "no.Where"}}
    assert Letter.check() == []


def test_default_storage_of_a_field_is_registered(settings):
    backend = "proxy_storage.storages.ProxyStorage"
    options = {"original_storage": settings.ORIGINAL_STORAGES["disk"]}
    settings.STORAGES = {"default": {"BACKEND": backend, "OPTIONS": options}}
    # Django's lazy object has another type than the storage.
    assert registry.get_proxy_storage_name(default_storage) == "default"


def test_database_that_the_records_are_not_in_is_not_queried(django_assert_num_queries, db):
    with django_assert_num_queries(0):
        assert check_tables(None, databases=["nowhere"]) == []


def test_tables_are_not_checked_if_the_settings_are_wrong(settings):
    settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": {"a": "no.Where"}}
    assert check_tables(None, databases=["default"]) == []
