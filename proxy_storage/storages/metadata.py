"""The metadata of files in their records, so that the original storage is not queried."""

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
METADATA_KEYS = ("size", "mime_type", "checksum", "created_at")


class OptionalMetadataMixin(ProxyStorageBase):
    """A proxy storage that records the metadata of files if ``records_metadata`` is true.

    The keys are ``size``, ``mime_type``, ``checksum`` and ``created_at``, and, if records can
    hold them, ``name`` and ``charset``. ``name`` is the name of the uploaded file, before
    ``upload_to`` and the storage change it; it is the name of downloads. ``charset`` is
    ``"utf-8"`` if the MIME type is one of text and the bytes are valid UTF-8.

    Size and checksum (SHA-256, hexadecimal) are computed while the original storage reads the
    content. For existing bytes, the file is read once. A model of records needs
    `FileMetadataMixin`.

    ``size()`` and the times are read from the record. For records from before the storage had
    the mixin, they are read from the original storage.
    """

    #: Whether the metadata is recorded, and read from the records.
    records_metadata = False

    def get_record_keys(self) -> tuple[str, ...]:
        """Return the keys that records need, with those of the metadata if it is recorded."""
        keys = super().get_record_keys()
        return (*keys, *METADATA_KEYS) if self.records_metadata else keys

    def get_mime_type(self, name: str, content: File[Any]) -> str:
        """Return the MIME type to record. Override it to detect the type from the content.

        A parameter ``charset`` of the type declares the charset of the file.

        Args:
            name: the name that was passed to ``save``.
            content: the file, which has been read; call ``seek(0)`` to read it again.
        """
        if not posixpath.splitext(name)[1] and isinstance(content, MeasuredFile):
            # A project's upload_to may remove the extension.
            name = content.uploaded_name
        return guess_mime_type(name)

    def get_data_for_meta_backend_save(
        self, path: str, original_storage_path: str, original_name: str, content: Any
    ) -> dict[str, Any]:
        """Return the data of a new record, with the metadata if it is recorded."""
        data = super().get_data_for_meta_backend_save(
            path=path,
            original_storage_path=original_storage_path,
            original_name=original_name,
            content=content,
        )
        if not self.records_metadata:
            return data
        measured: MeasuredFile = content
        mime_type = self.get_mime_type(original_name, content)
        is_text = str(mime_type or "").lower().startswith("text/")
        # The table of a project may not have these two columns.
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
        """Open the file of a record; only for reading if its metadata is recorded."""
        if self.records_metadata and mode not in READ_MODES:
            raise ValueError(
                f"{meta_backend_obj['path']!r} can only be opened for reading, not as {mode!r}: "
                "its size and checksum are recorded. Save a new file instead."
            )
        return super().open_record(meta_backend_obj, mode)

    def size(self, name: str) -> int:
        """Return the size in bytes, which is read from the record if it is recorded."""
        recorded = None
        if self.records_metadata:
            recorded = self.get_meta_backend_obj(name).get("size")
        return super().size(name) if recorded is None else int(recorded)

    def get_created_time(self, name: str) -> datetime:
        """Return when the file was saved."""
        created = self._get_recorded_time(name)
        return super().get_created_time(name) if created is None else created

    def get_modified_time(self, name: str) -> datetime:
        """Return when the file was saved, since files are never changed."""
        created = self._get_recorded_time(name)
        return super().get_modified_time(name) if created is None else created

    def get_accessed_time(self, name: str) -> datetime:
        """Return when the file was saved, since accesses are not recorded."""
        created = self._get_recorded_time(name)
        return super().get_accessed_time(name) if created is None else created

    def _get_recorded_time(self, name: str) -> datetime | None:
        if not self.records_metadata:
            return None
        created: datetime | None = self.get_meta_backend_obj(name).get("created_at")
        if created is None or timezone.is_aware(created) == settings.USE_TZ:
            return created
        # The record was created with the other value of USE_TZ.
        return timezone.make_aware(created) if settings.USE_TZ else timezone.make_naive(created)


class FileMetadataProxyStorageMixin(OptionalMetadataMixin):
    """A proxy storage that records the metadata of files; see `OptionalMetadataMixin`."""

    checksum_algorithm = "sha256"
    records_metadata = True


#: The former name of `FileMetadataProxyStorageMixin`.
FileFactsProxyStorageMixin = FileMetadataProxyStorageMixin
