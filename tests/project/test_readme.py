"""The quick starts of the README, pasted into an empty folder."""

import os
import re
import shutil
from base64 import b64encode
from urllib.parse import urlencode

import pytest

from demo.client import Client
from demo.services import accepts_connections, find_web_server, free_port, running
from tests.project.conftest import ROOT, run

README = (ROOT / "README.md").read_text()


def get_block(heading, language):
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)[1].strip()


def paste(heading, folder, env, port=8000):
    script = get_block(heading, "sh").replace("8000", str(port))
    return run("bash", "-e", "-c", script, cwd=folder, env=env).strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("empty")


STORAGE, ENDPOINT = "Quick start: the storage", "Quick start: the download endpoint"


@pytest.fixture(scope="module")
def printed(folder, new_environment, wheel, need_program):
    """The output of each quick start, pasted one after the other."""
    need_program("curl")
    storage = paste(STORAGE, folder, new_environment)
    run("pip", "install", "--quiet", f"{wheel}[api]", env=new_environment)
    return {STORAGE: storage, ENDPOINT: paste(ENDPOINT, folder, new_environment, free_port())}


@pytest.mark.parametrize("heading", [STORAGE, ENDPOINT])
def test_quick_start_prints_the_documented_output(printed, heading):
    assert printed[heading].endswith(get_block(heading, "text"))


@pytest.mark.usefixtures("printed")
def test_checks_find_nothing(folder, new_environment):
    run("python", "manage.py", "check", "--fail-level", "WARNING", cwd=folder, env=new_environment)


@pytest.mark.usefixtures("printed")
def test_nginx_delivers_as_documented(folder, new_environment, need_program, tmp_path):
    """The two blocks about nginx work with the files of the quick starts."""
    need_program("nginx")
    with (folder / "mysite" / "settings.py").open("a") as settings:
        settings.write(f"\n{get_block(ENDPOINT, 'python')}\n")
    location = get_block(ENDPOINT, "nginx").replace("/path/to/private/", f"{folder}/private/")
    assert f"{folder}/private/" in location
    site_port, nginx_port = free_port(), free_port()
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        f"pid {tmp_path}/pid; events {{}} http {{ access_log off; server {{"
        f"listen 127.0.0.1:{nginx_port};"
        f"location / {{ proxy_pass http://127.0.0.1:{site_port}; }} {location} }} }}"
    )
    # If root starts nginx, its workers run as a user who cannot read the folder.
    directives = "daemon off;" + (" user root root;" if os.geteuid() == 0 else "")
    nginx = [find_web_server("nginx"), "-c", conf, "-e", tmp_path / "log", "-g", directives]
    python = shutil.which("python", path=new_environment["PATH"])
    site = [python, "manage.py", "runserver", "--noreload", str(site_port)]
    env = {**new_environment, "DJANGO_SETTINGS_MODULE": "mysite.settings"}
    with (
        running(site, lambda: accepts_connections(site_port), tmp_path / "site.log", env, folder),
        running(nginx, lambda: accepts_connections(nginx_port), tmp_path / "nginx.log"),
    ):
        (letter,) = (folder / "private").iterdir()
        url = "/files/?" + urlencode({"path": "hello.txt"})
        client = Client(f"http://127.0.0.1:{nginx_port}")
        assert client.request(url).status == 403
        credentials = b64encode(b"anna:secret").decode()
        answer = client.request(url, headers={"Authorization": f"Basic {credentials}"})
        assert answer.body == b"Dear Anna"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        # Only nginx sends this header.
        assert answer.headers["accept-ranges"] == "bytes"
        assert client.request(f"/internal/letters/{letter.name}").status == 404


def test_linked_files_exist():
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link
