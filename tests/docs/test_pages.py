"""Run the blocks of code of each page."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.pages import get_pages
from tests.docs.parse import parse_page
from tests.docs.run import PageError, run_page
from tests.docs.services import SERVICES

PAGES = get_pages()


@pytest.fixture
def folder():
    # A web server of another user could not enter pytest's folder.
    with TemporaryDirectory(prefix="proxy-storage-docs-") as name:
        folder = Path(name).resolve()
        folder.chmod(0o711)
        yield folder


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_blocks_work_as_shown(name, projects, folder, need_program):
    page = parse_page(PAGES[name])
    if page.mentions("run", r"\bcurl "):
        need_program("curl")
    with ExitStack() as stack:
        services = [
            stack.enter_context(SERVICES[service](folder / service))
            for service in page.needs
            if service in SERVICES
        ]
        try:
            run_page(page, projects, folder, services, need_program)
        except PageError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
