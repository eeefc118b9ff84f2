"""Mistakes in PROXY_STORAGE and STORAGES."""

import pytest
from django.core import checks
from django.db import models
from django.test.utils import isolate_apps

from proxy_storage.db.fields import ProxyStorageFileField
from tests.testapp.storages import OrmDiskStorage

DISK = "tests.testapp.storages.OrmDiskStorage"
PROXY = "proxy_storage.storages.ProxyStorage"
X_ACCEL = "proxy_storage.serving.XAccelRedirectServer"
X_SENDFILE = "proxy_storage.serving.XSendfileServer"


def add(settings, alias, **options):
    """Add a proxy storage to STORAGES."""
    settings.STORAGES = {**settings.STORAGES, alias: {"BACKEND": PROXY, "OPTIONS": options}}


class TestDottedPath:
    @pytest.mark.parametrize(
        ("wrong", "meant"),
        [
            ("tests.testapp.storages.OrmDiskStorge", DISK),
            ("tests.testapp.storage.OrmDiskStorage", DISK),
            ("test.testapp.storages.OrmDiskStorage", None),
            ("rest_framwork.x.Y", "rest_framework.x.Y"),
        ],
    )
    def test_of_a_proxy_storage(self, find, wrong, meant):
        text = find("proxy_storage.E002", PROXY_STORAGE_CLASSES={"letters": wrong})
        assert f"PROXY_STORAGE['PROXY_STORAGE_CLASSES']['letters'] is '{wrong}'" in text
        assert "No module named" in text or "does not define" in text
        assert meant is None or f"Did you mean '{meant}'?" in text

    def test_in_storages(self, find, settings):
        settings.STORAGES = {
            **settings.STORAGES,
            "letters": {"BACKEND": "proxy_storage.storages.ProxyStorge"},
        }
        text = find("proxy_storage.W009")
        assert "STORAGES['letters'] cannot be used" in text
        assert f"Did you mean '{PROXY}'?" in text

    def test_of_a_server(self, find):
        server = {"BACKEND": "proxy_storage.serving.XSendfileSever"}
        text = find("proxy_storage.E003", SERVERS={"orm_disk": server})
        assert f"Did you mean '{X_SENDFILE}'?" in text

    def test_in_a_module_that_fails(self, find):
        """The path is correct, so no other one is suggested."""
        classes = {"letters": "tests.broken_module.Storage"}
        assert "Did you mean" not in find("proxy_storage.E002", PROXY_STORAGE_CLASSES=classes)


@isolate_apps("tests.testapp")
def test_unregistered_storage_of_a_field():
    class LetterStorage(OrmDiskStorage):
        pass

    class Letter(models.Model):
        scan = ProxyStorageFileField(storage=LetterStorage())

        class Meta:
            app_label = "testapp"

    (error,) = Letter.check()
    assert error.id == "proxy_storage.E105"
    assert "LetterStorage is not registered. Add" in error.msg
    assert "PROXY_STORAGE['PROXY_STORAGE_CLASSES']" in error.msg


def test_plain_field_of_a_storage_that_does_not_track(project):
    models = project.folder / "letters" / "models.py"
    text = models.read_text()
    assert "ProxyStorageFileField()" in text
    models.write_text(text.replace("ProxyStorageFileField()", "models.FileField()"))
    assert "no issues" in project.run()
    output = project.run(settings='STORAGES["default"]["OPTIONS"] = {"plain_fields": False}')
    assert "letters.Letter.scan: (proxy_storage.W103)" in output
    assert "the proxy storage does not track Django's file fields" in output
    assert "Use ProxyStorageFileField" in output
    assert "'plain_fields': True in its OPTIONS" in output


def test_two_aliases_of_one_storage(find, settings):
    add(settings, "letters")
    add(settings, "scans")
    text = find("proxy_storage.E004")
    assert "STORAGES['scans'] is the same proxy storage as STORAGES['letters']" in text


def test_storage_that_is_registered_twice(find):
    text = find("proxy_storage.E004", PROXY_STORAGE_CLASSES={"a": DISK, "b": DISK})
    assert "OrmDiskStorage is registered twice. Remove one of its names." in text


class TestServer:
    @pytest.mark.parametrize("location", ["/internal", "internal/"])
    def test_location_without_a_slash(self, find, location):
        server = {"BACKEND": X_ACCEL, "OPTIONS": {"location": location}}
        text = find("proxy_storage.E003", SERVERS={"orm_disk": server})
        assert "SERVERS" in text
        assert "must start and end with a slash" in text
        assert repr(location) in text

    def test_bucket_without_a_name(self, find, settings):
        options = {"bucket_name": None}
        original = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
        add(settings, "letters", original_storage=original)
        text = find("proxy_storage.W011")
        assert "ProxyStorage's original storage has no bucket_name" in text
        assert "AWS_STORAGE_BUCKET_NAME" in text

    def test_server_that_cannot_deliver(self, find):
        """A web server cannot read files in GridFS."""
        text = find("proxy_storage.E006", SERVERS={"orm-gridfs": {"BACKEND": X_SENDFILE}})
        assert "XSendfileServer cannot deliver the files of 'orm-gridfs'" in text
        assert "such as StreamingServer" in text


class TestMistypedKey:
    def test_of_the_setting(self, find):
        text = find("proxy_storage.W001", PROXY_STORAGE_CLASES={})
        assert "Did you mean 'PROXY_STORAGE_CLASSES'?" in text

    @pytest.mark.parametrize(
        ("setting", "value", "check_id"),
        [
            ("SERVERS", {"BACKEND": X_SENDFILE}, "proxy_storage.W003"),
            ("CACHE_CONTROL", "private", "proxy_storage.W008"),
        ],
    )
    def test_of_a_proxy_storage(self, find, setting, value, check_id):
        text = find(check_id, **{setting: {"orm_dsik": value}})
        assert f"The key 'orm_dsik' in PROXY_STORAGE['{setting}']" in text
        assert "Did you mean 'orm_disk'?" in text

    def test_of_a_storage_for_uploads(self, find):
        text = find("proxy_storage_api.E012", UPLOAD_STORAGES=["orm_dsik"])
        assert "Did you mean 'orm_disk'?" in text

    def test_in_the_options_of_a_server(self, find):
        server = {"BACKEND": X_ACCEL, "OPTIONS": {"loaction": "/internal/"}}
        text = find("proxy_storage.E003", SERVERS={"orm_disk": server})
        assert "XAccelRedirectServer does not have the option 'loaction'" in text
        assert "Did you mean 'location'?" in text

    def test_in_the_options_of_a_proxy_storage(self, find, settings):
        add(settings, "letters", orginal_storage="default")
        text = find("proxy_storage.E002")
        assert "STORAGES['letters'] cannot be built" in text
        assert "Did you mean 'original_storage'?" in text

    def test_in_the_options_of_an_original_storage(self, find, settings):
        original = {"BACKEND": settings.DISK, "OPTIONS": {"loaction": "/var/files"}}
        add(settings, "letters", original_storage=original)
        text = find("proxy_storage.E002")
        assert "FileSystemStorage does not have the option 'loaction'" in text
        assert "Did you mean 'location'?" in text

    def test_alias_of_an_original_storage(self, find, settings):
        settings.STORAGES = {**settings.STORAGES, "disk": settings.ORIGINAL_STORAGES["disk"]}
        add(settings, "letters", original_storage="dsik")
        text = find("proxy_storage.E002")
        assert "Option 'original_storage' of ProxyStorage" in text
        assert "Did you mean 'disk'?" in text

    def test_in_the_default_storage(self, project):
        """The fields of models use the default storage in their checks."""
        options = 'STORAGES["default"]["OPTIONS"] = {"orginal_storage": "default"}'
        output = project.run(settings=options)
        assert "Did you mean 'original_storage'?" in output
        assert "Traceback" not in output


def connect():
    """Fail in place of a function that connects to MongoDB."""
    raise AssertionError("A check must not connect to a server.")


def test_checks_do_not_connect_to_servers(settings):
    database = {"database": f"{__name__}.connect"}
    meta_backend = {"BACKEND": "proxy_storage.meta_backends.mongo.MongoMetaBackend"}
    gridfs = {"BACKEND": "proxy_storage.storages.gridfs.GridFSStorage", "OPTIONS": database}
    # Nothing answers at this address, and a request to it would fail.
    s3 = {**settings.ORIGINAL_STORAGES["s3"], "OPTIONS": {"endpoint_url": "http://127.0.0.1:1"}}
    settings.STORAGES = {"default": gridfs}
    for alias, original in (("a", gridfs), ("b", s3)):
        backend = {**meta_backend, "OPTIONS": {**database, "collection": alias}}
        add(settings, alias, original_storage=original, meta_backend=backend)
    settings.PROXY_STORAGE = {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"]}
    for databases in (None, ["default"]):
        ids = [one.id for one in checks.run_checks(databases=databases)]
        assert "proxy_storage.E002" not in ids
