"""Saves, deletes and accidents in any order, next to a dict that knows what has to be there."""

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
from tests.contract.proxy_storages import read
from tests.safety.leftovers import get_names, get_paths
from tests.safety.names import EXAMPLES

pytestmark = pytest.mark.long

# they differ for us; some of them do not for a database or for who cleans up names
NAMES = [
    *("a.txt", "A.txt", "a.TXT", "a.txt ", "a", "%61.txt", "é.txt", "e\u0301.txt"),
    *("sub/a.txt", ".hidden", "a_b.txt", "a%.txt"),
]
SPELLINGS = ["./a.txt", "sub//a.txt", "sub\\a.txt", "sub/./a.txt"]
HOSTILE_NAMES = ["", "..", "../a.txt", "sub/../../a.txt", "//a.txt", "a\0.txt", "n" * 300 + "\n"]
ODD_CHANGES = [
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
VANISHED = None

contents = st.binary(max_size=3).flatmap(
    # the longer ones in several chunks of each storage
    lambda some: st.sampled_from([some, some * 100_000])
)


class Files(RuleBasedStateMachine):
    """One proxy storage, and its first original storage behind its back."""

    storage = None

    def __init__(self):
        super().__init__()
        self.original = self.storage.get_original_storage()
        self.files = {}  # path -> bytes
        self.places = {}  # path -> path in the original storage
        self.strangers = {}  # path in the original storage -> bytes that have no record

    def choose(self, data, values):
        return data.draw(st.sampled_from(sorted(values)))

    def keep(self, path, content):
        assert path not in self.files
        self.files[path] = content
        self.places[path] = self.storage.meta_backend.get(path)["original_storage_path"]

    @rule(name=st.sampled_from(NAMES + SPELLINGS), content=contents)
    def save(self, name, content):
        self.keep(self.storage.save(name, ContentFile(content)), content)

    @rule(name=st.sampled_from(HOSTILE_NAMES))
    def save_under_a_hostile_name(self, name):
        with pytest.raises(InvalidNameError):
            self.storage.save(name, ContentFile(b"hostile"))

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def delete(self, data):
        path = self.choose(data, self.files)
        self.storage.delete(path)
        del self.files[path], self.places[path]
        self.storage.delete(path)  # in silence, as Django's
        with pytest.raises(ProxyFileNotFoundError):
            self.storage.open(path)

    @precondition(lambda self: self.files)
    @rule(data=st.data(), change=st.sampled_from(ODD_CHANGES))
    def ask_for_an_odd_path(self, data, change):
        path = change(self.choose(data, self.files))
        is_there = isinstance(path, str) and bool({path, *self.get_paths_of(path)} & {*self.files})
        assert self.storage.exists(path) is is_there
        if not is_there:
            self.storage.delete(path)  # nothing, in silence

    def get_paths_of(self, name):
        """Return the paths that a relative name stands for."""
        if name.startswith("/") or name.endswith("/"):
            return set()
        return {
            self.storage.get_path(original.storage, name)
            for original in get_all_originals(self.storage)
        }

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def lose_bytes(self, data):
        path = self.choose(data, self.files)
        self.original.delete(self.places[path])
        self.files[path] = VANISHED

    @rule(name=st.sampled_from(NAMES), content=contents)
    def put_bytes_behind_the_back(self, name, content):
        known = self.original.save(name, ContentFile(content))
        # where somebody's bytes had vanished these are taken for them
        path = next((path for path, place in self.places.items() if place == known), None)
        if path is None:
            self.strangers[known] = content
        else:
            self.files[path] = content

    @precondition(lambda self: self.strangers)
    @rule(data=st.data())
    def record_known_bytes(self, data):
        known = self.choose(data, self.strangers)
        try:
            path = self.storage.save("any.txt", None, original_storage_path=known)
        except MetaBackendObjectAlreadyExists:
            # GridFS tells sub//a.txt from sub/a.txt, and paths do not
            assert clean_path(known) in map(clean_path, self.places.values())
            return
        self.keep(path, self.strangers.pop(known))
        self.check_one_record(known)

    @precondition(lambda self: any(content is not VANISHED for content in self.files.values()))
    @rule(data=st.data())
    def record_known_bytes_again(self, data):
        there = [path for path, content in self.files.items() if content is not VANISHED]
        self.check_one_record(self.places[self.choose(data, there)])

    def check_one_record(self, known):
        for each in (known, f"{known}x"):
            with pytest.raises(ProxyStorageError):
                self.storage.save("any.txt", None, original_storage_path=each)

    @invariant()
    def every_file_has_its_bytes(self):
        for path, content in self.files.items():
            assert self.storage.exists(path)
            if content is VANISHED:
                with pytest.raises(ProxyFileNotFoundError):
                    self.storage.open(path)
            else:
                assert read(self.storage, path) == content
                assert self.storage.size(path) == len(content)

    @invariant()
    def nothing_else_is_anywhere(self):
        assert sorted(get_paths(self.storage)) == sorted(self.files)
        there = [self.places[path] for path, content in self.files.items() if content is not None]
        assert get_names(self.storage) == sorted([*there, *self.strangers])
        for known, content in self.strangers.items():
            with self.original.open(known) as file:
                assert file.read() == content

    def teardown(self):
        for path in self.files:
            self.storage.delete(path)
        for known in self.strangers:
            self.original.delete(known)
        assert get_paths(self.storage) == get_names(self.storage) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "storage",
    ["orm-disk", "mongo-disk", "orm-multiple", "orm-relative-disk", "mongo-relative-disk"],
    indirect=True,
)
def test_every_file_is_what_it_was(storage):
    machine = type("Files", (Files,), {"storage": storage})
    few = settings(EXAMPLES, max_examples=15, stateful_step_count=15)
    run_state_machine_as_test(machine, settings=few)
