"""Links that are revoked before they expire."""

import pytest

from proxy_storage.exceptions import ConfigurationError, MetaBackendObjectDoesNotExist
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage_permissions.links import get_signed_url, revoke_links
from tests.contract.temporary_storages import configure_proxy_storage
from tests.testapp.models import PlainStoredFile
from tests.unit.permissions.links import is_valid, save, save_again

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db,
]


on_each_meta_backend = pytest.mark.parametrize(
    "storage", ["orm-memory", "mongo-memory"], indirect=True
)


@pytest.fixture
def record(storage):
    return save(storage)


@on_each_meta_backend
class TestRevoking:
    def test_all_links_to_the_file_become_invalid(self, storage, record):
        other = save(storage, "other.txt")
        one, two = get_signed_url(record), get_signed_url(record, as_attachment=True)
        of_other = get_signed_url(other)
        revoke_links(storage.get_meta_backend_obj(record["path"]))
        revoked = storage.get_meta_backend_obj(record["path"])
        assert not is_valid(one, revoked)
        assert not is_valid(two, revoked)
        assert is_valid(of_other, storage.get_meta_backend_obj(other["path"]))

    def test_later_links_are_valid(self, storage, record):
        revoke_links(record)
        link = get_signed_url(record)
        assert is_valid(link, storage.get_meta_backend_obj(record["path"]))

    def test_each_call_changes_the_version(self, storage, record):
        version = record.get("link_version") or ""
        made = [get_signed_url(record)]
        for _time in range(3):
            revoke_links(record)
            assert record["link_version"] != version
            version = record["link_version"]
            stored = storage.get_meta_backend_obj(record["path"])
            assert not any(is_valid(link, stored) for link in made)
            made.append(get_signed_url(record))

    def test_other_keys_are_not_changed(self, storage, record):
        before = {**storage.get_meta_backend_obj(record["path"]), "link_version": None}
        revoke_links(record)
        stored = storage.get_meta_backend_obj(record["path"])
        assert {**stored, "link_version": None} == before

    def test_one_query_is_made(self, storage, record, django_assert_num_queries):
        is_orm = isinstance(storage.meta_backend, ORMMetaBackend)
        with django_assert_num_queries(1 if is_orm else 0):
            revoke_links(record)

    def test_deleted_record_does_not_affect_a_new_file_with_the_same_path(self, storage, record):
        link = get_signed_url(save_again(storage, record))
        with pytest.raises(MetaBackendObjectDoesNotExist):
            revoke_links(record)
        assert is_valid(link, storage.get_meta_backend_obj(record["path"]))


@pytest.mark.parametrize("storage", ["orm-memory"], indirect=True)
def test_records_without_link_version_are_an_error(storage, settings):
    settings.META_BACKENDS = {"plain": ORMMetaBackend(model=PlainStoredFile)}
    plain = configure_proxy_storage(storage.original_storage, "plain", settings)
    record = save(plain)
    link = get_signed_url(record)
    assert is_valid(link, record)
    with pytest.raises(ConfigurationError, match="Add LinkVersionMixin to the model"):
        revoke_links(record)
    assert is_valid(link, plain.get_meta_backend_obj(record["path"]))
