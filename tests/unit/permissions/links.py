"""Files and links for the tests of signed links."""

from urllib.parse import urlsplit

from django.contrib.auth.models import AnonymousUser
from django.core.files.base import ContentFile
from django.http import QueryDict

from proxy_storage_permissions.links import is_valid_link

NOW = 1_800_000_000
ANONYMOUS = AnonymousUser()


def save(storage, name="a.txt"):
    return storage.get_meta_backend_obj(storage.save(name, ContentFile(b"hello")))


def save_again(storage, record):
    """Replace a file by another one with the same path."""
    storage.meta_backend.delete(record["path"])
    identity = storage.meta_backend.get_identity(record)
    data = {key: value for key, value in record.items() if key not in identity}
    return storage.meta_backend.create(data)


def get_query(link, **changes):
    """Return the query of a link. The value None removes a parameter, and a list repeats it."""
    query = QueryDict(urlsplit(link.url).query, mutable=True)
    for name, value in changes.items():
        values = [value] if isinstance(value, str) else value or []
        query.setlist(name, values)
    return query


def is_valid(link, record, asked="GET", by=ANONYMOUS, **changes):
    """Return whether a link is valid for a method and a user, after changes of its query."""
    return is_valid_link(record, get_query(link, **changes), asked, by)
