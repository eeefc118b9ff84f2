"""Bytes that are in an original storage already: one record of them, whatever they are called."""

from contextlib import suppress

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from hypothesis import example, given
from hypothesis import strategies as st

from proxy_storage.exceptions import ProxyStorageError
from tests.contract.reading import read
from tests.safety.name_strategies import EXAMPLES, PathLikeObject, invalid_names, names
from tests.safety.stored_files import get_local_files, get_original_names, get_record_paths

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "storage",
    ["orm-disk", "mongo-disk", "orm-overwriting", "orm-memory", "mongo-gridfs"],
    indirect=True,
)
class TestNothingThere:
    @EXAMPLES
    @given(
        known=st.one_of(
            names,
            names.map(lambda name: f"/{name}"),
            invalid_names.filter(lambda value: value is not None),  # says that the bytes are new
            invalid_names.map(PathLikeObject),
        )
    )
    @example(known="/etc/hostname")
    def test_is_recorded(self, storage, known):
        files_before = get_local_files()
        with pytest.raises(ProxyStorageError) as caught:
            storage.save("a.txt", None, original_storage_path=known)
        assert isinstance(caught.value, (SuspiciousFileOperation, FileNotFoundError))
        assert get_original_names(storage) == get_record_paths(storage) == []
        assert get_local_files() == files_before


class TestSpelling:
    """A second record of the same bytes would lose them as soon as the first is deleted."""

    def spell(self, storage, known):
        yield from (known, f"./{known}", f".//{known}", f"/{known}", f"sub/../{known}")
        with suppress(NotImplementedError):
            yield storage.get_original_storage().path(known)

    def put(self, storage):
        return storage.get_original_storage().save("there.txt", ContentFile(b"there"))

    def check_one_record(self, storage, known):
        path = storage.save("a.txt", None, original_storage_path=known)
        paths = sorted(get_record_paths(storage))
        for spelled in self.spell(storage, known):
            with pytest.raises(ProxyStorageError):
                storage.save("a.txt", None, original_storage_path=spelled)
            assert sorted(get_record_paths(storage)) == paths
        assert read(storage, path) == b"there"

    def test_makes_no_second_record(self, storage):
        self.check_one_record(storage, self.put(storage))

    def test_makes_no_second_record_where_somebody_has_the_path(self, storage):
        known = self.put(storage)
        usual = storage.get_path(storage.get_original_storage(), known)
        somebody = {"proxy_storage_name": "somebody", "original_storage_path": "x"}
        storage.meta_backend.create({**somebody, "path": usual})
        self.check_one_record(storage, known)
