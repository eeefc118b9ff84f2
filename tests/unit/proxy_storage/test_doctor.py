"""The checks of a running installation: databases and original storages."""

import json
import os
import time
from io import StringIO

import pytest
from django.core import checks
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.core.management import CommandError, call_command
from django.db import models
from django.test.utils import isolate_apps
from pymongo import MongoClient
from storages.backends.s3 import S3Storage

from proxy_storage.exceptions import ConfigurationError, MetaBackendUnavailable
from proxy_storage.meta_backends import mongo
from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.meta_backends.orm_schema import find_schema_problems
from proxy_storage.operations import doctor
from proxy_storage.operations.doctor import examine
from proxy_storage.original_storages.s3 import MISSING_BUCKET_HINT
from proxy_storage.registry import get_proxy_storage
from tests.testapp.memory_backend import MemoryMetaBackend
from tests.testapp.storages import get_mongo_db
from tests.unit.proxy_storage.serverconf_settings import use_storages

pytestmark = pytest.mark.django_db(databases=["default", "other"])
TABLE_CURE = "Run manage.py migrate. If that applies nothing, run manage.py makemigrations first."


class ChangesContent(InMemoryStorage):
    def _save(self, name, content):
        return super()._save(name, ContentFile(b"changed"))


class KeepsFiles(InMemoryStorage):
    def delete(self, name):
        pass


class Fails(InMemoryStorage):
    error = OSError("https://files.example/a?signature=secret")

    def exists(self, name):
        raise self.error

    def _save(self, name, content):
        raise self.error


class NeverAnswers(InMemoryStorage):
    def _save(self, name, content):
        time.sleep(3)
        return super()._save(name, content)


class ClientError(Exception):
    """An error as boto3 raises it."""

    def __init__(self, code):
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


@pytest.fixture(autouse=True)
def silenced(settings):
    """Silence the checks of models and permissions whose storages these tests replace."""
    ids = ["proxy_storage.E105", "proxy_storage_api.W004", "proxy_storage_api.W005"]
    settings.SILENCED_SYSTEM_CHECKS = [*settings.SILENCED_SYSTEM_CHECKS, *ids]


@pytest.fixture
def examine_original(settings):
    """Return a function that checks an original storage."""

    def examine_original(original, **options):
        use_storages(settings, letters=(original, None))
        findings = list(examine(**options))
        (found,) = (one for one in findings if one.check.startswith("original storage"))
        assert found.check == f"original storage of 'letters' ({type(original).__name__})"
        return found

    return examine_original


def run(*arguments):
    out = StringIO()
    call_command("proxystorage", "doctor", *arguments, stdout=out)
    return out.getvalue()


class TestOriginalStorages:
    def test_probe_file_is_deleted(self, examine_original, tmp_path):
        assert examine_original(FileSystemStorage(tmp_path)).problem is None
        assert list(tmp_path.iterdir()) == []

    def test_wrong_settings(self, examine_original, monkeypatch):
        monkeypatch.setattr(Fails, "error", ConfigurationError("Wrong URI."))
        assert examine_original(Fails()).cure == "Correct the settings."

    def test_missing_folder(self, examine_original, tmp_path):
        found = examine_original(FileSystemStorage(tmp_path / "a"))
        assert found.failed
        assert found.problem == f"'{tmp_path}/a' does not exist."
        assert found.cure == "Create the folder, mount it, or correct location."
        (tmp_path / "a").touch()
        found = examine_original(FileSystemStorage(tmp_path / "a"))
        assert found.problem == f"'{tmp_path}/a' is not a folder."

    @pytest.mark.parametrize(
        ("skip_writes", "words"), [(True, "read"), (False, "read and written")]
    )
    def test_folder_without_permission(
        self, examine_original, tmp_path, monkeypatch, skip_writes, words
    ):
        # Permission bits do not bind root.
        monkeypatch.setattr(os, "access", lambda path, mode: path != str(tmp_path))
        found = examine_original(FileSystemStorage(tmp_path), skip_writes=skip_writes)
        assert found.problem == f"'{tmp_path}' cannot be {words} by this user."

    def test_skip_writes(self, examine_original, tmp_path):
        tmp_path.chmod(0o500)
        before = tmp_path.stat().st_mtime_ns
        assert examine_original(FileSystemStorage(tmp_path), skip_writes=True).problem is None
        assert tmp_path.stat().st_mtime_ns == before

    def test_changed_content(self, examine_original):
        original = ChangesContent()
        found = examine_original(original)
        assert found.problem.startswith(f"The content of the probe file '{doctor.PROBE}")
        assert original.listdir("") == ([], [])

    def test_probe_file_that_cannot_be_deleted(self, examine_original):
        found = examine_original(KeepsFiles())
        assert found.problem.endswith(".txt' still exists after it was deleted.")

    @pytest.mark.parametrize("skip_writes", [True, False])
    def test_error_without_the_query_of_a_url(self, examine_original, skip_writes):
        found = examine_original(Fails(), skip_writes=skip_writes)
        assert found.problem == "OSError: https://files.example/a?..."
        assert found.cure == "Check the options of the storage, and that its server runs."

    @pytest.mark.parametrize(
        ("bucket", "problem"),
        [
            ("files", None),
            ("nowhere", "The bucket 'nowhere' does not exist."),
            (None, "bucket_name is not set."),
        ],
    )
    def test_bucket_is_checked_without_a_write(
        self, examine_original, s3_endpoint, bucket, problem
    ):
        found = examine_original(S3Storage(bucket_name=bucket), skip_writes=True)
        assert found.problem == problem
        assert problem is None or "bucket_name" in found.cure

    @pytest.mark.parametrize(
        ("code", "cure"),
        [
            ("NoSuchBucket", MISSING_BUCKET_HINT),
            (
                "AccessDenied",
                "Correct the credentials, and allow to get, put, delete and list objects.",
            ),
            ("Slow", "Check the options of the storage, and that its server runs."),
        ],
    )
    def test_error_of_s3(self, examine_original, monkeypatch, code, cure):
        monkeypatch.setattr(Fails, "error", ClientError(code))
        assert examine_original(Fails()).cure == cure

    def test_storage_that_does_not_answer(self, examine_original, monkeypatch):
        monkeypatch.setattr(doctor, "TIMEOUT", 0.05)
        found = examine_original(NeverAnswers())
        assert found.problem == "TimeoutError: There was no answer within 0.05 seconds."


@pytest.mark.database
class TestRecords:
    @pytest.fixture
    def one(self, settings, tmp_path):
        use_storages(settings, letters=(FileSystemStorage(tmp_path), None))
        return get_proxy_storage("letters")

    def get_problems(self):
        return [found.problem for found in examine() if found.problem is not None]

    def test_records_of_a_storage_that_is_not_registered(self, one):
        assert self.get_problems() == []
        path = one.save("a.txt", ContentFile(b""))
        one.meta_backend.update(path, {"proxy_storage_name": "former"})
        assert self.get_problems() == [
            "1 record is of the proxy storage 'former', which is not registered."
        ]

    def test_not_all_names_are_counted(self, one, monkeypatch):
        monkeypatch.setattr(doctor, "_MAX_NAMES", 1)
        for name in "ab":
            path = one.save("a.txt", ContentFile(b""))
            one.meta_backend.update(path, {"proxy_storage_name": name})
        assert len(self.get_problems()) == 1

    @isolate_apps("tests.testapp")
    def test_missing_table_and_column(self):
        class Nowhere(models.Model):
            class Meta:
                app_label = "testapp"

        class More(models.Model):
            path = models.TextField()
            colour = models.TextField()

            class Meta:
                app_label = "testapp"
                db_table = get_proxy_storage("orm_disk").meta_backend.model._meta.db_table

        assert find_schema_problems(Nowhere, "default") == [
            ("The table 'testapp_nowhere' does not exist in the database 'default'.", TABLE_CURE)
        ]
        assert find_schema_problems(More, "default") == [
            (f"The table '{More._meta.db_table}' does not have the columns colour.", TABLE_CURE)
        ]

    def test_pending_migrations(self, settings):
        settings.MIGRATION_MODULES = {}
        from proxy_storage.records.models import StoredFile

        problem, cure = find_schema_problems(StoredFile, "default")[-1]
        assert problem.startswith("Migrations have not been applied: ")
        assert problem.endswith("proxy_storage_records.0001_initial.")
        assert cure == TABLE_CURE

    def test_table_is_reported_by_the_meta_backend(self, one, monkeypatch):
        monkeypatch.setattr(one.meta_backend.model._meta, "db_table", "gone")
        assert self.get_problems() == ["The table 'gone' does not exist in the database 'default'."]

    def test_index_in_mongodb(self):
        meta_backend = MongoMetaBackend(get_mongo_db, "doctor")
        assert meta_backend.find_problems() == []
        get_mongo_db()["doctor"].drop_indexes()
        ((problem, _),) = meta_backend.find_problems()
        assert problem == "The collection 'doctor' has no unique index on 'path'."

    def test_mongodb_does_not_answer(self, settings, monkeypatch):
        monkeypatch.setattr(mongo, "DIAGNOSIS_SECONDS", 0.2)

        with MongoClient("mongodb://127.0.0.1:9") as client:
            meta_backend = MongoMetaBackend(client["x"], "records")
            with pytest.raises(MetaBackendUnavailable):
                meta_backend.find_problems()
            use_storages(settings, letters=(InMemoryStorage(), None))
            settings.STORAGES["letters"]["OPTIONS"]["meta_backend"] = meta_backend
            (problem,) = self.get_problems()
        assert problem.startswith("MetaBackendUnavailable: MongoDB did not answer")

    def test_meta_backend_without_checks_of_its_own(self, settings):
        assert MemoryMetaBackend().find_problems() == []

    def test_storage_that_cannot_be_built(self, settings):
        use_storages(settings, letters=(InMemoryStorage(), None), broken=(InMemoryStorage(), None))
        settings.STORAGES["broken"]["OPTIONS"]["meta_backend"] = {"BACKEND": "nowhere.Nothing"}
        found = {one.check: one for one in examine()}
        assert found["proxy_storage.E002"].failed
        assert "proxy storage 'broken'" not in found
        assert "records of letters (ORMMetaBackend)" not in found
        assert not found["original storage of 'letters' (InMemoryStorage)"].failed

    def test_storage_that_cannot_be_built_without_its_check(self, settings):
        use_storages(settings, broken=(InMemoryStorage(), None))
        settings.STORAGES["broken"]["OPTIONS"]["meta_backend"] = {"BACKEND": "nowhere.Nothing"}
        settings.SILENCED_SYSTEM_CHECKS = ["proxy_storage.E002"]
        found = {one.check: one for one in examine()}
        assert found["proxy storage 'broken'"].failed
        assert found["proxy storage 'broken'"].cure == "Correct the settings."

    def test_missing_model(self, settings):
        use_storages(settings, letters=(InMemoryStorage(), None))
        settings.STORAGES["letters"]["OPTIONS"]["meta_backend"] = {
            "BACKEND": "proxy_storage.meta_backends.orm.ORMMetaBackend",
            "OPTIONS": {"model": "nowhere.Letter"},
        }
        found = {one.check: one for one in examine()}
        records = found["records of letters (ORMMetaBackend)"]
        assert "No installed app with label 'nowhere'" in records.problem
        assert records.cure == "Correct the settings."
        assert found["proxy_storage.E005"].cure.startswith("Correct INSTALLED_APPS")
        assert not found["original storage of 'letters' (InMemoryStorage)"].failed

    def test_wrong_uri_of_mongodb(self, settings):
        def get_database():
            return MongoClient("mongodb://user:sec@ret@localhost")["files"]

        use_storages(settings, letters=(InMemoryStorage(), None))
        backend = MongoMetaBackend(get_database, "records")
        settings.STORAGES["letters"]["OPTIONS"]["meta_backend"] = backend
        (found,) = (one for one in examine() if one.check.startswith("records"))
        assert "cannot connect to MongoDB" in found.problem
        assert "ret@" not in found.problem
        assert found.cure == "Correct the settings."


class TestCommand:
    def test_all_is_well(self, settings, tmp_path):
        use_storages(settings, letters=(FileSystemStorage(tmp_path), None))
        assert run() == (
            "ok    system checks\n"
            "ok    records of letters (ORMMetaBackend)\n"
            "ok    original storage of 'letters' (FileSystemStorage)\n"
        )

    def test_problem(self, settings, tmp_path):
        use_storages(settings, letters=(FileSystemStorage(tmp_path / "a\nb"), None))
        out = StringIO()
        with pytest.raises(CommandError, match=r"^1 check has failed\.$") as error:
            call_command("proxystorage", "doctor", stdout=out)
        assert error.value.returncode == 1
        assert out.getvalue().splitlines()[2:] == [
            "FAIL  original storage of 'letters' (FileSystemStorage): "
            rf"'{tmp_path}/a\nb' does not exist.",
            "      Create the folder, mount it, or correct location.",
        ]

    def test_only_problems(self, settings, tmp_path):
        missing = FileSystemStorage(tmp_path / "missing")
        use_storages(settings, letters=(FileSystemStorage(tmp_path), None))
        assert run("--verbosity", "0") == ""
        use_storages(settings, letters=(missing, None))
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("proxystorage", "doctor", verbosity=0, stdout=out)
        assert out.getvalue().startswith("FAIL  original storage of 'letters'")

    def test_warning_is_not_a_problem(self, settings, tmp_path):
        use_storages(settings, letters=(FileSystemStorage(tmp_path, base_url="/public/"), None))
        lines = run().splitlines()
        assert lines[0].startswith("warn  proxy_storage.W002: Files of ")
        assert lines[1].startswith("      Move them to a location")

    def test_problem_without_a_cure(self, settings, monkeypatch):
        use_storages(settings, letters=(InMemoryStorage(), None))
        message = checks.Error("Odd.", id="proxy_storage_project.E001")
        monkeypatch.setattr(checks, "run_checks", lambda **options: [message])
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("proxystorage", "doctor", stdout=out)
        assert out.getvalue().startswith("FAIL  proxy_storage_project.E001: Odd.\nok")

    def test_error_of_a_system_check_is_reported(self, settings):
        use_storages(settings, letters=(InMemoryStorage(), None))
        settings.PROXY_STORAGE["SERVERS"]["letters"] = {"BACKEND": "nowhere.Nothing"}
        out = StringIO()
        with pytest.raises(CommandError) as error:
            call_command("proxystorage", "doctor", stdout=out, skip_checks=False)
        assert error.value.returncode == 1
        assert "FAIL  proxy_storage.E" in out.getvalue()

    def test_json(self, settings, tmp_path):
        use_storages(settings, letters=(FileSystemStorage(tmp_path), None))
        found = json.loads(run("--json", "--skip-writes"))
        assert found[0] == {
            "check": "system checks",
            "problem": None,
            "cure": None,
            "is_warning": False,
        }

    @pytest.mark.parametrize(
        ("change", "arguments", "message"),
        [
            ({}, [], "No proxy storage is registered."),
            ({"PROXY_STORAGE_CLASSES": 5}, [], r"PROXY_STORAGE\['PROXY_STORAGE_CLASSES'\] must"),
            ({}, ["--path", "/a"], "--path and --header need --site."),
        ],
    )
    def test_not_run(self, settings, change, arguments, message):
        settings.STORAGES, settings.PROXY_STORAGE = {}, change
        with pytest.raises(CommandError, match=message) as error:
            run(*arguments)
        assert error.value.returncode == 2

    def test_class_that_cannot_be_imported_is_reported(self, settings):
        settings.STORAGES = {"default": {"BACKEND": "proxy_storage.storages.ProxyStorge"}}
        settings.PROXY_STORAGE = {}
        out = StringIO()
        with pytest.raises(CommandError, match=r"^No proxy storage is registered\. Add one"):
            call_command("proxystorage", "doctor", stdout=out)
        assert "warn  proxy_storage.W009: STORAGES['default'] cannot be used" in out.getvalue()
        assert "Did you mean 'proxy_storage.storages.ProxyStorage'?\n" in out.getvalue()

    def test_json_if_the_checks_cannot_be_made(self, settings):
        settings.STORAGES, settings.PROXY_STORAGE = {}, {}
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("proxystorage", "doctor", "--json", stdout=out)
        assert isinstance(json.loads(out.getvalue()), list)

    def test_several_problems(self, settings, tmp_path):
        missing = FileSystemStorage(tmp_path / "missing")
        use_storages(settings, letters=(missing, None), scans=(missing, None))
        with pytest.raises(CommandError, match=r"^2 checks have failed\.$"):
            run()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--site", "example.org"], "'example.org' is not a URL such as"),
            (["--site", "ftp://a/"], "'ftp://a/' is not a URL such as"),
            (["--site", "http://a", "--header", "x"], "'x' is not a header such as"),
            (["--site", "http://a", "--header", " :x"], "' :x' is not a header such as"),
        ],
    )
    def test_wrong_argument(self, arguments, message):
        with pytest.raises(CommandError, match=message):
            run(*arguments)

    def test_site_without_rest_framework(self, settings, monkeypatch):
        use_storages(settings, letters=(InMemoryStorage(), None))
        monkeypatch.setattr("proxy_storage.management.doctor._EXAMINE_SITE", "nowhere.examine")
        with pytest.raises(CommandError, match="--site cannot be used: No module") as error:
            run("--site", "http://127.0.0.1:1")
        assert error.value.returncode == 2
