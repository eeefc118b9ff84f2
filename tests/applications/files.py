"""Files to save, and all files of a storage, as an application sees them."""

import posixpath
from io import BytesIO

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from PIL import Image

from tests.applications.settings import ORIGINAL_ALIASES


def make_image(name="cat.png", size=(40, 30)):
    """Return an image file."""
    content = BytesIO()
    Image.new("RGB", size, "red").save(content, "PNG")
    return ContentFile(content.getvalue(), name)


def read_all(alias):
    """Return the bytes of all files of a proxy storage by name.

    The original storage must have the same bytes, and no others.
    """
    files = _read_folder(storages[alias])
    originals = _read_folder(storages[ORIGINAL_ALIASES[alias]])
    assert sorted(originals.values()) == sorted(files.values())
    return files


def _read_folder(storage, folder=""):
    try:
        folders, names = storage.listdir(folder)
    except FileNotFoundError:  # nothing was saved so far
        return {}
    files = {}
    for name in names:
        path = posixpath.join(folder, name)
        with storage.open(path) as file:
            files[path] = file.read()
    for name in folders:
        files |= _read_folder(storage, posixpath.join(folder, name))
    return files
