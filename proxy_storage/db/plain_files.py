"""Access to the files of fields that do not have a descriptor of this package.

Methods of Django's field files are replaced once. For tracked fields (see
`proxy_storage.db.plain_fields`) they treat the file of another row as those of a
``ProxyStorageFileField`` do: it is not opened and not deleted, and its URL is not signed. For other
storages they do the same as Django's.
"""

from __future__ import annotations

from typing import Any

from django.core.files.images import ImageFile
from django.db.models.fields.files import FieldFile, ImageFieldFile

from proxy_storage.db.own_files import (
    clear_field_file,
    delete_own_file,
    get_signed_url_of_own_file,
    open_own_file,
)
from proxy_storage.db.plain_fields import is_in_storage_of_field, is_tracked_plain_field
from proxy_storage.exceptions import ProxyFileNotFoundError

_open_of_django = FieldFile.open
_delete_of_django = FieldFile.delete
_get_file_of_django = FieldFile._get_file  # type: ignore[attr-defined]  # Not in the stubs.
_url_of_django: Any = FieldFile.url


class _Checked(FieldFile):
    """The methods that replace those of Django. It has no instances.

    Their names are Django's: `proxy_storage.db.historical` finds calls by them.
    """

    def open(self, mode: str = "rb") -> Any:  # type: ignore[override]  # As in Django.
        """Open the file as Django does, unless it belongs to another instance."""
        if getattr(self, "_file", None) is None and _is_checked(self):
            self.file = open_own_file(self, mode)
            return self
        return _open_of_django(self, mode)

    # Unknown to the stubs. In this class, the name "open" is the method.
    open.alters_data = True  # type: ignore[attr-defined]  # noqa: A003

    def _get_file(self) -> Any:
        if getattr(self, "_file", None) is None and _is_checked(self):
            self._file = open_own_file(self, "rb")
        return _get_file_of_django(self)

    # The stubs do not have these methods.
    file = property(_get_file, FieldFile._set_file, FieldFile._del_file)  # type: ignore[attr-defined]

    def delete(self, save: bool = True) -> None:
        """Delete the file and clear the field as Django does, unless it belongs to another row."""
        if not self or not _is_checked(self):
            _delete_of_django(self, save)
            return
        delete_own_file(self)
        clear_field_file(self, save)

    delete.alters_data = True  # type: ignore[attr-defined]  # Unknown to the stubs.

    @property
    def url(self) -> str:
        """The URL of the file as Django returns it; not signed for a file of another instance."""
        if self and getattr(self.storage, "signs_urls", False):
            return get_signed_url_of_own_file(self)
        return str(_url_of_django.__get__(self))


class _CheckedImage(ImageFieldFile):
    """The method that replaces Django's for images. It has no instances."""

    def _get_image_dimensions(self) -> tuple[int | None, int | None]:
        """Return the size of the image; ``None`` for that of another row, whose path is text.

        Django reads the size of an image when its path is assigned and when its row is read.
        """
        try:
            # The stubs do not have the method.
            return ImageFile._get_image_dimensions(self)  # type: ignore[attr-defined,no-any-return]
        except ProxyFileNotFoundError:
            if not _is_checked(self) or not self.storage.exists(str(self.name)):
                raise
            return None, None


def install() -> None:
    """Replace methods of Django."""
    for name in ("open", "_get_file", "file", "delete", "url"):
        setattr(FieldFile, name, vars(_Checked)[name])
    name = "_get_image_dimensions"
    setattr(ImageFieldFile, name, vars(_CheckedImage)[name])


def _is_checked(file: FieldFile) -> bool:
    """Return whether a file is in the proxy storage of a tracked plain field of a model."""
    return is_tracked_plain_field(file.field) and is_in_storage_of_field(file)
