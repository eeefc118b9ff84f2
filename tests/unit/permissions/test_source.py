"""CanReadSource: files that are derived from other files."""

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.core.files.base import ContentFile
from django.http import HttpRequest
from rest_framework.permissions import AllowAny, IsAuthenticated

from proxy_storage.content_objects import get_content_object_data
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage.registry import get_proxy_storage
from proxy_storage_permissions import (
    CanReadSource,
    FieldPermissions,
    IsOwner,
    evaluate,
    explain,
    get_easy_thumbnails_source,
    get_uploader_data,
    may_read,
)
from proxy_storage_permissions.base import ANSWERS
from proxy_storage_permissions.explanation import get_refusing_permissions
from proxy_storage_permissions.filters import find_unfiltered
from proxy_storage_permissions.source import CLOCK_TOLERANCE, MAX_STEPS
from tests.testapp.models import Document
from tests.unit.permissions.asking import EVERYBODY, allowed, get_list, is_allowed

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("empty_storages")]
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BEFORE = NOON - CLOCK_TOLERANCE - timedelta(seconds=1)
STORAGES = ["orm-relative-disk", "mongo-relative-disk", "orm-prefix", "orm-disk"]


class PictureFiles(FieldPermissions):
    model = Document
    permissions = {"orm_file": IsOwner("user")}


def get_original(record):
    """Return the path of the source of ``<source>.small``."""
    return record["path"].removesuffix(".small") if record["path"].endswith(".small") else None


class Loop(CanReadSource):
    """Each file is derived from itself."""

    def __init__(self, permission=None):
        super().__init__(lambda record: record["path"], permission)


class PairOfFiles(CanReadSource):
    """Two files are derived from each other."""

    def __init__(self):
        super().__init__(lambda record: {"a": "b", "b": "a"}[record["path"]])


AllOfThem = PictureFiles | CanReadSource(get_original)


@pytest.fixture(params=STORAGES)
def storage(request):
    return get_proxy_storage(request.param)


@pytest.fixture
def relative():
    return get_proxy_storage("orm-relative-disk")


def save(storage, name, **changes):
    path = storage.save(name, ContentFile(b"x"))
    if changes:
        storage.meta_backend.update(path, changes)
    return storage.meta_backend.get(path)


def save_picture(storage, user, name="pics/cat.png"):
    document = Document.objects.create(user=user)
    field = Document._meta.get_field("orm_file")
    data = get_content_object_data(document, field, meta_backend=storage.meta_backend)
    return save(storage, name, **data)


def test_thumbnail_has_the_permission_of_its_picture(people, storage):
    save_picture(storage, people["owner"])
    thumbnail = save(storage, "pics/cat.png.small")
    permission = CanReadSource(get_original, PictureFiles)
    assert allowed(permission, people, thumbnail) == {"owner"}
    assert allowed(PictureFiles | permission, people, thumbnail) == {"owner"}
    assert allowed(~permission, people, thumbnail) == EVERYBODY - {"owner"}


def test_explanation_describes_the_permission_of_the_source(people, relative):
    save_picture(relative, people["owner"])
    thumbnail = save(relative, "pics/cat.png.small")
    permission = PictureFiles | CanReadSource(get_original, PictureFiles)
    request = HttpRequest()
    request.user = people["stranger"]
    view = SimpleNamespace(checks_record=True, action="download", **{ANSWERS: []})
    assert str(explain(permission(), request, view, thumbnail)) == (
        "no  or\n"
        "    no  PictureFiles: The file does not have a content object.\n"
        "    no  CanReadSource(get_original, PictureFiles)\n"
        "        no  PictureFiles['orm_file']\n"
        "            no  IsOwner('user'): The owner is "
        f"{people['owner'].pk}, and the requester is {people['stranger'].pk}."
    )
    assert evaluate(permission(), request, view, thumbnail) is False
    assert get_refusing_permissions(getattr(view, ANSWERS)) == (
        "PictureFiles, CanReadSource(get_original, PictureFiles) "
        "(PictureFiles['orm_file'] (IsOwner('user')))"
    )


def test_explanation_of_a_thumbnail_of_a_thumbnail(people, relative):
    save_picture(relative, people["owner"])
    save(relative, "pics/cat.png.small")
    smallest = save(relative, "pics/cat.png.small.small")
    permission = CanReadSource(get_original, CanReadSource(get_original, PictureFiles))
    request = HttpRequest()
    request.user = people["owner"]
    found = explain(permission, request, None, smallest)
    assert found.answer is True
    assert found.parts[0].parts[0].permission == "PictureFiles['orm_file']"


@pytest.mark.parametrize(
    "source",
    [get_original, f"{__name__}.get_original", re.compile(r"(?P<source>.+)\.small")],
    ids=["function", "dotted path", "regular expression"],
)
def test_forms_of_get_source(people, relative, source):
    picture = save_picture(relative, people["owner"])
    thumbnail = save(relative, "pics/cat.png.small")
    permission = CanReadSource(source, PictureFiles)
    assert allowed(permission, people, thumbnail) == {"owner"}
    assert allowed(permission, people, picture) == set()
    assert permission == CanReadSource(source, PictureFiles)
    assert hash(permission) == hash(CanReadSource(source, PictureFiles))
    assert permission != CanReadSource(re.compile("(?P<source>x)"), PictureFiles)


def test_equal_regular_expressions_are_equal():
    first, second = (CanReadSource(re.compile("(?P<source>x)")).get_source for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)


def test_missing_source_is_denied(people, storage):
    thumbnail = save(storage, "pics/dog.png.small")
    assert allowed(CanReadSource(get_original, AllowAny), people, thumbnail) == set()


@pytest.mark.parametrize(
    ("created_at", "expected"),
    [(NOON, {"owner"}), (NOON - CLOCK_TOLERANCE, {"owner"}), (None, {"owner"}), (BEFORE, set())],
    ids=["later", "clock", "unknown", "former"],
)
def test_thumbnail_of_a_former_picture_is_denied(people, relative, created_at, expected):
    """A picture was deleted, and another user saves one of the same name."""
    picture = save_picture(relative, people["owner"])
    relative.meta_backend.update(picture["path"], {"created_at": NOON})
    thumbnail = save(relative, "pics/cat.png.small", created_at=created_at)
    assert allowed(CanReadSource(get_original, PictureFiles), people, thumbnail) == expected


def test_source_in_another_storage_is_denied(people, relative):
    """Its records are in the same table."""
    source = save(relative, "pics/cat.png", proxy_storage_name="orm-relative-memory")
    thumbnail = save(relative, "pics/cat.png.small")
    permission = CanReadSource(get_original, AllowAny)
    assert allowed(permission, people, thumbnail) == set()
    relative.meta_backend.update(source["path"], {"proxy_storage_name": "orm-relative-disk"})
    assert allowed(permission, people, thumbnail) == EVERYBODY


@pytest.mark.parametrize("path", [{"$ne": ""}, "", "\0", "../pics/cat.png"], ids=str)
def test_hostile_paths_of_a_source_are_denied(people, relative, path):
    thumbnail = save(relative, "pics/cat.png.small")
    assert allowed(CanReadSource(lambda record: path, AllowAny), people, thumbnail) == set()


def test_file_of_an_instance_is_not_a_thumbnail(people, storage):
    """Its name was chosen by a user, and the picture may be public."""
    save(storage, "pics/cat.png")
    thumbnail = save_picture(storage, people["owner"], "pics/cat.png.small")
    assert allowed(CanReadSource(get_original, AllowAny), people, thumbnail) == set()


def test_uploaded_and_released_files_are_not_thumbnails(people, relative):
    save(relative, "pics/cat.png")
    data = get_uploader_data(people["owner"], relative.meta_backend)
    uploaded = save(relative, "pics/cat.png.small", **data)
    permission = CanReadSource(get_original, AllowAny)
    assert allowed(permission, people, uploaded) == set()
    released = save(relative, "pics/dog.png.small", released_at="2026-01-01T00:00:00Z")
    save(relative, "pics/dog.png")
    assert allowed(permission, people, released) == set()


def test_default_permission_is_that_of_the_settings(people, relative, settings):
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "DEFAULT_PERMISSION_CLASSES": [f"{__name__}.AllOfThem"],
    }
    save_picture(relative, people["owner"])
    thumbnail = save(relative, "pics/cat.png.small")
    second = save(relative, "pics/cat.png.small.small")
    for record in (thumbnail, second):
        assert {who for who, user in people.items() if may_read(user, record)} == {"owner"}


@pytest.mark.parametrize("rule", ["Loop", "PairOfFiles"])
def test_file_that_is_derived_from_itself_is_denied(people, relative, settings, rule):
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "DEFAULT_PERMISSION_CLASSES": [f"{__name__}.{rule}"],
    }
    record = save(relative, "a")
    save(relative, "b")
    assert not any(may_read(user, record) for user in people.values())
    # The path can be checked again by a later request.
    assert allowed(Loop(AllowAny), people, record) == EVERYBODY


def test_number_of_steps_is_limited(people, relative, settings, django_assert_num_queries):
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "DEFAULT_PERMISSION_CLASSES": [f"{__name__}.AllOfThem"],
    }
    save_picture(relative, people["owner"], "a")
    records = [save(relative, "a" + ".small" * number) for number in range(1, MAX_STEPS + 3)]
    found = [may_read(people["owner"], record) for record in records]
    assert found == [True] * MAX_STEPS + [False] * 2
    with django_assert_num_queries(MAX_STEPS):
        assert not may_read(people["owner"], records[-1])


def test_one_query_for_the_source(people, relative, django_assert_num_queries):
    save(relative, "pics/cat.png")
    thumbnail = save(relative, "pics/cat.png.small")
    with django_assert_num_queries(1):
        assert is_allowed(CanReadSource(get_original, IsAuthenticated), people["owner"], thumbnail)


def test_list_checks_files_without_an_instance(people, storage):
    permission = CanReadSource(get_original, PictureFiles)
    picture = save_picture(storage, people["owner"])
    thumbnail = save(storage, "pics/cat.png.small")
    save(storage, "pics/dog.png.small")
    checked = []

    def check(record, user):
        checked.append(record["path"])
        return is_allowed(permission, user, record)

    for user, expected in (("owner", [thumbnail["path"]]), ("stranger", [])):
        found = get_list(people[user], permission, models=[Document])
        assert not found.is_exact
        records = RecordSet(
            [storage.meta_backend],
            found.condition,
            check=lambda record, user=people[user]: check(record, user),
        )
        assert [record["path"] for record in records] == expected
    assert picture["path"] not in checked
    assert list(find_unfiltered(permission, [])) == [
        "proxy_storage_permissions.source.CanReadSource"
    ]
    assert permission.get_filter(None, None, []) is None


def test_record_without_meta_backend_is_denied(people):
    record = MetaBackendObject(path="a.small", proxy_storage_name="orm-relative-disk")
    assert allowed(CanReadSource(get_original, AllowAny), people, record) == set()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "must be a function, its dotted path or a compiled regular expression, not None"),
        ("no.such.function", "cannot be imported"),
        (re.compile(r"(.+)\.small"), r"must have a group \(\?P<source>"),
    ],
    ids=["None", "dotted path", "regular expression"],
)
def test_invalid_get_source_is_an_error(source, message):
    with pytest.raises(ConfigurationError, match=message):
        CanReadSource(source)


class TestEasyThumbnails:
    @pytest.mark.parametrize(
        ("name", "source"),
        [
            ("pics/cat.png.100x100_q85.jpg", "pics/cat.png"),
            ("pics/cat.png.100x0_q85_crop-smart_upscale.png", "pics/cat.png"),
            ("cat.png.100x100_q85.jpg", "cat.png"),
            ("cat.100x100_q85.jpg", "cat"),
            ("a/cat.png.50x50.jpg.100x100_q85.jpg", "a/cat.png.50x50.jpg"),
            ("pics/cat.png", None),
            ("pics/.100x100_q85.jpg", None),
            ("pics/cat.png.100x100_q85", None),
            ("pics/cat.png.100x100_q85/x.jpg", None),
            ("pics/cat.png.100xx100_q85.jpg", None),
        ],
    )
    @pytest.mark.parametrize("storage", ["orm-relative-disk", "orm-prefix", "orm-disk"])
    def test_default_names(self, storage, name, source):
        paths = get_proxy_storage(storage)
        original = paths.get_original_storage()
        record = MetaBackendObject(path=paths.get_path(original, name), proxy_storage_name=storage)
        expected = None if source is None else paths.get_path(original, source)
        assert get_easy_thumbnails_source(record) == expected

    @pytest.mark.parametrize(
        ("name", "source"),
        [
            ("thumbs/small/pics/made/t_cat.png.9x9_q85.jpg", "pics/cat.png"),
            ("thumbs/small/made/t_cat.png.9x9_q85.jpg", "cat.png"),
            ("thumbs/small/pics/made/cat.png.9x9_q85.jpg", None),
            ("thumbs/small/pics/t_cat.png.9x9_q85.jpg", None),
            ("thumbs/pics/made/t_cat.png.9x9_q85.jpg", None),
            ("pics/made/t_cat.png.9x9_q85.jpg", None),
            ("thumbs/small/t_cat.png.9x9_q85.jpg", None),
        ],
    )
    def test_names_with_folders_and_a_prefix(self, settings, name, source):
        settings.THUMBNAIL_BASEDIR = "thumbs/small"
        settings.THUMBNAIL_SUBDIR = "made"
        settings.THUMBNAIL_PREFIX = "t_"
        record = MetaBackendObject(path=name, proxy_storage_name="orm-relative-disk")
        assert get_easy_thumbnails_source(record) == source

    def test_folder_is_not_counted_twice(self, settings):
        settings.THUMBNAIL_BASEDIR = settings.THUMBNAIL_SUBDIR = "thumbs"
        record = MetaBackendObject(
            path="thumbs/cat.png.9x9_q85.jpg", proxy_storage_name="orm-relative-disk"
        )
        assert get_easy_thumbnails_source(record) is None

    def test_storage_that_is_not_registered(self):
        record = MetaBackendObject(path="cat.png.9x9_q85.jpg", proxy_storage_name="gone")
        assert get_easy_thumbnails_source(record) is None
