"""The blocks of docs/guides/applications.md: the permissions and settings that these tests use."""

import json
import re
from pathlib import Path

from django.core.files.storage import FileSystemStorage, storages

from proxy_storage.storages import ProxyStorage
from tests.applications import permissions
from tests.applications import settings as tested_settings

PAGE = Path(__file__).parents[2] / "docs/guides/applications.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def run_block(text, **names):
    """Run the block of the page that contains a text; return its names."""
    [block] = [block for block in BLOCKS if text in block]
    exec(compile(block, PAGE, "exec"), names)
    return names


def test_permissions_are_the_tested_ones():
    names = run_block("class OwnDocuments")
    shown = [name for name in names if name.startswith("Own")]
    assert len(shown) == 4
    for name in shown:
        tested = getattr(permissions, name)
        assert names[name].model == tested.model
        [(field, permission)] = names[name].permissions.items()
        assert vars(permission) == vars(tested.permissions[field])


def test_storages_of_filer_are_the_tested_ones():
    assert run_block("FILER_STORAGES")["FILER_STORAGES"] == tested_settings.FILER_STORAGES


def test_extension_of_chunked_uploads_is_the_tested_one():
    name = "DRF_CHUNKED_UPLOAD_COMPLETE_EXT"
    assert run_block(name)[name] == getattr(tested_settings, name)


def test_storages_are_named_by_alias(tmp_path, settings):
    shown = run_block('"disk": {', BASE_DIR=tmp_path)["STORAGES"]
    shown = run_block('STORAGES["uploads"]', STORAGES=shown)["STORAGES"]
    settings.STORAGES = shown
    assert isinstance(storages["disk"], FileSystemStorage)
    for alias in ("default", "uploads"):
        # The application passes the options to a task.
        assert json.loads(json.dumps(shown[alias]["OPTIONS"])) == shown[alias]["OPTIONS"]
        assert isinstance(storages[alias], ProxyStorage)
        assert storages[alias].original_storage is storages["disk"]
