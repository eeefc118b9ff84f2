"""The outcome of transactions."""

import copy
import pickle
from contextlib import suppress

import pytest
from django.db import connection, transaction

from proxy_storage.transactions import Outcome

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])


def roll_back(using="default", on_commit=lambda: None):
    """Return the outcome of a transaction that is rolled back."""
    with suppress(RuntimeError), transaction.atomic(using=using):
        outcome = Outcome(on_commit)
        raise RuntimeError
    return outcome


def test_without_a_transaction_nothing_is_rolled_back():
    outcome = Outcome()
    assert not outcome.is_rolled_back


def test_commit():
    called = []
    with transaction.atomic():
        outcome = Outcome(lambda: called.append(1))
        assert not outcome.is_rolled_back
        assert called == []
    assert not outcome.is_rolled_back
    assert called == [1]


@pytest.mark.parametrize("using", ["default", "other"])
def test_rollback(using):
    called = []
    outcome = roll_back(using, lambda: called.append(1))
    assert outcome.is_rolled_back
    assert called == []


def test_rollback_of_a_savepoint():
    with transaction.atomic():
        outer, inner = Outcome(), roll_back()
        assert (outer.is_rolled_back, inner.is_rolled_back) == (False, True)
    assert (outer.is_rolled_back, inner.is_rolled_back) == (False, True)


def test_kept_savepoint_is_rolled_back_with_its_transaction():
    with suppress(RuntimeError), transaction.atomic():
        with transaction.atomic():
            outcome = Outcome()
        assert not outcome.is_rolled_back
        raise RuntimeError
    assert outcome.is_rolled_back


def test_rollback_of_one_of_two_databases():
    called = []
    with suppress(RuntimeError), transaction.atomic():
        with transaction.atomic(using="other"):
            outcome = Outcome(lambda: called.append(1))
        assert not outcome.is_rolled_back
        raise RuntimeError
    assert outcome.is_rolled_back
    assert called == []


def test_earlier_callback_sees_no_rollback():
    seen = []
    with transaction.atomic():
        outcomes = []
        transaction.on_commit(lambda: seen.append(outcomes[0].is_rolled_back))
        outcomes.append(Outcome())
    assert seen == [False]


def test_transaction_without_autocommit_is_not_observed():
    transaction.set_autocommit(False)
    try:
        outcome = Outcome()
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)
    assert not outcome.is_rolled_back


def test_closed_connection_is_a_rollback():
    with transaction.atomic():
        outcome = Outcome()
        connection.close()
        connection.run_on_commit = []
    assert outcome.is_rolled_back


@pytest.mark.parametrize("make_copy", [copy.copy, copy.deepcopy])
def test_copy_is_the_same_outcome(make_copy):
    outcome = roll_back()
    assert make_copy(outcome) is outcome


def test_pickle_reports_no_rollback():
    outcome = pickle.loads(pickle.dumps(roll_back()))
    assert not outcome.is_rolled_back
    assert not outcome.is_pending


def test_pending_until_the_commit():
    with transaction.atomic():
        outcome = Outcome()
        assert outcome.is_pending
    assert not outcome.is_pending
    assert roll_back().is_pending
