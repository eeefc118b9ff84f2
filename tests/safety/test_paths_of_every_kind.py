"""Whatever somebody passes for a path: only a path finds a record, and only its own."""

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
# of a path that has a record: who took them for it would find something
DISGUISES = {
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
    "with half a character": lambda path: f"{path}\ud800",
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
    """The paths of a few files, which are all there and unchanged in the end."""
    paths = {storage.save(name, ContentFile(name.encode())): name for name in NAMES}
    before = list(storage.meta_backend)
    yield list(paths)
    assert list(storage.meta_backend) == before
    for path, name in paths.items():
        assert read(storage, path) == name.encode()


def check_finds_nothing(storage, value):
    """Check that the storage and its meta backend know no record of a path."""
    assert not storage.exists(value)
    assert not storage.meta_backend.exists(value)
    for ask in (
        storage.open,
        storage.delete,
        storage.size,
        storage.get_meta_backend_obj,
        storage.get_accessed_time,
        storage.get_created_time,
        storage.get_modified_time,
    ):
        with pytest.raises(ProxyFileNotFoundError) as caught:
            ask(value)
        assert caught.value.path is value
    check_has_no_local_path_outside(storage, value)
    backend = storage.meta_backend
    for ask in (backend.get, backend.delete, lambda path: backend.update(path, {"field": "x"})):
        with pytest.raises(MetaBackendObjectDoesNotExist) as caught:
            ask(value)
        assert caught.value.path is value


def check_has_no_local_path_outside(storage, value):
    """Check that the path of a file that would be there lies inside of the storage."""
    try:
        path = storage.path(value)
    except LocalPathError:
        return
    location = storage.original_storage.location
    assert path == location or os.path.abspath(path).startswith(f"{location}/")


def check_raises(storage, value):
    """Check that no record is written under a path, new or changed."""
    record = {"proxy_storage_name": "orm-disk", "original_storage_path": "c.txt"}
    with pytest.raises(MetaBackendError, match="must be text"):
        storage.meta_backend.create({**record, "path": value})


def is_no_text_for_a_path(value):
    return not isinstance(value, str) or "\0" in value or "\ud800" in value or value == "\udc80"


class TestPath:
    @EXAMPLES
    @given(value=objects.filter(is_no_text_for_a_path))
    def test_that_is_no_text(self, storage, paths, value):
        check_finds_nothing(storage, value)
        check_raises(storage, value)

    @pytest.mark.parametrize("disguise", DISGUISES)
    def test_in_disguise(self, storage, paths, disguise):
        for path in paths:
            check_finds_nothing(storage, DISGUISES[disguise](path))
            check_raises(storage, DISGUISES[disguise](path))

    @EXAMPLES
    @given(value=st.one_of(names, names.map(lambda name: f"/{name}")))
    @example(value="")
    @example(value="/")
    @example(value="/.*")
    @example(value="%")
    def test_that_nobody_has_given_out(self, storage, paths, value):
        check_finds_nothing(storage, value)

    def test_that_is_nearly_one(self, storage, paths):
        for path in paths:
            for change in CHANGES:
                check_finds_nothing(storage, change(path))


class TestFolder:
    @EXAMPLES
    @given(value=objects.filter(is_no_text_for_a_path))
    @example(value={"$ne": ""})
    @example(value=None)
    @example(value=b"/")
    @example(value="/\ud800")
    @example(value="/nul\0")
    def test_that_is_no_path_has_no_files(self, storage, paths, value):
        with pytest.raises(ProxyFileNotFoundError):
            storage.listdir(value)

    @EXAMPLES
    @given(value=objects.filter(is_no_text_for_a_path))
    @example(value={"$ne": ""})
    @example(value="/\ud800")
    def test_no_path_begins_with_what_is_no_text(self, storage, paths, value):
        assert list(storage.meta_backend.filter(path_prefix=value)) == []


class TestCriterion:
    """A value that records must have is compared as it is."""

    @EXAMPLES
    @given(value=objects.filter(lambda value: value is not None))
    @example(value={"$ne": ""})
    @example(value={"$regex": ""})
    @example(value={"$exists": True})
    @example(value=Regex(".*"))
    @example(value=re.compile(".*"))
    @example(value="half\ud800")
    def test_that_no_record_has(self, storage, paths, value):
        for key in ("original_storage_path", "proxy_storage_name", "object_id", "field"):
            check_criterion_is_not_met(storage.meta_backend, paths[0], {key: value})

    @pytest.mark.parametrize("disguise", DISGUISES)
    def test_that_a_record_has_in_disguise(self, storage, paths, disguise):
        record = storage.meta_backend.get(paths[0])
        for key in ("path", "original_storage_path", "proxy_storage_name"):
            where = {key: DISGUISES[disguise](record[key])}
            assert list_or_refuse(storage.meta_backend, where) == []
            if key != "path":  # the argument of this name says which path
                check_criterion_is_not_met(storage.meta_backend, paths[0], where)

    @pytest.mark.parametrize("key", ["content_type_id", "size", "created_at"])
    @pytest.mark.parametrize("value", [{"$ne": 0}, {"$exists": False}, [1], "no number", b"x"])
    def test_that_is_of_another_type_than_its_key(self, storage, paths, key, value):
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
    def test_that_is_an_operator_and_no_key(self, storage, paths, where):
        check_criterion_is_not_met(storage.meta_backend, paths[0], where)


def list_or_refuse(backend, where):
    """Return the records that are found; none where the database refuses the values."""
    try:
        with transaction.atomic():
            return list(backend.filter(where))
    except ProxyStorageError:
        return []


def check_criterion_is_not_met(backend, path, where):
    """Check that nothing is found, changed or deleted."""
    assert list_or_refuse(backend, where) == []
    with pytest.raises(ProxyStorageError), transaction.atomic():
        backend.update(path, {"field": "changed"}, where=where)
    with pytest.raises(ProxyStorageError), transaction.atomic():
        backend.delete(path, where=where)
