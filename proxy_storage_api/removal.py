"""``DELETE``: a file and its record, where that is switched on."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.utils.http import parse_etags, parse_http_date_safe
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from proxy_storage.exceptions import UnsafePathError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.owners import clear_field
from proxy_storage.serving.finding import get_source
from proxy_storage.serving.validators import Validators, get_validators
from proxy_storage_api.access import FileAccess
from proxy_storage_api.exceptions import PreconditionFailed
from proxy_storage_api.settings import get_permission_classes

# The preconditions by which a client names the version of the file that it deletes.
_PRECONDITIONS = ("If-Match", "If-Unmodified-Since")


class RemovalMixin(FileAccess):
    """Delete files for those who may."""

    #: who may delete; None: those of ``DELETE_PERMISSION_CLASSES``, else nobody
    delete_permission_classes: Any = None

    def get_permissions(self) -> list[BasePermission]:
        """Return the permissions to delete, which are never those to read."""
        if self.action != "remove":
            return super().get_permissions()
        return self.make_permissions(self.delete_permission_classes, "DELETE_PERMISSION_CLASSES")

    def can_be_asked(self, name: str) -> bool:
        """Tell whether deleting is switched on."""
        if name == "remove" and not self.delete_permission_classes:
            return get_permission_classes("DELETE_PERMISSION_CLASSES") is not None
        return super().can_be_asked(name)

    def remove(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete the file of a path, and clear the field of its content object.

        The record that was decided on is deleted, never a later one of the same path.

        Raises:
            PreconditionFailed: 412, it is not of the version that ``If-Match`` or
                ``If-Unmodified-Since`` names.
        """
        record = self.get_object()
        _check_preconditions(request, record)
        record.get_proxy_storage().delete_record(record)
        clear_field(record)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _check_preconditions(request: Request, record: MetaBackendObject) -> None:
    """Compare the file with the version that the client wants to delete, if it names one.

    The two other preconditions are for copies of files.

    Raises:
        PreconditionFailed: 412, the file is of another version, or its bytes are gone.

    Source: RFC 9110 section 13.2.2.
    """
    wanted, unmodified_since = (request.headers.get(name) for name in _PRECONDITIONS)
    if wanted is not None:
        if not _matches(wanted, _get_version(record)):
            raise PreconditionFailed
    elif unmodified_since is not None and _is_later(_get_version(record), unmodified_since):
        raise PreconditionFailed


def _matches(wanted: str, version: Validators | None) -> bool:
    """Compare entity tags, of which a strong one alone names a version.

    Source: RFC 9110 section 13.1.1.
    """
    if version is None:
        return False
    tags = parse_etags(wanted)
    return tags == ["*"] or version.etag in tags


def _is_later(version: Validators | None, unmodified_since: str) -> bool:
    """Compare dates. One that is not valid, or not known of the file, does not count.

    Source: RFC 9110 section 13.1.4.
    """
    date = parse_http_date_safe(unmodified_since)
    if date is None or version is None or version.seconds is None:
        return False
    return version.seconds > date


def _get_version(record: MetaBackendObject) -> Validators | None:
    """Return the validators of a file; ``None`` where it cannot be delivered."""
    try:
        source = get_source(record)
        # Not every source looks for the bytes before it is asked for their length.
        _ = source.size
        return get_validators(record, source)
    except (FileNotFoundError, UnsafePathError, SuspiciousOperation):
        return None
