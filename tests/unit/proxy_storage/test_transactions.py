import pytest
from django.db import transaction
from django.test import TestCase

from proxy_storage.transactions import after_commit, get_open_transactions


class TestOfDjango(TestCase):
    def test_transaction_of_a_test_case_does_not_count(self):
        assert get_open_transactions() == []
        with transaction.atomic():
            assert get_open_transactions() == ["default"]
        assert get_open_transactions() == []


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
class TestRealTransactions:
    def test_transaction_counts(self):
        assert get_open_transactions() == []
        with transaction.atomic(), transaction.atomic():
            assert get_open_transactions() == ["default"]
        assert get_open_transactions() == []

    def test_without_transaction_at_once(self):
        calls = []
        after_commit(lambda: calls.append(1))
        assert calls == [1]

    def test_after_all_of_them(self):
        calls = []
        with transaction.atomic(using="other"):
            with transaction.atomic():
                after_commit(lambda: calls.append(1))
                assert calls == []
            assert calls == []
        assert calls == [1]

    @pytest.mark.parametrize("failing", ["default", "other"])
    def test_never_after_a_rollback(self, failing):
        calls = []

        def work():
            with transaction.atomic(using="other"):
                with transaction.atomic():
                    after_commit(lambda: calls.append(1))
                    if failing == "default":
                        raise RuntimeError
                raise RuntimeError

        with pytest.raises(RuntimeError):
            work()
        assert calls == []
