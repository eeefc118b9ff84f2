"""Small pages: which steps they have, and which mistakes are found."""

import pytest

from tests.docs.parse import parse_page


@pytest.fixture
def parse(tmp_path):
    def parse(text):
        page = tmp_path / "page.md"
        page.write_text(text)
        return parse_page(page)

    return parse


def get_mistakes(page):
    return [mistake.removeprefix(f"{page.source}:") for mistake in page.mistakes]


def test_block_with_directive_is_a_step(parse):
    page = parse("# Title\n\n<!-- file: a/b.py -->\n```python\nx = 1\n```\n")
    (step,) = page.steps
    assert (step.kind, step.argument, step.text) == ("file", "a/b.py", "x = 1\n")
    assert (step.line, step.language, step.is_hidden) == (5, "python", False)
    assert page.mistakes == ()


def test_block_in_a_list_loses_its_indentation(parse):
    (step,) = parse("1. First:\n\n   <!-- shell -->\n   ```python\n   x = 1\n   ```\n").steps
    assert step.text == "x = 1\n"


def test_hidden_block_contains_its_text(parse):
    page = parse("<!-- hidden shell\nassert x\n\nassert y > 0\n-->\n\nText.\n")
    (step,) = page.steps
    assert (step.kind, step.text, step.line) == ("shell", "assert x\n\nassert y > 0\n", 2)
    assert step.is_hidden
    assert page.mistakes == ()


def test_reason_can_have_several_lines(parse):
    (step,) = parse("<!-- not run: needs an account\nat a provider -->\n```python\n```\n").steps
    assert step.argument == "needs an account at a provider"


def test_new_project_needs_no_block(parse):
    page = parse("<!-- new project -->\n\nText.\n\n<!-- new project: empty -->\n")
    assert [(step.kind, step.argument) for step in page.steps] == [
        ("new project", ""),
        ("new project", "empty"),
    ]
    assert page.mistakes == ()


@pytest.mark.parametrize("language", ["python", "console", "", "{code-block} python", "~"])
def test_block_without_directive_is_a_mistake(parse, language):
    fence = "~~~" if language == "~" else f"```{language}"
    page = parse(f"Text.\n\n{fence}\nx = 1\n{fence[:3]}\n")
    assert get_mistakes(page) == ["3: the block has no directive"]


def test_blocks_share_no_directive(parse):
    page = parse("<!-- shell -->\n```python\n```\n\n```python\n```\n")
    assert get_mistakes(page) == ["5: the block has no directive"]


def test_directive_without_block_is_a_mistake(parse):
    page = parse("<!-- shell -->\nText.\n```python\n```\n\n<!-- run -->\n")
    assert get_mistakes(page) == [
        "1: no block follows the directive 'shell'",
        "3: the block has no directive",
        "6: no block follows the directive 'run'",
    ]


def test_unknown_comment_is_not_a_directive(parse):
    page = parse("<!-- runs -->\n```console\n$ true\n```\n")
    assert get_mistakes(page) == ["2: the block has no directive"]


def test_block_without_end_is_a_mistake(parse):
    assert get_mistakes(parse("<!-- shell -->\n```python\n")) == ["2: the block does not end"]


def test_output_cannot_be_hidden(parse):
    page = parse("<!-- hidden output\nx\n-->\n")
    assert get_mistakes(page) == ["1: 'output' cannot be hidden"]


def test_myst_directives_are_no_blocks_of_code(parse):
    page = parse("```{toctree}\nquickstart\n```\n\n```{include} ../README.md\n```\n")
    assert page.steps == page.mistakes == ()


def test_block_within_a_myst_directive_is_found(parse):
    page = parse("````{note}\nText.\n\n<!-- shell -->\n```python\nx = 1\n```\n````\n\nText.\n")
    assert [step.text for step in page.steps] == ["x = 1\n"]
    assert page.mistakes == ()


def test_block_with_a_long_fence_needs_a_directive(parse):
    page = parse("````\n```python\nx = 1\n```\n````\n")
    assert get_mistakes(page) == ["1: the block has no directive"]
