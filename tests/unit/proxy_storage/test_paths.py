import pathlib

import pytest

from proxy_storage.exceptions import InvalidNameError
from proxy_storage.paths import (
    clean_path,
    fit_name,
    is_literal_path,
    unique_name,
    validate_name,
    validate_original_storage_path,
)


@pytest.mark.parametrize(
    ("full_path", "path"),
    [
        ("/var/files/cv.pdf", "/var/files/cv.pdf"),
        ("cv.pdf", "/cv.pdf"),
        ("//cv.pdf", "/cv.pdf"),
        ("a//b/./c.txt", "/a/b/c.txt"),
        ("letters//2024/./cv.pdf", "/letters/2024/cv.pdf"),
        ("a\\b.txt", "/a/b.txt"),
        ("a/../../b.txt", "/b.txt"),
    ],
)
def test_clean_path(full_path, path):
    assert clean_path(full_path) == path


def test_is_literal_path():
    assert is_literal_path("/日本 %_.*")
    for value in (b"/a", None, 1, ["/a"], {"$ne": ""}, "a\0b", "\ud800"):
        assert not is_literal_path(value)


def test_validate_name_accepts_pathlib():
    assert validate_name(pathlib.PurePosixPath("a/b.txt")) == "a/b.txt"
    assert validate_original_storage_path(pathlib.PurePosixPath("/a/b.txt")) == "/a/b.txt"


def test_error_has_the_name():
    with pytest.raises(InvalidNameError) as caught:
        validate_name("../up")
    assert caught.value.name == "../up"


@pytest.mark.parametrize("name", ["a.txt", "folder/archive.tar.gz", "no-extension", ".hidden"])
def test_unique_name_keeps_folder_and_extension(name):
    path = pathlib.PurePosixPath(name)
    unique = pathlib.PurePosixPath(unique_name(name))
    assert unique.parent == path.parent
    assert unique.suffixes == path.suffixes
    assert unique_name(name) != unique_name(name)


def test_unique_name_truncates_the_stem():
    unique = unique_name("folder/" + "n" * 50 + ".txt", max_length=40)
    assert len(unique) == 40
    assert unique.startswith("folder/nnn")
    assert unique.endswith(".txt")


def test_unique_name_without_room_is_an_error():
    with pytest.raises(InvalidNameError, match="larger max_length"):
        unique_name("hello.txt", max_length=20)


def test_error_message_has_the_limits():
    with pytest.raises(InvalidNameError, match="within 4 bytes\\. Use a shorter name"):
        fit_name("a.txt", max_bytes=4)
    with pytest.raises(InvalidNameError, match="within 3 characters and 255 bytes"):
        fit_name("a.txt", 3)
