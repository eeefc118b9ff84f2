"""Signed links to many files, with one query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models.fields.files import FieldFile

from proxy_storage.db.own_files import get_own_records
from proxy_storage.meta_backends.base import MetaBackendObject

from .links import SignedLink, get_signed_url


def get_signed_urls(
    files: Iterable[FieldFile | MetaBackendObject | None], **options: Any
) -> list[SignedLink | None]:
    """Return links to many files, with one query for each meta backend: for templates and tasks.

    ::

        letters = list(Letter.objects.all())
        links = get_signed_urls([letter.scan for letter in letters], request=request)

    No permission is checked: the caller decides whether to give access to the files.

    Args:
        files: the files, as values of file fields of instances, or as records, for which no query
            is made.
        **options: the arguments of `get_signed_url`.

    Returns:
        The links in the same order; ``None`` for ``None``, for a field without file, for a file
        without record, and for a file that belongs to another instance or field: a path that was
        written to a row must not give access to its file.

    Raises:
        ConfigurationError: as `get_signed_url`; and if the field is not a ProxyStorageFileField.
        ValueError: as `get_signed_url`.
    """
    files = list(files)
    of_instances = [file for file in files if isinstance(file, FieldFile)]
    own = iter(get_own_records(of_instances))
    records = [next(own) if isinstance(file, FieldFile) else file for file in files]
    return [None if record is None else get_signed_url(record, **options) for record in records]
