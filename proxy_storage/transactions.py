"""Which transaction a file operation takes part in."""

from django.db import transaction


def is_in_transaction(alias: str) -> bool:
    """Tell whether the caller has opened a transaction on this database connection.

    The transaction that Django's ``TestCase`` wraps around a test does not count, just
    as it does not count for ``atomic(durable=True)``: code under test behaves as it does
    in production.

    Args:
        alias: a key of ``settings.DATABASES``.
    """
    blocks = transaction.get_connection(alias).atomic_blocks
    return bool(blocks) and not getattr(blocks[-1], "_from_testcase", False)
