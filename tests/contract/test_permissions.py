"""Lists have the files that each permission allows, for all classes and operators."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage_permissions import evaluate, get_readable
from tests.contract.readers import BACKENDS, MODELS, PERMISSIONS, World, ask
from tests.safety.names import EXAMPLES

# The view of a list that checks each record, if that is necessary.
VIEW = SimpleNamespace(checks_record=True)


@pytest.fixture
def world(backend, settings):
    settings.AUTHENTICATION_BACKENDS = BACKENDS
    return World(backend)


def get_listed(world, permissions, user):
    """Return the paths of a list, and whether the filter was exact."""
    request = ask(user)
    made = [permission() for permission in permissions]
    readable = get_readable(made, request, VIEW, MODELS)

    def check(record):
        return all(evaluate(one, request, VIEW, record) is True for one in made)

    records = RecordSet(
        [world.backend], readable.condition, check=None if readable.is_exact else check
    )
    paths = [record["path"] for record in records]
    assert len(paths) == len(set(paths)) == len(records)
    return set(paths), readable.is_exact


def get_allowed(world, permissions, user, files):
    """Return the paths of these files that the user may read."""
    request = ask(user)
    made = [permission() for permission in permissions]
    return {
        file.path
        for file in files
        if all(evaluate(one, request, VIEW, world.records[file.path]) is True for one in made)
    }


def check_list(world, permission, is_allowed, who):
    """Compare the list of a user with the expected files."""
    user = world.people[who]
    strange = {file.path for file in world.strange_files}
    listed, _ = get_listed(world, [permission], user)
    assert listed - strange == {file.path for file in world.files if is_allowed(who, file)}, who
    shown = [file for file in world.strange_files if file.path in listed]
    assert get_allowed(world, [permission], user, shown) == listed & strange, who


@pytest.mark.parametrize("name", PERMISSIONS)
def test_class(world, name):
    permission, is_allowed = PERMISSIONS[name]
    for who, user in world.people.items():
        truth = {file.path for file in world.files if is_allowed(who, file)}
        others = {file.path for file in world.files} - truth
        assert get_allowed(world, [permission], user, world.files) == truth, who
        assert get_allowed(world, [~permission], user, world.files) == others, who
        check_list(world, permission, is_allowed, who)
        check_list(world, ~permission, lambda who, file: not is_allowed(who, file), who)


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
    """Return the permission of a formula, and the expected results."""
    if isinstance(formula, str):
        return PERMISSIONS[formula]
    operator, *operands = formula
    permissions, truths = zip(*map(build, operands), strict=True)
    if operator == "~":
        return ~permissions[0], lambda who, file: not truths[0](who, file)
    if operator == "&":
        return permissions[0] & permissions[1], lambda who, file: all(
            truth(who, file) for truth in truths
        )
    return permissions[0] | permissions[1], lambda who, file: any(
        truth(who, file) for truth in truths
    )


def test_any_formula(world):
    @settings(EXAMPLES, max_examples=100)
    @given(formula=FORMULAS, who=st.sampled_from(sorted(world.people)))
    def try_formula(formula, who):
        check_list(world, *build(formula), who)

    try_formula()
