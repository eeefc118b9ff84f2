"""Tables, servers, buckets and folders that are missing: one line in the log has the cause."""

import logging
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.config import Config
from django.core import checks
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.template.exceptions import TemplateDoesNotExist
from django.template.loader import get_template
from pymongo import MongoClient
from storages.backends.s3 import S3Storage

from demo.services import free_port
from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.registry import get_proxy_storage
from tests.contract.temporary_storages import configure_proxy_storage
from tests.testapp.models import StoredFile

ALL = ["rest_framework.permissions.AllowAny"]
FOR_ALL = {
    "DEFAULT_PERMISSION_CLASSES": ALL,
    "UPLOAD_PERMISSION_CLASSES": ALL,
    "UPLOAD_STORAGES": ["special"],
}


@pytest.fixture
def client(client, settings, empty_storages):
    """A client whose requests are answered with a status also after an error."""
    client.raise_request_exception = False
    settings.PROXY_STORAGE = FOR_ALL
    return client


@pytest.fixture
def get_lines(caplog):
    """Return a function that returns the errors in the log of this package, as lines."""

    def get_lines():
        return [
            record.getMessage()
            for record in caplog.records
            if record.name.startswith("proxy_storage") and record.levelno >= logging.ERROR
        ]

    return get_lines


def upload(client, name="a.txt"):
    data = {"file": SimpleUploadedFile(name, b"text"), "storage": "special"}
    return client.post("/files/", data)


def download(client, path="a.txt"):
    return client.get("/files/", {"path": path})


@pytest.mark.database
class TestMissingTable:
    @pytest.fixture(autouse=True)
    def without_table(self, transactional_db, settings, client):
        original = FileSystemStorage(settings.TEST_FILES_ROOT / "tables")
        configure_proxy_storage(original, "orm", settings)
        with connection.schema_editor() as editor:
            editor.delete_model(StoredFile)
        yield
        with connection.schema_editor() as editor:
            editor.create_model(StoredFile)

    def test_check_of_the_database(self):
        found = [
            one
            for one in checks.run_checks(databases=["default"])
            if one.id == "proxy_storage.W010"
        ]
        assert "'testapp_storedfile' does not exist in the database 'default'" in found[0].msg
        assert "Run manage.py migrate" in found[0].hint

    def test_check_without_the_database_sends_no_query(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            found = checks.run_checks()
        assert "proxy_storage.W010" not in [one.id for one in found]

    @pytest.mark.parametrize("ask", [download, upload])
    def test_request(self, client, get_lines, ask):
        assert ask(client).status_code == 500
        (line,) = get_lines()
        assert "'a.txt'" in line
        assert "testapp.StoredFile needs does not exist in the database 'default'" in line
        assert "Run manage.py migrate" in line

    def test_list(self, client, get_lines):
        assert client.get("/files/").status_code == 500
        (line,) = get_lines()
        assert line.startswith("The action 'list' failed. ")
        assert "Run manage.py migrate" in line


def test_renamed_storage(client, settings, get_lines):
    """The record has the former name of its storage."""
    storage = get_proxy_storage("orm-relative-disk")
    storage.meta_backend.create(
        {
            "path": "a.txt",
            "original_storage_path": "a.txt",
            "proxy_storage_name": "orm-relative-dsk",
        }
    )
    assert download(client).status_code == 404
    (line,) = get_lines()
    assert "'a.txt' cannot be delivered" in line
    assert "No proxy storage is registered as 'orm-relative-dsk'" in line
    assert "Did you mean 'orm-relative-disk'?" in line
    assert "a proxy storage that has been renamed needs its former name" in line


def test_unknown_path_is_not_an_error(client, get_lines):
    assert download(client, "nothing.txt").status_code == 404
    assert client.get("/files/", {"path": "\x00"}).status_code in (400, 404)
    assert client.get("/files/", {"page": "nowhere"}).status_code == 404
    assert get_lines() == []


class TestMongo:
    URI = "mongodb://user:secret@127.0.0.1:{port}/?serverSelectionTimeoutMS=50"

    def configure(self, settings, source):
        backend = MongoMetaBackend(source, "records")
        settings.META_BACKENDS = {"mongo": backend}
        configure_proxy_storage(
            FileSystemStorage(settings.TEST_FILES_ROOT / "mongo"), "mongo", settings
        )
        settings.STORAGES = {"special": settings.STORAGES["special"]}

    @pytest.mark.parametrize("ask", [download, upload])
    def test_server_that_does_not_run(self, client, settings, get_lines, caplog, ask):
        with MongoClient(self.URI.format(port=free_port())) as mongo:
            self.configure(settings, mongo["files"])
            assert ask(client).status_code == 503
        (line,) = get_lines()
        assert "a.txt" in line
        assert "MongoDB did not answer" in line
        assert "Check that it runs" in line
        assert "secret" not in caplog.text

    @pytest.mark.parametrize(
        "uri",
        [
            "mongo://user:secret@localhost",
            "mongodb://user:sec@ret@localhost",
            "mongodb://user:secret/1@localhost",
            "mongodb://user:secret@localhost:port",
        ],
    )
    def test_wrong_uri(self, client, settings, get_lines, caplog, uri):
        self.configure(settings, lambda: MongoClient(uri)["files"])
        assert download(client).status_code == 500
        (line,) = get_lines()
        assert "'a.txt'" in line
        assert "cannot connect to MongoDB" in line
        assert "Correct the URI of MongoDB in the settings" in line
        assert "secret" not in caplog.text
        assert "sec@" not in caplog.text


class TestBucket:
    @pytest.fixture
    def storage(self, client, settings, s3_endpoint):
        settings.AWS_S3_ENDPOINT_URL = s3_endpoint
        return configure_proxy_storage(S3Storage(), "orm", settings, paths="relative")

    @pytest.fixture
    def path(self, storage):
        path = storage.save("a.txt", ContentFile(b"text"))
        storage.original_storage.delete(storage.get_meta_backend_obj(path)["original_storage_path"])
        return path

    def test_download_from_a_missing_bucket(self, client, storage, path, get_lines):
        storage.original_storage.bucket_name = "no-files"
        assert download(client, path).status_code == 404
        (line,) = get_lines()
        assert f"The file {path!r} cannot be delivered" in line
        assert "The bucket 'no-files' does not exist. Create the bucket, or correct" in line

    def test_upload_to_a_missing_bucket(self, client, storage, get_lines):
        storage.original_storage.bucket_name = "no-files"
        assert upload(client).status_code == 500
        (line,) = get_lines()
        assert "The action 'create' failed for 'a.txt'" in line
        assert "NoSuchBucket" in line
        assert "Create the bucket, or correct" in line

    def test_missing_object(self, client, path, get_lines):
        assert download(client, path).status_code == 404
        (line,) = get_lines()
        assert f"The file {path!r} cannot be delivered" in line
        assert "S3Storage does not have a file" in line
        assert "Restore it from a backup, or delete the record" in line

    def test_endpoint_that_does_not_answer(self, client, settings, path, get_lines):
        address = f"http://127.0.0.1:{free_port()}"
        config = Config(retries={"max_attempts": 0})
        original = S3Storage(endpoint_url=address, client_config=config)
        configure_proxy_storage(original, "orm", settings, paths="relative")
        assert download(client, path).status_code == 500
        (line,) = get_lines()
        assert f"The action 'download' failed for {path!r}" in line
        assert f'Could not connect to the endpoint URL: "{address}' in line


class TestFolder:
    @pytest.fixture
    def folder(self):
        """A folder that another user can enter, unlike those of pytest."""
        folder = Path(tempfile.mkdtemp(prefix="proxy-storage-folder-"))
        folder.chmod(0o755)
        yield folder
        shutil.rmtree(folder)

    @pytest.fixture
    def storage(self, client, settings, folder):
        original = FileSystemStorage(folder / "files")
        options = {"paths": "relative", "unique_original_names": False}
        return configure_proxy_storage(original, "orm", settings, **options)

    @pytest.fixture
    def path(self, storage):
        return storage.save("a.txt", ContentFile(b"text"))

    @pytest.fixture
    def as_other_user(self, client):
        """Run the test without the rights of root."""
        # Modules are imported before, since this user may not be able to read them.
        assert download(client, "nothing.txt").status_code == 404
        with suppress(TemplateDoesNotExist):
            get_template("500.html")
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        yield
        os.seteuid(user)

    def test_missing_folder(self, client, folder, path, get_lines):
        shutil.rmtree(folder / "files")
        assert download(client, path).status_code == 404
        (line,) = get_lines()
        assert "The file 'a.txt' cannot be delivered" in line
        assert f"The folder '{folder}/files' does not exist. Mount or create it" in line

    @pytest.mark.parametrize("server", ["StreamingServer", "XSendfileServer"])
    def test_missing_file(self, client, settings, folder, path, get_lines, server):
        settings.PROXY_STORAGE = {
            **FOR_ALL,
            "SERVERS": {"special": {"BACKEND": f"proxy_storage.serving.{server}"}},
        }
        (folder / "files" / "a.txt").unlink()
        assert download(client, path).status_code == 404
        (line,) = get_lines()
        assert "The file 'a.txt' cannot be delivered" in line
        assert "FileSystemStorage does not have a file 'a.txt'. Restore it from a backup" in line

    def test_authorize(self, client, folder, path, get_lines):
        (folder / "files" / "a.txt").unlink()
        assert client.get("/files/authorize/", {"path": path}).status_code == 404
        assert len(get_lines()) == 1

    def test_folder_that_cannot_be_entered(self, client, folder, path, get_lines, request):
        (folder / "files").chmod(0)
        request.getfixturevalue("as_other_user")
        assert download(client, path).status_code == 404
        (line,) = get_lines()
        assert f"'{folder}/files/.' cannot be read: Permission denied" in line
        assert "Check the permissions of the folder" in line

    def test_file_that_cannot_be_read(self, client, folder, path, get_lines, request):
        (folder / "files" / "a.txt").chmod(0)
        request.getfixturevalue("as_other_user")
        assert download(client, path).status_code == 500
        (line,) = get_lines()
        assert "The action 'download' failed for 'a.txt'. PermissionError" in line
        assert "Check the permissions of the folder" in line

    def test_folder_that_cannot_be_written(self, client, storage, folder, get_lines, request):
        request.getfixturevalue("as_other_user")
        assert upload(client).status_code == 500
        (line,) = get_lines()
        assert "The action 'create' failed for 'a.txt'. PermissionError" in line
        assert "Check the permissions of the folder" in line
