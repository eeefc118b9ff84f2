"""Any name raises an error, or its file is inside the storage and can be read."""

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
from tests.contract.reading import read
from tests.safety.name_strategies import (
    EXAMPLES,
    VARIATIONS,
    PathLikeObject,
    invalid_names,
    long_names,
    mixtures,
    names,
)
from tests.safety.stored_files import get_local_files, get_original_names, get_record_paths

pytestmark = pytest.mark.long

ROOT = "/srv/files"
STORAGES = ["orm-disk", "mongo-disk", "orm-overwriting", "orm-memory", "mongo-gridfs"]


class Member(str, enum.Enum):  # noqa: UP042  (str() of such a member is not its value)
    NAME = "a.txt"


def replace_backslashes(name):
    return name.replace("\\", "/")


def get_outcome(validate, value):
    """Return the accepted value, or the class of the error."""
    try:
        return validate(value)
    except InvalidNameError:
        return InvalidNameError


@EXAMPLES
@given(names)
def test_cleaned_path_is_absolute_and_normalized(name):
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
    accepted = get_outcome(validate_name, name)
    if accepted is InvalidNameError:
        return
    assert replace_backslashes(accepted) == replace_backslashes(name)
    assert is_literal_path(accepted)
    for variant in (accepted, replace_backslashes(accepted)):
        joined = posixpath.normpath(posixpath.join(ROOT, variant))
        assert joined.startswith(f"{ROOT}/")


@EXAMPLES
@given(st.one_of(invalid_names, invalid_names.map(PathLikeObject)))
def test_value_that_is_not_a_name_raises(value):
    for validate in (validate_name, validate_original_storage_path):
        with pytest.raises(InvalidNameError, match="must be a str"):
            validate(value)


@EXAMPLES
@given(names)
def test_path_like_object_is_equal_to_its_text(name):
    for validate in (validate_name, validate_original_storage_path):
        assert get_outcome(validate, PathLikeObject(name)) == get_outcome(validate, name)


def test_str_subclass_is_converted_to_str():
    for validate in (validate_name, validate_original_storage_path):
        accepted = validate(Member.NAME)
        assert type(accepted) is str
        assert accepted == "a.txt"


@EXAMPLES
@given(names)
def test_original_storage_path_can_be_absolute(path):
    accepted = get_outcome(validate_original_storage_path, path)
    if accepted is not InvalidNameError:
        assert accepted == path
        assert ".." not in clean_path(path).split("/")
    relative = get_outcome(validate_name, path.lstrip("/"))
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
    wanted, got = (PurePosixPath(replace_backslashes(each)) for each in (name, unique))
    assert len(got.parts) == len(wanted.parts)
    for part, whole in zip(got.parent.parts, wanted.parent.parts, strict=True):
        assert part == whole or (whole.startswith(part) and count_bytes(part) > 251)
    assert all(count_bytes(part) <= 255 for part in got.parts)
    # All suffixes are kept if there is room, otherwise the last one unless it is too long.
    is_one = count_bytes(wanted.suffix) <= 64
    assert got.name.endswith("".join(wanted.suffixes)) or (
        got.name.endswith(wanted.suffix) if is_one else True
    )
    assert unique != name


@EXAMPLES
@given(names)
def test_two_unique_names_differ(name):
    assert unique_name(name) != unique_name(name)


def exists_unchecked(storage, name):
    """Return whether a file exists where an unvalidated name would lead."""
    location = getattr(storage.get_original_storage(), "location", ROOT)
    return os.path.lexists(posixpath.join(location, replace_backslashes(name)))


def get_state(storage):
    return get_original_names(storage), get_record_paths(storage), get_local_files()


def save(storage, name, content):
    """Save a file and check the result. Return its path, or None if the name was rejected."""
    names_before, paths_before, files_before = get_state(storage)
    unchecked_before = exists_unchecked(storage, name)
    try:
        path = storage.save(name, ContentFile(content))
    except InvalidNameError:
        assert get_state(storage) == (names_before, paths_before, files_before)
        assert exists_unchecked(storage, name) is unchecked_before
        return None
    record = storage.meta_backend.get(path)
    assert sorted([*paths_before, path]) == sorted(get_record_paths(storage))
    assert sorted([*names_before, record["original_storage_path"]]) == get_original_names(storage)
    original, new_files = storage.get_original_storage(), []
    if isinstance(original, FileSystemStorage):
        new_files = [Path(storage.path(path))]
        assert Path(os.path.realpath(new_files[0])).is_relative_to(
            os.path.realpath(original.location)
        )
    assert sorted([*files_before, *new_files]) == get_local_files()
    assert storage.exists(path)
    return path


@pytest.mark.django_db
@pytest.mark.parametrize("storage", STORAGES, indirect=True)
class TestEveryStorage:
    @EXAMPLES
    @given(name=names)
    @example(name="a\\")
    def test_name_raises_or_its_file_is_inside_the_storage(self, storage, name):
        path = save(storage, name, b"mine")
        if path is not None:
            assert read(storage, path) == b"mine"
            storage.delete(path)
        assert get_state(storage) == ([], [], [])

    @EXAMPLES
    @given(name=st.one_of(mixtures, long_names), vary=st.sampled_from(VARIATIONS))
    def test_similar_names_have_separate_files(self, storage, name, vary):
        contents = {}
        for content, each in ((b"first", name), (b"second", vary(name)), (b"third", name)):
            path = save(storage, each, content)
            if path is not None:
                assert path not in contents
                contents[path] = content
        for path, content in contents.items():
            assert read(storage, path) == content
            storage.delete(path)
        assert get_state(storage) == ([], [], [])

    @EXAMPLES
    @given(value=st.one_of(invalid_names, invalid_names.map(PathLikeObject)))
    def test_value_that_is_not_a_name_raises(self, storage, value):
        with pytest.raises(InvalidNameError):
            storage.save(value, ContentFile(b"mine"))
        assert get_state(storage) == ([], [], [])
