import pytest
from django.db import transaction
from django.test import TestCase

from proxy_storage.transactions import is_in_transaction


class TestOfDjango(TestCase):
    def test_transaction_of_a_test_case_does_not_count(self):
        assert not is_in_transaction("default")
        with transaction.atomic():
            assert is_in_transaction("default")
        assert not is_in_transaction("default")


@pytest.mark.django_db(transaction=True)
def test_transaction_counts():
    assert not is_in_transaction("default")
    with transaction.atomic(), transaction.atomic():
        assert is_in_transaction("default")
    assert not is_in_transaction("default")
