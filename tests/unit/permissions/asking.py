"""Permissions, requests and records for the tests of permissions."""

from types import SimpleNamespace

from proxy_storage.content_objects import get_content_object_data
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_permissions import FilePermission, evaluate, get_readable, owned_by
from tests.testapp.models import Document

VIEW = SimpleNamespace(checks_record=True)
EVERYBODY = {"anonymous", "stranger", "owner", "staff"}


class Asked(FilePermission):
    def has_object_permission(self, request, view, obj):
        return True


class Told(FilePermission):
    """Allows the files of documents."""

    def has_object_permission(self, request, view, obj):
        return isinstance(obj.get_content_object(), Document)

    def get_filter(self, request, view, models):
        return owned_by(Document.objects.all())


class ToldEverything(Told):
    def get_filter(self, request, view, models):
        return True


def ask(user):
    """Return a request of a user, with the attributes that permissions use."""
    return SimpleNamespace(user=user, method="GET")


def own(instance, name, /, **changes):
    """Return the record of a file whose content object is an instance."""
    data = get_content_object_data(instance, instance._meta.get_field(name))
    return MetaBackendObject({"path": "/x", **data, **changes})


def is_allowed(permission, user, record):
    """Return whether a user may read the file."""
    instance, request = permission(), ask(user)
    early, answer = evaluate(instance, request, VIEW), evaluate(instance, request, VIEW, record)
    assert isinstance(answer, bool)
    # A result without the record also applies to the record.
    assert early in (None, answer)
    return answer


def allowed(permission, people, record):
    """Return the names of the users who may read the file."""
    return {who for who, user in people.items() if is_allowed(permission, user, record)}


def get_list(user, *permissions, models=None):
    """Return the filter of a user's list."""
    return get_readable([permission() for permission in permissions], ask(user), VIEW, models)
