import pytest

from proxy_storage.registry import get_proxy_storage
from tests.contract.proxy_storages import ORIGINALS


@pytest.fixture(params=["orm", "mongo"])
def meta_backend_name(request):
    return request.param


@pytest.fixture(params=ORIGINALS)
def storage(request, meta_backend_name):
    return get_proxy_storage(f"{meta_backend_name}_{request.param}")
