"""The pages list all settings and tests. ``tox run -e docs`` builds the pages."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from proxy_storage.settings import ProxyStorageSettings
from tests.project.conftest import ROOT

DOCS = ROOT / "docs"


def test_settings_page_has_every_setting():
    page = (DOCS / "reference/settings.md").read_text()
    assert len(ProxyStorageSettings.known_keys) >= 5
    for key in ProxyStorageSettings.known_keys:
        assert f"| `{key}` |" in page


def test_migration_page_names_existing_tests():
    """The last column of the table names each class of tests/documented, or other test files."""
    page = (DOCS / "guides/from-0.1.2.md").read_text()
    cells = [line.split(" | ")[-1] for line in page.splitlines() if line.startswith("| ")]
    names = set(re.findall(r"`(\w*[Tt]est[\w/.]*)`", " ".join(cells)))
    modules = (ROOT / "tests" / "documented").glob("test_*.py")
    text = "".join(module.read_text() for module in modules)
    classes = set(re.findall(r"^class (Test\w+)", text, re.MULTILINE))
    assert classes
    assert classes <= names
    for name in names - classes:
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("page", ["threat-model", "guarantees"])
def test_promises_name_existing_tests(page):
    text = (DOCS / f"explanation/{page}.md").read_text()
    names = set(re.findall(r"`((?:contract|safety|servers|unit)/[\w/]+\.py)`", text))
    assert len(names) >= 10
    assert [name for name in sorted(names) if not (ROOT / "tests" / name).is_file()] == []


def get_modules(package):
    """Return the modules of a package without migrations and private ones."""
    root = Path(import_module(package).__path__[0])
    for file in root.rglob("*.py"):
        if file.stem != "__init__" and "migrations" not in file.parts:
            yield file.relative_to(root).with_suffix("")


@pytest.mark.parametrize(
    "package", ["proxy_storage", "proxy_storage_permissions", "proxy_storage_api"]
)
def test_architecture_page_has_every_module(package):
    """The tables of a package name its modules, and no others."""
    page = (DOCS / "ARCHITECTURE.md").read_text()
    section = page.partition(f"## Modules of `{package}`")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([\w/]+)`", " ".join(re.findall(r"^\| (`.*?) \|", section, re.M))))
    former = set(re.findall(r"`([\w/]+)`", get_line(section, "former import paths")))
    modules = {str(module) for module in get_modules(package)}
    assert not {one for one in named | former if not ends_with(modules, one)}
    assert not {one for one in modules - former if one.rpartition("/")[2] not in last_parts(named)}


def get_line(text, words):
    return next((line for line in text.splitlines() if words in line), "")


def ends_with(modules, name):
    return any(module == name or module.endswith(f"/{name}") for module in modules)


def last_parts(names):
    return {name.rpartition("/")[2] for name in names}
