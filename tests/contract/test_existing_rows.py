"""Records for the existing rows of a plain file field, whose class is replaced."""

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from rest_framework.permissions import IsAdminUser

from proxy_storage_permissions import FieldPermissions, IsOwner
from tests.testapp.models import MongoLetter, OrmLetter, PlainLetter, StoredFile
from tests.testapp.storages import get_mongo_db

NAMES = ("letter.txt", "a letter, to you.txt", "Grüße.txt", "no extension")


class OrmLetterFiles(FieldPermissions):
    model = OrmLetter
    permissions = {"file": IsOwner("user")}


class MongoLetterFiles(FieldPermissions):
    model = MongoLetter
    permissions = {"file": IsOwner("user")}


LetterFiles = OrmLetterFiles | MongoLetterFiles | IsAdminUser


def write_to_table(records):
    StoredFile.objects.bulk_create(StoredFile(**record) for record in records)


def write_to_collection(records):
    get_mongo_db()["records"].insert_many(records)


@pytest.fixture(
    params=[(OrmLetter, write_to_table), (MongoLetter, write_to_collection)], ids=["orm", "mongo"]
)
def switched(request, settings, empty_storages):
    """The model with the new field class, and a function that writes many records."""
    settings.PROXY_STORAGE = settings.PROXY_STORAGE | {
        "DEFAULT_PERMISSION_CLASSES": [f"{__name__}.LetterFiles"]
    }
    return request.param


@pytest.fixture
def clients(db):
    """One client for each of two users with letters, and one for staff."""
    clients = {}
    for name in ("first", "second", "staff"):
        clients[name] = Client()
        clients[name].force_login(User.objects.create(username=name, is_staff=name == "staff"))
    return clients


@pytest.fixture
def count():
    """The number of rows; tests can set another one."""
    return 8


@pytest.fixture
def rows(clients, count):
    """Files and rows that were saved by Django's field and storage."""
    users = User.objects.in_bulk(["first", "second"], field_name="username")
    PlainLetter.objects.bulk_create(
        PlainLetter(
            user=users["second" if number % 2 else "first"],
            file=ContentFile(b"%d" % number, NAMES[number % len(NAMES)]),
        )
        for number in range(count)
    )
    return list(PlainLetter.objects.order_by("pk"))


@pytest.fixture
def model(switched, rows):
    """The model with the new field class, whose files have records."""
    model, write = switched
    field = model._meta.get_field("file")
    content_type = ContentType.objects.get_for_model(model)
    write(
        [
            {
                "path": row.file.name,
                "original_storage_path": row.file.name,
                "proxy_storage_name": f"{'orm' if model is OrmLetter else 'mongo'}-letters",
                "content_type_id": content_type.pk,
                "object_id": row.pk,
                "field": field.name,
            }
            for row in rows
        ]
    )
    return model


def read_table():
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {PlainLetter._meta.db_table} ORDER BY id")
        return cursor.fetchall()


def download(client, url):
    """Return the status, and the content of the file if it was sent."""
    answer = client.get(url)
    return answer.status_code, answer.getvalue() if answer.status_code == 200 else None


@pytest.mark.parametrize("count", [1_000])
def test_each_user_reads_only_own_files_and_no_row_is_changed(model, clients, count):
    before = read_table()
    letters = list(model.objects.order_by("pk"))
    for number, letter in enumerate(letters):
        user = "second" if number % 2 else "first"
        assert download(clients[user], letter.file.url) == (200, b"%d" % number)
    for number, letter in enumerate(letters[::20]):
        assert download(clients["second"], letter.file.url) == (403, None)
        assert download(clients["staff"], letter.file.url) == (200, b"%d" % (number * 20))
    assert len(before) == count
    assert read_table() == before


@pytest.mark.django_db(databases=["default", "other"])
def test_each_user_lists_only_own_files(model, clients):
    names = list(model.objects.order_by("pk").values_list("file", flat=True))
    expected = {"first": names[::2], "second": names[1::2], "staff": names}
    for user, own_names in expected.items():
        results = clients[user].get("/files/").json()["results"]
        assert sorted(record["path"] for record in results) == sorted(own_names)


def test_unchanged_row_is_saved_with_one_query(model, django_assert_num_queries, clients):
    letter = model.objects.first()
    with django_assert_num_queries(1):
        letter.save()
    assert download(clients["first"], letter.file.url) == (200, b"0")


def test_file_can_be_replaced_and_deleted(model, rows, clients):
    letter = model.objects.first()
    former, storage = letter.file.name, letter.file.storage
    letter.file = ContentFile(b"new", "letter.txt")
    letter.save()
    assert letter.file.name.startswith("letters/2026/letter_")
    assert download(clients["first"], letter.file.url) == (200, b"new")
    assert download(clients["first"], storage.url(former)) == (403, None)
    storage.delete(former)
    assert not rows[0].file.storage.exists(former)
    assert download(clients["staff"], storage.url(former)) == (404, None)
