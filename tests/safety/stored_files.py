"""Everything that a save may have left in the original storages, meta backends and folders."""

import os
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, InMemoryStorage

from proxy_storage.storages.gridfs import GridFSStorage
from tests.testapp.storages import get_mongo_db

# S3 needs a running server, and is another storage that gets a random token.
ORIGINALS = [name for name in settings.ORIGINAL_STORAGES if name != "s3"]


def get_original_files(original):
    """Return all files of an original storage; of GridFS also chunks and reserved names."""
    if isinstance(original, GridFSStorage):
        found = [get_mongo_db()[f"fs{name}"].find({}) for name in (".files", ".chunks", "_names")]
        return sorted(str(document) for documents in found for document in documents)
    if isinstance(original, InMemoryStorage):
        return sorted(original.listdir("")[1])
    return sorted(path for path in Path(original.location).rglob("*") if path.is_file())


def get_original_names(storage):
    """Return the names of all files in the original storages of a proxy storage."""
    originals = (original.storage for original in storage.get_originals())
    return sorted(name for original in originals for name in _get_names(original))


def get_record_paths(storage):
    """Return the paths of all records in the meta backend of a proxy storage."""
    return [record["path"] for record in storage.meta_backend]


def get_local_files():
    """Return all files in the folder of the tests and in the working directory."""
    roots = (settings.FOLDER, Path.cwd())
    return sorted(path for root in roots for path in root.rglob("*") if not path.is_dir())


def _get_names(original):
    if isinstance(original, FileSystemStorage):
        root = Path(original.location)
        return [str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()]
    if isinstance(original, InMemoryStorage):
        return _get_names_below(original, "")
    if isinstance(original, GridFSStorage):
        # Each file must have exactly one reserved name.
        files = [grid_out.filename for grid_out in original._bucket.find({})]
        reserved = [document["_id"] for document in original._names.find({})]
        assert sorted(files) == sorted(reserved)
        return files
    return [summary.key for summary in original.bucket.objects.all()]


def _get_names_below(original, folder):
    folders, files = original.listdir(folder)
    yield from (os.path.join(folder, file) for file in files)
    for inner in folders:
        yield from _get_names_below(original, os.path.join(folder, inner))
