"""Lists of records: filters, order and pages, the same for tables and for MongoDB."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import DatabaseError
from rest_framework.pagination import (
    CursorPagination,
    LimitOffsetPagination,
    PageNumberPagination,
)
from rest_framework.permissions import AllowAny
from rest_framework.test import APIRequestFactory, force_authenticate

from proxy_storage.exceptions import MetaBackendSchemaError
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.registry import get_proxy_storage, get_proxy_storage_name
from proxy_storage_api.serializers import RecordFilterSerializer
from proxy_storage_api.viewsets import FileViewSet
from tests.testapp.models import Document, KeyedDocument

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
MOMENTS = ["created_at__gte", "created_at__lte", "released_at__gte", "released_at__lte"]
START = datetime(2026, 1, 1, tzinfo=UTC)


class Everything(FileViewSet):
    permission_classes = [AllowAny]
    authentication_classes = []


@pytest.fixture(params=["orm-disk", "mongo-disk"])
def storage(request, empty_storages):
    return get_proxy_storage(request.param)


@pytest.fixture
def records(storage):
    """Twelve records; the first four have no size, type or time."""
    paths = [f"/twelve/{number:02}.txt" for number in range(12)]
    for number, path in enumerate(paths, -4):
        metadata = {
            "size": (7 * number) % 5,
            "mime_type": "image/png" if number % 2 else "text/plain",
            "created_at": START + timedelta(hours=number // 2),
            "field": "scan",
        }
        storage.meta_backend.create(
            {
                "path": path,
                "proxy_storage_name": get_proxy_storage_name(storage),
                "original_storage_path": path,
                **(metadata if number >= 0 else {}),
            }
        )
    return paths


def ask(query=None, view=Everything, user=None):
    request = APIRequestFactory().get("/files/", query or {})
    if user is not None:
        force_authenticate(request, user)
    return view.as_view({"get": "list"})(request)


def numbers(response):
    assert response.status_code == 200, response.data
    results = response.data if isinstance(response.data, list) else response.data["results"]
    return [int(record["path"][-6:-4]) for record in results]


@pytest.mark.usefixtures("records")
class TestFilters:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, range(12)),
            ({"mime_type": "image/png"}, [5, 7, 9, 11]),
            ({"size__gte": "3"}, [8, 6, 11]),
            ({"size__lte": "1"}, [4, 7, 9]),
            ({"size__gte": "1", "size__lte": "2"}, [5, 7, 10]),
            ({"created_at__gte": "2026-01-01T02:00:00Z"}, [8, 9, 10, 11]),
            ({"created_at__lte": "2026-01-01T00:00:00Z"}, [4, 5]),
            ({"field": "scan", "mime_type": "text/plain"}, [4, 6, 8, 10]),
            ({"field": "Scan"}, []),
            ({"storage": "nothing"}, []),
            ({"has_content_object": "false"}, range(12)),
            ({"has_content_object": "true"}, []),
            ({"content_type": "testapp.document"}, []),
            ({"content_type": "no.such"}, []),
            ({"content_type": "x"}, []),
            ({"object_id": "5"}, []),
        ],
    )
    def test_by_values_of_records(self, query, expected):
        found = numbers(ask(query))
        if "size__gte" in query or "size__lte" in query:
            expected = sorted(number for number in range(4, 12) if self.fits(number, query))
            assert expected
        assert found == list(expected)

    def fits(self, number, query):
        size = (7 * (number - 4)) % 5
        return int(query.get("size__gte", 0)) <= size <= int(query.get("size__lte", 9))

    def test_by_storage(self, storage):
        name = get_proxy_storage_name(storage)
        get_proxy_storage("orm_disk").save("99.txt", ContentFile(b""))
        assert len(numbers(ask())) == 13
        assert numbers(ask({"storage": name})) == list(range(12))

    def test_by_name(self, storage, records):
        names = {4: "Annual Report.pdf", 5: "report_2.PDF", 6: "a%b.pdf"}
        for number, name in names.items():
            storage.meta_backend.update(records[number], {"name": name})
        for value, expected in {
            "report": [4, 5],
            "REPORT_": [5],
            ".pdf": [4, 5, 6],
            "%": [6],
            "_": [5],
            ".*": [],
            "l R": [4],
            "02": [],
        }.items():
            assert numbers(ask({"name__icontains": value})) == expected, value
        assert numbers(ask({"name": "Annual Report.pdf"})) == [4]
        assert numbers(ask({"name": "annual report.pdf"})) == []
        response = ask({"name__icontains": "x" * 256})
        assert response.status_code == 400
        assert list(response.data) == ["name__icontains"]

    def test_by_prefix_of_the_path(self, records):
        folder = records[0].removesuffix("00.txt")
        assert numbers(ask({"path__startswith": f"{folder}0"})) == list(range(10))
        assert numbers(ask({"path__startswith": folder.upper()})) == []
        assert numbers(ask({"path__startswith": f"{folder}%"})) == []

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            ("size__gte", "many"),
            ("size__gte", "-1"),
            ("size__lte", str(2**63)),
            ("created_at__gte", "yesterday"),
            ("field", "a\0b"),
            ("unknown", "5"),
            ("path[$ne]", "x"),
            ("size__gt", "1"),
            ("search", "a\0b"),
            ("ordering", "original_storage_path"),
            ("ordering", "--path"),
            ("ordering", "path,nothing"),
            ("search", ",".join("a" * 21)),
            ("search", "a" * 501),
            ("search", "a " * 251),
        ],
    )
    def test_invalid_values_are_refused(self, parameter, value):
        response = ask({parameter: value})
        assert response.status_code == 400
        assert set(response.data) == {parameter}

    @pytest.mark.parametrize(
        ("value", "expected"),
        [(",".join("twelv/0123" * 2), []), ("x" * 500, []), ("twelve,/,.txt," * 6, range(12))],
    )
    def test_longest_search(self, value, expected):
        assert numbers(ask({"search": value})) == list(expected)

    @pytest.mark.parametrize("parameter", MOMENTS)
    @pytest.mark.parametrize(
        ("zone", "value"),
        [
            ("America/Chicago", "9999-12-31T23:59:59"),
            ("Asia/Tokyo", "0001-01-01T00:00:00"),
            ("UTC", "9999-12-31T23:59:59-01:00"),
            ("UTC", "0001-01-01T00:00:00+01:00"),
        ],
    )
    def test_times_that_do_not_exist_in_utc_are_refused(self, settings, parameter, zone, value):
        settings.TIME_ZONE = zone
        response = ask({parameter: value})
        assert response.status_code == 400
        assert response.data == {parameter: ["Datetime value out of range."]}

    @pytest.mark.parametrize("parameter", MOMENTS)
    @pytest.mark.parametrize(
        ("zone", "value"),
        [
            ("America/Chicago", "9999-12-31T17:59:59"),
            ("Asia/Tokyo", "0001-01-02T00:00:00"),
            ("UTC", "9999-12-31T23:59:59"),
            ("UTC", "0001-01-01T00:00:00"),
        ],
    )
    def test_first_and_last_times(self, settings, parameter, zone, value):
        settings.TIME_ZONE = zone
        assert ask({parameter: value}).status_code == 200


def test_times_without_time_zones(settings):
    settings.USE_TZ = False
    serializer = RecordFilterSerializer(data={"created_at__gte": "2026-01-01T02:00:00"})
    assert serializer.is_valid()
    assert serializer.validated_data["created_at__gte"] == datetime(2026, 1, 1, 2)


@pytest.mark.parametrize("model", [Document, KeyedDocument])
@pytest.mark.parametrize("field", ["orm_file", "mongo_file"])
def test_by_content_object(model, field):
    documents = [model.objects.create() for _ in range(3)]
    for document in documents:
        getattr(document, field).save("01.txt", ContentFile(b""))
    label = f"testapp.{model.__name__.lower()}"
    for query in (
        {"object_id": documents[1].pk},
        {"object_id": documents[1].pk, "content_type": label},
        {"object_id": documents[1].pk, "content_type": label.upper(), "field": field},
    ):
        (found,) = ask(query).data["results"]
        assert found["path"] == getattr(documents[1], field).name
        assert found["object_id"] == str(documents[1].pk)
        assert found["content_type"] == label
        assert found["field"] == field


@pytest.mark.usefixtures("records")
class TestOrder:
    @pytest.mark.parametrize(
        ("ordering", "expected"),
        [
            ("", list(range(12))),
            ("-path", list(range(11, -1, -1))),
            ("mime_type,-path", [3, 2, 1, 0, 11, 9, 7, 5, 10, 8, 6, 4]),
            ("-created_at", list(range(11, -1, -1))),
            ("created_at,mime_type", [0, 1, 2, 3, 5, 4, 7, 6, 9, 8, 11, 10]),
        ],
    )
    def test_records_without_a_value_come_first_or_last(self, storage, ordering, expected):
        assert numbers(ask({"ordering": ordering})) == expected

    def test_by_name(self, storage, records):
        """Records without a name come first, in the order of their paths."""
        for number, name in {3: "b.txt", 4: "a.txt", 5: "C.txt"}.items():
            storage.meta_backend.update(records[number], {"name": name})
        nameless = [0, 1, 2, *range(6, 12)]
        assert numbers(ask({"ordering": "name"})) == [*nameless, 5, 4, 3]
        assert numbers(ask({"ordering": "-name"})) == [3, 4, 5, *reversed(nameless)]
        assert numbers(ask({"ordering": "-name,path"})) == [3, 4, 5, *nameless]

    def test_records_of_several_meta_backends(self, storage):
        other = "mongo_disk" if storage is get_proxy_storage("orm-disk") else "orm_disk"
        for number in (20, 30):
            get_proxy_storage(other).save(f"{number}.txt", ContentFile(b""))
        found = numbers(ask({"ordering": "-path"}))
        assert sorted(found) == [*range(12), 20, 30]


@pytest.mark.usefixtures("records")
class TestPages:
    def walk(self, paginator, query):
        """Return the numbers on all pages, by following the links."""

        class Paged(Everything):
            pagination_class = paginator

        pages, url = [], None
        while not pages or url is not None:
            request = APIRequestFactory().get(url or "/files/", None if url else query)
            response = Paged.as_view({"get": "list"})(request)
            pages.append(numbers(response))
            url = response.data["next"]
        return pages

    @pytest.mark.parametrize("ordering", ["path", "-path", "-created_at", "created_at,-path"])
    @pytest.mark.parametrize("kind", [PageNumberPagination, LimitOffsetPagination])
    def test_paginators_of_drf(self, kind, ordering):
        paginator = type("Paginator", (kind,), {"page_size": 5, "default_limit": 5})
        pages = self.walk(paginator, {"ordering": ordering})
        assert [len(page) for page in pages] == [5, 5, 2]
        assert [n for page in pages for n in page] == numbers(ask({"ordering": ordering}))

    @pytest.mark.parametrize("ordering", ["path", "-path"])
    def test_cursor_pagination(self, ordering):
        paginator = type("Paginator", (CursorPagination,), {"page_size": 5})
        pages = self.walk(paginator, {"ordering": ordering})
        assert [len(page) for page in pages] == [5, 5, 2]
        assert [n for page in pages for n in page] == numbers(ask({"ordering": ordering}))

    @pytest.mark.parametrize("ordering", ["path", "size", "-created_at"])
    @pytest.mark.parametrize("position", ["x", "9" * 30, "9" * 5000, "nul\0", "2026-02-30 12:00"])
    def test_cursor_with_an_invalid_position_is_not_an_error(self, ordering, position):
        class Paged(Everything):
            pagination_class = type("Paginator", (CursorPagination,), {"page_size": 20})

        cursor = b64encode(urlencode({"p": position}).encode()).decode()
        response = ask({"ordering": ordering, "cursor": cursor}, view=Paged)
        # In descending order, records without a value come after each position.
        assert set(numbers(response)) <= {0, 1, 2, 3}

    def test_default_is_fifty_records(self, storage):
        for number in range(12, 60):
            path = f"/twelve/{number}.txt"
            storage.meta_backend.create(
                {
                    "path": path,
                    "proxy_storage_name": get_proxy_storage_name(storage),
                    "original_storage_path": path,
                }
            )
        first = ask()
        assert first.data["count"] == 60
        assert numbers(first) == list(range(50))
        assert numbers(ask({"page": "2"})) == list(range(50, 60))
        assert numbers(ask({"page_size": "3"})) == [0, 1, 2]

    def test_pagination_can_be_disabled(self):
        class Unpaged(Everything):
            pagination_class = None

        assert numbers(ask(view=Unpaged)) == list(range(12))

    @pytest.mark.parametrize("page", ["0", "9", "x", "-1"])
    def test_invalid_page(self, page):
        assert ask({"page": page}).status_code == 404


def test_place_of_the_bytes_is_for_staff_only(storage):
    path = storage.save("01.txt", ContentFile(b""))

    class Public(Everything):
        authentication_classes = FileViewSet.authentication_classes

    for is_staff in (False, True):
        user = User.objects.create(username=f"{is_staff}", is_staff=is_staff)
        (record,) = ask(view=Public, user=user).data["results"]
        assert record["path"] == path
        assert record["url"].startswith("http://testserver/files/?path=")
        assert record["content_type"] is None
        assert ("original_storage_path" in record) is is_staff
        assert ("original_storage_name" in record) is is_staff


def test_content_object_of_a_removed_model(storage):
    path = storage.save("01.txt", ContentFile(b""))
    storage.meta_backend.update(path, {"content_type_id": 999_999, "object_id": "1"})
    (record,) = ask().data["results"]
    assert record["content_type"] is None
    assert record["object_id"] == "1"


def test_storage_that_is_no_longer_registered(storage):
    path = storage.save("01.txt", ContentFile(b""))
    storage.meta_backend.update(path, {"proxy_storage_name": "removed"})
    (record,) = ask().data["results"]
    assert record["url"] is None
    assert record["storage"] == "removed"


@pytest.mark.parametrize("query", [{}, {"page": "2", "ordering": "-size"}, {"path": "/a.txt"}])
def test_missing_table_is_500_and_the_log_names_the_command(client, settings, caplog, query):
    options = {
        "original_storage": django_settings.ORIGINAL_STORAGES["disk"],
        "meta_backend": ORMMetaBackend("testapp.TablelessStoredFile"),
    }
    backend = "proxy_storage.storages.ProxyStorage"
    settings.STORAGES = {"default": {"BACKEND": backend, "OPTIONS": options}}
    permissions = ["rest_framework.permissions.AllowAny"]
    settings.PROXY_STORAGE = {"DEFAULT_PERMISSION_CLASSES": permissions}
    client.raise_request_exception = False
    response = client.get("/files/", query)
    assert response.status_code == 500
    assert "Retry-After" not in response
    (record,) = [record for record in caplog.records if record.name == "django.request"]
    error = record.exc_info[1]
    assert isinstance(error, MetaBackendSchemaError)
    assert "Run manage.py migrate" in str(error)
    assert isinstance(error.__cause__, DatabaseError)
