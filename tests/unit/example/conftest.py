"""The example project with its own settings, and the users and applications of its seed."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from PIL import Image
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import PageNumberPagination
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from jobs.models import JobApply
from jobs.storages import ApplicationStorage

NAMES = (
    "LOGIN_REDIRECT_URL",
    "LOGIN_URL",
    "LOGOUT_REDIRECT_URL",
    "MIDDLEWARE",
    "PROXY_STORAGE",
    "REST_FRAMEWORK",
    "ROOT_URLCONF",
    "STATIC_URL",
    "TEMPLATES",
    "TIME_ZONE",
)


@pytest.fixture(autouse=True)
def example_settings(settings, monkeypatch, tmp_path):
    """Use the settings of the example project, on the databases of the tests."""
    monkeypatch.setenv("EXAMPLE_DATA_DIR", str(tmp_path))
    from config import settings as example

    for name in NAMES:
        setattr(settings, name, getattr(example, name))
    monkeypatch.setattr(ApplicationStorage, "paths", example.FILE_PATHS)
    # Django REST framework reads these settings when its classes are imported.
    for cls, attribute, key in (
        (APIView, "authentication_classes", "DEFAULT_AUTHENTICATION_CLASSES"),
        (APIView, "permission_classes", "DEFAULT_PERMISSION_CLASSES"),
        (GenericAPIView, "pagination_class", "DEFAULT_PAGINATION_CLASS"),
        (PageNumberPagination, "page_size", "PAGE_SIZE"),
    ):
        monkeypatch.setattr(cls, attribute, getattr(api_settings, key))


@pytest.fixture(autouse=True)
def seed(empty_storages, example_settings):
    """The users and applications of the command."""
    call_command("seed", stdout=io.StringIO())


@pytest.fixture
def clients(seed):
    """A client of each user, and an anonymous one."""
    clients = {"anonymous": Client()}
    for name in ("messi", "ronaldo", "admin"):
        clients[name] = Client()
        assert clients[name].login(username=name, password=name)
    return clients


@pytest.fixture
def messi():
    """The application of messi."""
    return JobApply.objects.get(user__username="messi")


@pytest.fixture
def ronaldo():
    """The application of ronaldo, which has all files."""
    return JobApply.objects.get(user__username="ronaldo")


@pytest.fixture
def make_picture():
    """Return a function that makes the bytes of a picture."""

    def make(size=(600, 300), image_format="PNG", mode="RGB", **options):
        file = io.BytesIO()
        Image.new(mode, size, "red").save(file, image_format, **options)
        return file.getvalue()

    return make


@pytest.fixture
def form(make_picture):
    """The data of a valid form."""
    return {
        "what_you_want": "To play",
        "resume": SimpleUploadedFile("cv.txt", b"Forward."),
        "avatar": SimpleUploadedFile("me.png", make_picture()),
    }


def read(response):
    """Return the content of a file response, and close its file."""
    if not response.streaming:
        return response.content
    content = b"".join(response.streaming_content)
    response.close()
    return content
