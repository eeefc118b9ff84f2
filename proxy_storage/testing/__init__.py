"""Test suites for meta backends and proxy storages, as pytest classes.

Use them to test a meta backend of your own or an unusual configuration: subclass the class and
define its fixture. They need pytest and pytest-django. For assertions with detailed messages, add
to ``conftest.py``::

    pytest.register_assert_rewrite("proxy_storage.testing")

and in a test module::

    class TestRedisMetaBackend(MetaBackendContract):
        @pytest.fixture
        def backend(self):
            backend = RedisMetaBackend(...)
            yield backend
            backend.clear()
"""

from proxy_storage.testing.meta_backends import MetaBackendContract
from proxy_storage.testing.storages import ProxyStorageContract

__all__ = ["MetaBackendContract", "ProxyStorageContract"]
