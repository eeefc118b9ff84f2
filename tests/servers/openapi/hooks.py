"""Answers that schemathesis must not report as failures, each with its reason.

All checks of schemathesis are on. A failure is ignored only if one of these functions allows it.
"""

from urllib.parse import parse_qs, urlsplit
from zlib import crc32

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

from tests.servers.openapi.fill import DOOMED, NAMES, STORAGES

LISTS = {"/files/", "/letters/"}
PATHS = {"path", "letter"}
NAMES_OF_STORAGES = {"storage", "of"}
OF_A_FILE = PATHS | NAMES_OF_STORAGES | {"disposition"}
FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}
TEXT = {"path", "storage", "name"}
EMPTY = ("", None, [], {})
SAYS_DRF = ("Null characters are not allowed.", "Datetime value out of range.")
# DRF's paginator replaces a wrong size by its own. DRF accepts numbers and text as booleans.
LENIENT = {"page_size", "only_me"}


@schemathesis.hook
def map_case(context, case):
    """Let most of the requests for a file name an existing file."""
    for given in (case.query, case.body):
        if isinstance(given, dict):
            for name in PATHS & given.keys():
                if isinstance(given[name], str):
                    name_a_file(case, given, name)
    return case


def name_a_file(case, given, name):
    number = crc32(given[name].encode())
    if number % 4 == 3:
        return
    storages = ["letters"] if case.path.startswith("/letters/") else list(STORAGES)
    storage = storages[number % len(storages)]
    names = DOOMED if case.method == "DELETE" else NAMES
    given[name] = STORAGES[storage] + names[number % len(names)]
    # A file of another storage is not found; other requests test this often enough.
    for other in NAMES_OF_STORAGES & given.keys():
        if isinstance(given[other], str):
            given[other] = storage


@schemathesis.hook
def filter_failure(context, failure, case, response):
    # gunicorn refuses longer URLs, so the request did not reach the site.
    if response.status_code == 414:
        return False
    if isinstance(failure, AcceptedNegativeData):
        return not was_nothing_wrong(case, response)
    if isinstance(failure, RejectedPositiveData):
        return not was_something_wrong(response)
    return True


def was_nothing_wrong(case, response):
    """Return whether the site ignores all parts of a request that the document forbids."""
    sent = parse_qs(urlsplit(response.request.url).query, keep_blank_values=True)
    wrong = set(get_what_is_wrong(case.meta.phase.data, sent))
    # The password of the run replaces it.
    wrong -= LENIENT | {"Authorization"}
    # DRF ignores an empty value in a query or a form. Of several values it uses the last one.
    wrong -= {name for name in wrong if sent.get(name, ["missing"])[-1] == ""}
    # One operation has two kinds of responses, and each ignores the parameters of the other.
    if case.method == "GET" and case.path in LISTS:
        wrong = wrong & {None, *OF_A_FILE} if PATHS & sent.keys() else wrong - {"disposition"}
    # In a form each value is text.
    if case.media_type in FORMS and isinstance(case.body, dict):
        wrong -= TEXT | {name for name in wrong if case.body.get(name) in EMPTY}
    return not wrong


def get_what_is_wrong(data, sent):
    """Yield the names of the wrong parameters and of the wrong parts of the body."""
    for mutation in data.mutations:
        # Any bytes are a valid file.
        is_file = (mutation.parameter, mutation.keywords) == ("file", ("format",))
        # The part that should be missing is there, and beside it an unknown one.
        is_there = "required" in mutation.keywords and mutation.parameter in sent
        if not is_file and not is_there:
            yield mutation.parameter
    if not data.mutations and data.location is not None:
        yield data.location.removeprefix("/properties/").split("/")[0]
    elif not data.mutations:
        yield data.parameter


def was_something_wrong(response):
    """Return whether the document cannot express what is wrong with a request."""
    # The document does not describe the file's length and version.
    if response.status_code in (412, 416):
        return True
    # The storage decides which names are valid, and the site knows the user.
    if response.status_code == 400 and set(response.json()) in ({"name"}, {"only_me"}):
        return True
    # drf-spectacular does not describe this for any field of DRF.
    return any(text in response.text for text in SAYS_DRF)
