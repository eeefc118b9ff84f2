"""The permissions in docs/guides/thumbnails.md."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.files.base import ContentFile

from proxy_storage.content_objects import get_content_object_data
from proxy_storage.meta_backends.queries import get_test
from proxy_storage.registry import get_proxy_storage
from tests.testapp.models import Document
from tests.unit.permissions.asking import EVERYBODY, allowed, get_list

pytestmark = pytest.mark.usefixtures("empty_storages")
PAGE = Path(__file__).parents[3] / "docs/guides/thumbnails.md"


@pytest.fixture
def page(monkeypatch):
    """Run the code of the page with a model of the tests."""
    gallery, models = ModuleType("gallery"), ModuleType("gallery.models")
    models.Picture = Document
    monkeypatch.setitem(sys.modules, "gallery", gallery)
    monkeypatch.setitem(sys.modules, "gallery.models", models)
    namespace = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        if "import " in code:
            code = code.replace('"image"', '"orm_file"')
            exec(compile(code, str(PAGE), "exec"), namespace)
    return namespace


@pytest.fixture(autouse=True)
def basedir(settings):
    """The setting of easy-thumbnails on the page."""
    settings.THUMBNAIL_BASEDIR = "thumbs"


@pytest.fixture
def people(db):
    people = {name: User.objects.create(username=name) for name in ("stranger", "owner", "staff")}
    people["staff"].is_staff = True
    return people | {"anonymous": AnonymousUser()}


@pytest.fixture
def storage():
    return get_proxy_storage("orm-relative-disk")


@pytest.fixture
def picture(storage, people):
    document = Document.objects.create(user=people["owner"])
    path = storage.save("pics/cat.png", ContentFile(b"picture"))
    owner = get_content_object_data(document, Document._meta.get_field("orm_file"))
    storage.meta_backend.update(path, owner)
    return storage.meta_backend.get(path)


def save(storage, path):
    assert storage.save(path, ContentFile(b"thumbnail")) == path
    return storage.meta_backend.get(path)


def test_thumbnail_has_the_permission_of_its_picture(page, people, storage, picture):
    rule = page["GalleryFiles"]
    thumbnail = save(storage, "thumbs/pics/cat.png.100x100_q85_crop.png")
    assert allowed(rule, people, picture) == {"owner"}
    assert allowed(rule, people, thumbnail) == {"owner"}


def test_thumbnail_by_a_regular_expression(page, people, storage, picture):
    thumbnail = save(storage, "thumbs/pics/cat.png.100x100_q85.png")
    assert allowed(page["SizedFiles"], people, thumbnail) == {"owner"}
    assert allowed(page["SizedFiles"], people, picture) == set()


def test_list_checks_each_record(page, people, storage, picture):
    """The filter of the picture's permission cannot select thumbnails."""
    thumbnail = save(storage, "thumbs/pics/cat.png.100x100_q85.png")
    found = get_list(people["owner"], page["GalleryFiles"])
    assert not found.is_exact
    test = get_test(found.condition)
    assert test(picture)
    assert test(thumbnail)


@pytest.mark.parametrize(
    "path",
    [
        "thumbs/pics/dog.png.100x100_q85.png",  # The picture does not exist.
        "thumbs/pics/cat.png",
        "other/pics/cat.png.100x100_q85.png",
        "thumbs/pics/cat.png.100x100_q85/x.png",
        "thumbs/.100x100_q85.png",
    ],
)
def test_other_files_without_content_object_are_denied(page, people, storage, picture, path):
    assert allowed(page["GalleryFiles"], people, save(storage, path)) == set()


def test_file_of_an_instance_is_not_a_thumbnail(page, people, storage, picture):
    other = Document.objects.create(user=people["stranger"])
    thumbnail = save(storage, "thumbs/pics/cat.png.100x100_q85.png")
    owner = get_content_object_data(other, Document._meta.get_field("orm_file"))
    storage.meta_backend.update(thumbnail["path"], owner)
    thumbnail = storage.meta_backend.get(thumbnail["path"])
    assert allowed(page["GalleryFiles"], people, thumbnail) == {"stranger"}


def test_folder_for_all_users(page, people, storage, picture):
    thumbnail = save(storage, "thumbs/pics/cat.png.100x100_q85.png")
    assert allowed(page["Thumbnails"], people, thumbnail) == EVERYBODY - {"anonymous"}
    assert allowed(page["Thumbnails"], people, picture) == set()
