"""Original storages that tests run with, and all that lies in them."""

from pathlib import Path

from django.conf import settings
from django.core.files.storage import InMemoryStorage

from proxy_storage.storages.gridfs import GridFSStorage
from tests.testapp.storages import get_mongo_db

# S3, which a server has to be started for, is one more that takes a random token
ORIGINALS = [name for name in settings.ORIGINAL_STORAGES if name != "s3"]


def get_files(original):
    """Return what an original storage has, down to the last piece and claim of a name."""
    if isinstance(original, GridFSStorage):
        found = [get_mongo_db()[f"fs{name}"].find({}) for name in (".files", ".chunks", "_names")]
        return sorted(str(document) for documents in found for document in documents)
    if isinstance(original, InMemoryStorage):
        return sorted(original.listdir("")[1])
    return sorted(path for path in Path(original.location).rglob("*") if path.is_file())
