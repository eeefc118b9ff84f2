"""The connection to MongoDB. No other module imports pymongo.

Source: https://www.mongodb.com/docs/languages/python/pymongo-driver/current/
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy, deepcopy
from datetime import UTC
from typing import Any, Self

from django.utils.module_loading import import_string

from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendUnavailable,
)
from proxy_storage.suggestions import describe_error, describe_text

try:
    from bson import Decimal128, ObjectId
    from bson.codec_options import DatetimeConversion
    from bson.errors import BSONError
    from gridfs import GridFSBucket, GridOut
    from gridfs.errors import NoFile
    from pymongo import UpdateMany, UpdateOne, timeout
    from pymongo.database import Database
    from pymongo.errors import (
        ConnectionFailure,
        DuplicateKeyError,
        ExecutionTimeout,
        NetworkTimeout,
        PyMongoError,
        ServerSelectionTimeoutError,
    )
except ImportError as error:  # pragma: no cover  (tests/project has an environment without it)
    raise ConfigurationError(
        'MongoDB needs pymongo. Install it with: pip install "django-proxy-storage[mongo]"'
    ) from error

__all__ = [
    "AnyDatabase",
    "DatabaseUserMixin",
    "Decimal128",
    "DuplicateKeyError",
    "GridFSBucket",
    "GridOut",
    "LazyDatabase",
    "NetworkTimeout",
    "NoFile",
    "ObjectId",
    "PyMongoError",
    "UpdateMany",
    "UpdateOne",
    "get_collection",
    "mapped_errors",
    "timeout",
]

AnyDatabase = Database[dict[str, Any]]


# One lock for all databases. Each process holds it once for each database, and only for a moment.
_resolving = threading.Lock()
# A fork may happen while another thread holds the lock.
os.register_at_fork(after_in_child=lambda: globals().update(_resolving=threading.Lock()))


class LazyDatabase:
    """A MongoDB database that is created at its first use.

    Args:
        database: a pymongo ``Database``, a callable that returns one, or the dotted path
            of such a callable. A callable is called once in each process, so that an import
            does not connect, and a forked worker gets a client of its own.
        prepare: a function that creates indexes. It is called with the database before the first
            use. Several threads may call it at once, so that each of them waits only for its own
            timeout if MongoDB does not answer.
    """

    def __init__(
        self,
        database: AnyDatabase | Callable[[], AnyDatabase] | str,
        prepare: Callable[[AnyDatabase], object] | None = None,
    ) -> None:
        self.source = database
        self._prepare = prepare
        # The process ids for which the database was created and prepared.
        self._resolved: tuple[int, Any] = (0, None)
        self._prepared = 0

    def check_has_name(self, action: str) -> None:
        """Check that another process can import the source by its name.

        Args:
            action: the action that needs the name, for the error message: ``"pickled"``.

        Raises:
            TypeError: the source is a ``Database``, which has open connections.
        """
        if isinstance(self.source, Database):
            raise TypeError(
                f"The pymongo Database {self.source.name!r} cannot be {action}. Instead of the "
                "database, give a function that returns it, or the dotted path of the function."
            )

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, without the database of this process.

        Raises:
            TypeError: the source is a ``Database``, which has open connections.
        """
        self.check_has_name("pickled")
        return {**self.__dict__, "_resolved": (0, None), "_prepared": 0}

    def __copy__(self) -> LazyDatabase:
        """Return a copy with the same source."""
        return LazyDatabase(self.source, self._prepare)

    def __deepcopy__(self, memo: dict[int, Any]) -> LazyDatabase:
        """Return a copy with the same source: the connections of a ``Database`` are shared."""
        copied = memo[id(self)] = LazyDatabase(self.source)
        copied._prepare = deepcopy(self._prepare, memo)
        return copied

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LazyDatabase) and other._identity == self._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> Any:
        """The source, or its dotted path if it has one, so that both are equal."""
        name = getattr(self.source, "__qualname__", None)
        if isinstance(self.source, Database) or name is None or "<" in name:
            return self.source
        return f"{self.source.__module__}.{name}"

    def get(self) -> AnyDatabase:
        """Return the database of this process.

        Raises:
            ConfigurationError: the source does not return a ``Database``.
        """
        process = os.getpid()
        if self._resolved[0] != process:
            with _resolving:
                if self._resolved[0] != process:
                    self._resolved = (process, self._resolve())
        database: AnyDatabase = self._resolved[1]
        if self._prepared != process:
            if self._prepare is not None:
                self._prepare(database)
            self._prepared = process
        return database

    def _resolve(self) -> AnyDatabase:
        source = import_string(self.source) if isinstance(self.source, str) else self.source
        # callable() is true for a Database, since any of its attributes is a collection.
        database = source if isinstance(source, Database) else self._call(source)
        if not isinstance(database, Database):
            raise ConfigurationError(
                "database must be a pymongo Database or a callable that returns one, but "
                f"{self.source!r} returned an object of the type {type(database).__name__}."
            )
        return database

    def _call(self, source: Callable[[], object]) -> object:
        try:
            return source()
        except (PyMongoError, ValueError) as error:
            # Errors about a URI may contain a part of it.
            raise ConfigurationError(
                f"{self._identity!r} cannot connect to MongoDB. {describe_error(error)}. "
                "Correct the URI of MongoDB in the settings. A user name and a password must be "
                "percent-encoded."
            ) from None


class DatabaseUserMixin:
    """Support for copies and pickles of classes with a `LazyDatabase` as ``_database``."""

    _database: LazyDatabase

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle.

        Raises:
            TypeError: the constructor was called with a pymongo ``Database`` instead of a
                function that returns one.
        """
        self._database.check_has_name("pickled")
        return self.__dict__

    def __copy__(self) -> Self:
        """Return a copy. The object need not support pickling."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy with the same source: the connections of a ``Database`` are shared."""
        copied = memo[id(self)] = copy(self)
        # The kept arguments of the constructor contain the source as well.
        memo[id(self._database.source)] = self._database.source
        copied.__dict__.update(deepcopy(self.__dict__, memo))
        return copied


def get_collection(database: AnyDatabase, name: str) -> Any:
    """Return a collection that reads times as aware ones, whatever the client's options are.

    A time that ``datetime`` cannot hold is returned as another type instead of an error.
    """
    options = database.codec_options.with_options(
        tz_aware=True, tzinfo=UTC, datetime_conversion=DatetimeConversion.DATETIME_AUTO
    )
    return database.get_collection(name, codec_options=options)


@contextmanager
def mapped_errors(path: str) -> Iterator[None]:
    """Raise the errors of this package in place of those of pymongo."""
    try:
        yield
    except DuplicateKeyError as error:
        raise MetaBackendObjectAlreadyExists(
            f"A record has the path {path!r}.", path=path
        ) from error
    except (ConnectionFailure, ExecutionTimeout) as error:
        # Without a server, the command was not sent.
        nothing_written = isinstance(error, ServerSelectionTimeoutError)
        raise MetaBackendUnavailable(
            f"MongoDB did not answer: {describe_text(str(error))}. Check that it runs, and that "
            "the settings have its address.",
            path=path,
            nothing_written=nothing_written,
        ) from error
    # A ValueError is raised for a lone surrogate, and for a UUID without a codec option.
    except (PyMongoError, BSONError, OverflowError, ValueError) as error:
        raise MetaBackendError(f"The record of {path!r} was refused: {error}", path=path) from error
