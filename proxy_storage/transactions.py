"""Which transactions a file operation has to wait for."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


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
        if _is_open(connection)
    ]


def _is_open(connection: BaseDatabaseWrapper) -> bool:
    if connection.atomic_blocks:
        return not getattr(connection.atomic_blocks[-1], "_from_testcase", False)
    # without autocommit every statement is part of a transaction
    return connection.connection is not None and not connection.autocommit


def check_can_wait() -> None:
    """Make sure that there is a commit to wait for, before anything is done that needs it.

    Raises:
        TransactionManagementError: a transaction was opened by hand, with
            ``set_autocommit(False)``. Django tells nobody when it is committed.

    Source: https://docs.djangoproject.com/en/5.2/topics/db/transactions/#performing-actions-after-commit
    """
    for alias in get_open_transactions():
        if not connections[alias].in_atomic_block:
            raise transaction.TransactionManagementError(
                f"Autocommit is off on the database {alias!r}, so nothing tells when a file may "
                "go for good. Delete files inside transaction.atomic()."
            )


def after_commit(callback: Callable[[], object]) -> None:
    """Call back once every open transaction has been committed; at once if none is open.

    After a rollback of any of them it is never called. Which of them has the row that
    points to a file is not known here, so all of them count.
    """
    waiting_for = set(get_open_transactions())
    if not waiting_for:
        callback()
        return
    for alias in sorted(waiting_for):
        note_commit = _get_note_of(alias, waiting_for, callback)
        transaction.on_commit(note_commit, using=alias, robust=True)


def _get_note_of(
    alias: str, waiting_for: set[str], callback: Callable[[], object]
) -> Callable[[], None]:
    """Return what the commit of one database calls: the last of them calls back."""

    def note_commit() -> None:  # a function: Django asks for its name where it fails
        waiting_for.discard(alias)
        if not waiting_for:
            callback()

    return note_commit
