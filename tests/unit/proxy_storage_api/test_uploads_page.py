"""The example in docs/uploads.md."""

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import include, path
from rest_framework.permissions import IsAdminUser
from rest_framework.test import APIClient

from proxy_storage.registry import get_proxy_storage
from proxy_storage.settings import ProxyStorageSettings
from proxy_storage_permissions import DenyAll, FieldPermissions, IsOwner, may_read
from tests.contract.content_objects import get_row, row_of
from tests.contract.uploads import get_user
from tests.testapp.models import Application

PAGE = Path(__file__).parents[3] / "docs" / "uploads.md"
SETTINGS, MODEL, SERIALIZER, URLS, CLIENT, PERMISSIONS, OPTIONS = re.findall(
    r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL
)


def run(code, **names):
    exec(compile(code, str(PAGE), "exec"), names)
    return names


@pytest.fixture
def example(settings, empty_storages, monkeypatch):
    """The settings and the viewset of the page, in the URLs of a project."""
    values = run(SETTINGS, PROXY_STORAGE={})["PROXY_STORAGE"]
    assert values.keys() <= ProxyStorageSettings.known_keys
    values["UPLOAD_STORAGES"] = ["orm-relative-metadata"]
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, **values}
    models, views = ModuleType("letters.models"), ModuleType("letters.views")
    models.Application = Application
    for module in (ModuleType("letters"), models, views):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    vars(views).update(run(SERIALIZER))
    files = path("files/", include("proxy_storage_api.urls"))
    settings.ROOT_URLCONF = tuple(run(URLS, urlpatterns=[files])["urlpatterns"])


def get_client(name):
    client = APIClient()
    client.force_authenticate(get_user(name))
    return client


@pytest.mark.usefixtures("example")
def test_example_attaches_an_upload():
    client = get_client("messi")
    file = SimpleUploadedFile("cv.pdf", b"content")
    names = run(CLIENT, client=client, file=file)
    assert names["answer"].status_code == 201
    application = Application.objects.get()
    assert application.user.username == "messi"
    assert application.resume.name == names["upload"]["path"]
    assert names["answer"].json()["resume"].endswith(application.resume.url)
    expected = row_of(application, "resume", Application)
    assert get_row(Application, "resume", application.resume.name) == expected
    answer = get_client("ronaldo").post("/applications/", {"resume": names["upload"]["path"]})
    assert answer.json() == {"resume": ["You have no upload with this path."]}
    assert answer.json()["resume"][0] in PAGE.read_text()


@pytest.mark.usefixtures("example")
def test_example_refuses_other_types():
    file = SimpleUploadedFile("cv.html", b"content", "application/pdf")
    assert run(CLIENT, client=get_client("messi"), file=file)["answer"].status_code == 400


@pytest.mark.usefixtures("example")
def test_permissions_allow_the_uploader():
    names = {
        "FieldPermissions": FieldPermissions,
        "IsOwner": IsOwner,
        "IsAdminUser": IsAdminUser,
        "LetterFiles": DenyAll,
    }
    classes = [run(PERMISSIONS, **names)["SiteFiles"]]
    client, users = get_client("messi"), [get_user("messi"), get_user("ronaldo")]
    upload = client.post("/files/", {"file": SimpleUploadedFile("cv.pdf", b"content")}).json()
    for attach in (False, True):
        if attach:
            client.post("/applications/", {"resume": upload["path"]})
        record = get_proxy_storage("orm-relative-metadata").get_meta_backend_obj(upload["path"])
        assert (record["object_id"] is not None) is attach
        allowed = [may_read(user, record, permission_classes=classes) for user in users]
        assert allowed == [True, False]


def test_model_of_the_page_is_the_one_of_the_tests():
    fields = MODEL.partition("class Application(models.Model):\n")[2].strip()
    source = inspect.getsource(Application).replace("        storage=get_resumes,\n", "")
    assert fields
    assert fields in source
    assert "allowed_types=[" in OPTIONS
