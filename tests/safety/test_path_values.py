"""Values that are not the path of a record never find a record."""

import os
import re
from pathlib import PurePosixPath

import pytest
from bson import ObjectId, Regex
from django.core.files.base import ContentFile
from django.db import transaction
from hypothesis import example, given
from hypothesis import strategies as st

from proxy_storage.exceptions import (
    LocalPathError,
    MetaBackendError,
    MetaBackendObjectDoesNotExist,
    ProxyFileNotFoundError,
    ProxyStorageError,
)
from tests.contract.reading import read
from tests.safety.name_strategies import EXAMPLES, names

OPERATORS = ["$ne", "$gt", "$gte", "$lt", "$in", "$nin", "$regex", "$exists", "$not", "$where"]
NAMES = ["a.txt", "b.txt", "sub/a.txt"]

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.binary(),
    st.sampled_from(["", "nul\0.txt", "\0", "half\ud800", "\udc80", ".*", "%", "/", "/%"]),
)
objects = st.recursive(
    st.one_of(
        values,
        st.builds(re.compile, st.sampled_from(["", ".*", "^/"])),
        st.builds(Regex, st.sampled_from(["", ".*", "^/"])),
        st.builds(ObjectId),
        st.sampled_from([object(), str, len, PurePosixPath("/a.txt"), bytearray(b"/a.txt")]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.lists(inner, max_size=2).map(tuple),
        st.dictionaries(st.sampled_from(OPERATORS), inner, min_size=1, max_size=2),
    ),
    max_leaves=3,
)
# Values derived from the path of a record. They must not find it.
PATH_VALUES = {
    "bytes": str.encode,
    "buffer": lambda path: memoryview(path.encode()),
    "list": lambda path: [path],
    "tuple": lambda path: (path,),
    "set": lambda path: {path},
    "dict": lambda path: {path: 1},
    "pattern": re.compile,
    "pattern of MongoDB": Regex,
    "$eq": lambda path: {"$eq": path},
    "$in": lambda path: {"$in": [path]},
    "$regex": lambda path: {"$regex": path},
    "$exists": lambda path: {"$exists": True},
    "with NUL": lambda path: f"{path}\0",
    "with a surrogate": lambda path: f"{path}\ud800",
}
CHANGES = [
    str.upper,
    str.title,
    lambda path: path + " ",
    lambda path: path + "/",
    lambda path: path + ".",
    lambda path: "/" + path,
    lambda path: path[1:],
    lambda path: path[:-1],
    lambda path: path.replace("a", "%61"),
    lambda path: path.replace("a", "\u0430"),  # Cyrillic
    lambda path: path.replace(".", "\u2024"),
    lambda path: path.replace("/", "//"),
    lambda path: path.replace("/", "\\"),
    lambda path: path.replace("/", "/./"),
    lambda path: path.replace(".txt", ".tx_"),
    lambda path: path.replace(".txt", "%"),
]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("storage", ["orm_disk", "mongo_disk"], indirect=True),
]


@pytest.fixture
def paths(storage):
    """Return the paths of files, and check at the end that they are unchanged."""
    paths = {storage.save(name, ContentFile(name.encode())): name for name in NAMES}
    before = list(storage.meta_backend)
    yield list(paths)
    assert list(storage.meta_backend) == before
    for path, name in paths.items():
        assert read(storage, path) == name.encode()


def check_not_found(storage, value):
    """Check that no method of the storage and of its meta backend finds a record."""
    assert not storage.exists(value)
    assert not storage.meta_backend.exists(value)
    for method in (
        storage.open,
        storage.delete,
        storage.size,
        storage.get_meta_backend_obj,
        storage.get_accessed_time,
        storage.get_created_time,
        storage.get_modified_time,
    ):
        with pytest.raises(ProxyFileNotFoundError) as caught:
            method(value)
        assert caught.value.path is value
    check_has_no_local_path_outside(storage, value)
    backend = storage.meta_backend
    for method in (backend.get, backend.delete, lambda path: backend.update(path, {"field": "x"})):
        with pytest.raises(MetaBackendObjectDoesNotExist) as caught:
            method(value)
        assert caught.value.path is value


def check_has_no_local_path_outside(storage, value):
    """Check that `path()` returns no path outside the storage."""
    try:
        path = storage.path(value)
    except LocalPathError:
        return
    location = storage.original_storage.location
    assert path == location or os.path.abspath(path).startswith(f"{location}/")


def check_raises(storage, value):
    """Check that no record can be created with this value as its path."""
    record = {"proxy_storage_name": "orm-disk", "original_storage_path": "c.txt"}
    with pytest.raises(MetaBackendError, match="must be text"):
        storage.meta_backend.create({**record, "path": value})


def is_invalid_path(value):
    return not isinstance(value, str) or "\0" in value or "\ud800" in value or value == "\udc80"


@pytest.mark.slow
class TestPath:
    @EXAMPLES
    @given(value=objects.filter(is_invalid_path))
    def test_value_that_is_not_text_finds_no_record(self, storage, paths, value):
        check_not_found(storage, value)
        check_raises(storage, value)

    @pytest.mark.parametrize("kind", PATH_VALUES)
    def test_value_derived_from_a_path_finds_no_record(self, storage, paths, kind):
        for path in paths:
            check_not_found(storage, PATH_VALUES[kind](path))
            check_raises(storage, PATH_VALUES[kind](path))

    @EXAMPLES
    @given(value=st.one_of(names, names.map(lambda name: f"/{name}")))
    @example(value="")
    @example(value="/")
    @example(value="/.*")
    @example(value="%")
    def test_unused_path_finds_no_record(self, storage, paths, value):
        check_not_found(storage, value)

    def test_similar_path_finds_no_record(self, storage, paths):
        for path in paths:
            for change in CHANGES:
                check_not_found(storage, change(path))


class TestFolder:
    @EXAMPLES
    @given(value=objects.filter(is_invalid_path))
    @example(value={"$ne": ""})
    @example(value=None)
    @example(value=b"/")
    @example(value="/\ud800")
    @example(value="/nul\0")
    def test_folder_that_is_not_text_is_not_found(self, storage, paths, value):
        with pytest.raises(ProxyFileNotFoundError):
            storage.listdir(value)

    @EXAMPLES
    @given(value=objects.filter(is_invalid_path))
    @example(value={"$ne": ""})
    @example(value="/\ud800")
    def test_path_prefix_that_is_not_text_finds_no_records(self, storage, paths, value):
        assert list(storage.meta_backend.filter(path_prefix=value)) == []


@pytest.mark.slow
class TestCriterion:
    """Values of ``where`` are compared literally."""

    @EXAMPLES
    @given(value=objects.filter(lambda value: value is not None))
    @example(value={"$ne": ""})
    @example(value={"$regex": ""})
    @example(value={"$exists": True})
    @example(value=Regex(".*"))
    @example(value=re.compile(".*"))
    @example(value="half\ud800")
    def test_value_that_no_record_has(self, storage, paths, value):
        for key in ("original_storage_path", "proxy_storage_name", "object_id", "field"):
            check_criterion_is_not_met(storage.meta_backend, paths[0], {key: value})

    @pytest.mark.parametrize("kind", PATH_VALUES)
    def test_value_derived_from_that_of_a_record(self, storage, paths, kind):
        record = storage.meta_backend.get(paths[0])
        for key in ("path", "original_storage_path", "proxy_storage_name"):
            where = {key: PATH_VALUES[kind](record[key])}
            assert list_records(storage.meta_backend, where) == []
            if key != "path":  # This is an argument of its own.
                check_criterion_is_not_met(storage.meta_backend, paths[0], where)

    @pytest.mark.parametrize("key", ["content_type_id", "size", "created_at"])
    @pytest.mark.parametrize("value", [{"$ne": 0}, {"$exists": False}, [1], "no number", b"x"])
    def test_value_of_another_type(self, storage, paths, key, value):
        check_criterion_is_not_met(storage.meta_backend, paths[0], {key: value})

    @pytest.mark.parametrize(
        "where",
        [
            {"proxy_storage_name__contains": "disk"},
            {"original_storage_path__gt": ""},
            {"_negated": True, "field": "x"},
            {"$or": [{}]},
            {"$where": "true"},
            {"$expr": True},
        ],
        ids=str,
    )
    def test_operator_instead_of_a_key(self, storage, paths, where):
        check_criterion_is_not_met(storage.meta_backend, paths[0], where)


def list_records(backend, where):
    """Return the matching records, or an empty list if the values raise an error."""
    try:
        with transaction.atomic():
            return list(backend.filter(where))
    except ProxyStorageError:
        return []


def check_criterion_is_not_met(backend, path, where):
    """Check that no record is found, changed or deleted."""
    assert list_records(backend, where) == []
    with pytest.raises(ProxyStorageError), transaction.atomic():
        backend.update(path, {"field": "changed"}, where=where)
    with pytest.raises(ProxyStorageError), transaction.atomic():
        backend.delete(path, where=where)
