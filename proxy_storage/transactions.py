"""Which transactions a file operation has to wait for."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

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
    is_open_in_mongodb = _is_open_in_mongodb(connection)
    if is_open_in_mongodb is not None:
        return is_open_in_mongodb
    if connection.atomic_blocks:
        return not getattr(connection.atomic_blocks[-1], "_from_testcase", False)
    # without autocommit every statement is part of a transaction
    return connection.connection is not None and not connection.autocommit


def _is_open_in_mongodb(connection: BaseDatabaseWrapper) -> bool | None:
    """Return whether a transaction of django-mongodb-backend is open.

    Django's ``atomic()`` is not a transaction there. The backend has an ``atomic()`` of its
    own with a flag of its own, and its ``on_commit()`` goes by this flag.

    Returns:
        ``None`` for the connection of any other backend.

    Source: https://www.mongodb.com/docs/languages/python/django-mongodb/current/transactions/
    """
    flag: bool | None = getattr(connection, "in_atomic_block_mongo", None)
    return flag


def savepoint(alias: str | None) -> AbstractContextManager[None]:
    """Return a context manager that keeps an open transaction usable if a statement fails.

    Args:
        alias: the database of the statement; ``None`` if it is not a database of Django.
    """
    if alias is not None and connections[alias].in_atomic_block:
        return transaction.atomic(using=alias)
    return nullcontext()


def check_can_wait() -> None:
    """Make sure that there is a commit to wait for, before anything is done that needs it.

    Raises:
        TransactionManagementError: a transaction was opened by hand, with
            ``set_autocommit(False)``. Django does not call back when it is committed.

    Source: https://docs.djangoproject.com/en/5.2/topics/db/transactions/#performing-actions-after-commit
    """
    for alias in get_open_transactions():
        connection = connections[alias]
        if not (connection.in_atomic_block or _is_open_in_mongodb(connection)):
            raise transaction.TransactionManagementError(
                f"Autocommit is off on the database {alias!r}, and Django does not report a "
                "commit that is made by hand. Delete files inside transaction.atomic()."
            )


def after_commit(callback: Callable[[], object]) -> None:
    """Call back once every open transaction has been committed; at once if none is open.

    After a rollback of any of them it is never called. Which of them has the row that
    points to a file is not known here, so all of them count.
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
    """The outcome of the transactions that are open when it is made.

    Django has no hook for a rollback. It keeps a callback of ``on_commit`` until the transaction
    is committed, and drops it when the transaction, or the savepoint within it, is rolled back.
    So a callback that is gone without having been called stands for a rollback.

    A copy is the same outcome. A pickle reports no rollback.

    A transaction that was begun by hand, with ``set_autocommit(False)``, is not watched, since
    Django does not see its end. Nor is one of django-mongodb-backend, whose ``atomic()`` does not
    set Django's flag.

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
    """The callback of one database; the last of them to be committed calls ``on_commit``.

    It lives as long as Django may call it.
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
