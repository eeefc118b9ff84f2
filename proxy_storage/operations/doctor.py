"""Checks of a running installation, which Django's system checks cannot make without a connection.

Each check gives a `Finding`. A probe file has a random name and is deleted at once. No other file
and no record is changed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db import connections
from django.db.models import Q

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendBase
from proxy_storage.original_storages.inspect import get_local_path
from proxy_storage.original_storages.s3 import get_bucket_problem, get_remedy, is_s3
from proxy_storage.registry import get_meta_backends, get_proxy_storage, get_proxy_storage_names
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.lookup import get_all_originals
from proxy_storage.suggestions import describe_error

#: The time after which a storage or MongoDB counts as not available, in seconds.
TIMEOUT = 10.0
#: The beginning of the names of probe files
PROBE = "proxy-storage-doctor-"
_SETTINGS_CURE = "Correct the settings."
# The threads of the checks that have not answered in time
_unfinished: list[threading.Thread] = []
# The number of names of storages that are not registered any more.
_MAX_NAMES = 20

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: the checked object, such as ``original storage of 'letters'``.
        problem: the problem; ``None`` if the check has succeeded.
        cure: the remedy.
        is_warning: whether the installation works nevertheless.
    """

    check: str
    problem: str | None = None
    cure: str | None = None
    is_warning: bool = False

    @property
    def failed(self) -> bool:
        """Whether the installation does not work."""
        return self.problem is not None and not self.is_warning


class _ProblemError(Exception):
    """A problem with its cure."""

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.cure = cure


def examine(*, skip_writes: bool = False) -> Iterator[Finding]:
    """Check the settings, the records and the original storages.

    Args:
        skip_writes: only read. Without it, a probe file is written to each original storage, and
            deleted.

    Raises:
        ConfigurationError: no proxy storage is registered, or the settings cannot be read.
    """
    found = list(_run_system_checks())
    yield from found
    names = get_proxy_storage_names()
    if not names:
        raise ConfigurationError(
            "No proxy storage is registered. Add one to STORAGES, with the BACKEND "
            "'proxy_storage.storages.ProxyStorage'."
        )
    storages: dict[str, ProxyStorageBase] = {}
    for name in names:
        try:
            storages[name] = get_proxy_storage(name)
        except ImproperlyConfigured as error:
            if all(str(error) != one.problem for one in found):
                yield Finding(f"proxy storage {name!r}", str(error), _SETTINGS_CURE)
    if len(storages) == len(names):
        for meta_backend in get_meta_backends():
            yield from _check_meta_backend(meta_backend, list(storages))
    for name, storage in storages.items():
        for original, original_name in get_all_originals(storage):
            key = name if original_name is None else f"{name}/{original_name}"
            check = f"original storage of {key!r} ({type(original).__name__})"
            yield _try(check, _probe, original, skip_writes)


def _run_system_checks() -> Iterator[Finding]:
    found = [
        Finding(str(message.id), message.msg, message.hint, message.level < checks.ERROR)
        for message in checks.run_checks(include_deployment_checks=True)
        if str(message.id).startswith("proxy_storage") and not message.is_silenced()
    ]
    yield from found
    if not found:
        yield Finding("system checks")


# Records


def _check_meta_backend(meta_backend: MetaBackendBase, names: list[str]) -> Iterator[Finding]:
    used = [name for name in names if get_proxy_storage(name).meta_backend == meta_backend]
    check = f"records of {', '.join(used)} ({type(meta_backend).__name__})"
    try:
        # A connection of Django belongs to its thread.
        is_django = meta_backend.get_transaction_alias() is not None
        run = (lambda function: function()) if is_django else _run_in_time
        problems = run(meta_backend.find_problems)
        unknown = {} if problems else run(lambda: _count_unregistered(meta_backend, names))
    except Exception as error:  # noqa: BLE001  (the errors of drivers are not known here)
        is_setting = isinstance(error, ImproperlyConfigured)
        cure = _SETTINGS_CURE if is_setting else "Check the connection, and that the server runs."
        yield Finding(check, describe_error(error), cure)
        return
    for problem, cure in problems:
        yield Finding(check, problem, cure)
    for name, count in unknown.items():
        yield Finding(
            check,
            f"{count} {'record is' if count == 1 else 'records are'} of the proxy storage "
            f"{name!r}, which is not registered.",
            "Register it under this name, or delete these records and their files.",
        )
    if not problems and not unknown:
        yield Finding(check)


def _count_unregistered(meta_backend: MetaBackendBase, names: list[str]) -> dict[str, int]:
    """Return the number of records of each proxy storage that is not registered."""
    found: dict[str, int] = {}
    while len(found) < _MAX_NAMES:
        condition = ~Q(proxy_storage_name__in=[*names, *found])
        records = meta_backend.select(condition, ["path"], 0, 1)
        if not records:
            break
        name = records[0]["proxy_storage_name"]
        found[name] = meta_backend.count(Q(proxy_storage_name=name))
    return found


# Original storages


def _try(check: str, function: Callable[..., object], *args: Any) -> Finding:
    """Return the finding of a function that raises an error if something is wrong."""
    try:
        _run_in_time(lambda: function(*args))
    except _ProblemError as error:
        return Finding(check, str(error), error.cure)
    except Exception as error:  # noqa: BLE001  (the errors of drivers are not known here)
        return Finding(check, describe_error(error), _get_cure(error))
    return Finding(check)


def _probe(original: Storage, skip_writes: bool) -> None:
    """Write, read and delete a probe file."""
    _check_folder(original, skip_writes)
    # exists() returns False for a bucket that does not exist.
    if is_s3(original) and (skip_writes or not getattr(original, "bucket_name", None)):
        text = get_bucket_problem(original)
        if text is not None:
            problem, _, cure = text.rpartition(". ")  # The last sentence is the remedy.
            raise _ProblemError(f"{problem}.", cure)
    name, content = f"{PROBE}{uuid4().hex}.txt", uuid4().hex.encode()
    if skip_writes:
        original.exists(name)
        return
    saved = original.save(name, ContentFile(content))
    try:
        with original.open(saved) as file:
            if file.read() != content:
                raise _ProblemError(
                    f"The content of the probe file {saved!r} has changed.",
                    "Check the options of the storage, and programs that change its files.",
                )
    finally:
        original.delete(saved)
    if original.exists(saved):
        raise _ProblemError(
            f"The probe file {saved!r} still exists after it was deleted.",
            "Allow this user to delete files, and delete this one.",
        )


def _check_folder(original: Storage, skip_writes: bool) -> None:
    folder = get_local_path(original, "")
    if folder is None:
        return
    if not os.path.isdir(folder):
        state = "is not a folder" if os.path.exists(folder) else "does not exist"
        raise _ProblemError(
            f"{folder!r} {state}.", "Create the folder, mount it, or correct location."
        )
    mode = os.R_OK | os.X_OK | (0 if skip_writes else os.W_OK)
    if not os.access(folder, mode):
        raise _ProblemError(
            f"{folder!r} cannot be {'read' if skip_writes else 'read and written'} by this user.",
            "Change its owner or its permissions, or run this command as the user of the site.",
        )


def _get_cure(error: Exception) -> str:
    if isinstance(error, ImproperlyConfigured):
        return _SETTINGS_CURE
    return get_remedy(error) or "Check the options of the storage, and that its server runs."


def has_unfinished_threads() -> bool:
    """Return whether a check that has not answered in time still runs.

    A driver may have started other threads in it, which Python waits for when it ends.
    """
    return any(thread.is_alive() for thread in _unfinished)


def _run_in_time(function: Callable[[], _Result]) -> _Result:
    """Return the result of a function, if it ends within `TIMEOUT`.

    Raises:
        TimeoutError: it has not ended yet.
    """
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001  (It is raised by the caller.)
            errors.append(error)
        finally:
            # These are the connections of this thread.
            with suppress(Exception):
                connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    if errors:
        raise errors[0]
    if not results:
        _unfinished.append(thread)
        raise TimeoutError(f"There was no answer within {TIMEOUT:g} seconds.")
    return results[0]
