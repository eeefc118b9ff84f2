"""Guards on the project itself."""

import pytest

import proxy_storage.exceptions
import proxy_storage.serving
import proxy_storage_permissions
from tests.project.conftest import ROOT, run

FILES = run("git", "ls-files", cwd=ROOT).splitlines()


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".py")])
def test_python_files_stay_small(name):
    if (ROOT / name).exists():
        assert len((ROOT / name).read_text().splitlines()) <= 300


def test_public_names():
    assert proxy_storage_permissions.__all__ == [
        "CanReadFile",
        "DenyAll",
        "FieldPermissions",
        "FilePermission",
        "HasModelPermission",
        "HasObjectPermission",
        "HasValidSignature",
        "IsOwner",
        "Readable",
        "SignedLink",
        "decide",
        "get_readable",
        "get_signed_url",
        "owned_by",
        "revoke_links",
    ]
    assert proxy_storage.serving.__all__ == [
        "RedirectServer",
        "SendfileServer",
        "ServerBase",
        "StreamingServer",
        "XAccelRedirectServer",
        "XSendfileServer",
        "get_server",
        "serve",
    ]
