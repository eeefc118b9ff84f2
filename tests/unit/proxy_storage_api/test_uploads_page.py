"""The example in docs/uploads.md."""

import inspect
import re
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import include, path
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient

from proxy_storage.settings import ProxyStorageSettings
from tests.contract.content_objects import get_row, row_of
from tests.contract.uploads import get_user
from tests.testapp.models import Application

PAGE = Path(__file__).parents[3] / "docs" / "uploads.md"
SETTINGS, MODEL, SERIALIZER, CLIENT, OPTIONS = re.findall(
    r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL
)


def run(code, **names):
    exec(compile(code, str(PAGE), "exec"), names)
    return names


@pytest.fixture
def example(settings, empty_storages):
    """The viewset of the page, in the URLs of a project."""
    values = run(SETTINGS)["PROXY_STORAGE"]
    assert values.keys() <= ProxyStorageSettings.known_keys
    values["UPLOAD_STORAGES"] = ["orm-relative-metadata"]
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, **values}
    router = SimpleRouter()
    router.register(
        "applications", run(SERIALIZER, Application=Application)["ApplicationViewSet"], "a"
    )
    files = path("files/", include("proxy_storage_api.urls"))
    settings.ROOT_URLCONF = (files, *router.urls)


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


def test_model_of_the_page_is_the_one_of_the_tests():
    fields = MODEL.partition("\n")[2].strip()
    assert fields in inspect.getsource(Application)
    assert "allowed_types=[" in OPTIONS
