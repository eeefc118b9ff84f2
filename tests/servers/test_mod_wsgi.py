"""Files through Debian's mod_wsgi, which sends whole files with ``wsgi.file_wrapper``."""

import platform
import subprocess
from contextlib import ExitStack

import pytest
from django.conf import settings

from tests import programs
from tests.servers.site.checks import CONTENT
from tests.servers.site.client import ask, get_url
from tests.servers.site.running import running_site


@pytest.fixture(scope="module")
def mod_wsgi(mongodb_uri, s3_endpoint, need_program):
    """The address of the site in Apache, and the URL of a file."""
    need_program("apache2")
    need_program("mod_wsgi")
    version = programs.get_python_of_mod_wsgi()
    if not platform.python_version().startswith(f"{version}."):
        pytest.skip(f"The mod_wsgi of this machine runs Python {version}.")
    with ExitStack() as stack:
        name = f"proxy_storage_mod_wsgi_{settings.RUN}"
        site = stack.enter_context(running_site(mongodb_uri, name, s3_endpoint))
        path = site.save("python", "whole.txt", CONTENT)
        folder = site.folder / "mod_wsgi"
        folder.mkdir()
        # If root starts Apache, another user answers the requests.
        subprocess.run(["chmod", "-R", "a+rwX", site.folder], check=True)
        env = {**site.env, "MONGODB_URI": mongodb_uri}
        yield stack.enter_context(programs.running_mod_wsgi(folder, env)), get_url(path)


def test_whole_files_arrive_again_and_again(mod_wsgi):
    address, url = mod_wsgi
    # There are four threads. A thread that hangs would not answer later requests.
    for _ in range(10):
        answer = ask(address, url)
        assert (answer.status, answer.body) == (200, CONTENT)


def test_part_arrives(mod_wsgi):
    address, url = mod_wsgi
    answer = ask(address, url, {"Range": "bytes=5-9"})
    assert (answer.status, answer.body) == (206, CONTENT[5:10])
