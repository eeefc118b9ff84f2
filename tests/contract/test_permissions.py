"""Each permission class with each operator: the allowed files, and the files in a list."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.permissions import IsAdminUser

from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage_permissions import evaluate, explain, get_readable
from tests.contract.permission_matrix import (
    BACKENDS,
    MODELS,
    PERMISSIONS,
    PermissionData,
    make_request,
)
from tests.safety.name_strategies import EXAMPLES

# The view of a list that evaluates each record if necessary.
VIEW = SimpleNamespace(checks_record=True)


@pytest.fixture
def data(backend, settings):
    settings.AUTHENTICATION_BACKENDS = BACKENDS
    return PermissionData(backend)


def get_listed(data, permissions, user):
    """Return the paths in a list, and whether the filter alone has selected them."""
    request = make_request(user)
    made = [permission() for permission in permissions]
    readable = get_readable(made, request, VIEW, MODELS)

    def check(record):
        return all(evaluate(one, request, VIEW, record) is True for one in made)

    records = RecordSet(
        [data.backend], readable.condition, check=None if readable.is_exact else check
    )
    paths = [record["path"] for record in records]
    assert len(paths) == len(set(paths)) == len(records)
    return set(paths), readable.is_exact


def get_allowed(data, permissions, user, files):
    """Return the paths of the given files that the user may read."""
    request = make_request(user)
    made = [permission() for permission in permissions]
    return {
        file.path
        for file in files
        if all(evaluate(one, request, VIEW, data.records[file.path]) is True for one in made)
    }


def check_list(data, permission, is_allowed, requester):
    """Check that the list of a requester contains exactly the allowed files."""
    user = data.requesters[requester]
    unknown = {file.path for file in data.unknown_files}
    listed, _ = get_listed(data, [permission], user)
    assert listed - unknown == {file.path for file in data.files if is_allowed(requester, file)}, (
        requester
    )
    shown = [file for file in data.unknown_files if file.path in listed]
    assert get_allowed(data, [permission], user, shown) == listed & unknown, requester


@pytest.mark.parametrize("name", PERMISSIONS)
def test_permission_and_its_negation(data, name):
    permission, is_allowed = PERMISSIONS[name]
    for requester, user in data.requesters.items():
        allowed = {file.path for file in data.files if is_allowed(requester, file)}
        denied = {file.path for file in data.files} - allowed
        assert get_allowed(data, [permission], user, data.files) == allowed, requester
        assert get_allowed(data, [~permission], user, data.files) == denied, requester
        check_list(data, permission, is_allowed, requester)
        check_list(
            data, ~permission, lambda requester, file: not is_allowed(requester, file), requester
        )


LEAVES = st.sampled_from(sorted(PERMISSIONS))
FORMULAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.just("~"), inner),
        st.tuples(st.just("&"), inner, inner),
        st.tuples(st.just("|"), inner, inner),
    ),
    max_leaves=5,
)


def build(formula):
    """Return the permission that a formula describes, and its expected results."""
    if isinstance(formula, str):
        return PERMISSIONS[formula]
    operator, *operands = formula
    permissions, expectations = zip(*map(build, operands), strict=True)
    if operator == "~":
        return ~permissions[0], lambda requester, file: not expectations[0](requester, file)
    if operator == "&":
        return permissions[0] & permissions[1], lambda requester, file: all(
            expected(requester, file) for expected in expectations
        )
    return permissions[0] | permissions[1], lambda requester, file: any(
        expected(requester, file) for expected in expectations
    )


@pytest.mark.slow
def test_combined_permissions(data):
    @settings(EXAMPLES, max_examples=100)
    @given(formula=FORMULAS, requester=st.sampled_from(sorted(data.requesters)))
    def check_formula(formula, requester):
        check_list(data, *build(formula), requester)

    check_formula()


@pytest.mark.slow
@pytest.mark.parametrize("name", PERMISSIONS)
def test_explanation_has_the_same_answer(data, name):
    permission, _ = PERMISSIONS[name]
    for user in data.requesters.values():
        request = make_request(user)
        for composed in (permission, ~permission | IsAdminUser):
            for file in (*data.files, *data.unknown_files):
                record = data.records[file.path]
                expected = evaluate(composed(), request, VIEW, record)
                assert explain(composed(), request, VIEW, record).answer is expected
