"""Any name at all: it is refused, or its bytes lie inside the storage and come back."""

import enum
import os
import posixpath
from pathlib import Path, PurePosixPath

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from hypothesis import example, given
from hypothesis import strategies as st

from proxy_storage.exceptions import InvalidNameError
from proxy_storage.paths import (
    clean_path,
    count_bytes,
    is_literal_path,
    unique_name,
    validate_name,
    validate_original_storage_path,
)
from tests.contract.proxy_storages import read
from tests.safety.leftovers import get_files, get_names, get_paths
from tests.safety.names import (
    EXAMPLES,
    VARIATIONS,
    Somewhere,
    long_names,
    mixtures,
    names,
    no_names,
)

pytestmark = pytest.mark.long

ROOT = "/srv/files"
STORAGES = ["orm-disk", "mongo-disk", "orm-overwriting", "orm-memory", "mongo-gridfs"]


class Member(str, enum.Enum):  # noqa: UP042  (those who still write it say so in str())
    NAME = "a.txt"


def with_slashes(name):
    return name.replace("\\", "/")


def outcome(validate, value):
    """Return what a value is accepted as, or the class of the error."""
    try:
        return validate(value)
    except InvalidNameError:
        return InvalidNameError


@EXAMPLES
@given(names)
def test_cleaned_path_is_absolute_and_has_nothing_to_resolve(name):
    path = clean_path(name)
    assert path.startswith("/")
    assert "\\" not in path
    if path != "/":
        assert not {"", ".", ".."} & set(path[1:].split("/"))
    assert clean_path(path) == path


@EXAMPLES
@given(names)
@example("\\")
@example(".\\")
@example("a\\")
@example("a\\..\\b")
def test_accepted_name_stays_below_every_folder(name):
    accepted = outcome(validate_name, name)
    if accepted is InvalidNameError:
        return
    assert with_slashes(accepted) == with_slashes(name)
    assert is_literal_path(accepted)
    for spelled in (accepted, with_slashes(accepted)):
        joined = posixpath.normpath(posixpath.join(ROOT, spelled))
        assert joined.startswith(f"{ROOT}/")


@EXAMPLES
@given(st.one_of(no_names, no_names.map(Somewhere)))
def test_what_is_no_name_is_refused_in_one_way(value):
    for validate in (validate_name, validate_original_storage_path):
        with pytest.raises(InvalidNameError, match="must be text"):
            validate(value)


@EXAMPLES
@given(names)
def test_path_object_is_taken_for_what_it_says(name):
    for validate in (validate_name, validate_original_storage_path):
        assert outcome(validate, Somewhere(name)) == outcome(validate, name)


def test_text_of_a_class_of_its_own_is_its_text():
    for validate in (validate_name, validate_original_storage_path):
        accepted = validate(Member.NAME)
        assert type(accepted) is str
        assert accepted == "a.txt"


@EXAMPLES
@given(names)
def test_path_of_known_bytes_is_a_name_that_may_be_absolute(path):
    accepted = outcome(validate_original_storage_path, path)
    if accepted is not InvalidNameError:
        assert accepted == path
        assert ".." not in clean_path(path).split("/")
    relative = outcome(validate_name, path.lstrip("/"))
    assert (accepted is InvalidNameError) is (relative is InvalidNameError)


@EXAMPLES
@given(names, st.one_of(st.none(), st.integers(0, 400)), st.integers(1, 20))
@example("a.b\\c", None, 7)
def test_unique_name_has_folder_extension_and_length(name, max_length, token_length):
    try:
        name = validate_name(name)
        unique = unique_name(name, max_length, token_length)
    except InvalidNameError:
        return
    assert validate_name(unique) == unique
    assert max_length is None or len(unique) <= max_length
    wanted, got = (PurePosixPath(with_slashes(each)) for each in (name, unique))
    assert len(got.parts) == len(wanted.parts)
    for part, whole in zip(got.parent.parts, wanted.parent.parts, strict=True):
        assert part == whole or (whole.startswith(part) and count_bytes(part) > 251)
    assert all(count_bytes(part) <= 255 for part in got.parts)
    # all suffixes, or the last one where there is no room, or none if it is too long for one
    is_one = count_bytes(wanted.suffix) <= 64
    assert got.name.endswith("".join(wanted.suffixes)) or (
        got.name.endswith(wanted.suffix) if is_one else True
    )
    assert unique != name


@EXAMPLES
@given(names)
def test_two_unique_names_differ(name):
    assert unique_name(name) != unique_name(name)


def lies_outside(storage, name):
    """Tell whether there is something where a name would lead if nobody looked at it."""
    location = getattr(storage.get_original_storage(), "location", ROOT)
    return os.path.lexists(posixpath.join(location, with_slashes(name)))


def look(storage):
    return get_names(storage), get_paths(storage), get_files()


def save(storage, name, content):
    """Save, and check what has come of it; return the path, or none for a refused name."""
    names_before, paths_before, files_before = look(storage)
    outside_before = lies_outside(storage, name)
    try:
        path = storage.save(name, ContentFile(content))
    except InvalidNameError:
        assert look(storage) == (names_before, paths_before, files_before)
        assert lies_outside(storage, name) is outside_before
        return None
    record = storage.meta_backend.get(path)
    assert sorted([*paths_before, path]) == sorted(get_paths(storage))
    assert sorted([*names_before, record["original_storage_path"]]) == get_names(storage)
    original, new_files = storage.get_original_storage(), []
    if isinstance(original, FileSystemStorage):
        new_files = [Path(storage.path(path))]
        assert Path(os.path.realpath(new_files[0])).is_relative_to(
            os.path.realpath(original.location)
        )
    assert sorted([*files_before, *new_files]) == get_files()
    assert storage.exists(path)
    return path


@pytest.mark.django_db
@pytest.mark.parametrize("storage", STORAGES, indirect=True)
class TestEveryStorage:
    @EXAMPLES
    @given(name=names)
    @example(name="a\\")
    def test_refuses_a_name_or_keeps_its_bytes_inside(self, storage, name):
        path = save(storage, name, b"mine")
        if path is not None:
            assert read(storage, path) == b"mine"
            storage.delete(path)
        assert look(storage) == ([], [], [])

    @EXAMPLES
    @given(name=st.one_of(mixtures, long_names), vary=st.sampled_from(VARIATIONS))
    def test_does_not_mix_up_names_that_are_nearly_the_same(self, storage, name, vary):
        contents = {}
        for content, each in ((b"first", name), (b"second", vary(name)), (b"third", name)):
            path = save(storage, each, content)
            if path is not None:
                assert path not in contents
                contents[path] = content
        for path, content in contents.items():
            assert read(storage, path) == content
            storage.delete(path)
        assert look(storage) == ([], [], [])

    @EXAMPLES
    @given(value=st.one_of(no_names, no_names.map(Somewhere)))
    def test_refuses_what_is_no_name(self, storage, value):
        with pytest.raises(InvalidNameError):
            storage.save(value, ContentFile(b"mine"))
        assert look(storage) == ([], [], [])
