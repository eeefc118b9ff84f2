"""``proxystorage doctor`` and ``explain`` for the example project behind nginx, and for S3.

Each part of the installation is broken once.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.conf import settings as test_settings
from storages.backends.s3 import S3Storage

from demo import services
from demo.__main__ import running_site
from proxy_storage.operations.doctor import examine
from tests.programs import new_bucket, running_nginx
from tests.safety.mistakes.projects import Project
from tests.unit.proxy_storage.serverconf_settings import use_storages

LOCATION = "location ^~ /serve-from-fs/"


class Site:
    """The running example project.

    Args:
        url: its URL.
        folder: the folder of its data.
        env: its environment variables.
    """

    def __init__(self, url, folder, env):
        self.url = url
        self.folder = folder
        self.env = env

    def run(self, *arguments, **env):
        """Run a subcommand; return the exit status and the lines of its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", "proxystorage", *arguments],
            cwd=services.PROJECT_DIR,
            env={**os.environ, **self.env, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def get_failures(self, *arguments, **env):
        """Return the checks that have failed, with their problems."""
        status, output = self.run("doctor", "--json", *arguments, **env)
        found = [one for one in json.loads(output) if one["problem"] and not one["is_warning"]]
        assert status == (1 if found else 0)
        return {one["check"]: one["problem"] for one in found}


@pytest.fixture(scope="module")
def site(need_program, mongodb_uri):
    need_program("nginx")
    name = f"proxy_storage_doctor_{test_settings.RUN}"
    with TemporaryDirectory(prefix="proxy-storage-site-") as name_of_folder:
        folder = Path(name_of_folder)
        folder.chmod(0o711)
        env = {
            "MONGODB_URI": mongodb_uri,
            "EXAMPLE_MONGODB_NAME": name,
            "EXAMPLE_DATA_DIR": str(folder),
            "EXAMPLE_SERVER": "x-accel",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        former = {key: os.environ.get(key) for key in env}
        os.environ.update(env)
        try:
            with running_site(folder, "x-accel", services.free_port(), throw_away=False) as url:
                yield Site(url, folder, env)
        finally:
            for key, value in former.items():
                os.environ.pop(key)
                if value is not None:
                    os.environ[key] = value


@pytest.fixture
def run_nginx(site, tmp_path):
    """Return a function that runs another nginx with a changed configuration."""

    def run_nginx(old, new):
        port, own_port = services.free_port(), site.url.rpartition(":")[2]
        text = (site.folder / "nginx" / "nginx.conf").read_text()
        assert old in text
        text = text.replace(old, new).replace(f":{own_port};", f":{port};")
        text = text.replace(str(site.folder / "nginx"), str(tmp_path))
        conf = tmp_path / "nginx.conf"
        conf.write_text(text)
        return running_nginx(conf, tmp_path, port), f"http://127.0.0.1:{port}"

    return run_nginx


@pytest.mark.slow
class TestExampleProject:
    def test_all_is_well(self, site):
        status, output = site.run("doctor", "--site", site.url)
        assert status == 0
        lines = output.splitlines()
        assert {line[:4] for line in lines} == {"ok  "}
        assert sum("by XAccelRedirectServer" in line for line in lines) == 1
        assert sum("internal location" in line for line in lines) == 1
        assert sum("by StreamingServer" in line for line in lines) == 1

    def test_explain(self, site):
        status, output = site.run("explain", f"{site.url}/files/?path=messi_avatar.jpg")
        assert status == 0
        assert "X-Accel-Redirect: /serve-from-fs/messi_avatar_" in output
        status, output = site.run("explain", "messi_resume.txt", "--user", "ronaldo")
        assert "Answer: refused" in output
        status, _ = site.run("explain", "nothing.txt")
        assert status == 1

    def test_wrong_internal_location(self, site, run_nginx):
        nginx, url = run_nginx(LOCATION, "location ^~ /elsewhere/")
        with nginx:
            ((check, problem),) = site.get_failures("--site", url).items()
        assert "messi_avatar.jpg" in check
        assert problem == "The status of the response is 404."

    def test_internal_location_that_is_public(self, site, run_nginx):
        nginx, url = run_nginx("            internal;\n", "")
        with nginx:
            ((check, problem),) = site.get_failures("--site", url).items()
        assert check.startswith("site: internal location")
        assert problem.startswith("PUBLIC: ")

    def test_nginx_is_not_running(self, site):
        found = site.get_failures("--site", f"http://127.0.0.1:{services.free_port()}")
        assert len(found) == 2
        assert all("Connection refused" in problem for problem in found.values())

    def test_mongodb_is_not_running(self, site):
        uri = f"mongodb://127.0.0.1:{services.free_port()}/x"
        found = site.get_failures(MONGODB_URI=uri)
        assert sorted(found) == ["original storage of 'gridfs_proxy_storage' (GridFSStorage)"]

    def test_database_without_tables(self, site, tmp_path):
        found = site.get_failures(DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3")
        assert sorted(found) == [
            "records of file_system_proxy_storage, gridfs_proxy_storage (ORMMetaBackend)"
        ]

    def test_missing_folder(self, site, tmp_path):
        database = f"sqlite:///{site.folder}/db.sqlite3"
        found = site.get_failures(EXAMPLE_DATA_DIR=str(tmp_path), DATABASE_URL=database)
        assert found == {
            "original storage of 'file_system_proxy_storage' (FileSystemStorage)": (
                f"'{tmp_path}/files' does not exist."
            )
        }


@pytest.mark.slow
def test_s3_that_does_not_answer(tmp_path):
    """The program ends, although boto3 still waits for the server."""
    project = Project(tmp_path / "project")
    models = project.folder / "letters" / "models.py"
    shorter = "from proxy_storage.operations import doctor\ndoctor.TIMEOUT = 0.5\n"
    models.write_text(f"{models.read_text()}\n{shorter}")
    with socket.create_server(("127.0.0.1", 0)) as server:
        options = {
            "bucket_name": "files",
            "endpoint_url": f"http://127.0.0.1:{server.getsockname()[1]}",
            "access_key": "a",
            "secret_key": "secret",
        }
        original = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
        start = time.monotonic()
        output = project.run(
            "proxystorage",
            "doctor",
            settings=f'STORAGES["default"]["OPTIONS"] = {{"original_storage": {original!r}}}',
        )
    assert "(S3Storage): TimeoutError: There was no answer within 0.5 seconds." in output
    assert "secret" not in output
    assert time.monotonic() - start < 30


@pytest.mark.django_db
class TestS3:
    @pytest.fixture
    def find_problems(self, settings, s3_endpoint):
        def find_problems(bucket, **options):
            original = S3Storage(bucket_name=bucket, endpoint_url=s3_endpoint)
            use_storages(settings, letters=(original, None))
            return [one for one in examine(**options) if one.check.startswith("original storage")]

        return find_problems

    def test_probe_object_is_deleted(self, find_problems, s3_endpoint):
        with new_bucket(s3_endpoint, "doctor") as bucket:
            (found,) = find_problems("doctor")
            assert found.problem is None
            assert list(bucket.objects.all()) == []

    def test_bucket_without_a_probe_object(self, find_problems, s3_endpoint):
        with new_bucket(s3_endpoint, "doctor"):
            (found,) = find_problems("doctor", skip_writes=True)
            assert found.problem is None

    @pytest.mark.parametrize(
        ("skip_writes", "problem"),
        [(False, "NoSuchBucket"), (True, "The bucket 'nowhere' does not exist")],
    )
    def test_missing_bucket(self, find_problems, skip_writes, problem):
        (found,) = find_problems("nowhere", skip_writes=skip_writes)
        assert problem in found.problem
        assert found.cure.startswith("Create the bucket, or correct bucket_name")
