"""Facts about a file that its record holds, so that nobody else has to be asked."""

from __future__ import annotations

import posixpath
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.utils import timezone

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.mime_types import UTF_8, guess_mime_type
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.content import MeasuredFile

READ_MODES = ("r", "rt", "rb")


class FileMetadataProxyStorageMixin(ProxyStorageBase):
    """A proxy storage that records the metadata of files.

    These are ``size``, ``mime_type``, ``checksum`` and ``created_at``, and, if records can hold
    them, ``name`` and ``charset``. ``name`` is the name of the uploaded file, before
    ``upload_to``, random parts and cutting; downloads have it. ``charset`` is ``"utf-8"`` if the
    type is one of text and the bytes are valid UTF-8.

    Size and checksum (SHA-256, in hexadecimal) are taken while the bytes pass by on their
    way to the original storage. Bytes that are there already are read once. A model of
    records needs `FileMetadataMixin`.

    ``size()`` and the times come from the record. Records from before the storage had the
    mixin have no facts, and then the original storage is asked.
    """

    checksum_algorithm = "sha256"

    @classmethod
    def get_record_keys(cls) -> tuple[str, ...]:
        """Return the keys that records need: the facts as well."""
        return (*super().get_record_keys(), "size", "mime_type", "checksum", "created_at")

    def get_mime_type(self, name: str, content: File[Any]) -> str:
        """Return the MIME type to record. Override it to look into the content.

        A type with a parameter ``charset`` declares the charset of the file.

        Args:
            name: the name that ``save`` was called with.
            content: the file, which has been read; ``seek(0)`` to read it again.
        """
        if not posixpath.splitext(name)[1] and isinstance(content, MeasuredFile):
            # A project's upload_to may leave the extension out.
            name = content.uploaded_name
        return guess_mime_type(name)

    def get_data_for_meta_backend_save(
        self, path: str, original_storage_path: str, original_name: str, content: Any
    ) -> dict[str, Any]:
        """Return what a new record says, facts included."""
        measured: MeasuredFile = content
        data = super().get_data_for_meta_backend_save(
            path=path,
            original_storage_path=original_storage_path,
            original_name=original_name,
            content=content,
        )
        mime_type = self.get_mime_type(original_name, content)
        is_text = str(mime_type or "").lower().startswith("text/")
        # Tables of projects may be without these two columns.
        optional = {
            "name": measured.uploaded_name,
            "charset": UTF_8 if is_text and measured.is_utf8 else "",
        }
        return {
            **data,
            "size": measured.length,
            "mime_type": mime_type,
            "checksum": measured.checksum,
            "created_at": timezone.now(),
            **{key: text for key, text in optional.items() if self.meta_backend.can_hold(key)},
        }

    def open_record(self, meta_backend_obj: MetaBackendObject, mode: str = "rb") -> File[Any]:
        """Open the file of a record for reading."""
        if mode not in READ_MODES:
            raise ValueError(
                f"{meta_backend_obj['path']!r} can only be opened for reading, not as {mode!r}: "
                "its size and checksum are recorded. Save a new file instead."
            )
        return super().open_record(meta_backend_obj, mode)

    def size(self, name: str) -> int:
        """Return the recorded size in bytes."""
        recorded = self.get_meta_backend_obj(name).get("size")
        return super().size(name) if recorded is None else int(recorded)

    def get_created_time(self, name: str) -> datetime:
        """Return when the file was saved."""
        created = self._get_recorded_time(name)
        return super().get_created_time(name) if created is None else created

    def get_modified_time(self, name: str) -> datetime:
        """Return when the file was saved: it is never changed."""
        created = self._get_recorded_time(name)
        return super().get_modified_time(name) if created is None else created

    def get_accessed_time(self, name: str) -> datetime:
        """Return when the file was saved: nobody keeps a record of who reads it."""
        created = self._get_recorded_time(name)
        return super().get_accessed_time(name) if created is None else created

    def _get_recorded_time(self, name: str) -> datetime | None:
        created: datetime | None = self.get_meta_backend_obj(name).get("created_at")
        if created is None or timezone.is_aware(created) == settings.USE_TZ:
            return created
        # recorded under the other value of USE_TZ
        return timezone.make_aware(created) if settings.USE_TZ else timezone.make_naive(created)


#: the former name of `FileMetadataProxyStorageMixin`
FileFactsProxyStorageMixin = FileMetadataProxyStorageMixin
