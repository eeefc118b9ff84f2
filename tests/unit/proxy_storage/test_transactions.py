import pytest
from django.db import transaction
from django.test import TestCase

from proxy_storage.transactions import after_commit, get_open_transactions


class TestDjangoTestCase(TestCase):
    def test_transaction_around_a_test_does_not_count(self):
        assert get_open_transactions() == []
        with transaction.atomic():
            assert get_open_transactions() == ["default"]
        assert get_open_transactions() == []


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
class TestRealTransactions:
    def test_open_transaction_is_listed_once(self):
        assert get_open_transactions() == []
        with transaction.atomic(), transaction.atomic():
            assert get_open_transactions() == ["default"]
        assert get_open_transactions() == []

    def test_callback_without_transaction_is_called_at_once(self):
        calls = []
        after_commit(lambda: calls.append(1))
        assert calls == [1]

    def test_callback_waits_for_all_commits(self):
        calls = []
        with transaction.atomic(using="other"):
            with transaction.atomic():
                after_commit(lambda: calls.append(1))
                assert calls == []
            assert calls == []
        assert calls == [1]

    @pytest.mark.parametrize("failing", ["default", "other"])
    def test_callback_is_not_called_after_a_rollback(self, failing):
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
