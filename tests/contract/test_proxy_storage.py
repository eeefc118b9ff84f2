"""What every proxy storage does."""

import pytest

from proxy_storage.testing import ProxyStorageContract


class TestProxyStorage(ProxyStorageContract):
    @pytest.fixture
    def storage(self, storage):
        return storage

    def test_url_leads_to_the_endpoint(self, storage):
        path = self.save(storage, "a b&c.txt")
        assert storage.url(path).startswith("/files/?path=%2F")
        assert "+b%26c" in storage.url(path)
