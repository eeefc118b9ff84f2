"""Filters and caches of Django REST framework, django-filter and drf-extensions."""

from functools import wraps

import pytest
from django.core.files.base import ContentFile
from rest_framework.filters import BaseFilterBackend, OrderingFilter, SearchFilter
from rest_framework.permissions import AllowAny
from rest_framework.test import APIRequestFactory

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.registry import get_meta_backends, get_proxy_storage
from proxy_storage_api.filters import RecordFilter
from proxy_storage_api.generics import ACTIONS
from proxy_storage_api.viewsets import FileViewSet
from tests.testapp.models import StoredFile

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
TABLE = [ORMMetaBackend(StoredFile)]


class Open(FileViewSet):
    permission_classes = [AllowAny]
    authentication_classes = []
    meta_backends = TABLE


@pytest.fixture(autouse=True)
def paths(empty_storages):
    storage = get_proxy_storage("orm-relative-metadata")
    names = ("reports/May.pdf", "reports/June.txt", "letters/may-flower.txt", "a_b.txt")
    return [storage.save(name, ContentFile(b"x" * n)) for n, name in enumerate(names)]


def ask(view, **query):
    return view.as_view({"get": "list"})(APIRequestFactory().get("/", query))


def names(response):
    assert response.status_code == 200, response.data
    return [record["path"].rpartition("/")[2] for record in response.data["results"]]


@pytest.mark.parametrize("name", ["orm-relative-metadata", "mongo-relative-disk"])
@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("may", {"May.pdf", "may-flower.txt"}),
        ("MAY", {"May.pdf", "may-flower.txt"}),
        ("reports/J", {"June.txt"}),
        ("may flower", {"may-flower.txt"}),
        ("may,letters", {"may-flower.txt"}),
        ('"may-"', {"may-flower.txt"}),
        ("_", {"a_b.txt"}),
        ("%", set()),
        (".*", set()),
        ("", {"May.pdf", "June.txt", "may-flower.txt", "a_b.txt"}),
    ],
)
def test_search_by_a_part_of_the_path(name, search, expected, paths):
    storage = get_proxy_storage(name)

    class View(Open):
        meta_backends = [storage.meta_backend]

    if name.startswith("mongo"):
        for path in paths:
            storage.save(path, ContentFile(b""))
    assert set(names(ask(View, search=search))) == expected


def test_search_filter_of_drf():
    class View(Open):
        filter_backends = [SearchFilter]
        search_fields = ["^path", "mime_type"]

    assert names(ask(View, search="reports")) == ["June.txt", "May.pdf"]
    assert names(ask(View, search="pdf")) == ["May.pdf"]
    assert names(ask(View, search="pdf letters")) == []
    assert len(names(ask(View))) == 4
    assert ask(View, search="a\0b").status_code == 400


def test_search_filter_of_drf_by_the_name_of_the_uploaded_file(paths):
    class View(Open):
        filter_backends = [RecordFilter, SearchFilter, OrderingFilter]
        search_fields = ["name"]
        ordering_fields = ["name"]

    backend = get_proxy_storage("orm-disk").meta_backend
    for record in backend.filter(path_prefix=""):
        name = "Annual report.pdf" if record["path"].endswith("June.txt") else ""
        backend.update(record["path"], {"name": name})
    assert names(ask(View, search="annual")) == ["June.txt"]
    assert names(ask(View, search="june")) == []
    assert names(ask(View, ordering="-name"))[0] == "June.txt"


def test_both_search_filters():
    """The parameter is that of DRF's, where it is among the filters."""

    class View(Open):
        filter_backends = [RecordFilter, SearchFilter]
        search_fields = ["mime_type"]

    assert names(ask(View, search="pdf", size__gte="0")) == ["May.pdf"]
    assert ask(View, nothing="x").status_code == 400


def test_search_filter_narrows_downloads(paths):
    class View(Open):
        filter_backends = [SearchFilter]
        search_fields = ["path"]

    for search, status in (("reports", 200), ("letters", 404), ("", 200)):
        response = ask(View, path=paths[0], search=search)
        assert response.status_code == status
        response.close()


def test_ordering_filter_of_drf():
    class View(Open):
        filter_backends = [OrderingFilter]

    assert names(ask(View, ordering="-size"))[0] == "a_b.txt"
    assert names(ask(View, ordering="size"))[0] == "May.pdf"
    # Those that records cannot be ordered by are ignored, as DRF does.
    assert len(names(ask(View, ordering="object_id"))) == 4


class RowFilter(BaseFilterBackend):
    """Filters and orders rows, as django-filter does."""

    filters_rows = True

    def filter_queryset(self, request, queryset, view):
        size = request.query_params.get("min_size")
        queryset = queryset.order_by("-size")
        return queryset if size is None else queryset.filter(size__gte=size)


class Rows(Open):
    filter_backends = [RecordFilter, RowFilter]


def test_filter_of_rows():
    assert names(ask(Rows, min_size="2")) == ["a_b.txt", "may-flower.txt"]
    assert names(ask(Rows)) == ["a_b.txt", "may-flower.txt", "June.txt", "May.pdf"]
    # What the filter of the project knows is not known here.
    assert len(names(ask(Rows, anything="x"))) == 4


@pytest.mark.parametrize(
    "get", [get_meta_backends, lambda: [get_proxy_storage("mongo-disk").meta_backend]]
)
def test_filter_of_rows_where_there_is_more_than_one_table(get):
    class View(Rows):
        meta_backends = get()

    with pytest.raises(ConfigurationError, match="RowFilter filters the rows of one table"):
        ask(View)


class TestDjangoFilter:
    @pytest.fixture(autouse=True)
    def installed(self, settings):
        pytest.importorskip("django_filters")
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_filters"]

    def test_fields(self):
        from django_filters.rest_framework import DjangoFilterBackend

        class View(Open):
            filter_backends = [DjangoFilterBackend]
            filterset_fields = {"mime_type": ["exact"], "path": ["icontains"]}

        assert names(ask(View, mime_type="application/pdf")) == ["May.pdf"]
        assert names(ask(View, path__icontains="JUNE")) == ["June.txt"]
        assert len(names(ask(View))) == 4

    def test_filterset(self):
        from django_filters import FilterSet, NumberFilter, OrderingFilter
        from django_filters.rest_framework import DjangoFilterBackend

        class Filters(FilterSet):
            larger = NumberFilter(field_name="size", lookup_expr="gt")
            by = OrderingFilter(fields=["size"])

        class View(Open):
            filter_backends = [RecordFilter, DjangoFilterBackend]
            filterset_class = Filters

        assert names(ask(View, larger="1", by="-size")) == ["a_b.txt", "may-flower.txt"]
        assert ask(View, larger="x").status_code == 400


class TestCachedActions:
    """A cache of answers would give them to other requesters."""

    def test_of_drf_extensions(self):
        # It imports distutils, which setuptools has where Python does not.
        pytest.importorskip("distutils")
        decorators = pytest.importorskip("rest_framework_extensions.cache.decorators")
        from rest_framework_extensions.cache.mixins import CacheResponseMixin

        with pytest.raises(ConfigurationError, match=r"Mixed.list is cached by drf-extensions"):
            type("Mixed", (CacheResponseMixin, FileViewSet), {})
        with pytest.raises(ConfigurationError, match=r"Decorated.retrieve is cached"):
            type(
                "Decorated",
                (FileViewSet,),
                {"retrieve": decorators.cache_response()(FileViewSet.retrieve)},
            )

    @pytest.mark.parametrize("name", ACTIONS)
    def test_by_the_module_of_the_decorator(self, name):
        module = {"__name__": "rest_framework_extensions.cache.decorators", "wraps": wraps}
        exec(
            "def cache(function):\n"
            "    @wraps(function)\n"
            "    def inner(*args): return function(*args)\n"
            "    return inner\n",
            module,
        )

        def harmless(function):
            @wraps(function)
            def inner(*args):
                return function(*args)

            return inner

        cached = harmless(module["cache"](getattr(FileViewSet, name)))
        with pytest.raises(ConfigurationError, match=f"Caching.{name} is cached"):
            type("Caching", (FileViewSet,), {name: cached})
        type("Harmless", (FileViewSet,), {name: harmless(getattr(FileViewSet, name))})


class TestParameters:
    def test_of_the_project(self):
        class View(Open):
            list_parameters = ["tenant"]

        assert len(names(ask(View, tenant="x"))) == 4
        assert ask(Open, tenant="x").data == {"tenant": ["This parameter is unknown."]}

    def test_that_other_requests_to_the_url_have(self):
        query = {
            "page": "1",
            "page_size": "9",
            "format": "json",
            "storage": "orm-relative-metadata",
        }
        assert len(names(ask(Open, **query, disposition="inline", expires="1"))) == 4

    def test_where_the_format_is_not_one(self, settings):
        settings.REST_FRAMEWORK = {"URL_FORMAT_OVERRIDE": None}
        assert ask(Open, format="json").status_code == 400

    def test_without_pages(self):
        class View(Open):
            pagination_class = None

        assert len(ask(View, ordering="path").data) == 4
        assert ask(View, page="1").status_code == 400
