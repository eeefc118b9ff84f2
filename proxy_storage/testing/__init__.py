"""The contract tests of meta backends and of proxy storages, as pytest classes.

They are for authors of other backends, and for projects with an unusual configuration. Subclass a
class and define its fixture. They need pytest and pytest-django. Add this line to ``conftest.py``,
so that pytest shows the values of a failed assertion::

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
