"""HasPathPrefix: the files in a folder, for each kind of paths."""

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.files.base import ContentFile
from rest_framework.permissions import IsAuthenticated

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage.registry import get_proxy_storage
from proxy_storage_permissions import HasPathPrefix
from tests.unit.permissions.asking import EVERYBODY, allowed, get_list, is_allowed

pytestmark = pytest.mark.usefixtures("empty_storages")
# A full path, a path with a prefix, and a relative path; in a table and in a collection.
STORAGES = ["orm-disk", "orm-prefix", "orm-relative-disk", "mongo-disk", "mongo-relative-disk"]


def save(storage, *names):
    return {name: storage.save(name, ContentFile(b"x")) for name in names}


def get_listed(permission, storage, user=None):
    found = get_list(user or AnonymousUser(), permission)
    assert found.is_exact
    return {record["path"] for record in RecordSet([storage.meta_backend], found.condition)}


def find_allowed(permission, storage, paths):
    """Return the names of the allowed files, and check that a list has the same files."""
    names = {
        name
        for name, path in paths.items()
        if is_allowed(permission, AnonymousUser(), storage.meta_backend.get(path))
    }
    assert get_listed(permission, storage) == {paths[name] for name in names}
    return names


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("prefix", ["editor", "editor/", "./editor//"])
def test_folder_with_its_subfolders(storage, prefix):
    storage = get_proxy_storage(storage)
    inside = {"editor/a.png", "editor/2026/a.png"}
    outside = {"editor-secret/x.png", "editor.png", "Editor/a.png", "x/editor/a.png"}
    paths = save(storage, *inside, *outside)
    assert find_allowed(HasPathPrefix(prefix), storage, paths) == inside
    assert find_allowed(~HasPathPrefix(prefix), storage, paths) == outside
    assert find_allowed(HasPathPrefix("editor/2026"), storage, paths) == {"editor/2026/a.png"}


@pytest.mark.parametrize("prefix", ["ed%tor", "ed_tor", r"ed\w*", "ed*", "^editor"])
def test_folder_is_literal(prefix):
    storage = get_proxy_storage("orm-relative-disk")
    paths = save(storage, "editor/a.png")
    assert find_allowed(HasPathPrefix(prefix), storage, paths) == set()


def test_beginning_of_the_path_of_the_record():
    storage = get_proxy_storage("orm-prefix")
    paths = save(storage, "editor/a.png", "private/editor/a.png")
    assert paths["editor/a.png"] == "/private/editor/a.png"
    assert find_allowed(HasPathPrefix("/private/editor"), storage, paths) == {"editor/a.png"}
    assert find_allowed(HasPathPrefix("private/editor"), storage, paths) == {"private/editor/a.png"}


@pytest.mark.parametrize("other", ["mongo-relative-disk", "orm-relative-memory"])
def test_same_folder_of_another_storage(other):
    own = get_proxy_storage("orm-relative-disk")
    save(own, "editor/a.png")
    save(get_proxy_storage(other), "editor/b.png")
    permission = HasPathPrefix("editor", storage="orm-relative-disk")
    record = get_proxy_storage(other).meta_backend.get("editor/b.png")
    assert not is_allowed(permission, AnonymousUser(), record)
    assert is_allowed(HasPathPrefix("editor"), AnonymousUser(), record)
    assert get_listed(permission, own) == {"editor/a.png"}
    assert "editor/b.png" not in get_listed(permission, get_proxy_storage(other))


def test_combined_with_a_permission_for_the_user(people):
    storage = get_proxy_storage("orm-relative-disk")
    save(storage, "editor/a.png")
    permission = HasPathPrefix("editor") & IsAuthenticated
    record = storage.meta_backend.get("editor/a.png")
    assert allowed(permission, people, record) == EVERYBODY - {"anonymous"}
    assert get_listed(permission, storage) == set()
    assert get_listed(permission, storage, people["stranger"]) == {"editor/a.png"}


def test_folder_of_an_original_storage_inside_another_one():
    """The root of GridFS is "/", so that its folder "tmp" could seem to contain the disk."""
    storage = get_proxy_storage("orm-multiple")
    on_disk = storage.save("editor/a.png", ContentFile(b"x"), using="disk")
    in_gridfs = storage.save("editor/b.png", ContentFile(b"x"), using="gridfs")
    assert on_disk.startswith(f"{settings.TEST_FILES_ROOT}/")
    assert in_gridfs == "/editor/b.png"
    paths = {"a": on_disk, "b": in_gridfs}
    assert find_allowed(HasPathPrefix("editor"), storage, paths) == {"a", "b"}
    top = str(settings.TEST_FILES_ROOT).strip("/").partition("/")[0]
    assert find_allowed(HasPathPrefix(top), storage, paths) == set()


def test_earlier_records_with_full_paths():
    """The paths of the storage have become relative."""
    storage = get_proxy_storage("orm-relative-disk")
    path = get_proxy_storage("orm-disk").save("editor/a.png", ContentFile(b"x"))
    storage.meta_backend.update(path, {"proxy_storage_name": "orm-relative-disk"})
    paths = {"old": path, **save(storage, "editor/b.png", "secret/c.png")}
    assert find_allowed(HasPathPrefix("editor"), storage, paths) == {"old", "editor/b.png"}


def test_paths_of_a_project(monkeypatch):
    """Their form is not known, so that the prefix is compared with the whole path."""
    storage = get_proxy_storage("orm_disk")
    monkeypatch.setattr(type(storage), "get_path", lambda self, original, path: f"{path}#1")
    record = MetaBackendObject(path="editor/a.png#1", proxy_storage_name="orm_disk")
    assert is_allowed(HasPathPrefix("editor"), AnonymousUser(), record)
    assert not is_allowed(HasPathPrefix("edi"), AnonymousUser(), record)


def test_record_of_a_storage_that_is_not_registered():
    record = MetaBackendObject(path="editor/a.png", proxy_storage_name="gone")
    assert not is_allowed(HasPathPrefix("editor"), AnonymousUser(), record)


@pytest.mark.parametrize("prefix", ["", "/", ".", "..", "editor/../secret", "a\0", "a\n", None, 5])
def test_invalid_folder_is_an_error(prefix):
    with pytest.raises(ConfigurationError, match="must be a folder such as 'editor', not"):
        HasPathPrefix(prefix)


def test_unknown_storage_is_an_error():
    """Otherwise all files would be allowed under negation."""
    permission = HasPathPrefix("editor", storage="no_such")
    record = MetaBackendObject(path="editor/a.png", proxy_storage_name="orm_disk")
    with pytest.raises(ConfigurationError, match="'no_such'"):
        is_allowed(~permission, AnonymousUser(), record)
    with pytest.raises(ConfigurationError, match="'no_such'"):
        get_list(AnonymousUser(), permission)
