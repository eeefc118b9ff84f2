"""What schemathesis may not take for a fault of the site, each with its reason.

All checks are on; a failure is left out only where one of these says so.
"""

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.mutations import OperatorKind
from schemathesis.openapi.checks import RejectedPositiveData

# the parameters of the one operation that has two answers: those that a file has use for
PATHS = {"path", "letter"}
OF_FILES = PATHS | {"disposition", "storage", "of"}
OF_LISTS_ONLY_IN_A_FILE = {"disposition"}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if isinstance(failure, AcceptedNegativeData):
        return not is_right_all_the_same(case)
    if isinstance(failure, RejectedPositiveData):
        return not is_wrong_all_the_same(case, response)
    return True


def is_right_all_the_same(case):
    """Whether only that was wrong which the request has no use for, or which is text in a form."""
    data = case.meta.phase.data
    mutated = {mutation.parameter for mutation in data.mutations} | {data.parameter}
    print(case.operation.label, case.media_type, data)
    query = case.query or {}
    if case.method == "GET" and case.path in ("/files/", "/letters/"):
        if PATHS & query.keys():
            return not mutated & OF_FILES
        # DRF's paginator takes its own size for one that is none
        return mutated <= {None, "disposition", "page_size"}
    return False


def is_wrong_all_the_same(case, response):
    # whether a part can be had is up to the length of the file
    if response.status_code == 416 and "Range" in (case.headers or {}):
        return True
    # which names a file can have is up to the storage
    return response.status_code == 400 and set(response.json()) == {"name"}
