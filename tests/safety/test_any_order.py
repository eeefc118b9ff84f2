"""Saves, deletes and lost files in any order, compared with a dict of the expected files."""

import pytest
from django.core.files.base import ContentFile
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from proxy_storage.exceptions import (
    InvalidNameError,
    MetaBackendObjectAlreadyExists,
    ProxyFileNotFoundError,
    ProxyStorageError,
)
from proxy_storage.paths import clean_path
from proxy_storage.storages.lookup import get_all_originals
from tests.contract.reading import read
from tests.safety.name_strategies import EXAMPLES
from tests.safety.stored_files import get_original_names, get_record_paths

pytestmark = pytest.mark.long

# All of them are different names, although some databases and file systems treat them as equal.
NAMES = [
    *("a.txt", "A.txt", "a.TXT", "a.txt ", "a", "%61.txt", "é.txt", "e\u0301.txt"),
    *("sub/a.txt", ".hidden", "a_b.txt", "a%.txt"),
]
NAME_VARIANTS = ["./a.txt", "sub//a.txt", "sub\\a.txt", "sub/./a.txt"]
HOSTILE_NAMES = ["", "..", "../a.txt", "sub/../../a.txt", "//a.txt", "a\0.txt", "n" * 300 + "\n"]
PATH_CHANGES = [
    str.upper,
    str.encode,
    lambda path: [path],
    lambda path: {"$eq": path},
    lambda path: path + " ",
    lambda path: path + "/",
    lambda path: "/." + path,
    lambda path: path[1:],
    lambda path: path[:-1],
    lambda path: path.replace("é", "e\u0301"),
    lambda path: path.replace("a", "%61"),
]
MISSING = None

contents = st.binary(max_size=3).flatmap(
    # The longer ones take several chunks.
    lambda content: st.sampled_from([content, content * 100_000])
)


class Files(RuleBasedStateMachine):
    """A proxy storage, and files that are written directly to its first original storage."""

    storage = None

    def __init__(self):
        super().__init__()
        self.original = self.storage.get_original_storage()
        self.files = {}  # path -> bytes
        self.original_paths = {}  # path -> path in the original storage
        self.unrecorded = {}  # path in the original storage -> content without record

    def choose(self, data, values):
        return data.draw(st.sampled_from(sorted(values)))

    def add(self, path, content):
        assert path not in self.files
        self.files[path] = content
        self.original_paths[path] = self.storage.meta_backend.get(path)["original_storage_path"]

    @rule(name=st.sampled_from(NAMES + NAME_VARIANTS), content=contents)
    def save(self, name, content):
        self.add(self.storage.save(name, ContentFile(content)), content)

    @rule(name=st.sampled_from(HOSTILE_NAMES))
    def save_under_a_hostile_name(self, name):
        with pytest.raises(InvalidNameError):
            self.storage.save(name, ContentFile(b"hostile"))

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def delete(self, data):
        path = self.choose(data, self.files)
        self.storage.delete(path)
        del self.files[path], self.original_paths[path]
        self.storage.delete(path)  # This raises no error, as in Django.
        with pytest.raises(ProxyFileNotFoundError):
            self.storage.open(path)

    @precondition(lambda self: self.files)
    @rule(data=st.data(), change=st.sampled_from(PATH_CHANGES))
    def look_up_a_changed_path(self, data, change):
        path = change(self.choose(data, self.files))
        is_there = isinstance(path, str) and bool({path, *self.get_paths_of(path)} & {*self.files})
        assert self.storage.exists(path) is is_there
        if not is_there:
            self.storage.delete(path)  # This raises no error.

    def get_paths_of(self, name):
        """Return the paths to which a relative name can refer."""
        if name.startswith("/") or name.endswith("/"):
            return set()
        return {
            self.storage.get_path(original.storage, name)
            for original in get_all_originals(self.storage)
        }

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def remove_original_file(self, data):
        path = self.choose(data, self.files)
        self.original.delete(self.original_paths[path])
        self.files[path] = MISSING

    @rule(name=st.sampled_from(NAMES), content=contents)
    def write_original_file(self, name, content):
        known = self.original.save(name, ContentFile(content))
        # In the place of a missing file, the new content belongs to its record.
        path = next((path for path, name in self.original_paths.items() if name == known), None)
        if path is None:
            self.unrecorded[known] = content
        else:
            self.files[path] = content

    @precondition(lambda self: self.unrecorded)
    @rule(data=st.data())
    def record_existing_file(self, data):
        known = self.choose(data, self.unrecorded)
        try:
            path = self.storage.save("any.txt", None, original_storage_path=known)
        except MetaBackendObjectAlreadyExists:
            # sub//a.txt and sub/a.txt are different names in GridFS, but equal paths.
            assert clean_path(known) in map(clean_path, self.original_paths.values())
            return
        self.add(path, self.unrecorded.pop(known))
        self.check_one_record(known)

    @precondition(lambda self: any(content is not MISSING for content in self.files.values()))
    @rule(data=st.data())
    def record_existing_file_again(self, data):
        there = [path for path, content in self.files.items() if content is not MISSING]
        self.check_one_record(self.original_paths[self.choose(data, there)])

    def check_one_record(self, known):
        for each in (known, f"{known}x"):
            with pytest.raises(ProxyStorageError):
                self.storage.save("any.txt", None, original_storage_path=each)

    @invariant()
    def every_file_has_its_content(self):
        for path, content in self.files.items():
            assert self.storage.exists(path)
            if content is MISSING:
                with pytest.raises(ProxyFileNotFoundError):
                    self.storage.open(path)
            else:
                assert read(self.storage, path) == content
                assert self.storage.size(path) == len(content)

    @invariant()
    def no_other_files_exist(self):
        assert sorted(get_record_paths(self.storage)) == sorted(self.files)
        there = [
            self.original_paths[path] for path, content in self.files.items() if content is not None
        ]
        assert get_original_names(self.storage) == sorted([*there, *self.unrecorded])
        for known, content in self.unrecorded.items():
            with self.original.open(known) as file:
                assert file.read() == content

    def teardown(self):
        for path in self.files:
            self.storage.delete(path)
        for known in self.unrecorded:
            self.original.delete(known)
        assert get_record_paths(self.storage) == get_original_names(self.storage) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "storage",
    ["orm-disk", "mongo-disk", "orm-multiple", "orm-relative-disk", "mongo-relative-disk"],
    indirect=True,
)
def test_files_are_unchanged_after_any_order_of_operations(storage):
    machine = type("Files", (Files,), {"storage": storage})
    example_settings = settings(EXAMPLES, max_examples=15, stateful_step_count=15)
    run_state_machine_as_test(machine, settings=example_settings)
