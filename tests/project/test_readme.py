"""Run the quick start of the README in an empty folder, and then docs/quickstart.md with nginx."""

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
PAGES = README + (ROOT / "docs/quickstart.md").read_text()


def get_block(heading, language, index=0):
    section = PAGES.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)[index].strip()


def paste(heading, folder, env, port=8000):
    script = get_block(heading, "sh").replace("8000", str(port))
    return run("bash", "-e", "-c", script, cwd=folder, env=env).strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("empty")


QUICK_START = "Quick start"
NGINX = "Serve the files through nginx"


@pytest.fixture(scope="module")
def printed(folder, api_environment, need_program):
    """Return the output of the quick start."""
    need_program("curl")
    return paste(QUICK_START, folder, api_environment, free_port())


def test_quick_start_prints_the_documented_output(printed):
    assert printed.endswith(get_block(QUICK_START, "text"))


@pytest.mark.usefixtures("printed")
def test_content_has_the_documented_name(folder):
    (file,) = (folder / "private" / "scans").iterdir()
    assert re.fullmatch(r"hello_\w{16}\.txt", file.name)
    assert file.read_bytes() == b"Dear Anna"


@pytest.mark.usefixtures("printed")
def test_system_checks_find_no_problems(folder, api_environment):
    run("python", "manage.py", "check", "--fail-level", "WARNING", cwd=folder, env=api_environment)


@pytest.mark.usefixtures("printed")
def test_nginx_delivers_the_file(folder, api_environment, need_program, tmp_path):
    """Follow the section about nginx in the project that the quick start has created."""
    need_program("nginx")
    with (folder / "mysite" / "settings.py").open("a") as settings:
        settings.write(f"\n{get_block(NGINX, 'python')}\n")
    paste(NGINX, folder, api_environment)
    location = get_block(NGINX, "nginx", 1).replace("/path/to/private/", f"{folder}/private/")
    assert location in (folder / "proxy-storage.conf").read_text()
    site_port, nginx_port = free_port(), free_port()
    server = get_block(NGINX, "nginx")
    for documented, used in [
        ("listen 80;", f"listen 127.0.0.1:{nginx_port};"),
        ("/path/to/proxy-storage.conf", f"{folder}/proxy-storage.conf"),
        ("127.0.0.1:8000", f"127.0.0.1:{site_port}"),
    ]:
        assert documented in server
        server = server.replace(documented, used)
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {server} }}")
    # As root, nginx starts its workers as a user who cannot read the folder.
    directives = "daemon off;" + (" user root root;" if os.geteuid() == 0 else "")
    nginx = [find_web_server("nginx"), "-c", conf, "-e", tmp_path / "log", "-g", directives]
    python = shutil.which("python", path=api_environment["PATH"])
    site = [python, "manage.py", "runserver", "--noreload", str(site_port)]
    env = {**api_environment, "DJANGO_SETTINGS_MODULE": "mysite.settings"}
    with (
        running(site, lambda: accepts_connections(site_port), tmp_path / "site.log", env, folder),
        running(nginx, lambda: accepts_connections(nginx_port), tmp_path / "nginx.log"),
    ):
        (letter,) = (folder / "private" / "scans").iterdir()
        url = "/files/?" + urlencode({"path": "scans/hello.txt"})
        client = Client(f"http://127.0.0.1:{nginx_port}")
        assert client.request(url).status == 403
        credentials = b64encode(b"anna:secret").decode()
        answer = client.request(url, headers={"Authorization": f"Basic {credentials}"})
        assert answer.body == b"Dear Anna"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        # nginx sends this header for files, the site does not.
        assert answer.headers["accept-ranges"] == "bytes"
        assert client.request(f"/internal/files/scans/{letter.name}").status == 404


def test_linked_files_exist():
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link
