"""The running site, behind each web server."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

from pymongo import MongoClient

from demo import services
from tests import programs
from tests.servers.site.client import ask
from tests.servers.site.nginx import write_nginx
from tests.servers.site.relay import running_relay

# Front: the program of the web server.
WEB_SERVERS = {"nginx": "nginx", "apache": "apache2", "lighttpd": "lighttpd"}
# Front: the storage with metadata in its records, and the storage without.
STORAGES = {
    "gunicorn": ("python", "python-plain"),
    "uvicorn": ("python", "python-plain"),
    **{front: (front, f"{front}-plain") for front in WEB_SERVERS},
}
FRONTS = list(STORAGES)


@dataclass(frozen=True)
class Front:
    """A program that clients send requests to.

    Args:
        name: one of `FRONTS`, or ``nginx-s3``.
        address: the host and port.
        pid: the process with the connections, if it runs Python.
    """

    name: str
    address: str
    pid: int | None = None

    def ask(self, target, headers=None, **kwargs):
        return ask(self.address, target, headers, **kwargs)


class Site:
    """The running site.

    Args:
        folder: the folder of all its files.
        env: the environment variables of its processes.
        relays: the relays ``s3`` and ``mongo``, through which the site connects to both.
    """

    def __init__(self, folder, env, relays, stack):
        self.folder = folder
        self.files_root = folder / "files"
        self.env = env
        self.relays = relays
        self._stack = stack
        self._fronts = {}
        self._kept = {}

    @property
    def s3_address(self):
        return f"127.0.0.1:{self.relays['s3'].port}"

    def get_front(self, name):
        """Return a front; start it at the first call."""
        if name not in self._fronts:
            self._fronts[name] = self._start(name)
        return self._fronts[name]

    def log(self, name="gunicorn"):
        """Return the output of gunicorn, which is behind all web servers, or of uvicorn."""
        return (self.folder / name / "output").read_text(errors="replace")

    def save(self, storage, name=None, content=b"", **options):
        """Save a file under exactly this name; return its path.

        Args:
            options: ``original_storage_path``, the name of an existing object;
                ``is_old``, which dates the file back; and ``uploaded_name``, the name that the
                record gets.

        Raises:
            ValueError: the site refused the file; it has the site's message.
        """
        options = {"name": name, **options}
        answer = self._post(f"/save/{storage}/", options, content)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["path"]

    def delete(self, storage, path):
        self._post(f"/delete/{storage}/", {"path": path})

    def keep(self, storage, name, content):
        """Return the path of a file that all tests share; on disk it has an old date."""
        key = storage, name
        if key not in self._kept:
            is_on_disk = storage not in ("gridfs", "s3")
            self._kept[key] = self.save(storage, name, content, is_old=is_on_disk)
        return self._kept[key]

    def adopt(self, storage, original_storage_path):
        """Return the path of a new record for an existing object in the original storage."""
        key = storage, original_storage_path, "adopted"
        if key not in self._kept:
            options = {"original_storage_path": original_storage_path}
            self._kept[key] = self.save(storage, original_storage_path, **options)
        return self._kept[key]

    @contextmanager
    def saved(self, storage, name, content=b"", **options):
        """Save a file, yield its path, and delete it."""
        path = self.save(storage, name, content, **options)
        try:
            yield path
        finally:
            self.delete(storage, path)

    def _post(self, target, options, content=b""):
        headers = {"X-Options": json.dumps(options)}
        answer = self.get_front("gunicorn").ask(target, headers, method="POST", body=content)
        if answer.status not in (200, 400):
            raise AssertionError(f"{target}: {answer.status}\n{self.log()[-3000:]}")
        return json.loads(answer.body)

    def _start(self, name):
        run_dir = self.folder / name
        run_dir.mkdir(exist_ok=True)
        if name in ("gunicorn", "uvicorn"):
            run = programs.running_gunicorn if name == "gunicorn" else programs.running_uvicorn
            return Front(name, *self._stack.enter_context(run(run_dir, self.env)))
        port = services.free_port()
        upstream = self.get_front("gunicorn").address
        if name == "nginx-s3":
            printed = _manage(["proxystorage", "serverconf", "nginx"], self.env)
            conf = run_dir / "nginx.conf"
            conf.write_text(write_nginx(run_dir, (port, upstream, printed)))
            self._stack.enter_context(programs.running_nginx(conf, run_dir, port))
        else:
            program = services.running_web_server(
                WEB_SERVERS[name], run_dir, upstream, self.files_root, port
            )
            self._stack.enter_context(program)
        return Front(name, f"127.0.0.1:{port}")


@contextmanager
def running_site(mongodb_uri, mongodb_name, s3_url, **variables):
    """Run the site with its own databases; drop them at the end.

    Args:
        variables: additional environment variables of its processes.
    """
    with ExitStack() as stack:
        # A web server of another user could not enter pytest's folder.
        temporary = TemporaryDirectory(prefix="proxy-storage-site-")
        folder = Path(stack.enter_context(temporary)).resolve()
        folder.chmod(0o711)
        (folder / "files").mkdir()
        mongo, s3 = urlsplit(mongodb_uri), urlsplit(s3_url)
        relays = {
            name: stack.enter_context(running_relay((url.hostname, url.port or default)))
            for name, url, default in (("mongo", mongo, 27017), ("s3", s3, 80))
        }
        credentials, at, _ = mongo.netloc.rpartition("@")
        relayed = f"{credentials}{at}127.0.0.1:{relays['mongo'].port}"
        env = {
            "DJANGO_SETTINGS_MODULE": "tests.servers.site.settings",
            "PYTHONPATH": str(programs.ROOT),
            "SITE_FOLDER": str(folder),
            "SITE_MONGODB_URI": urlunsplit(mongo._replace(netloc=relayed)),
            "SITE_MONGODB_NAME": mongodb_name,
            "SITE_S3_ENDPOINT_URL": f"http://127.0.0.1:{relays['s3'].port}",
            **variables,
        }
        _manage(["migrate", "--run-syncdb", "--verbosity", "0"], env)
        stack.callback(_drop, mongodb_uri, mongodb_name)
        yield Site(folder, env, relays, stack)


def _manage(command, env):
    done = subprocess.run(
        [sys.executable, "-m", "django", *command],
        cwd=programs.ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise services.ServiceError(f"{command} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _drop(uri, name):
    with MongoClient(uri) as client:
        client.drop_database(name)
