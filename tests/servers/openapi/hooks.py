"""What schemathesis may not take for a fault of the site, each with its reason.

All of its checks are on. A failure is left out only where one of these says so.
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
# DRF's paginator takes its own size for a wrong one, and a boolean of DRF may be a number or text
LENIENT = {"page_size", "only_me"}


@schemathesis.hook
def map_case(context, case):
    """Have most of the requests that name a file name one that is there."""
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
    # a file of another storage is not found, which is seen often enough
    for other in NAMES_OF_STORAGES & given.keys():
        if isinstance(given[other], str):
            given[other] = storage


@schemathesis.hook
def filter_failure(context, failure, case, response):
    # gunicorn reads no longer URL; the site has not seen it
    if response.status_code == 414:
        return False
    if isinstance(failure, AcceptedNegativeData):
        return not was_nothing_wrong(case, response)
    if isinstance(failure, RejectedPositiveData):
        return not was_something_wrong(response)
    return True


def was_nothing_wrong(case, response):
    """Whether all that the document does not allow is without a meaning in this request."""
    sent = parse_qs(urlsplit(response.request.url).query, keep_blank_values=True)
    wrong = set(get_what_is_wrong(case.meta.phase.data, sent))
    # the password of the run takes its place
    wrong -= LENIENT | {"Authorization"}
    # DRF takes an empty value in a query or a form for none; of several it is the last that counts
    wrong -= {name for name in wrong if sent.get(name, ["missing"])[-1] == ""}
    # one operation has two answers, and each of them parameters that the other has no use for
    if case.method == "GET" and case.path in LISTS:
        wrong = wrong & {None, *OF_A_FILE} if PATHS & sent.keys() else wrong - {"disposition"}
    # in a form everything is text
    if case.media_type in FORMS and isinstance(case.body, dict):
        wrong -= TEXT | {name for name in wrong if case.body.get(name) in EMPTY}
    return not wrong


def get_what_is_wrong(data, sent):
    """Give out the names of parameters, and of what is in the body."""
    for mutation in data.mutations:
        # any bytes are a file
        is_file = (mutation.parameter, mutation.keywords) == ("file", ("format",))
        # what was to be missing is there, and beside it something that nobody knows
        is_there = "required" in mutation.keywords and mutation.parameter in sent
        if not is_file and not is_there:
            yield mutation.parameter
    if not data.mutations and data.location is not None:
        yield data.location.removeprefix("/properties/").split("/")[0]
    elif not data.mutations:
        yield data.parameter


def was_something_wrong(response):
    """Whether the request is one that the document cannot tell from a right one."""
    # Whether the file has such a part, or is of such a version, is not in the document.
    if response.status_code in (412, 416):
        return True
    # whether a file can have this name is up to the storage, and who asks is known to the site
    if response.status_code == 400 and set(response.json()) in ({"name"}, {"only_me"}):
        return True
    # what drf-spectacular says of no field of DRF
    return any(text in response.text for text in SAYS_DRF)
