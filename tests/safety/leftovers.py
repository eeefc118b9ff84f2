"""What a proxy storage has, behind it and beside it: whatever a save may have left."""

import os
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, InMemoryStorage

from proxy_storage.storages.gridfs import GridFSStorage


def get_names(storage):
    """Return the names of all that lies in its original storages, claims of names as well."""
    originals = (original.storage for original in storage.get_originals())
    return sorted(name for original in originals for name in _walk(original))


def get_paths(storage):
    """Return the paths of all records of its meta backend, whoever has written them."""
    return [record["path"] for record in storage.meta_backend]


def get_files():
    """Return all files below the folder of the tests and below the working directory."""
    roots = (settings.FOLDER, Path.cwd())
    return sorted(path for root in roots for path in root.rglob("*") if not path.is_dir())


def _walk(original):
    if isinstance(original, FileSystemStorage):
        root = Path(original.location)
        return [str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()]
    if isinstance(original, InMemoryStorage):
        return _walk_folder(original, "")
    if isinstance(original, GridFSStorage):
        # a file without its claim, or the other way round, is one too many
        files = [grid_out.filename for grid_out in original._bucket.find({})]
        claims = [claim["_id"] for claim in original._names.find({})]
        assert sorted(files) == sorted(claims)
        return files
    return [summary.key for summary in original.bucket.objects.all()]


def _walk_folder(original, folder):
    folders, files = original.listdir(folder)
    yield from (os.path.join(folder, file) for file in files)
    for inner in folders:
        yield from _walk_folder(original, os.path.join(folder, inner))
