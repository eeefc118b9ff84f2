"""File names: upload a file with a hostile name, and download it."""

from tests.comparison.disposition import read_disposition
from tests.comparison.outcomes import NotApplicable, Outcome, Refused, expect, expect_delivered
from tests.comparison.probes.base import probe
from tests.hostile_names import HOSTILE_NAMES

GROUP = "file names"
# A request cannot contain half of a surrogate pair.
NAMES = [(case, name) for case, name in HOSTILE_NAMES if case != "half-of-a-pair"]


def _download(site, name):
    """Return the document and the response with the name, or ``None`` for a refused upload.

    The probes of one name share the request. An outcome is raised for each of them.
    """
    if name not in site.kept:
        try:
            document = site.new(name)
            site.kept[name] = document, site.owner.ask(document.save)
        except Refused:
            site.kept[name] = None
        except Outcome as outcome:
            site.kept[name] = outcome
    if isinstance(site.kept[name], Outcome):
        raise site.kept[name]
    return site.kept[name]


def _read_name(answer):
    if answer.status != 200:
        raise NotApplicable("a file that is not delivered has no name")
    return read_disposition(answer)[1]


@probe(
    GROUP,
    "the content of a file with a hostile name, or an upload that is refused with an error 4xx",
    "RFC 9110 section 9.3.1",
    NAMES,
)
def content(site, name):
    download = _download(site, name)
    if download:
        document, answer = download
        expect_delivered(answer, document.content)


@probe(
    GROUP,
    "Content-Disposition has the name of the upload, or the name in the storage, "
    "in the grammar of the RFC",
    "RFC 6266 sections 4.1 and 4.3; RFC 8187 section 3.2",
    NAMES,
)
def header(site, name):
    download = _download(site, name)
    if download:
        document, answer = download
        found = _read_name(answer)
        stored = document.stored.rpartition("/")[2]
        expect(
            found in (document.received, stored),
            "Content-Disposition has another name than the upload and the stored file",
        )


@probe(
    GROUP,
    "the download has the name of the upload",
    "no standard; the name that a user expects",
    NAMES,
)
def kept(site, name):
    download = _download(site, name)
    if download:
        document, answer = download
        found = _read_name(answer)
        expect(found == document.received, "the download has another name than the upload")


@probe(
    GROUP,
    "a name that is not ASCII is in filename*, and before it a similar one in filename",
    "RFC 6266 appendix D, which is advice",
)
def both_forms(site):
    document = site.new("r\u00e9sum\u00e9.txt")
    answer = site.owner.ask(document.save)
    _read_name(answer)
    value = answer.get("Content-Disposition")
    expect("filename*=" in value, "the parameter filename* is missing")
    plain = value.find("filename=")
    expect(
        0 <= plain < value.find("filename*="), "the parameter filename before filename* is missing"
    )


@probe(
    GROUP,
    "three uploads with one name: each user gets the own content and name",
    "RFC 9110 section 9.3.1",
)
def same_name(site):
    first = site.new("report.txt", b"of the first user")
    second = site.new("report.txt", b"of the second user", user=site.stranger)
    third = site.new("report.txt", b"again of the first user")
    for user, document in (
        (site.owner, first),
        (site.stranger, second),
        (site.owner, third),
    ):
        answer = user.ask(document.save)
        expect(answer.status == 200, f"the response to the owner is {answer.status}")
        expect(answer.body == document.content, "the content is that of another file")
        expect(_read_name(answer) == "report.txt", "the second download has another name")
