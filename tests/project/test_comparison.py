"""The parts of tests.comparison that decide about right and wrong, and its page."""

from email.message import Message

import pytest

from tests.comparison.__main__ import compare_with_page
from tests.comparison.client import Answer
from tests.comparison.contenders import CONTENDERS
from tests.comparison.disposition import read_disposition
from tests.comparison.outcomes import Leaked, Wrong, expect
from tests.comparison.probes import PROBES
from tests.comparison.probes.base import Probe
from tests.comparison.probes.strangers import expect_refusal
from tests.comparison.report import Results, read_page, without_variable_lines


def make_answer(status=200, body=b"", **headers):
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return Answer(status, message, body)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # The examples of RFC 6266 section 5.
        ("Attachment; filename=example.html", ("attachment", "example.html")),
        ('INLINE; FILENAME= "an example.html"', ("inline", "an example.html")),
        ("attachment; filename*= UTF-8''%e2%82%ac%20rates", ("attachment", "\u20ac rates")),
        (
            "attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates",
            ("attachment", "\u20ac rates"),
        ),
        ("attachment", ("attachment", None)),
        (r'attachment; filename="a\"b\\c.txt"', ("attachment", 'a"b\\c.txt')),
        ('inline; filename="a;b.txt"', ("inline", "a;b.txt")),
        # It is literal in this RFC.
        ('inline; filename="=?utf-8?b?w6k=?="', ("inline", "=?utf-8?b?w6k=?=")),
    ],
)
def test_reader_of_content_disposition(value, expected):
    assert read_disposition(make_answer(Content_Disposition=value)) == expected


@pytest.mark.parametrize(
    "value",
    [
        "attachment; filename=a b.txt",
        'attachment; filename="a"b.txt"',
        'attachment; filename="\u00e9.txt"',
        "attachment; filename*=utf-8''\u00e9.txt",
        "attachment; filename*=utf-8''%FF",
        "attachment filename=a.txt",
        '; filename="a.txt"',
        None,
    ],
)
def test_reader_refuses_other_headers(value):
    headers = {} if value is None else {"Content_Disposition": value}
    with pytest.raises(Wrong):
        read_disposition(make_answer(**headers))


@pytest.mark.parametrize("status", [302, 401, 403, 404, 410])
def test_refusals(status):
    expect_refusal(make_answer(status), b"content")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (make_answer(200, b"the content"), Leaked),
        (make_answer(403, b"the content"), Leaked),
        (make_answer(206, Content_Disposition="inline"), Leaked),
        (make_answer(304), Leaked),
        (make_answer(412), Leaked),
        (make_answer(200, b"another page"), Wrong),
    ],
)
def test_responses_that_are_not_refusals(answer, outcome):
    with pytest.raises(outcome):
        expect_refusal(answer, b"content")


def check_even(site, number):
    expect(number % 2 == 0, "the number is odd")


def test_findings_name_the_failed_cases():
    contender = CONTENDERS[0]
    probe = Probe("numbers", "an even number", "Euclid", check_even, [("one", 1), ("two", 2)])
    results = Results([contender], [probe], {contender.name: [probe.run(None)]}, {})
    assert "1 right, 1 wrong" in results.get_groups()
    assert results.get_findings(contender).endswith(
        "- wrong (1 of 2 cases: one): the number is odd. Expected: an even number."
    )


def test_page_has_all_contenders_and_probes():
    before, generated, _ = read_page()
    for contender in CONTENDERS:
        assert f"| {contender.title} |" in before
        assert f"#### {contender.title}\n" in generated
    for probe in PROBES:
        assert f"| {probe.expectation} | {probe.source} |" in generated


def test_check_ignores_versions():
    text = "Run on {}.\n\n| a |\n"
    one, other = text.format("Monday"), text.format("Sunday")
    assert without_variable_lines(one) == without_variable_lines(other)
    assert without_variable_lines(one) != without_variable_lines(one.replace("a", "b"))


def test_check_prints_the_difference(capsys):
    _, page, _ = read_page()
    assert not compare_with_page(page.replace("Run on ", "Run on another day, "))
    assert capsys.readouterr().out.strip() == ""
    assert compare_with_page(page.replace("| caches |", "| other caches |", 1))
    assert "+| other caches |" in capsys.readouterr().out
