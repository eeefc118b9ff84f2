import pytest

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_proxy_storage
from proxy_storage.settings import ProxyStorageSettings, proxy_storage_settings
from tests.testapp.storages import MongoGridFSStorage, OrmDiskStorage


def test_value_of_the_project(settings):
    settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": {"a": "b.C"}}
    assert proxy_storage_settings.PROXY_STORAGE_CLASSES == {"a": "b.C"}


class TestClasses:
    """PROXY_STORAGE_CLASSES has dotted paths; the attribute is a mapping of classes."""

    DISK = "tests.testapp.storages.OrmDiskStorage"
    GRIDFS = "tests.testapp.storages.MongoGridFSStorage"

    @pytest.fixture
    def use(self, settings):
        def use(**paths):
            settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": paths}
            return proxy_storage_settings.PROXY_STORAGE_CLASSES

        return use

    def test_values_are_classes(self, use):
        classes = use(disk=self.DISK, gridfs=self.GRIDFS)
        expected = {"disk": OrmDiskStorage, "gridfs": MongoGridFSStorage}
        assert classes["disk"] is OrmDiskStorage
        assert classes.get("gridfs") is MongoGridFSStorage
        assert dict(classes) == dict(classes.items()) == expected
        assert list(classes.values()) == list(expected.values())
        assert "disk" in classes
        assert "other" not in classes
        assert classes.get("other") is None
        assert len(classes) == 2
        with pytest.raises(KeyError):
            classes["other"]

    def test_mapping_is_equal_to_the_paths_and_to_the_classes(self, use):
        classes = use(disk=self.DISK)
        assert classes == {"disk": self.DISK}
        assert classes == {"disk": OrmDiskStorage}
        assert classes == use(disk=self.DISK)
        for other in (
            {},
            {"disk": MongoGridFSStorage},
            {"disk": self.GRIDFS},
            {"gridfs": OrmDiskStorage},
            {"disk": OrmDiskStorage, "gridfs": MongoGridFSStorage},
            [("disk", self.DISK)],
            None,
        ):
            assert classes != other
        assert repr(classes) == repr({"disk": self.DISK})

    def test_classes_are_imported_on_access(self, use):
        classes = use(disk=self.DISK, gone="no.Where")
        assert classes["disk"] is OrmDiskStorage
        assert set(classes) == {"disk", "gone"}
        with pytest.raises(ConfigurationError):
            list(classes.values())

    @pytest.mark.parametrize(
        "path",
        [
            "no.Where",
            "tests.testapp.storages.Nothing",
            "NoDots",
            "",
            ".Nothing",
            "..",
            "tests..Nothing",
            OrmDiskStorage,
            None,
            5,
        ],
    )
    def test_error_message_has_the_path(self, use, path):
        classes = use(letters=path)
        with pytest.raises(ConfigurationError) as caught:
            classes["letters"]
        message = str(caught.value)
        assert "PROXY_STORAGE['PROXY_STORAGE_CLASSES']['letters']" in message
        assert repr(path) in message
        with pytest.raises(ConfigurationError, match="'letters'"):
            get_proxy_storage("letters")

    @pytest.mark.parametrize("code", ["1 / 0", "class", "import nowhere", "raise RuntimeError"])
    def test_error_message_has_the_path_of_a_broken_module(self, use, tmp_path, monkeypatch, code):
        name = f"broken_{tmp_path.name}"
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        classes = use(letters=f"{name}.Storage")
        with pytest.raises(ConfigurationError, match=f"{name}.Storage") as caught:
            classes["letters"]
        assert caught.value.__cause__ is not None

    def test_value_must_be_a_dict(self, settings):
        settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": [self.DISK]}
        with pytest.raises(ConfigurationError, match="must be a dict"):
            _ = proxy_storage_settings.PROXY_STORAGE_CLASSES

    def test_get_dict_returns_the_paths(self, use):
        use(gone="no.Where")
        assert ProxyStorageSettings.user_settings() == {
            "PROXY_STORAGE_CLASSES": {"gone": "no.Where"}
        }
        assert proxy_storage_settings.get_dict("PROXY_STORAGE_CLASSES") == {"gone": "no.Where"}


def test_default_values(settings):
    settings.PROXY_STORAGE = {}
    assert proxy_storage_settings.PROXY_STORAGE_CLASSES == {}
    del settings.PROXY_STORAGE
    assert proxy_storage_settings.SERVERS == {}


def test_unknown_setting_is_an_error():
    with pytest.raises(AttributeError, match="no setting 'NOTHING'"):
        _ = proxy_storage_settings.NOTHING


def test_setting_must_be_a_dict(settings):
    settings.PROXY_STORAGE = ["SERVERS"]
    with pytest.raises(ConfigurationError, match="must be a dict, not list"):
        _ = proxy_storage_settings.SERVERS
