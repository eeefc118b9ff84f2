"""Django's ideas of the name of a file, in front of a file system."""

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

# what Django or we put between stem and extension
RANDOM = "_[A-Za-z0-9]{7,16}"


@pytest.fixture(params=["orm-disk", "mongo-disk", "orm_disk", "mongo_disk"])
def storage(request, empty_storages):
    return get_proxy_storage(request.param)


@pytest.fixture
def in_front_of(empty_storages, meta_backend_name, settings):
    def put(original):
        return configure_proxy_storage(original, meta_backend_name, settings)

    return put


def save_twice(storage, name):
    """Save two files of one name, and return the paths as they are below the storage."""
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
    def test_gets_a_random_part_before_its_extension(self, storage, name, stem, extension):
        first, second = save_twice(storage, name)
        assert first == name
        assert re.fullmatch(f"{re.escape(stem)}{RANDOM}{re.escape(extension)}", second)

    def test_by_bytes_without_record(self, storage):
        storage.original_storage.save("hello.txt", ContentFile(b"somebody's"))
        path = storage.save("hello.txt", ContentFile(b"mine"))
        assert re.fullmatch(f"hello{RANDOM}.txt", Path(path).name)
        with storage.original_storage.open("hello.txt") as file:
            assert file.read() == b"somebody's"

    def test_by_a_broken_link(self, storage, tmp_path):
        root, target = Path(storage.original_storage.location), tmp_path / "target.txt"
        root.mkdir(parents=True, exist_ok=True)
        (root / "hello.txt").symlink_to(target)
        path = storage.save("hello.txt", ContentFile(b"mine"))
        assert re.fullmatch(f"hello{RANDOM}.txt", Path(path).name)
        assert not target.exists()
        assert (root / "hello.txt").is_symlink()

    def test_as_long_as_the_file_system_allows(self, storage):
        root = Path(storage.original_storage.location)
        root.mkdir(parents=True, exist_ok=True)
        name = "n" * (os.pathconf(root, "PC_NAME_MAX") - 4) + ".txt"
        path = storage.save(name, ContentFile(b"first"))
        assert Path(path).name == name
        # the stem makes room for a random part
        other = storage.save(name, ContentFile(b"second"))
        assert re.fullmatch(f"n+{RANDOM}.txt", Path(other).name)
        assert len(Path(other).name) == len(name)
        assert read(storage, path) == b"first"
        assert read(storage, other) == b"second"

    def test_by_a_save_at_the_same_moment(self, empty_storages):
        """Each begins to write before the other has ended."""
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
    def test_is_the_name_itself_where_it_is_free(self, storage):
        for name in ("hello.txt", "sub/hello.txt"):
            assert storage.is_name_available(name)
            assert storage.get_available_name(name) == name

    @pytest.mark.parametrize("name", ["hello.txt", "hello", "sub/hello.tar.gz", ".hidden"])
    def test_is_another_where_it_is_taken(self, storage, name):
        path = storage.save(name, ContentFile(b"x"))
        for taken in (name, path):
            other = storage.get_available_name(taken)
            assert not storage.is_name_available(taken)
            assert storage.is_name_available(other)
            assert os.path.dirname(other) == os.path.dirname(taken)
            assert other.endswith("".join(Path(name).suffixes))

    def test_is_cut_to_length(self, storage):
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
    def test_is_none_for_a_hostile_one(self, storage, name):
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
    def test_is_what_the_original_says(self, storage, name, generated):
        assert storage.generate_filename(name) == generated
        assert storage.generate_filename(name) == storage.original_storage.generate_filename(name)

    @pytest.mark.parametrize("name", ["../a.txt", "a/../b.txt", "a\\..\\b.txt", "..", "a/..", ""])
    def test_is_none_for_a_hostile_one(self, storage, name):
        with pytest.raises(SuspiciousFileOperation):
            storage.generate_filename(name)

    def test_backslash_is_a_slash(self, storage):
        path = storage.save("sub\\hello.txt", ContentFile(b"world"))
        assert path == f"{storage.original_storage.location}/sub/hello.txt"

    def test_methods_of_the_original_are_asked(self, in_front_of, tmp_path):
        class Shouting(FileSystemStorage):
            def get_valid_name(self, name):
                return name.upper()

            def generate_filename(self, filename):
                return f"loud/{super().generate_filename(filename)}"

        storage = in_front_of(Shouting(tmp_path))
        assert storage.get_valid_name("a b.txt") == "A B.TXT"
        assert storage.generate_filename("a b.txt") == "loud/A B.TXT"

    def test_names_of_an_original_that_counts(self, in_front_of, tmp_path):
        class Counting(FileSystemStorage):
            def get_alternative_name(self, file_root, file_ext):
                numbers = [int(path.stem.split("-")[-1]) for path in tmp_path.glob("hello-*")]
                return f"{file_root}-{max(numbers, default=0) + 1}{file_ext}"

        storage = in_front_of(Counting(tmp_path))
        (tmp_path / "hello.txt").write_text("taken")
        assert storage.save("hello.txt", ContentFile(b"x")) == f"{tmp_path}/hello-1.txt"
        assert storage.save("hello.txt", ContentFile(b"x")) == f"{tmp_path}/hello-2.txt"

    def test_an_original_that_chooses_names_itself(self, in_front_of, tmp_path):
        class Flat(FileSystemStorage):
            def get_available_name(self, name, max_length=None):
                return super().get_available_name(name.replace("/", "-"), max_length)

        storage = in_front_of(Flat(tmp_path))
        for path in save_twice(storage, "sub/hello.txt"):
            assert re.fullmatch(f"sub-hello{RANDOM}.txt", path)


class TestOriginalThatLeadsAstray:
    """A mistake, or worse, in a class that somebody has written."""

    @pytest.mark.parametrize("astray", ["../up.txt", "/absolute.txt", "a/../../up.txt", ""])
    def test_with_the_name_before_the_save(self, in_front_of, tmp_path, astray):
        class Astray(FileSystemStorage):
            def get_available_name(self, name, max_length=None):
                return astray

        self.check(in_front_of(Astray(tmp_path / "files")), tmp_path)

    @pytest.mark.parametrize("astray", ["../up.txt", "/absolute.txt", "a/../../up.txt", ""])
    def test_with_the_name_after_the_save(self, in_front_of, tmp_path, astray):
        class Astray(FileSystemStorage):
            def _save(self, name, content):
                super()._save(name, content)
                return astray

        self.check(in_front_of(Astray(tmp_path / "files")), tmp_path)

    def check(self, storage, tmp_path):
        with pytest.raises(SuspiciousFileOperation):
            storage.save("hello.txt", ContentFile(b"x"))
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        assert list(storage.meta_backend) == []
