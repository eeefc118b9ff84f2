"""Errors of `ProxyStorage` if a package of its original storage is not installed."""

import sys

import pytest

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.storages import ProxyStorage

S3 = "storages.backends.s3.S3Storage"


class Hiding:
    """Let the import of a package fail."""

    def __init__(self, package):
        self.package = package

    def find_spec(self, name, path=None, target=None):
        if name == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.fixture
def remove(monkeypatch):
    """Return a function that makes a package look as if it were not installed."""

    def remove(package):
        for name in list(sys.modules):
            if name == "storages.backends.s3" or name.split(".")[0] == package:
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [Hiding(package), *sys.meta_path])

    return remove


@pytest.mark.parametrize("package", ["storages", "boto3"])
def test_missing_package_of_s3_names_the_extra(remove, package):
    remove(package)
    with pytest.raises(ConfigurationError, match=r'pip install "django-proxy-storage\[s3\]"'):
        ProxyStorage(original_storage={"BACKEND": S3})


def test_other_missing_module_does_not_name_the_extra():
    with pytest.raises(ConfigurationError, match="No module named 'gone'") as caught:
        ProxyStorage(original_storage={"BACKEND": "gone.Storage"})
    assert "pip install" not in str(caught.value)
