"""Django's contract of file names, on the file system."""

import os
import re
import threading
from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from proxy_storage.registry import get_proxy_storage
from tests.contract.reading import read
from tests.contract.temporary_storages import configure_proxy_storage

# The random suffix that Django or this package adds before the extension.
RANDOM = "_[A-Za-z0-9]{7,16}"


@pytest.fixture(params=["orm-disk", "mongo-disk", "orm_disk", "mongo_disk"])
def storage(request, empty_storages):
    return get_proxy_storage(request.param)


@pytest.fixture
def create_storage(empty_storages, meta_backend_name, settings):
    def create(original):
        return configure_proxy_storage(original, meta_backend_name, settings)

    return create


def save_twice(storage, name):
    """Save two files with the same name, and return their paths relative to the storage."""
    paths = [storage.save(name, ContentFile(content)) for content in (b"first", b"second")]
    assert [read(storage, path) for path in paths] == [b"first", b"second"]
    return [os.path.relpath(path, storage.original_storage.location) for path in paths]


class TestTakenName:
    @pytest.mark.parametrize(
        ("name", "stem", "extension"),
        [
            ("hello.txt", "hello", ".txt"),
            ("hello", "hello", ""),
            ("backup.tar.gz", "backup", ".tar.gz"),
            ("dotted.folder/name", "dotted.folder/name", ""),
            ("dotted.folder/.hidden", "dotted.folder/.hidden", ""),
            ("dotted.folder/.hidden.txt", "dotted.folder/.hidden", ".txt"),
        ],
    )
    def test_second_file_gets_a_random_suffix_before_the_extension(
        self, storage, name, stem, extension
    ):
        first, second = save_twice(storage, name)
        assert first == name
        assert re.fullmatch(f"{re.escape(stem)}{RANDOM}{re.escape(extension)}", second)

    def test_file_without_record_is_not_overwritten(self, storage):
        storage.original_storage.save("hello.txt", ContentFile(b"existing"))
        path = storage.save("hello.txt", ContentFile(b"mine"))
        assert re.fullmatch(f"hello{RANDOM}.txt", Path(path).name)
        with storage.original_storage.open("hello.txt") as file:
            assert file.read() == b"existing"

    def test_broken_symbolic_link_is_not_followed(self, storage, tmp_path):
        root, target = Path(storage.original_storage.location), tmp_path / "target.txt"
        root.mkdir(parents=True, exist_ok=True)
        (root / "hello.txt").symlink_to(target)
        path = storage.save("hello.txt", ContentFile(b"mine"))
        assert re.fullmatch(f"hello{RANDOM}.txt", Path(path).name)
        assert not target.exists()
        assert (root / "hello.txt").is_symlink()

    def test_suffix_shortens_a_name_of_maximum_length(self, storage):
        root = Path(storage.original_storage.location)
        root.mkdir(parents=True, exist_ok=True)
        name = "n" * (os.pathconf(root, "PC_NAME_MAX") - 4) + ".txt"
        path = storage.save(name, ContentFile(b"first"))
        assert Path(path).name == name
        # The stem is shortened for the random suffix.
        other = storage.save(name, ContentFile(b"second"))
        assert re.fullmatch(f"n+{RANDOM}.txt", Path(other).name)
        assert len(Path(other).name) == len(name)
        assert read(storage, path) == b"first"
        assert read(storage, other) == b"second"

    def test_simultaneous_saves_get_different_names(self, empty_storages):
        """Both saves start writing before either has finished."""
        storage = get_proxy_storage("mongo-disk")
        both_write = threading.Barrier(2, timeout=30)
        paths = []

        class SlowContent(ContentFile):
            def chunks(self, chunk_size=None):
                both_write.wait()
                yield self.read()

        threads = [
            threading.Thread(
                target=lambda content: paths.append(
                    (storage.save("conflict.txt", SlowContent(content)), content)
                ),
                args=(content,),
            )
            for content in (b"first", b"second")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {read(storage, path) for path, _ in paths} == {b"first", b"second"}
        assert all(read(storage, path) == content for path, content in paths)
        names = sorted(Path(path).name for path, _ in paths)
        assert names[0] == "conflict.txt"
        assert re.fullmatch(f"conflict{RANDOM}.txt", names[1])


class TestAvailableName:
    def test_free_name_is_available(self, storage):
        for name in ("hello.txt", "sub/hello.txt"):
            assert storage.is_name_available(name)
            assert storage.get_available_name(name) == name

    @pytest.mark.parametrize("name", ["hello.txt", "hello", "sub/hello.tar.gz", ".hidden"])
    def test_taken_name_gets_an_alternative(self, storage, name):
        path = storage.save(name, ContentFile(b"x"))
        for taken in (name, path):
            other = storage.get_available_name(taken)
            assert not storage.is_name_available(taken)
            assert storage.is_name_available(other)
            assert os.path.dirname(other) == os.path.dirname(taken)
            assert other.endswith("".join(Path(name).suffixes))

    def test_available_name_fits_max_length(self, storage):
        name = "n" * 30 + ".txt"
        assert not storage.is_name_available(name, max_length=20)
        cut = storage.get_available_name(name, max_length=20)
        assert re.fullmatch(f"n+{RANDOM}.txt", cut)
        assert len(cut) == 20
        with pytest.raises(SuspiciousFileOperation, match="max_length"):
            storage.get_available_name("sub/" + name, max_length=15)

    @pytest.mark.parametrize(
        "name", ["../a.txt", "a/../../b.txt", "a\\..\\b.txt", "..", ".", "", "a/"]
    )
    def test_hostile_name_raises(self, storage, name):
        with pytest.raises(SuspiciousFileOperation):
            storage.get_available_name(name)


class TestGeneratedName:
    @pytest.mark.parametrize(
        ("name", "generated"),
        [
            ("hello.txt", "hello.txt"),
            ("sub/hello world.txt", "sub/hello_world.txt"),
            ("sub\\hello.txt", "sub/hello.txt"),
            ("./sub//hello.txt", "sub/hello.txt"),
            ("what?*<is>:this|.txt", "whatisthis.txt"),
        ],
    )
    def test_name_is_generated_by_the_original_storage(self, storage, name, generated):
        assert storage.generate_filename(name) == generated
        assert storage.generate_filename(name) == storage.original_storage.generate_filename(name)

    @pytest.mark.parametrize("name", ["../a.txt", "a/../b.txt", "a\\..\\b.txt", "..", "a/..", ""])
    def test_hostile_name_raises(self, storage, name):
        with pytest.raises(SuspiciousFileOperation):
            storage.generate_filename(name)

    def test_backslash_is_treated_as_a_slash(self, storage):
        path = storage.save("sub\\hello.txt", ContentFile(b"world"))
        assert path == f"{storage.original_storage.location}/sub/hello.txt"

    def test_name_methods_of_the_original_storage_are_called(self, create_storage, tmp_path):
        class UpperCaseStorage(FileSystemStorage):
            def get_valid_name(self, name):
                return name.upper()

            def generate_filename(self, filename):
                return f"upper/{super().generate_filename(filename)}"

        storage = create_storage(UpperCaseStorage(tmp_path))
        assert storage.get_valid_name("a b.txt") == "A B.TXT"
        assert storage.generate_filename("a b.txt") == "upper/A B.TXT"

    def test_original_storage_can_number_its_files(self, create_storage, tmp_path):
        class NumberingStorage(FileSystemStorage):
            def get_alternative_name(self, file_root, file_ext):
                numbers = [int(path.stem.split("-")[-1]) for path in tmp_path.glob("hello-*")]
                return f"{file_root}-{max(numbers, default=0) + 1}{file_ext}"

        storage = create_storage(NumberingStorage(tmp_path))
        (tmp_path / "hello.txt").write_text("taken")
        assert storage.save("hello.txt", ContentFile(b"x")) == f"{tmp_path}/hello-1.txt"
        assert storage.save("hello.txt", ContentFile(b"x")) == f"{tmp_path}/hello-2.txt"

    def test_original_storage_can_change_the_name(self, create_storage, tmp_path):
        class FlatStorage(FileSystemStorage):
            def get_available_name(self, name, max_length=None):
                return super().get_available_name(name.replace("/", "-"), max_length)

        storage = create_storage(FlatStorage(tmp_path))
        for path in save_twice(storage, "sub/hello.txt"):
            assert re.fullmatch(f"sub-hello{RANDOM}.txt", path)


class TestOriginalWithUnsafeNames:
    """The class of an original storage returns a name outside its folder."""

    @pytest.mark.parametrize("unsafe_name", ["../up.txt", "/absolute.txt", "a/../../up.txt", ""])
    def test_unsafe_available_name_raises(self, create_storage, tmp_path, unsafe_name):
        class UnsafeStorage(FileSystemStorage):
            def get_available_name(self, name, max_length=None):
                return unsafe_name

        self.check(create_storage(UnsafeStorage(tmp_path / "files")), tmp_path)

    @pytest.mark.parametrize("unsafe_name", ["../up.txt", "/absolute.txt", "a/../../up.txt", ""])
    def test_unsafe_saved_name_raises(self, create_storage, tmp_path, unsafe_name):
        class UnsafeStorage(FileSystemStorage):
            def _save(self, name, content):
                super()._save(name, content)
                return unsafe_name

        self.check(create_storage(UnsafeStorage(tmp_path / "files")), tmp_path)

    def check(self, storage, tmp_path):
        with pytest.raises(SuspiciousFileOperation):
            storage.save("hello.txt", ContentFile(b"x"))
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        assert list(storage.meta_backend) == []
