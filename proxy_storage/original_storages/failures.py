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
    root, problem = get_local_path(storage, ""), None
    if root is not None:
        problem = _get_local_problem(root, storage.path(name))
    elif is_s3(storage):
        problem = get_bucket_problem(storage)
    return problem or (
        f"{type(storage).__name__} does not have a file {name!r}. Restore it from a backup, or "
        "delete the record."
    )


def _get_local_problem(root: str, path: str) -> str | None:
    # The dot at the end requires the permission to enter the folder.
    for checked in (os.path.join(root, "."), path):
        try:
            os.stat(checked)
        except FileNotFoundError:
            if checked != path:
                return (
                    f"The folder {root!r} does not exist. Mount or create it, or correct the "
                    "location of the original storage."
                )
        except NotADirectoryError:
            return f"{path!r} is not in a folder. Correct the location of the original storage."
        except OSError as error:
            return f"{checked!r} cannot be read: {error.strerror}. {_PERMISSIONS_HINT}"
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
