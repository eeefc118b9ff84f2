"""The recipes in docs/guides/who-may-read.md, for one file and in a list."""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.core.files.base import ContentFile
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory, force_authenticate

from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import get_signed_url, get_uploader_data
from tests.testapp.models import Document, Team

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
GUIDE = Path(__file__).parents[3] / "docs/guides/who-may-read.md"
EVERYBODY = {"nobody", "stranger", "owner", "member", "staff", "viewer"}
# Recipe -> the users who may read the scan, and the cover.
READERS = {
    1: ({"owner", "staff"}, EVERYBODY),
    2: ({"member"}, EVERYBODY),
    3: ({"viewer"}, {"viewer"}),
    4: ({"member"}, set()),
    5: ({"owner", "staff"}, EVERYBODY),
    6: (EVERYBODY - {"nobody", "owner"}, set()),
    7: ({"owner"}, EVERYBODY),
    8: ({"owner", "staff"}, EVERYBODY),
}
# Recipe -> the users who may read a file in the folder of the editor, and one of another folder.
# "member" has uploaded both.
READERS_WITHOUT_INSTANCE = {
    7: (EVERYBODY - {"nobody"}, set()),
    8: ({"member", "staff"}, {"member", "staff"}),
}


def get_recipe(number, monkeypatch):
    """Run the code of a recipe with a model of the tests."""
    text = re.search(rf"\n## {number}\. .*?(?=\n## |\Z)", GUIDE.read_text(), re.DOTALL)[0]
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    library, models = ModuleType("library"), ModuleType("library.models")
    models.Document = Document
    monkeypatch.setitem(sys.modules, "library", library)
    monkeypatch.setitem(sys.modules, "library.models", models)
    fields = {'"scan"': '"orm_file"', '"cover"': '"mongo_file"'}
    for field, ours in fields.items():
        code = code.replace(field, ours)
    namespace = {}
    exec(compile(code, str(GUIDE), "exec"), namespace)
    return namespace["LibraryFiles"]


@pytest.fixture
def people():
    people = {name: User.objects.create(username=name) for name in EVERYBODY - {"nobody"}}
    people["staff"].is_staff = True
    people["staff"].save()
    people["viewer"].user_permissions.add(Permission.objects.get(codename="view_document"))
    return people | {"nobody": AnonymousUser()}


@pytest.fixture
def document(people):
    # can_read_file returns True for the user in the title.
    document = Document(user=people["owner"], title="orm_file for member")
    document.orm_file.save("scan.txt", ContentFile(b"scan"))
    document.mongo_file.save("cover.txt", ContentFile(b"cover"))
    team = Team.objects.create()
    team.members.add(people["member"])
    document.teams.add(team)
    return document


@pytest.mark.parametrize("number", READERS)
def test_recipe_allows_the_described_users(people, document, monkeypatch, number):
    permission = get_recipe(number, monkeypatch)
    for field, expected in zip(("orm_file", "mongo_file"), READERS[number], strict=True):
        assert get_readers(permission, people, getattr(document, field).name) == expected


@pytest.mark.parametrize("number", READERS_WITHOUT_INSTANCE)
def test_files_that_belong_to_no_instance(people, monkeypatch, number):
    permission = get_recipe(number, monkeypatch)
    storage = Document._meta.get_field("orm_file").storage
    expectations = READERS_WITHOUT_INSTANCE[number]
    for name, expected in zip(("editor/a.txt", "editor-b/a.txt"), expectations, strict=True):
        path = storage.save(name, ContentFile(b"x"))
        data = get_uploader_data(people["member"], storage.meta_backend)
        storage.meta_backend.update(path, data)
        assert get_readers(permission, people, path) == expected


def get_readers(permission, people, path):
    """Return the users who can download a file. Their lists have it as well."""
    view = FileViewSet.as_view({"get": "list"}, permission_classes=[permission])

    def ask(who, **query):
        request = APIRequestFactory().get("/files/", query)
        force_authenticate(request, people[who] if who != "nobody" else None)
        return view(request)

    readers = set()
    for who in people:
        response = ask(who, path=path)
        response.close()
        if response.status_code == 200:
            readers.add(who)
    assert {who for who in people if path in list_paths(ask(who))} == readers
    return readers


def list_paths(response):
    # A list is refused if no record can be allowed.
    return [record["path"] for record in response.data.get("results", [])]


@pytest.mark.parametrize("number", READERS)
def test_only_recipe_5_accepts_links(people, document, monkeypatch, number):
    permission = get_recipe(number, monkeypatch)
    record = Document._meta.get_field("orm_file").storage.get_meta_backend_obj(
        document.orm_file.name
    )
    request = Request(APIRequestFactory().get(get_signed_url(record).url))
    view = SimpleNamespace(action="download", checks_record=True)
    is_open = permission().has_permission(request, view)
    is_open = is_open and permission().has_object_permission(request, view, record)
    assert is_open is (number == 5)
