"""nginx and Caddy, which deliver a folder themselves, and the site that they ask for permission."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from string import Template
from urllib.parse import quote

from demo.services import DEPLOY_DIR, free_port
from tests import programs
from tests.servers.serverconf_fronts import running_program
from tests.servers.site.client import ask, ask_raw

# Web server: its configuration, the header with the URI for the site, the program of the site.
FRONTS = {
    "nginx": ("nginx-authorize.conf", "X-Original-URI", programs.running_gunicorn),
    "caddy": ("authorize.caddyfile", "X-Forwarded-Uri", programs.running_uvicorn),
}


class AskedSite:
    """The site, run by a program behind each web server.

    Args:
        folder: the folder of all its files.
    """

    def __init__(self, folder):
        self.folder = folder
        self.files_root = folder / "files"
        self.asked = folder / "asked"
        self.asked.touch()
        self.addresses = {}
        self._cookies = {}

    def get_env(self, front):
        return {
            "DJANGO_SETTINGS_MODULE": "tests.servers.site.authorize_settings",
            "PYTHONPATH": str(programs.ROOT),
            "SITE_FOLDER": str(self.folder),
            "SITE_URI_HEADER": FRONTS[front][1],
        }

    @contextmanager
    def running(self, front):
        """Run the site for a web server."""
        run_dir = self.folder / f"site-of-{front}"
        run_dir.mkdir()
        with FRONTS[front][2](run_dir, self.get_env(front)) as (address, _):
            self.addresses[front] = address
            yield

    def migrate(self):
        subprocess.run(
            [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity", "0"],
            cwd=programs.ROOT,
            env={**os.environ, **self.get_env("nginx")},
            check=True,
        )

    def get_cookie(self, who):
        """Return the session cookie of a user, who logs in at most once."""
        if who not in self._cookies:
            self._cookies[who] = self.log_in(who)
        return self._cookies[who]

    def log_in(self, who):
        """Log a user in; return the cookie of the new session."""
        return self._post(f"/log-in/{who}/").headers["Set-Cookie"].partition(";")[0]

    def save(self, name, content, *readers, **options):
        """Save a file that only these users may read; return its URL at the web servers."""
        headers = {"X-Options": json.dumps({"name": name, **options})}
        path = json.loads(self._post("/save/avatars/", content, headers).body)["path"]
        assert path == f"/avatars/{name}"
        self.set_readers(path, *readers)
        return quote(path)

    def set_readers(self, path, *names):
        self._post("/readers/", json.dumps({"path": path, "names": names}))

    def get_link(self, path):
        """Return the query of a signed link."""
        return self._post("/link/", json.dumps({"path": path})).body.decode()

    def get_asked(self, target):
        """Return the headers of each request of the web servers to the site for a target."""
        lines = map(json.loads, self.asked.read_text().splitlines())
        return [headers for asked, headers in lines if asked == target]

    def count_asked(self, target):
        """Return the number of requests of the web servers to the site for a target."""
        return len(self.get_asked(target))

    def _post(self, target, body=b"", headers=None):
        answer = ask(next(iter(self.addresses.values())), target, headers, "POST", body)
        assert answer.status == 200, (target, answer.status, answer.body[-3000:])
        return answer


@dataclass(frozen=True)
class Front:
    """A web server in front of the site, at host and port."""

    name: str
    address: str
    site: AskedSite

    def ask(self, target, who=None, headers=None, method="GET"):
        """Send a request as a user who is logged in, or without a session."""
        cookie = "" if who is None else self.site.get_cookie(who)
        return ask(self.address, target, {"Cookie": cookie, **(headers or {})}, method)

    def ask_raw(self, target, who, *headers):
        """Send a request that a library would not send; a header line may occur twice."""
        lines = [
            b"GET %s HTTP/1.1" % target,
            f"Host: {self.address}\r\nConnection: close".encode(),
            f"Cookie: {self.site.get_cookie(who)}".encode(),
            *headers,
        ]
        return ask_raw(self.address, b"\r\n".join(lines) + b"\r\n\r\n")


@contextmanager
def running_front(site, name, run_dir, address=None, change=None):
    """Run a web server with its configuration from the example project.

    Args:
        site: the site.
        name: the name of the web server.
        run_dir: a folder for its files.
        address: the host and port of the site; by default, its real ones.
        change: a function that changes the text of the configuration.
    """
    run_dir.mkdir()
    port = free_port()
    values = {
        "SITE_ADDRESS": address or site.addresses[name],
        "FILES_ROOT": site.files_root,
        "PORT": port,
        "RUN_DIR": run_dir,
    }
    conf = run_dir / "conf"
    text = (DEPLOY_DIR / FRONTS[name][0]).read_text()
    conf.write_text(Template(change(text) if change else text).safe_substitute(values))
    with running_program(name, run_dir, conf, port):
        yield Front(name, f"127.0.0.1:{port}", site)
