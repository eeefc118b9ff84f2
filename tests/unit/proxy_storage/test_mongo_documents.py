"""Documents that other programs have written into the collection of records."""

import logging
from datetime import UTC, datetime

import pytest
from bson import Binary, Decimal128, ObjectId, decode, encode
from bson.codec_options import CodecOptions
from bson.datetime_ms import DatetimeMS
from django.core.files.base import ContentFile
from django.db.models import Q
from rest_framework.permissions import IsAdminUser

from proxy_storage.exceptions import (
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendObjectDoesNotExist,
)
from proxy_storage.meta_backends import record_set
from proxy_storage.meta_backends.mongo import read_document
from proxy_storage.meta_backends.queries import get_sort_key, matches, negate, parse_order
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage.mongodb import get_collection
from proxy_storage.registry import get_meta_backends, get_proxy_storage
from proxy_storage.testing.selecting import CONDITIONS, ORDERS, RECORDS
from proxy_storage_permissions import HasValidSignature
from tests.testapp.memory_backend import MemoryMetaBackend
from tests.testapp.models import Document
from tests.testapp.storages import MongoStorage, get_mongo_db

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
PATH = "/letters/a.txt"
RECORD = {"path": PATH, "proxy_storage_name": "mongo-disk", "original_storage_path": "a.txt"}
MISSING = object()
NOT_TEXT = [MISSING, None, 5, ["/a"], {"$gt": ""}, "", "nul\0"]
NOT_RECORDS = [
    (key, value) for key in ("proxy_storage_name", "original_storage_path") for value in NOT_TEXT
]
WRONG_VALUES = [
    ("size", "text"),
    ("size", True),
    ("size", [5]),
    ("size", 1e300),
    ("created_at", 5),
    ("created_at", "2026-01-01"),
    ("created_at", ["2026-01-01"]),
    ("field", ["scan"]),
    ("field", 5),
    ("content_type_id", "x"),
    ("content_type_id", "5"),
    ("content_type_id", True),
    ("content_type_id", [5]),
    ("object_id", {}),
    ("object_id", {"$gt": 0}),
    ("object_id", [5]),
    ("object_id", True),
    ("mime_type", 5),
    ("mime_type", ["image/png"]),
    ("checksum", 5),
    ("checksum", {}),
    ("link_version", 5),
    ("original_storage_name", 7),
    ("original_storage_name", ["disk"]),
]


@pytest.fixture
def backend(empty_storages):
    return MongoStorage.meta_backend


@pytest.fixture
def staff(admin_client, settings):
    """Return a client whose user may read all files."""
    classes = [IsAdminUser | HasValidSignature]
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "DEFAULT_PERMISSION_CLASSES": classes}
    return admin_client


@pytest.fixture
def lines(caplog):
    """Return a function that returns the warnings since its last call."""

    def take():
        found = [
            record.getMessage()
            for record in caplog.records
            if record.name == "proxy_storage" and record.levelno == logging.WARNING
        ]
        caplog.clear()
        return found

    return take


def insert(**values):
    """Insert a document as another program does."""
    document = {key: value for key, value in {**RECORD, **values}.items() if value is not MISSING}
    get_mongo_db()["records"].insert_one(document)
    return document


def spoil(path, key, value):
    """Set a value of a document. The embedded server would convert it in $set."""
    records = get_mongo_db()["records"]
    document = records.find_one({"path": path})
    records.replace_one({"_id": document["_id"]}, {**document, key: value})


def get_paths(records):
    return [record["path"] for record in records]


@pytest.mark.parametrize(("key", "value"), NOT_RECORDS)
class TestDocumentThatIsNotARecord:
    @pytest.fixture(autouse=True)
    def document(self, backend, key, value):
        backend.create({**RECORD, "path": "/good"})
        return insert(**{key: value})

    def test_is_not_read(self, backend, lines, key, value):
        for read in (
            lambda: backend.exists(PATH) or [],
            lambda: [record for record in backend if record["path"] == PATH],
            lambda: list(backend.filter(path_prefix="/letters")),
            lambda: backend.select(Q(path=PATH)),
            lambda: backend.select(Q(path__startswith="/l"), ["-size"], 0, 1),
            lambda: list(RecordSet([backend], Q(path=PATH))),
            lambda: list(RecordSet([backend], Q(path=PATH), check=lambda record: True)),
        ):
            assert not read()
            (line,) = lines()
            assert repr(PATH) in line
            assert key in line
        assert get_paths(backend.filter({"original_storage_path": "a.txt"})) == ["/good"]

    def test_is_not_returned_updated_or_deleted(self, backend, lines, document, key):
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.get(PATH)
        (line,) = lines()
        assert repr(PATH) in line
        assert key in line
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.update(PATH, {"size": 5})
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.delete(PATH)
        assert get_mongo_db()["records"].find_one({"path": PATH}) == document

    def test_is_not_counted(self, backend):
        assert backend.count() == len(backend.select()) == len(list(backend)) == 1
        assert backend.count(Q(path=PATH)) == backend.count(~Q(path="/good")) == 0

    def test_its_path_is_taken(self, backend):
        with pytest.raises(MetaBackendObjectAlreadyExists):
            backend.create(RECORD)

    def test_is_not_at_the_endpoint(self, staff):
        assert staff.get("/files/", {"path": PATH}).status_code == 404
        assert staff.get("/files/record/", {"path": PATH}).status_code == 404
        assert staff.post("/files/link/", {"path": PATH}).status_code == 404
        answer = staff.get("/files/").json()
        assert answer["count"] == 1
        assert get_paths(answer["results"]) == ["/good"]


@pytest.mark.parametrize("path", [MISSING, None, 5, [PATH, "/b"], {}, "", "/nul\0"])
def test_document_without_a_path_is_not_a_record(backend, lines, path):
    backend.create({**RECORD, "path": "/good"})
    insert(path=path)
    for read in (lambda: list(backend), backend.select, lambda: list(RecordSet([backend]))):
        assert get_paths(read()) == ["/good"]
        (line,) = lines()
        assert repr(None if path is MISSING else path) in line
    assert backend.count() == 1
    assert not backend.exists(PATH)
    with pytest.raises(MetaBackendObjectDoesNotExist):
        backend.get(PATH)
    assert get_paths(backend.select(order_by=["-created_at"])) == ["/good"]


@pytest.mark.parametrize("name", ["mongo-disk", "mongo-memory", "mongo-gridfs"])
def test_save_chooses_another_path_than_that_of_a_document(name):
    storage = get_proxy_storage(name)
    path = storage.save("a.txt", ContentFile(b"first"))
    storage.delete(path)
    insert(path=path, proxy_storage_name=None)
    other = storage.save("a.txt", ContentFile(b"world"))
    assert other != path
    with storage.open(other) as file:
        assert file.read() == b"world"
    assert get_mongo_db()["records"].find_one({"path": path})["proxy_storage_name"] is None


@pytest.mark.parametrize(("key", "value"), WRONG_VALUES)
@pytest.mark.slow
class TestValueOfAWrongType:
    def test_counts_as_no_value(self, backend, lines, key, value):
        insert(**{key: value})
        for read in (
            lambda: backend.get(PATH),
            lambda: next(iter(backend)),
            lambda: next(backend.filter({"original_storage_path": "a.txt"})),
            lambda: next(backend.filter({key: None})),
            lambda: backend.select()[0],
            lambda: backend.select(order_by=["-created_at"], stop=1)[0],
            lambda: RecordSet([backend])[0],
        ):
            record = read()
            assert record["path"] == PATH
            assert record.get(key) is None
            (line,) = lines()
            assert repr(PATH) in line
            assert f"{key} is of the type {type(value).__name__}" in line
        assert backend.exists(PATH)
        assert backend.count(Q(**{f"{key}__isnull": True})) == 1
        assert backend.count(Q(**{f"{key}__isnull": False})) == 0

    def test_can_be_replaced(self, backend, lines, key, value):
        insert(**{key: value})
        values = {key: {"size": 5, "content_type_id": 5, "created_at": None}.get(key, "right")}
        backend.update(PATH, values, where={key: None})
        assert backend.get(PATH)[key] == values[key]
        assert lines() == []
        if key != "created_at":  # The embedded server stores the time of an update as text.
            with pytest.raises(MetaBackendObjectDoesNotExist):
                backend.delete(PATH, where={key: None})
        backend.delete(PATH, where=values)

    def test_all_requests_work(self, staff, backend, key, value):
        storage = get_proxy_storage("mongo-disk")
        path = storage.save("a.txt", ContentFile(b"world"))
        spoil(path, key, value)
        query = {"path": path}
        response = staff.get("/files/", query)
        assert response.status_code == 200
        assert b"".join(response.streaming_content) == b"world"
        response.close()
        head = staff.head("/files/", query)
        assert (head.status_code, head["Content-Length"]) == (200, "5")
        answers = [
            staff.get("/files/").json()["results"],
            staff.get("/files/", {"ordering": "-size"}).json()["results"],
            [staff.get("/files/record/", query).json()],
        ]
        for (answer,) in answers:
            assert answer["path"] == path
            if key in answer:
                assert answer[key] is None
        assert staff.get("/files/authorize/", query).status_code == 204
        response = staff.post("/files/link/", query)
        assert response.status_code == 200
        storage.delete(path)
        assert not storage.exists(path)


def test_list_of_a_content_object_leaves_arrays_out(backend):
    owner = {"content_type_id": 5, "object_id": 7, "field": "scan"}
    backend.create({**RECORD, **owner, "path": "/good"})
    for key, value in owner.items():
        insert(**{**owner, "path": f"/{key}", key: [value, "other"]})
    assert get_paths(backend.select(Q(**owner))) == ["/good"]
    assert backend.count(Q(**owner)) == 1
    assert get_paths(backend.filter(owner)) == ["/good"]


@pytest.mark.slow
class TestLists:
    """Conditions, orders and pages treat the documents as reading does."""

    @pytest.fixture(autouse=True)
    def mixed(self, backend, monkeypatch):
        for data in RECORDS[::-1]:
            backend.create({**RECORD, **data})
        for number, (key, value) in enumerate([*WRONG_VALUES, *NOT_RECORDS]):
            insert(**{"path": f"/{'ab'[number % 2]}/{number}", key: value})
            insert(**{"path": f"/a/%{number}", "size": number % 4, "field": "scan", key: value})
        insert(path=MISSING)
        monkeypatch.setattr(record_set, "CHUNK_SIZE", 4)

    @pytest.mark.parametrize("key", CONDITIONS)
    def test_by_condition(self, backend, key):
        for condition in CONDITIONS[key]:
            for asked in (condition, negate(condition)):
                expected = [record["path"] for record in backend if matches(asked, record)]
                assert get_paths(backend.select(asked)) == sorted(expected), asked
                assert backend.count(asked) == len(expected), asked

    def test_select_returns_the_same_records_as_get(self, backend):
        for condition in (Q(), Q(path__isnull=False), Q(path__gt="/"), ~Q(path="/a")):
            for record in backend.select(condition, ["-size"]):
                assert record == backend.get(record["path"])

    @pytest.mark.parametrize("names", [*ORDERS, ["mime_type"], ["-created_at", "size"]], ids=str)
    def test_orders_and_slices(self, backend, names):
        expected = get_paths(sorted(backend, key=get_sort_key(parse_order(names))))
        assert len(expected) == backend.count() == len(RECORDS) + 2 * len(WRONG_VALUES)
        assert get_paths(backend.select(True, names)) == expected
        parts = [backend.select(True, names, start, start + 7) for start in range(0, 70, 7)]
        assert get_paths([record for part in parts for record in part]) == expected
        # The next slice begins after the last record of the previous slice.
        assert get_paths(RecordSet([backend], ordering=names, check=bool)) == expected
        assert get_paths(RecordSet([backend] * 2, ordering=names)) == [
            path for path in expected for _ in range(2)
        ]

    def test_pages_of_the_api(self, staff, backend):
        assert backend in get_meta_backends()
        paths, url = [], "/files/?page_size=10&ordering=-size"
        while url is not None:
            answer = staff.get(url).json()
            assert answer["count"] == backend.count()
            paths += get_paths(answer["results"])
            assert len(answer["results"]) == 10 or answer["next"] is None
            url = answer["next"]
        assert sorted(paths) == sorted(get_paths(backend))


class TestReadDocument:
    """Values that MongoDB stores, but the embedded server does not."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (5.0, 5),
            (Decimal128("5"), 5),
            (Decimal128("5.5"), 5.5),
            (5.5, 5.5),
            (float("nan"), None),
            (float("inf"), None),
            (Decimal128("NaN"), None),
            (Decimal128("1E+400"), None),
        ],
        ids=repr,
    )
    def test_number(self, value, expected):
        size = read_document({**RECORD, "size": value}).get("size")
        assert size == expected
        assert type(size) is type(expected)

    @pytest.mark.parametrize("value", [5.5, float("nan"), Decimal128("2.5")])
    def test_primary_key_of_a_content_type_is_an_integer(self, value):
        assert read_document({**RECORD, "content_type_id": 5.0})["content_type_id"] == 5
        assert "content_type_id" not in read_document({**RECORD, "content_type_id": value})

    @pytest.mark.parametrize("value", [5, "5", ObjectId(), Binary(b"5"), datetime(2026, 1, 1)])
    def test_object_id_of_any_type(self, value):
        assert read_document({**RECORD, "object_id": value})["object_id"] == value

    @pytest.mark.parametrize(
        "value",
        [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), DatetimeMS(2**60)],
    )
    def test_time_beyond_the_calendar(self, value):
        assert "created_at" not in read_document({**RECORD, "created_at": value})

    def test_time_outside_of_the_python_calendar_is_not_an_error(self):
        options = get_collection(get_mongo_db(), "records").codec_options
        assert isinstance(options, CodecOptions)
        document = decode(encode({**RECORD, "created_at": DatetimeMS(2**60)}), options)
        assert read_document(document) == RECORD

    def test_keys_of_the_project_are_not_changed(self, lines):
        document = {**RECORD, "keywords": ["a"], "size": None}
        assert read_document(dict(document)) == document
        assert lines() == []

    def test_one_warning_names_all_keys(self, lines):
        read_document({**RECORD, "size": "5", "field": 5})
        read_document({"path": PATH, "size": "5"})
        wrong, missing = lines()
        assert "size is of the type str" in wrong
        assert "field is of the type int" in wrong
        assert "proxy_storage_name and original_storage_path must be text" in missing


class TestRefusedData:
    """Values of the required keys that no meta backend stores."""

    @pytest.fixture(params=["orm-disk", "mongo-disk", "simple"])
    def backend(self, request):
        if request.param == "simple":
            return MemoryMetaBackend()
        return get_proxy_storage(request.param).meta_backend

    @pytest.mark.parametrize("key", RECORD)
    def test_create(self, backend, key):
        for value in (*NOT_TEXT, "\udc80"):
            data = {**RECORD, key: value}
            if value is MISSING:
                del data[key]
            with pytest.raises(MetaBackendError, match=key) as caught:
                backend.create(data)
            assert caught.value.nothing_written
        assert list(backend) == []

    @pytest.mark.parametrize("key", RECORD)
    def test_update(self, backend, key):
        record = backend.create(RECORD)
        for value in NOT_TEXT[1:]:
            with pytest.raises(MetaBackendError, match=f"{key} must be text"):
                backend.update(PATH, {key: value})
        assert backend.get(PATH) == record


def test_content_object_of_a_wrong_type_is_none(backend, django_user_model):
    """Otherwise a value that resembles the key of a content object would grant access."""
    document = Document.objects.create(title="mongo_file for messi")
    document.mongo_file.save("a.txt", ContentFile(b"world"))
    path = document.mongo_file.name
    for key, value in (("object_id", True), ("content_type_id", "x"), ("content_type_id", True)):
        spoil(path, key, value)
        assert backend.get(path).get_content_object() is None


# The embedded server treats True as a number.
@pytest.mark.parametrize("value", ["5", [5]])
def test_file_with_a_content_type_of_a_wrong_type_can_be_assigned(value):
    document = Document.objects.create()
    storage = Document._meta.get_field("mongo_file").storage
    path = storage.save("a.txt", ContentFile(b"a"))
    change = {"$set": {"content_type_id": value}}
    storage.meta_backend._collection.update_one({"path": path}, change)
    document.mongo_file = path
    document.save()
    document.mongo_file.assign()
    assert storage.get_meta_backend_obj(path).get_content_object() == document


def test_file_with_a_key_in_an_array_is_not_released():
    document = Document.objects.create()
    storage = Document._meta.get_field("mongo_file").storage
    document.mongo_file.save("a.txt", ContentFile(b"a"))
    path, collection = document.mongo_file.name, storage.meta_backend._collection
    collection.update_one({"path": path}, {"$set": {"object_id": [document.pk]}})
    document.mongo_file.save("b.txt", ContentFile(b"b"))
    assert collection.find_one({"path": path})["object_id"] == [document.pk]
