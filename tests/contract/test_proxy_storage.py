"""The contract of proxy storages, for each configured storage."""

import pytest

from proxy_storage.storages.lookup import RELATIVE, get_path_kind
from proxy_storage.testing import ProxyStorageContract

pytestmark = pytest.mark.database


class TestProxyStorage(ProxyStorageContract):
    @pytest.fixture
    def storage(self, storage):
        return storage

    def test_url_leads_to_the_endpoint(self, storage):
        path = self.save(storage, "a b&c.txt")
        slash = "" if get_path_kind(storage) == RELATIVE else "%2F"
        assert storage.url(path).startswith(f"/files/?path={slash}")
        assert "+b%26c" in storage.url(path)
