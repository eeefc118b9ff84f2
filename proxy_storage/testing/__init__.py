"""The contracts of meta backends and of proxy storages, as pytest classes.

For authors of further backends, and for projects that configure an unusual one: subclass,
and give the fixture that the class asks for. Needs pytest and pytest-django. In
``conftest.py``, so that a failed assertion tells its values::

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
