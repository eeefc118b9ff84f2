"""An existing file of an original storage gets one record, regardless of how it is named."""

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
@pytest.mark.slow
class TestMissingFile:
    @EXAMPLES
    @given(
        known=st.one_of(
            names,
            names.map(lambda name: f"/{name}"),
            invalid_names.filter(lambda value: value is not None),  # None means a new file.
            invalid_names.map(PathLikeObject),
        )
    )
    @example(known="/etc/hostname")
    def test_missing_file_is_not_recorded(self, storage, known):
        files_before = get_local_files()
        with pytest.raises(ProxyStorageError) as caught:
            storage.save("a.txt", None, original_storage_path=known)
        assert isinstance(caught.value, (SuspiciousFileOperation, FileNotFoundError))
        assert get_original_names(storage) == get_record_paths(storage) == []
        assert get_local_files() == files_before


class TestNameVariants:
    """If a file had two records, deleting one would remove the file of the other."""

    def get_variants(self, storage, known):
        yield from (known, f"./{known}", f".//{known}", f"/{known}", f"sub/../{known}")
        with suppress(NotImplementedError):
            yield storage.get_original_storage().path(known)

    def create_file(self, storage):
        return storage.get_original_storage().save("there.txt", ContentFile(b"there"))

    def check_one_record(self, storage, known):
        path = storage.save("a.txt", None, original_storage_path=known)
        paths = sorted(get_record_paths(storage))
        for variant in self.get_variants(storage, known):
            with pytest.raises(ProxyStorageError):
                storage.save("a.txt", None, original_storage_path=variant)
            assert sorted(get_record_paths(storage)) == paths
        assert read(storage, path) == b"there"

    def test_variant_gets_no_second_record(self, storage):
        self.check_one_record(storage, self.create_file(storage))

    def test_variant_gets_no_second_record_if_the_path_is_taken(self, storage):
        known = self.create_file(storage)
        usual = storage.get_path(storage.get_original_storage(), known)
        other = {"proxy_storage_name": "other", "original_storage_path": "x"}
        storage.meta_backend.create({**other, "path": usual})
        self.check_one_record(storage, known)
