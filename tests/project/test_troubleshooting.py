"""Each check and each line of the log has an entry in docs/guides/troubleshooting.md.

The anchor of an entry is its heading in lower case, with a hyphen for each run of other characters
than letters and digits, as docutils makes it for the built page. In a heading, ``…`` stands for a
placeholder of the message.
"""

import ast
import re
from collections import Counter
from http import HTTPStatus
from pathlib import Path

import pytest
from rest_framework import exceptions as drf

import proxy_storage
import proxy_storage_api
import proxy_storage_permissions
from proxy_storage_api import exceptions as ours
from tests.project.conftest import ROOT

PAGE = ROOT / "docs/guides/troubleshooting.md"
PACKAGES = [proxy_storage, proxy_storage_api, proxy_storage_permissions]
CHECKS = "Messages of manage.py check"
LOG = "Messages in the log: "
RESPONSES = "Responses of the endpoint"
EXCEPTIONS = "Exceptions and second sentences of log lines"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
# The message of Django's SuspiciousOperation, which is logged as Django does.
DYNAMIC = {"security_logger"}


def get_anchor(heading):
    return re.sub(r"^[-0-9]+|-+$", "", re.sub(r"[^a-z0-9]+", "-", heading.lower()))


def get_entries():
    """Return the text of each entry, by section and heading."""
    sections = {}
    for section in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        entries = [one.partition("\n") for one in re.split(r"^### ", text, flags=re.MULTILINE)[1:]]
        sections[title] = {heading: " ".join(body.split()) for heading, _, body in entries}
    return sections


ENTRIES = get_entries()


def normalize(text):
    """Return a message with one spelling of its placeholders."""
    text = re.sub(r"%[rs]", "…", text)
    text = re.sub(r"\s*['\"]?…['\"]?\s*", " … ", text)
    return re.sub(r"( … )+", " … ", " ".join(text.split())).strip(" .:")


def get_template(node):
    """Return the text of a string in the code, with ``…`` for expressions."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else get_expression(part.value)
            for part in node.values
        )
    return None


def get_expression(node):
    return "PROXY_STORAGE" if ast.unparse(node) == "SETTING" else "…"


def get_trees():
    for package in PACKAGES:
        for folder in package.__path__:
            for file in sorted(Path(folder).rglob("*.py")):
                yield package, ast.parse(file.read_text())


TREES = list(get_trees())


def get_log_lines():
    """Return the format of each call of a logger."""
    lines = set()
    for _, tree in TREES:
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            logger = ast.unparse(node.func.value)
            if node.func.attr in LEVELS and logger.endswith("logger") and logger not in DYNAMIC:
                lines.add(get_template(node.args[0]))
    return lines


def get_templates():
    """Return the texts of the packages, with ``…`` for expressions."""
    texts = {get_template(node) for _, tree in TREES for node in ast.walk(tree)}
    return {normalize(text) for text in texts if text and len(text) > 10}


TEMPLATES = get_templates()


def get_first_sentence(text):
    return re.split(r"(?<=[.]) ", normalize(text))[0].strip(" .:")


def split(text):
    return [part.strip() for part in text.split("…")]


def has_in_order(parts, text):
    """Return whether a text contains all parts, one after the other."""
    position = 0
    for part in parts:
        position = text.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return True


def is_message(text):
    """Return whether the packages have this message, or one that contains or begins with it."""
    text = normalize(text)
    parts = split(text)
    return any(has_in_order(parts, one) or begins_as(one, text) for one in TEMPLATES)


def begins_as(template, text):
    """Return whether a text is the beginning of a template with values for its placeholders."""
    ends = [match.start() for match in re.finditer(r"[.:,] ", template)]
    beginnings = [split(template[:end].strip(" .:")) for end in [*ends, len(template)]]
    return any(
        sum(map(len, parts)) >= 12
        and text.startswith(parts[0])
        and text.endswith(parts[-1])
        and has_in_order(parts, text)
        for parts in beginnings
    )


def get_check_ids():
    ids = set()
    for package, tree in TREES:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if re.fullmatch(r"proxy_storage\w*\.[EW]\d{3}", node.value):
                    ids.add(node.value)
                elif re.fullmatch(r"[EW]\d{3}", node.value):
                    ids.add(f"{package.__name__}.{node.value}")
    return ids


def test_checks():
    ids = get_check_ids()
    assert len(ids) >= 60
    assert sorted(ENTRIES[CHECKS]) == sorted(ids)
    for check_id in ids:
        assert get_anchor(check_id) == re.sub(r"[._]", "-", check_id.lower())


def test_log_lines():
    lines = get_log_lines()
    assert None not in lines
    assert len(lines) >= 30
    headings = [one for title in ENTRIES if title.startswith(LOG) for one in ENTRIES[title]]
    wanted = {get_anchor(get_first_sentence(line)) for line in lines}
    assert sorted(map(get_anchor, headings)) == sorted(wanted)


def get_details():
    """Return the texts of errors by status: of Django REST framework, of this package, of HTTP."""
    details = {status.value: [status.phrase] for status in HTTPStatus}
    details[403].append("CSRF Failed")
    for module in (drf, ours):
        for cls in vars(module).values():
            if isinstance(cls, type) and issubclass(cls, drf.APIException):
                details[cls.status_code].append(str(cls.default_detail))
    return details


def test_responses():
    """Each status of the endpoint has an entry, with the text that a client gets."""
    details, found = get_details(), set()
    for heading in ENTRIES[RESPONSES]:
        title, _, text = heading.partition(": ")
        statuses = [int(status) for status in re.findall(r"\d{3}", title)]
        found.update(statuses)
        if text:
            assert any(text in one for status in statuses for one in details[status])
    table = (ROOT / "docs/topics/api.md").read_text().partition("| status | when |")[2]
    rows = re.findall(r"^\| ([\d, &nbsp;]+) \|", table.partition("\n\n")[0], re.MULTILINE)
    documented = {int(one) for row in rows for one in re.findall(r"[45]\d\d", row)}
    assert len(documented) >= 10
    assert documented <= found


@pytest.mark.parametrize("heading", ENTRIES[EXCEPTIONS])
def test_exceptions(heading):
    assert is_message(heading)


@pytest.mark.parametrize("check_id", ENTRIES[CHECKS])
def test_messages_of_checks(check_id):
    text = re.search(r"- Message: (.*?) - Cause: ", ENTRIES[CHECKS][check_id]).group(1)
    messages = re.findall(r"`([^`]+)`", text)
    assert messages
    for message in messages:
        assert is_message(message), message


def test_entries_have_a_cause_and_a_remedy():
    for title, entries in ENTRIES.items():
        for heading, text in entries.items():
            assert "- Cause: " in text, (title, heading)
            assert "- Remedy: " in text, (title, heading)


def test_anchors_are_unique():
    anchors = Counter(get_anchor(one) for entries in ENTRIES.values() for one in entries)
    assert [one for one, count in anchors.items() if count > 1 or not one] == []


def test_entries_name_a_test_that_shows_the_message():
    """The name is in a comment, which readers of the built page do not see."""
    for title, entries in ENTRIES.items():
        if title != CHECKS and not title.startswith(LOG):
            continue
        for heading, text in entries.items():
            names = re.findall(r"<!-- shown by: (.*?) -->", text)
            assert len(names) == 1, heading
            assert (ROOT / names[0]).is_file(), heading
