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


def get_block(heading, language, index=0):
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)[index].strip()


def paste(heading, folder, env, port=8000):
    script = get_block(heading, "sh").replace("8000", str(port))
    return run("bash", "-e", "-c", script, cwd=folder, env=env).strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("empty")


STORAGE, ENDPOINT = "Quick start: the storage", "Quick start: the download endpoint"


@pytest.fixture(scope="module")
def printed(folder, new_environment, wheel):
    """What each quick start has printed, pasted one after the other."""
    if shutil.which("curl") is None:
        if "CI" in os.environ:
            pytest.fail("curl is missing. On Debian: apt-get install curl")
        pytest.skip("curl is missing. On Debian: apt-get install curl")
    storage = paste(STORAGE, folder, new_environment)
    run("pip", "install", "--quiet", f"{wheel}[api]", env=new_environment)
    return {STORAGE: storage, ENDPOINT: paste(ENDPOINT, folder, new_environment, free_port())}


@pytest.mark.parametrize("heading", [STORAGE, ENDPOINT])
def test_quick_start_prints_what_it_says(printed, heading):
    assert printed[heading].endswith(get_block(heading, "text"))


@pytest.mark.usefixtures("printed")
def test_checks_find_nothing(folder, new_environment):
    run("python", "manage.py", "check", "--fail-level", "WARNING", cwd=folder, env=new_environment)


@pytest.mark.usefixtures("printed")
def test_nginx_delivers_as_it_says(folder, new_environment, need_web_server, tmp_path):
    """The settings, the command and the configuration of nginx, in the site of the quick starts."""
    need_web_server("nginx")
    with (folder / "mysite" / "settings.py").open("a") as settings:
        settings.write(f"\n{get_block(ENDPOINT, 'python')}\n")
    command = get_block(ENDPOINT, "console", 1).removeprefix("$ ")
    run("bash", "-e", "-c", command, cwd=folder, env=new_environment)
    location = get_block(ENDPOINT, "nginx", 1).replace("/path/to/private/", f"{folder}/private/")
    assert location in (folder / "proxy-storage.conf").read_text()
    site_port, nginx_port = free_port(), free_port()
    server = get_block(ENDPOINT, "nginx").replace("8000", str(site_port))
    server = server.replace("/path/to/", f"{folder}/")
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        f"pid {tmp_path}/pid; events {{}} http {{ access_log off; server {{"
        f"listen 127.0.0.1:{nginx_port};"
        f"{server} }} }}"
    )
    # root's nginx would hand its work to a user who cannot read the folder
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
        # only nginx says this of a file
        assert answer.headers["accept-ranges"] == "bytes"
        assert client.request(f"/internal/letters/{letter.name}").status == 404


def test_places_that_it_names_are_there():
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link
