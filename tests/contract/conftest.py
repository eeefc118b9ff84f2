import pytest
from django.conf import settings

from proxy_storage.registry import get_proxy_storage

pytest.register_assert_rewrite("proxy_storage.testing")


@pytest.fixture(params=settings.META_BACKENDS)
def meta_backend_name(request):
    return request.param


@pytest.fixture
def backend(meta_backend_name, empty_storages):
    return get_proxy_storage(f"{meta_backend_name}-disk").meta_backend


@pytest.fixture(params=["orm_file", "mongo_file"])
def field(request):
    """Return a field of `Document`. Each field uses another meta backend."""
    return request.param
