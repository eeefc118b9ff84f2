"""The cause of a failed read or write, with its remedy, for logs."""

from __future__ import annotations

import os

from django.core.files.storage import Storage

from proxy_storage.original_storages.inspect import get_local_path
from proxy_storage.original_storages.s3 import (
    get_bucket_problem,
    get_remedy,
    is_s3,
)
from proxy_storage.suggestions import describe_error, end_sentence

_PERMISSIONS_HINT = "Check the permissions of the folder for the user that runs the process."


def describe_missing_file(storage: Storage, name: str) -> str:
    """Return why a file has not been found, and the remedy.

    For S3, this sends one request: S3 has the same response for a missing object and for an
    object in a missing bucket.

    Args:
        storage: the original storage.
        name: the file's name there.
    """
    problem = get_storage_problem(storage)
    path = get_local_path(storage, name)
    if problem is None and path is not None:
        problem = _get_local_problem(path, None)
    return problem or (
        f"{type(storage).__name__} does not have a file {name!r}. Restore it from a backup, or "
        "delete the record."
    )


def get_storage_problem(storage: Storage) -> str | None:
    """Return why a storage does not have any file, and the remedy; else ``None``.

    ``exists()`` of some storages is false for each file in this case. For S3, this sends one
    request.

    Args:
        storage: the original storage.
    """
    root = get_local_path(storage, "")
    if root is not None:
        # The dot at the end requires the permission to enter the folder.
        return _get_local_problem(
            os.path.join(root, "."),
            f"The folder {root!r} does not exist. Mount or create it, or correct the location of "
            "the original storage.",
        )
    return get_bucket_problem(storage) if is_s3(storage) else None


def _get_local_problem(path: str, problem_if_missing: str | None) -> str | None:
    try:
        os.stat(path)
    except FileNotFoundError:
        return problem_if_missing
    except NotADirectoryError:
        folder = os.path.dirname(path)
        return f"{folder!r} is not a folder. Correct the location of the original storage."
    except OSError as error:
        return f"{path!r} cannot be read: {error.strerror}. {_PERMISSIONS_HINT}"
    return None


def describe_failure(error: BaseException) -> str:
    """Return an error as one line, with the remedy if it is known.

    Args:
        error: the error of an original storage, of a meta backend, or any other.
    """
    text, remedy = describe_error(error), get_remedy(error)
    if isinstance(error, PermissionError):
        remedy = _PERMISSIONS_HINT
    elif isinstance(error, FileNotFoundError | FileExistsError | NotADirectoryError):
        remedy = "Check that the folder of the original storage exists, and its location."
    return text if remedy is None else f"{end_sentence(text)} {remedy}"
