"""Which transactions a file operation has to wait for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.db import connections, transaction


def get_open_transactions() -> list[str]:
    """Return the databases on which the caller has opened a transaction.

    The transaction that Django's ``TestCase`` wraps around a test does not count, just
    as it does not count for ``atomic(durable=True)``: code under test behaves as it does
    in production.

    Returns:
        Keys of ``settings.DATABASES``.
    """
    return [
        connection.alias
        for connection in connections.all(initialized_only=True)
        if connection.atomic_blocks
        and not getattr(connection.atomic_blocks[-1], "_from_testcase", False)
    ]


def after_commit(callback: Callable[[], object]) -> None:
    """Call back once every open transaction has been committed; at once if none is open.

    After a rollback of any of them it is never called. Which of them has the row that
    points to a file is not known here, so all of them count.
    """
    open_transactions = get_open_transactions()
    if not open_transactions:
        callback()
        return
    transaction.on_commit(partial(after_commit, callback), using=open_transactions[0], robust=True)
