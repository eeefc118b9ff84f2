"""The reference documents the public names. Other names are internal."""

import importlib
import re

import pytest
from django.utils.module_loading import import_string

import proxy_storage
import proxy_storage_permissions
import proxy_storage_permissions.testing
from proxy_storage import operations, original_storages, serverconf, serving, storages, testing
from tests.project.conftest import ROOT

PACKAGES = [
    proxy_storage,
    operations,
    original_storages,
    serverconf,
    serving,
    storages,
    testing,
    proxy_storage_permissions,
    proxy_storage_permissions.testing,
]
TEXT = "\n".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))
MODULES = re.findall(r"^\.\. automodule:: (\S+)$", TEXT, re.MULTILINE)
NAMES = re.findall(r"^\.\. auto(?:class|data|function):: (\S+)$", TEXT, re.MULTILINE)
EXCEPTIONS = [
    f"proxy_storage.exceptions.{name}"
    for name, value in vars(importlib.import_module("proxy_storage.exceptions")).items()
    if isinstance(value, type) and value.__module__ == "proxy_storage.exceptions"
]

# Import paths of version 0.1.2.
FORMER_NAMES = [
    "proxy_storage.db.fields.ProxyStorageFileField",
    "proxy_storage.meta_backends.base.MetaBackendBase",
    "proxy_storage.meta_backends.base.MetaBackendObject",
    "proxy_storage.meta_backends.base.MetaBackendObjectDoesNotExist",
    "proxy_storage.meta_backends.mongo.MongoMetaBackend",
    "proxy_storage.meta_backends.orm.ContentObjectFieldMixin",
    "proxy_storage.meta_backends.orm.ORMMetaBackend",
    "proxy_storage.meta_backends.orm.OriginalStorageNameMixin",
    "proxy_storage.meta_backends.orm.ProxyStorageModelBase",
    "proxy_storage.settings.proxy_storage_settings",
    "proxy_storage.storages.base.MultipleOriginalStoragesMixin",
    "proxy_storage.storages.base.ProxyStorageBase",
    "proxy_storage.storages.fallback.FallbackProxyStorageMixin",
    "proxy_storage.storages.fallback.OriginalStorageFallbackMixin",
    "proxy_storage.storages.gridfs.GridFSStorage",
]


def test_reference_lists_each_name_once():
    assert len(NAMES) > 50
    for names in (MODULES, NAMES):
        assert len(names) == len(set(names))


@pytest.mark.parametrize("name", NAMES)
def test_documented_name_can_be_imported(name):
    assert import_string(name) is not None
    assert name.rpartition(".")[0] in MODULES


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_names_in_all_are_documented(package):
    documented = {name for name in NAMES if name.rpartition(".")[0] == package.__name__}
    assert documented == {f"{package.__name__}.{name}" for name in package.__all__}


def test_all_exceptions_are_documented():
    assert ".. automodule:: proxy_storage.exceptions\n   :members:\n" in TEXT
    assert len(EXCEPTIONS) > 10
    for name in EXCEPTIONS:
        assert import_string(name).__doc__


@pytest.mark.parametrize("name", FORMER_NAMES)
def test_import_path_of_0_1_2_works(name):
    assert import_string(name) is not None


@pytest.mark.parametrize("name", sorted({*NAMES, *FORMER_NAMES}))
def test_public_name_has_a_docstring(name):
    value = import_string(name)
    if callable(value):
        assert value.__doc__
