"""Guards on the project itself."""

import re

import pytest

import proxy_storage.exceptions
import proxy_storage.serving
import proxy_storage_permissions
from proxy_storage.settings import ProxyStorageSettings
from tests.project.conftest import ROOT, run

FILES = run("git", "ls-files", cwd=ROOT).splitlines()


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".py")])
def test_python_files_stay_small(name):
    if (ROOT / name).exists():
        assert len((ROOT / name).read_text().splitlines()) <= 300


def test_public_names():
    assert proxy_storage_permissions.__all__ == [
        "FieldPermissions",
        "FilePermission",
        "IsOwner",
        "decide",
    ]
    assert proxy_storage.serving.__all__ == [
        "ServerBase",
        "StreamingServer",
        "XAccelRedirectServer",
        "XSendfileServer",
        "get_server",
        "serve",
    ]


def test_reference_names_every_setting():
    reference = (ROOT / "docs" / "reference.md").read_text()
    for key in ProxyStorageSettings.known_keys:
        assert f"| `{key}` |" in reference


def test_reference_names_every_check():
    ids = set()
    for name in FILES:
        if name.startswith("proxy_storage") and name.endswith(".py"):
            ids |= set(re.findall(r'"(proxy_storage\w*\.[EW]\d+)"', (ROOT / name).read_text()))
    assert len(ids) >= 6
    reference = (ROOT / "docs" / "reference.md").read_text()
    for check_id in ids:
        assert f"| `{check_id}` |" in reference
