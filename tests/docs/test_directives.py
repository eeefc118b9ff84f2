"""Each block of code has a directive that declares how it is tested, or why it is not."""

import pytest

from tests.docs import project
from tests.docs.pages import ROOT, get_pages
from tests.docs.parse import parse_page
from tests.docs.services import PROGRAMS, SERVICES

PAGES = {name: parse_page(file) for name, file in get_pages().items()}
STEPS = [(page.source, step) for page in PAGES.values() for step in page.steps]


def get_steps(kind):
    return [(source, step) for source, step in STEPS if step.kind == kind]


def test_each_block_has_a_directive():
    mistakes = [mistake for page in PAGES.values() for mistake in page.mistakes]
    assert not mistakes, "\n" + "\n".join(mistakes)


@pytest.mark.parametrize("kind", ["project", "new project"])
def test_projects_exist(kind):
    for source, step in get_steps(kind):
        assert project.exists(step.argument or project.DEFAULT), f"{source}:{step.line}"


def test_services_exist():
    for source, step in get_steps("needs"):
        assert step.argument in (*SERVICES, *PROGRAMS), f"{source}:{step.line}: {step.argument}"


def test_tests_of_blocks_exist_and_name_the_page():
    for source, step in get_steps("tested by"):
        test = ROOT / step.argument
        assert test.is_file(), f"{source}:{step.line}: {step.argument} does not exist"
        assert source.name in test.read_text(), f"{source}:{step.line}: {test} does not name it"


def test_blocks_that_are_not_run_have_a_reason():
    for source, step in get_steps("not run"):
        assert len(step.argument.split()) >= 3, f"{source}:{step.line}: write the reason"


def test_files_have_a_path():
    for kind in ("file", "append"):
        for source, step in get_steps(kind):
            assert step.argument, f"{source}:{step.line}: write the path of the file"
