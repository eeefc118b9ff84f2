import pytest
from django.apps import apps
from django.conf import settings
from django.core.files.storage import default_storage, storages
from django.db.migrations.writer import MigrationWriter

from proxy_storage import registry
from proxy_storage.exceptions import ConfigurationError, DuplicateRegistrationError
from proxy_storage.storages import ProxyStorage
from tests.testapp.storages import (
    MongoStorage,
    OrmDiskStorage,
    OrmStorage,
    UnregisteredStorage,
)

DISK = settings.ORIGINAL_STORAGES["disk"]


def register(settings, **classes):
    settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": classes}
    settings.STORAGES = {}


def configure(backend="proxy_storage.storages.ProxyStorage", **options):
    meta_backend = settings.META_BACKENDS["orm"]
    return {
        "BACKEND": backend,
        "OPTIONS": {"original_storage": DISK, "meta_backend": meta_backend, **options},
    }


def test_storage_by_name_and_name_by_storage(settings):
    register(settings, disk="tests.testapp.storages.OrmDiskStorage")
    storage = registry.get_proxy_storage("disk")
    assert isinstance(storage, OrmDiskStorage)
    assert registry.get_proxy_storage("disk") is storage
    assert registry.get_proxy_storage_name(OrmDiskStorage()) == "disk"


def test_unknown_name_is_an_error(settings):
    register(settings)
    with pytest.raises(ConfigurationError, match="No proxy storage is registered as 'disk'"):
        registry.get_proxy_storage("disk")


def test_unregistered_class_is_an_error():
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
def test_wrong_classes_are_an_error(settings, classes, message):
    register(settings, **classes)
    with pytest.raises(ConfigurationError, match=message):
        registry.get_proxy_storage_classes()


def test_meta_backends_have_no_duplicates(settings):
    register(
        settings,
        a="tests.testapp.storages.OrmDiskStorage",
        b="tests.testapp.storages.OrmSubfolderStorage",
        c="tests.testapp.storages.MongoDiskStorage",
    )
    assert registry.get_meta_backends() == (OrmStorage.meta_backend, MongoStorage.meta_backend)


def test_storage_is_kept_if_another_setting_changes(settings):
    storage = registry.get_proxy_storage("orm_disk")
    settings.USE_TZ = False
    assert registry.get_proxy_storage("orm_disk") is storage


class TestStorages:
    """Proxy storages in the setting STORAGES."""

    def test_alias_is_the_name(self, settings):
        settings.STORAGES = {"default": configure(), "plain": DISK}
        storage = registry.get_proxy_storage("default")
        assert storage is storages["default"]
        assert registry.get_proxy_storage_name(storage) == "default"
        assert default_storage.get_original_storage() is storage.get_original_storage()
        assert "plain" not in registry.get_proxy_storage_names()

    def test_storage_with_equal_options_has_the_same_name(self, settings):
        settings.STORAGES = {"a": configure(), "b": configure(path_prefix="/b/")}
        text, _ = MigrationWriter.serialize(storages["b"])
        assert text.startswith("proxy_storage.storages.ProxyStorage(")
        again = ProxyStorage(**configure(path_prefix="/b/")["OPTIONS"])
        assert registry.get_proxy_storage_name(again) == "b"

    def test_storage_with_other_options_is_not_registered(self, settings):
        settings.STORAGES = {"a": configure()}
        with pytest.raises(ConfigurationError, match="ProxyStorage is not registered"):
            registry.get_proxy_storage_name(ProxyStorage(**configure(path_prefix="/b/")["OPTIONS"]))

    def test_registered_class_keeps_its_name(self, settings):
        dotted_path = "tests.testapp.storages.OrmDiskStorage"
        settings.STORAGES = {"default": {"BACKEND": dotted_path}}
        assert registry.get_proxy_storage_name(storages["default"]) == "orm_disk"
        assert "default" not in registry.get_proxy_storage_names()

    def test_unregistered_subclass_has_the_alias(self, settings):
        dotted_path = "tests.testapp.storages.UnregisteredStorage"
        settings.STORAGES = {"default": {"BACKEND": dotted_path}}
        assert registry.get_proxy_storage_name(UnregisteredStorage()) == "default"

    def test_two_aliases_of_one_storage_are_an_error(self, settings):
        settings.STORAGES = {"a": configure(), "b": configure()}
        with pytest.raises(DuplicateRegistrationError, match="same proxy storage"):
            registry.get_proxy_storage_names()

    def test_alias_equal_to_a_name_is_an_error(self, settings):
        settings.STORAGES = {"orm_disk": configure()}
        with pytest.raises(DuplicateRegistrationError, match="Rename one of them"):
            registry.get_proxy_storage_names()

    def test_entries_that_cannot_be_imported_are_ignored(self, settings):
        settings.STORAGES = {
            "a": {"BACKEND": "no.Where"},
            "b": {},
            "c": configure("tests.settings"),
        }
        assert set(registry.get_proxy_storage_names()) == set(
            settings.PROXY_STORAGE["PROXY_STORAGE_CLASSES"]
        )

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"original_storage": "nowhere"}, "'original_storage' .* cannot be built"),
            ({"original_storage": {"BACKEND": "no.Where"}}, "'original_storage' .* cannot be"),
            ({"original_storage": 5}, "'original_storage' .* cannot be built"),
            ({"original_storage": "itself"}, "refers to the storage itself"),
            ({"original_storages": {"disk": DISK}}, "Use a subclass with MultipleOriginalStorages"),
            ({"meta_backend": {"BACKEND": "no.Where"}}, "'meta_backend' .* cannot be built"),
            ({"meta_backend": DISK}, "must be a MetaBackendBase, not FileSystemStorage"),
            ({"meta_backend": {}}, "'meta_backend' .* cannot be built"),
            ({"unknown": 1}, "cannot be built: .*'unknown'"),
        ],
    )
    def test_wrong_options_are_an_error(self, settings, options, message):
        settings.STORAGES = {"itself": configure(**options)}
        with pytest.raises(ConfigurationError, match=message):
            registry.get_proxy_storage("itself")

    def test_options_may_be_instances(self, settings):
        original, meta_backend = OrmDiskStorage.original_storage, OrmStorage.meta_backend
        settings.STORAGES = {
            "a": configure(original_storage=original, meta_backend=meta_backend),
            "b": configure(original_storage="plain"),
            "plain": DISK,
        }
        storage = registry.get_proxy_storage("a")
        assert storage.get_original_storage() is original
        assert storage.meta_backend is meta_backend
        assert registry.get_proxy_storage("b").get_original_storage() is storages["plain"]


def test_missing_app_is_logged_once(settings, caplog):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "proxy_storage"]
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE}
    for name in ("orm_disk", "orm_subfolder"):
        registry.get_proxy_storage(name)
    (record,) = caplog.records
    assert "'proxy_storage' is not in INSTALLED_APPS. Add it" in record.getMessage()


def test_missing_app_is_not_logged_while_apps_are_loaded(monkeypatch, settings, caplog):
    """Migrations and models name their storage before all apps are known."""
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != "proxy_storage"]
    settings.STORAGES = dict(settings.STORAGES)  # Clears the caches.
    monkeypatch.setattr(apps, "ready", False)
    storage = storages["orm-disk"]
    assert registry.get_proxy_storage_name(storage) == "orm-disk"
    assert caplog.messages == []
    monkeypatch.undo()
    assert registry.get_proxy_storage_name(storage) == "orm-disk"
    assert "'proxy_storage' is not in INSTALLED_APPS" in caplog.messages[0]
