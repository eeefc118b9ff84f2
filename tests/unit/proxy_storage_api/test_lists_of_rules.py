"""Lists whose rules have no filter: each record is decided on, a bounded number in a request."""

import base64
import logging
from datetime import UTC, datetime, timedelta
from itertools import chain
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from rest_framework.authentication import BaseAuthentication
from rest_framework.pagination import (
    BasePagination,
    CursorPagination,
    LimitOffsetPagination,
    PageNumberPagination,
)
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.test import APIRequestFactory

from proxy_storage.registry import get_proxy_storage
from proxy_storage_api import viewsets
from proxy_storage_api.pagination import RecordPagination, seal, unseal
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import FilePermission

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
START = datetime(2026, 1, 1, tzinfo=UTC)
TOTAL = 60


class Numbered(FilePermission):
    """Allows the files whose number can be divided by seven."""

    asked = []

    def has_object_permission(self, request, view, obj):
        self.asked.append(obj["path"])
        return int(obj["path"][-6:-4]) % 7 == 0


class Files(FileViewSet):
    permission_classes = [Numbered]
    authentication_classes = []


@pytest.fixture(autouse=True)
def asked():
    Numbered.asked.clear()
    return Numbered.asked


@pytest.fixture(params=[["orm-disk"], ["mongo-disk"], ["orm-disk", "mongo-disk"]])
def names(request):
    return request.param


@pytest.fixture(autouse=True)
def files(names, empty_storages):
    """Files that are in one meta backend, or by turns in two; a third of them has no size."""
    for number in range(TOTAL):
        name = names[number % len(names)]
        path = f"/hidden-name/{number:02}.txt"
        values = {"size": (number * 7) % 11, "created_at": START + timedelta(microseconds=number)}
        get_proxy_storage(name).meta_backend.create(
            {
                "path": path,
                "proxy_storage_name": name,
                "original_storage_path": path,
                **(values if number % 3 else {}),
            }
        )


def ask(url="/files/", view=Files, **query):
    return view.as_view({"get": "list"})(APIRequestFactory().get(url, query))


def walk(asked, view=Files, **query):
    """Follow the pages to the end; return the numbers of the files of each page."""
    pages, url = [], None
    while True:
        asked.clear()
        response = ask(url, view) if url else ask(view=view, **query)
        assert response.status_code == 200, response.data
        assert len(asked) <= 20
        assert response.data["count"] is None
        assert response.data["previous"] is None
        pages.append([int(one["path"][-6:-4]) for one in response.data["results"]])
        url = response.data["next"]
        if url is None:
            return pages
        assert len(pages) < 99


@pytest.fixture
def bound(change):
    change(LIST_MAX_DECISIONS=20)


@pytest.mark.usefixtures("bound")
@pytest.mark.parametrize("size", ["1", "2", "3", "50"])
@pytest.mark.parametrize(
    "ordering", ["path", "-path", "size", "-size", "created_at", "-created_at", "mime_type,-size"]
)
def test_every_file_is_on_one_page(asked, size, ordering):
    pages = walk(asked, page_size=size, ordering=ordering)
    numbers = [number for page in pages for number in page]
    assert sorted(numbers) == list(range(0, TOTAL, 7))
    assert all(len(page) <= int(size) for page in pages)
    if ordering == "path":
        assert numbers == sorted(numbers)


@pytest.mark.usefixtures("bound")
def test_filters_go_on(asked):
    pages = walk(asked, page_size="2", path__startswith="/hidden-name/4")
    assert pages == [[42, 49]]


def test_decides_no_further_than_the_page(asked):
    response = ask(page_size="2")
    assert len(response.data["results"]) == 2
    assert len(asked) == 8


@pytest.mark.usefixtures("bound")
def test_page_that_ends_with_the_last_record_is_the_last(asked):
    assert walk(asked, path__startswith="/hidden-name/56", page_size="1") == [[56]]


class Limited(LimitOffsetPagination):
    default_limit = 3


class Paged(PageNumberPagination):
    page_size = 3


class Cursed(CursorPagination):
    page_size = 3
    ordering = "path"


class Sizeless(PageNumberPagination):
    page_size = None


@pytest.mark.usefixtures("bound")
@pytest.mark.parametrize("paginator", [Limited, Paged, Cursed])
def test_paginator_of_the_project_says_the_size(asked, paginator):
    class View(Files):
        pagination_class = paginator

    # The second page ends with the twentieth file that is decided on.
    assert walk(asked, View) == [[0, 7, 14], [21, 28], [35, 42, 49], [56]]


class Own(BasePagination):
    pass


@pytest.mark.usefixtures("bound")
@pytest.mark.parametrize("paginator", [Sizeless, Own])
def test_size_where_the_paginator_says_none(asked, paginator):
    class View(Files):
        pagination_class = paginator

    assert list(chain.from_iterable(walk(asked, View))) == list(range(0, TOTAL, 7))


@pytest.mark.parametrize(
    ("paginator", "query", "status"),
    [
        (RecordPagination, {"page": "1"}, 200),
        (RecordPagination, {"page": ""}, 200),
        (RecordPagination, {"page": "2"}, 404),
        (Limited, {"offset": "0"}, 200),
        (Limited, {"offset": "3"}, 404),
        (Cursed, {"cursor": "x"}, 404),
        (RecordPagination, {"position": "x"}, 404),
        (RecordPagination, {"position": "x:y"}, 404),
        (RecordPagination, {"position": seal({"size": 3, "path": "/a"})}, 404),
        (RecordPagination, {"position": seal({"path": "/hidden-name/50.txt"})}, 200),
        (RecordPagination, {"position": "\x00é"}, 404),
    ],
)
def test_pages_by_number_and_wrong_positions(paginator, query, status):
    class View(Files):
        pagination_class = paginator

    assert ask(view=View, **query).status_code == status


class TestWithoutPages:
    class View(Files):
        pagination_class = None

    def test_few_files(self):
        assert len(ask(view=self.View).data) == 9

    @pytest.mark.usefixtures("bound")
    def test_too_many_files(self, asked):
        response = ask(view=self.View)
        assert response.status_code == 400
        assert len(asked) == 20
        assert len(ask(view=self.View, path__startswith="/hidden-name/0").data) == 2

    def test_files_that_are_found_by_a_condition(self):
        class View(self.View):
            permission_classes = [AllowAny]

        assert len(ask(view=View).data) == TOTAL


class TestPosition:
    POSITION = {"path": "/hidden-name/é.txt", "size": None, "created_at": START}

    def test_is_given_back(self):
        assert unseal(seal(self.POSITION)) == {
            **self.POSITION,
            "created_at": START.isoformat(),
        }

    @pytest.mark.usefixtures("bound")
    def test_cannot_be_read(self):
        (sealed,) = parse_qs(urlsplit(ask().data["next"]).query)["position"]
        raw = base64.urlsafe_b64decode(sealed.partition(":")[0] + "===")
        for text in (sealed.encode(), raw):
            assert b"hidden" not in text
            assert b"path" not in text

    def test_differs_each_time(self):
        assert seal(self.POSITION) != seal(self.POSITION)

    @pytest.mark.parametrize("change", [lambda text: text[1:], lambda text: text + "x", str.upper])
    def test_cannot_be_changed(self, change):
        assert unseal(change(seal(self.POSITION))) is None

    def test_of_another_key(self, settings):
        sealed = seal(self.POSITION)
        settings.SECRET_KEY = "another"
        assert unseal(sealed) is None
        # The signature counts then, and nothing can be read with the new key.
        settings.SECRET_KEY_FALLBACKS = ["tests"]
        assert unseal(sealed) is None


class TestAnonymous:
    class View(FileViewSet):
        permission_classes = [AllowAny]

    @pytest.mark.parametrize("is_open", [True, False])
    def test_switch(self, change, log_in, is_open, names):
        change(ANONYMOUS_LISTS=is_open, DEFAULT_PERMISSION_CLASSES=[AllowAny])
        assert Client().get("/files/").status_code == (200 if is_open else 403)
        assert log_in("ronaldo").get("/files/").status_code == 200
        assert Client().get("/files/record/?path=/hidden-name/01.txt").status_code == 200
        assert Client().options("/files/").status_code == 200

    def test_without_a_user_for_requests_that_are_not_logged_in(self, change, settings):
        change(ANONYMOUS_LISTS=False)
        settings.REST_FRAMEWORK = {"UNAUTHENTICATED_USER": None}
        assert ask(view=Files).status_code == 403

    @pytest.mark.parametrize("requester", [{"sub": 1}, "owner", 7])
    def test_with_a_requester_that_does_not_say_whether_it_is_logged_in(self, change, requester):
        class Authentication(BaseAuthentication):
            def authenticate(self, request):
                return requester, None

        class View(self.View):
            authentication_classes = [Authentication]

        assert ask(view=View).status_code == 200
        change(ANONYMOUS_LISTS=False)
        assert ask(view=View).status_code == 403


class OnlyForRequests(BasePermission):
    def has_object_permission(self, request, view, obj):
        return False


class TestWarning:
    @pytest.fixture(autouse=True)
    def anew(self):
        viewsets.warn_of_rules.cache_clear()

    def warnings(self, caplog, *permissions):
        class View(Files):
            permission_classes = permissions

        with caplog.at_level(logging.WARNING, "proxy_storage_api"):
            for _ in range(2):
                ask(view=View)
        return [text for text in caplog.messages if "A list checks" in text]

    def test_names_the_rule_once(self, caplog):
        (text,) = self.warnings(caplog, AllowAny, Numbered | IsAuthenticated)
        assert f"{__name__}.Numbered" in text
        assert "AllowAny" not in text

    def test_names_rules_that_have_no_filter_this_time(self, caplog):
        class Sometimes(Numbered):
            def has_object_permission(self, request, view, obj):
                return True

            def get_filter(self, request, view, models):
                return None

        (text,) = self.warnings(caplog, ~(Sometimes() & AllowAny), IsAuthenticated | Sometimes)
        assert "Sometimes" in text

    def test_names_classes_of_drf(self, caplog):
        (text,) = self.warnings(caplog, ~(AllowAny & OnlyForRequests))
        assert "OnlyForRequests" in text

    def test_is_not_given_where_all_have_one(self, caplog):
        assert not self.warnings(caplog, AllowAny)
