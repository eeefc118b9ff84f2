import pytest

from proxy_storage import registry
from proxy_storage.exceptions import ConfigurationError
from tests.testapp.storages import MongoStorage, OrmDiskStorage, OrmStorage, UnregisteredStorage


def register(settings, **classes):
    settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": classes}


def test_name_and_storage(settings):
    register(settings, disk="tests.testapp.storages.OrmDiskStorage")
    storage = registry.get_proxy_storage("disk")
    assert isinstance(storage, OrmDiskStorage)
    assert registry.get_proxy_storage("disk") is storage
    assert registry.get_proxy_storage_name(OrmDiskStorage()) == "disk"


def test_unknown_name(settings):
    register(settings)
    with pytest.raises(ConfigurationError, match="No proxy storage is registered as 'disk'"):
        registry.get_proxy_storage("disk")


def test_class_that_is_not_registered():
    with pytest.raises(ConfigurationError, match="UnregisteredStorage is not registered"):
        UnregisteredStorage().save("a.txt", None)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"disk": "tests.nowhere.Storage"}, "cannot be imported"),
        ({"disk": "tests.testapp.models.StoredFile"}, "not a subclass"),
        ({"disk": "tests.settings.FOLDER"}, "not a subclass"),
        (dict.fromkeys("ab", "tests.testapp.storages.OrmDiskStorage"), "registered twice"),
    ],
)
def test_classes_that_cannot_be_used(settings, classes, message):
    register(settings, **classes)
    with pytest.raises(ConfigurationError, match=message):
        registry.get_proxy_storage_classes()


def test_each_meta_backend_once(settings):
    register(
        settings,
        a="tests.testapp.storages.OrmDiskStorage",
        b="tests.testapp.storages.OrmMemoryStorage",
        c="tests.testapp.storages.MongoDiskStorage",
    )
    assert registry.get_meta_backends() == (OrmStorage.meta_backend, MongoStorage.meta_backend)


def test_other_settings_leave_it_alone(settings):
    storage = registry.get_proxy_storage("orm_disk")
    settings.USE_TZ = False
    assert registry.get_proxy_storage("orm_disk") is storage
