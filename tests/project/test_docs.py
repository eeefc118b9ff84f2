"""The pages list all settings, checks and tests. ``tox run -e docs`` builds the pages."""

import re
from pathlib import Path

import proxy_storage
import proxy_storage_api
import proxy_storage_permissions
from proxy_storage.settings import ProxyStorageSettings
from tests.project.conftest import ROOT

DOCS = ROOT / "docs"
PACKAGES = [proxy_storage, proxy_storage_api, proxy_storage_permissions]


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
                text = file.read_text()
                ids |= set(re.findall(r'"(proxy_storage\w*\.[EW]\d+)"', text))
                ids |= {f"{package.__name__}.{n}" for n in re.findall(r'"([EW]\d{3})"', text)}
    assert len(ids) >= 6
    page = (DOCS / "settings.md").read_text()
    documented = re.findall(r"^\| `(proxy_storage\w*\.[EW]\d+)` \|", page, re.MULTILINE)
    assert sorted(documented) == sorted(ids)


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
