"""The wheel with each extra alone: its parts work, and the others name their extra."""

import json

import pytest

from tests.project.conftest import make_environment, run

pytestmark = pytest.mark.long

# Part of the package: the extra that it needs, and code that uses it.
PARTS = {
    "storages": (None, "import proxy_storage.storages.base, proxy_storage.operations"),
    "fields": (None, "import proxy_storage.db.fields, proxy_storage.records.models"),
    "serving": (None, "import proxy_storage.serving, proxy_storage.serverconf"),
    "command": (None, "import proxy_storage.management.commands.proxystorage"),
    "permissions": ("api", "import proxy_storage_permissions"),
    "endpoint": ("api", "import proxy_storage_api.viewsets"),
    "sendfile": ("api", "import proxy_storage.serving.sendfile as s; s.get_sendfile()"),
    "mongo": ("mongo", "import proxy_storage.meta_backends.mongo"),
    "gridfs": ("mongo", "import proxy_storage.storages.gridfs"),
    "s3": ("s3", "from django.core.files.storage import storages; storages['s3']"),
    "schema": ("schema", "import proxy_storage_api.schema"),
}
BASE = {part for part, (extra, _code) in PARTS.items() if extra is None}
# Extra: the parts that work with it alone. drf-spectacular needs Django REST framework itself.
WORKING = {
    None: BASE,
    "api": BASE | {"permissions", "endpoint", "sendfile"},
    "mongo": BASE | {"mongo", "gridfs"},
    "s3": BASE | {"s3"},
    "schema": BASE | {"permissions", "endpoint", "schema"},
    "all": set(PARTS),
}

SCRIPT = """
import json, sys
from importlib.util import find_spec

import django
from django.conf import settings

apps = ["auth", "contenttypes"]
apps = [f"django.contrib.{app}" for app in apps] + ["proxy_storage", "proxy_storage.records"]
if find_spec("rest_framework"):
    apps += ["rest_framework", "proxy_storage_api"]
original = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {"bucket_name": "files"}}
options = {"original_storage": original}
settings.configure(
    INSTALLED_APPS=apps,
    STORAGES={"s3": {"BACKEND": "proxy_storage.storages.ProxyStorage", "OPTIONS": options}},
)
django.setup()
errors = {}
for part, code in json.load(sys.stdin).items():
    try:
        exec(code)
    except Exception as error:
        errors[part] = f"{type(error).__name__}: {error}"
print(json.dumps(errors))
"""


@pytest.fixture(params=WORKING, ids=str)
def extra(request):
    return request.param


@pytest.fixture
def errors(extra, request, wheel, tmp_path):
    """The errors of the parts in an environment that has the extra alone."""
    if extra is None:
        environment = request.getfixturevalue("new_environment")
    elif extra == "api":
        environment = request.getfixturevalue("api_environment")
    else:
        environment = make_environment(tmp_path / "venv", f"{wheel}[{extra}]")
    parts = json.dumps({part: code for part, (_extra, code) in PARTS.items()})
    errors: dict[str, str] = json.loads(
        run("python", "-c", SCRIPT, env=environment, input=parts, cwd=tmp_path)
    )
    return errors


def test_parts_work_or_name_their_extra(extra, errors):
    assert errors.keys() == PARTS.keys() - WORKING[extra], errors
    for part, error in errors.items():
        needed = PARTS[part][0]
        if part == "schema" and "endpoint" not in WORKING[extra]:
            needed = "api"  # The endpoint itself is missing.
        assert error.startswith("ConfigurationError: ")
        assert f'pip install "django-proxy-storage[{needed}]"' in error
