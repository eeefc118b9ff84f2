"""Open database transactions, and operations that wait for their commit."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

from django.db import connections, transaction


def is_transaction_open(alias: str) -> bool:
    """Return whether the caller has opened a transaction on a database.

    The transaction that Django's ``TestCase`` opens around a test does not count, as for
    ``atomic(durable=True)``, so that the tested code behaves as in production.

    django-mongodb-backend has its own ``atomic()``, which sets a flag of its own; Django's
    ``atomic()`` does not open a transaction there.

    Args:
        alias: a key of ``settings.DATABASES``.

    Source: https://www.mongodb.com/docs/languages/python/django-mongodb/current/transactions/
    """
    connection = connections[alias]
    mongodb_flag: bool | None = getattr(connection, "in_atomic_block_mongo", None)
    if mongodb_flag is not None:
        return mongodb_flag
    if connection.atomic_blocks:
        return not getattr(connection.atomic_blocks[-1], "_from_testcase", False)
    # Without autocommit, each statement is part of a transaction.
    return connection.connection is not None and not connection.autocommit


def get_open_transactions() -> list[str]:
    """Return the aliases of the databases for which `is_transaction_open` is true."""
    opened = (connection.alias for connection in connections.all(initialized_only=True))
    return [alias for alias in opened if is_transaction_open(alias)]


def savepoint(alias: str | None) -> AbstractContextManager[None]:
    """Return a context manager that keeps an open transaction usable if a statement fails.

    Args:
        alias: the database of the statement; ``None`` if Django does not manage it.
    """
    if alias is not None and connections[alias].in_atomic_block:
        return transaction.atomic(using=alias)
    return nullcontext()


def check_can_wait() -> None:
    """Check that Django reports the commits of all open transactions.

    Raises:
        TransactionManagementError: a transaction was opened with ``set_autocommit(False)``,
            whose commit calls no ``on_commit`` callback.

    Source: https://docs.djangoproject.com/en/5.2/topics/db/transactions/#performing-actions-after-commit
    """
    for alias in get_open_transactions():
        connection = connections[alias]
        in_mongodb = getattr(connection, "in_atomic_block_mongo", False)
        if not (connection.in_atomic_block or in_mongodb):
            raise transaction.TransactionManagementError(
                f"Autocommit is off on the database {alias!r}, and Django does not report a "
                "commit that is made by hand. Delete files inside transaction.atomic()."
            )


def after_commit(callback: Callable[[], object]) -> None:
    """Call a function once all open transactions are committed; at once if none is open.

    It is not called if any of them is rolled back. All transactions count, since the row that
    names a file may be in any of the databases.
    """
    aliases = frozenset(get_open_transactions())
    if not aliases:
        callback()
        return
    committed: set[str] = set()
    for alias in sorted(aliases):
        commit = _CommitCallback(alias, aliases, committed, callback)
        transaction.on_commit(commit.call, using=alias, robust=True)


class Outcome:
    """The outcome of the transactions that are open when the object is created.

    Django does not report a rollback. It keeps an ``on_commit`` callback until the commit, and
    drops it if the transaction, or the savepoint around it, is rolled back. So a callback that
    does not exist any more and was not called means a rollback.

    A copy is the same outcome. An unpickled outcome reports no rollback.

    Transactions that were opened with ``set_autocommit(False)`` are not observed, since Django
    does not report their end. The same holds for django-mongodb-backend, whose ``atomic()`` does
    not set Django's flag.

    Args:
        on_commit: called once all of the transactions are committed.

    Source: https://docs.djangoproject.com/en/5.2/topics/db/transactions/#savepoints
    """

    def __init__(self, on_commit: Callable[[], object] = lambda: None) -> None:
        self._committed: set[str] = set()
        self._callbacks: dict[str, weakref.ref[_CommitCallback]] = {}
        aliases = frozenset(
            alias for alias in get_open_transactions() if connections[alias].in_atomic_block
        )
        for alias in aliases:
            callback = _CommitCallback(alias, aliases, self._committed, on_commit)
            self._callbacks[alias] = weakref.ref(callback)
            transaction.on_commit(callback.call, using=alias, robust=True)

    @property
    def is_pending(self) -> bool:
        """Whether not all of the transactions are committed."""
        return not self._committed >= self._callbacks.keys()

    @property
    def is_rolled_back(self) -> bool:
        """Whether any of the transactions was rolled back."""
        return any(
            alias not in self._committed and callback() is None
            for alias, callback in self._callbacks.items()
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _make_known_outcome, ()


class _CommitCallback:
    """The callback for one database. The callback of the last commit calls ``on_commit``.

    Only Django has a reference to it, so that it exists as long as Django may call it.
    """

    def __init__(
        self,
        alias: str,
        aliases: frozenset[str],
        committed: set[str],
        on_commit: Callable[[], object],
    ) -> None:
        self._alias, self._aliases = alias, aliases
        self._committed, self._on_commit = committed, on_commit

    def call(self) -> None:
        self._committed.add(self._alias)
        if self._committed >= self._aliases:
            self._on_commit()


def _make_known_outcome() -> Outcome:
    outcome = Outcome.__new__(Outcome)
    outcome._committed, outcome._callbacks = set(), {}
    return outcome
