"""What tests of permissions ask."""

from types import SimpleNamespace

from proxy_storage.content_objects import get_content_object_data
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_permissions import FilePermission, evaluate, get_readable, owned_by
from tests.testapp.models import Document

VIEW = SimpleNamespace(asks_for_one_file=True)
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
    """The request of a user, as permissions see it."""
    return SimpleNamespace(user=user, method="GET")


def own(instance, name, /, **changes):
    """The record of a file that an instance owns by a field."""
    data = get_content_object_data(instance, instance._meta.get_field(name))
    return MetaBackendObject({"path": "/x", **data, **changes})


def is_allowed(permission, user, record):
    """Whether a user gets the file."""
    instance, request = permission(), ask(user)
    early, answer = evaluate(instance, request, VIEW), evaluate(instance, request, VIEW, record)
    assert isinstance(answer, bool)
    # what is said without a record holds with it
    assert early in (None, answer)
    return answer


def allowed(permission, people, record):
    """Who gets the file."""
    return {who for who, user in people.items() if is_allowed(permission, user, record)}


def get_list(user, *permissions, models=None):
    """What a list may show a user."""
    return get_readable([permission() for permission in permissions], ask(user), VIEW, models)
