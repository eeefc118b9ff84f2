"""Lists of records of one meta backend and of several, as paginators use them."""

import itertools

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q

from proxy_storage.exceptions import ConfigurationError, MetaBackendUnavailable
from proxy_storage.meta_backends import record_set
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage.registry import get_proxy_storage
from tests.testapp.memory_backend import MemoryMetaBackend
from tests.testapp.models import NamedDocument
from tests.unit.proxy_storage.records import PATHS, SIZES, create, get_paths, is_odd


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(record_set, "CHUNK_SIZE", 4)
    monkeypatch.setattr(record_set, "LARGEST_CHUNK", 5)


class CountedChecks:
    def __init__(self):
        self.paths = []

    def __call__(self, record):
        self.paths.append(record["path"])
        return is_odd(record)


@pytest.mark.slow
class TestSequence:
    def test_all_records(self, meta_backends):
        records = RecordSet(meta_backends)
        assert get_paths(records) == PATHS
        assert len(records) == records.count() == len(PATHS)
        assert records
        assert records.ordered

    def test_no_records(self, meta_backends):
        for records in (
            RecordSet(meta_backends, False),
            RecordSet([]),
            RecordSet([], check=is_odd),
        ):
            assert list(records) == []
            assert records.count() == 0
            assert not records
            assert records[0:5] == []

    def test_condition(self, meta_backends):
        records = RecordSet(meta_backends, Q(size=1))
        expected = [path for path in PATHS if SIZES[path] == 1]
        assert get_paths(records) == expected
        assert records.count() == len(expected)

    @pytest.mark.usefixtures("small_chunks")
    @pytest.mark.parametrize("check", [None, is_odd])
    @pytest.mark.parametrize("ordering", [["path"], ["-path"], ["size"], ["-size", "path"]])
    def test_slices(self, meta_backends, ordering, check):
        expected = sorted(PATHS, reverse=ordering == ["-path"])
        if "size" in ordering[0]:
            expected.sort(key=SIZES.get, reverse=ordering[0] == "-size")
        if check is not None:
            expected = [path for path in expected if check({"path": path})]
        records = RecordSet(meta_backends, True, ordering, check)
        for start, stop in itertools.product(range(0, 24, 3), [0, 1, 4, 9, 23, 40, None]):
            assert get_paths(records[start:stop]) == expected[start:stop]
        assert get_paths(records) == expected
        assert get_paths(records[1:12:2]) == expected[1:12:2]

    def test_index(self, meta_backends):
        records = RecordSet(meta_backends, ordering=["-path"])
        assert records[0]["path"] == "/22"
        assert records[22]["path"] == "/00"
        with pytest.raises(IndexError):
            records[23]

    @pytest.mark.parametrize("place", [-1, slice(-2, None), slice(None, -2)], ids=str)
    def test_negative_index(self, meta_backends, place):
        with pytest.raises(ValueError, match="Negative indexing is not supported"):
            RecordSet(meta_backends)[place]

    def test_filter(self, meta_backends):
        records = RecordSet(meta_backends, Q(size__gte=2), ["-path"], check=is_odd)
        filtered = records.filter(Q(size__lte=3) | Q(path="/01"), path__gte="/05")
        expected = [path for path in PATHS if SIZES[path] in (2, 3) and path >= "/05"]
        assert get_paths(filtered) == [path for path in expected[::-1] if int(path[1:]) % 2]
        assert records.filter() is records
        assert list(records.filter(False)) == []

    def test_order_by(self, meta_backends):
        records = RecordSet(meta_backends, Q(path__lt="/05"), ["-path"])
        assert get_paths(records.order_by("-size")) == ["/04", "/00", "/02", "/03", "/01"]
        assert get_paths(records.order_by("-size").order_by()) == PATHS[:5]
        assert records.order_by("-path") is records
        with pytest.raises(ConfigurationError, match="ordered by"):
            records.order_by("object_id")

    @pytest.mark.usefixtures("small_chunks")
    def test_keys_of_the_order_are_set(self, meta_backends):
        for number, meta_backend in enumerate(meta_backends):
            for letter in "abcdef":
                create(meta_backend, f"/{letter}{number}")
        rest = [f"/{letter}{number}" for letter in "abcdef" for number in range(len(meta_backends))]
        with_size = sorted(PATHS, key=SIZES.get)
        records = RecordSet(meta_backends, ordering=["size"])
        assert get_paths(records) == get_paths(records[:]) == rest + with_size
        assert get_paths(records.order_by("-size")) == (rest + with_size)[::-1]
        # Paginators read the keys by which records are ordered.
        assert [record["size"] for record in records[: len(rest)]] == [None] * len(rest)


class TestQueries:
    def test_one_meta_backend(self, empty_storages, django_assert_num_queries):
        meta_backend = get_proxy_storage("orm-disk").meta_backend
        for path in PATHS:
            create(meta_backend, path)
        with django_assert_num_queries(0):
            records = RecordSet([meta_backend], Q(path__gt="/01")).filter(~Q(path="/05"))
        with django_assert_num_queries(1):
            assert len(records[5:10]) == 5
        with django_assert_num_queries(1):
            assert records.count() == records.count() == 20
        with django_assert_num_queries(1):
            assert len([record["path"] for record in records]) == 20

    def test_queryset_in_the_condition_is_read_once(
        self, empty_storages, django_assert_num_queries
    ):
        meta_backend = get_proxy_storage("mongo-disk").meta_backend
        document = NamedDocument.objects.create(code="a")
        create(meta_backend, "/a", object_id=document.pk)
        records = RecordSet([meta_backend], Q(object_id__in=NamedDocument.objects.all()))
        with django_assert_num_queries(1):
            assert records.count() == 1
            assert get_paths(records) == get_paths(records.filter(path="/a")) == ["/a"]

    def test_queryset_is_read_once_for_backends_without_a_database(
        self, empty_storages, django_assert_num_queries
    ):
        meta_backends = [get_proxy_storage("mongo-disk").meta_backend, MemoryMetaBackend()]
        owner = User.objects.create()
        for number, meta_backend in enumerate(meta_backends):
            create(meta_backend, f"/owned{number}", object_id=owner.pk)
            create(meta_backend, f"/other{number}", object_id=owner.pk + 1000)
        records = RecordSet(meta_backends, Q(object_id__in=User.objects.values("pk")))
        with django_assert_num_queries(1):
            assert get_paths(records[:10]) == get_paths(records) == ["/owned0", "/owned1"]
            assert records.count() == 2
            assert records.filter(path="/owned1").count() == 1
        create(meta_backends[0], "/later", object_id=User.objects.create(username="later").pk)
        assert get_paths(records[:10]) == ["/owned0", "/owned1"]
        anew = RecordSet(meta_backends, Q(object_id__in=User.objects.values("pk")))
        assert get_paths(anew) == ["/later", "/owned0", "/owned1"]

    def test_slice_of_several_meta_backends_is_one_query_each(
        self, meta_backends, django_assert_num_queries
    ):
        with django_assert_num_queries(1):
            assert get_paths(RecordSet(meta_backends)[3:9]) == PATHS[3:9]


class TestCheck:
    def test_reads_only_the_records_that_are_needed(self, meta_backends, small_chunks):
        check = CountedChecks()
        records = RecordSet(meta_backends, check=check)
        assert check.paths == []
        assert get_paths(records[0:2]) == ["/01", "/03"]
        assert check.paths == PATHS[:4]
        assert next(iter(records))["path"] == "/01"
        assert check.paths == PATHS[:4]
        assert get_paths(records[1:3]) == ["/03", "/05"]
        assert check.paths == PATHS[:8]
        assert bool(records)
        assert check.paths == PATHS[:8]

    def test_checks_each_record_once(self, meta_backends, small_chunks):
        check = CountedChecks()
        records = RecordSet(meta_backends, check=check)
        expected = PATHS[1::2]
        assert records.count() == len(expected)
        assert get_paths(records) == get_paths(records[:]) == get_paths(records) == expected
        assert check.paths == PATHS

    def test_content_objects_are_fetched_before(self, empty_storages, django_assert_num_queries):
        meta_backend = get_proxy_storage("orm-disk").meta_backend
        users = [User.objects.create(username=path) for path in PATHS]
        documents = [NamedDocument.objects.create(code=path) for path in PATHS]
        for owner in users + documents:
            model = ContentType.objects.get_for_model(owner)
            path = f"/{model.model}{owner.pk}"
            create(meta_backend, path, content_type_id=model.pk, object_id=owner.pk, field="scan")
        create(meta_backend, "/nobodys")
        seen = set()

        def check(record):
            seen.add(record.get_content_object())
            return True

        # One query for the records, and one for the content objects of each model.
        with django_assert_num_queries(3):
            assert RecordSet([meta_backend], check=check).count() == 2 * len(PATHS) + 1
        assert seen == {None, *users, *documents}

    def test_no_record_is_left_out_after_an_error(self, meta_backends, small_chunks):
        refused = []

        def check(record):
            if record["path"] == "/06" and not refused:
                refused.append(record)
                raise MetaBackendUnavailable("not now")
            return True

        records = RecordSet(meta_backends, check=check)
        assert get_paths(records[:2]) == PATHS[:2]
        with pytest.raises(MetaBackendUnavailable):
            records.count()
        assert get_paths(records) == PATHS
