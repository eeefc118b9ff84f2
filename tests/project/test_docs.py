"""The documentation is complete. ``tox run -e docs`` builds it."""

import pkgutil
import re
from pathlib import Path

import pytest

import proxy_storage
import proxy_storage_api
import proxy_storage_permissions
from proxy_storage.settings import ProxyStorageSettings
from tests.project.conftest import ROOT

DOCS = ROOT / "docs"
REFERENCE = [
    name
    for page in (DOCS / "reference").glob("*.md")
    for name in re.findall(r"^\.\. automodule:: (\S+)$", page.read_text(), re.MULTILINE)
]
PACKAGES = [proxy_storage, proxy_storage_api, proxy_storage_permissions]


def find_modules():
    for package in PACKAGES:
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            parts = module.name.split(".")
            if "migrations" not in parts and not any(part.startswith("_") for part in parts):
                yield module.name


@pytest.mark.parametrize("name", sorted(find_modules()))
def test_reference_has_every_module(name):
    assert REFERENCE.count(name) == 1


def test_settings_page_has_every_setting():
    page = (DOCS / "settings.md").read_text()
    assert len(ProxyStorageSettings.known_keys) >= 5
    for key in ProxyStorageSettings.known_keys:
        assert f"| `{key}` |" in page


def test_settings_page_has_every_check():
    ids = set()
    for package in PACKAGES:
        for folder in package.__path__:
            for file in Path(folder).rglob("*.py"):
                ids |= set(re.findall(r'"(proxy_storage\w*\.[EW]\d+)"', file.read_text()))
    assert len(ids) >= 6
    page = (DOCS / "settings.md").read_text()
    for check_id in ids:
        assert f"| `{check_id}` |" in page


def test_migration_page_names_existing_tests():
    """The last column of the table names each class of tests/documented, or other test files."""
    page = (DOCS / "migration.md").read_text()
    cells = [line.split(" | ")[-1] for line in page.splitlines() if line.startswith("| ")]
    names = set(re.findall(r"`(\w*[Tt]est[\w/.]*)`", " ".join(cells)))
    modules = (ROOT / "tests" / "documented").glob("test_*.py")
    text = "".join(module.read_text() for module in modules)
    classes = set(re.findall(r"^class (Test\w+)", text, re.MULTILINE))
    assert classes
    assert classes <= names
    for name in names - classes:
        assert (ROOT / name).is_file(), name
