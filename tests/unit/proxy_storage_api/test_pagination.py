"""Lists with permissions without a filter, which are checked for each record."""

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
    """Allow files whose number is divisible by seven."""

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
    """Files in one meta backend, or alternately in two. A third of them has no size."""
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
    """Follow the pages to the end, and return the numbers of the files of each page."""
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
@pytest.mark.slow
def test_each_file_is_on_one_page(asked, size, ordering):
    pages = walk(asked, page_size=size, ordering=ordering)
    numbers = [number for page in pages for number in page]
    assert sorted(numbers) == list(range(0, TOTAL, 7))
    assert all(len(page) <= int(size) for page in pages)
    if ordering == "path":
        assert numbers == sorted(numbers)


@pytest.mark.usefixtures("bound")
def test_next_page_has_the_filters(asked):
    pages = walk(asked, page_size="2", path__startswith="/hidden-name/4")
    assert pages == [[42, 49]]


def test_checks_end_with_the_page(asked):
    response = ask(page_size="2")
    assert len(response.data["results"]) == 2
    assert len(asked) == 8


@pytest.mark.usefixtures("bound")
def test_page_with_the_last_record_has_no_next_page(asked):
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
def test_paginator_of_the_project_sets_the_size(asked, paginator):
    class View(Files):
        pagination_class = paginator

    # The second page ends with the twentieth file that is checked.
    assert walk(asked, View) == [[0, 7, 14], [21, 28], [35, 42, 49], [56]]


class Own(BasePagination):
    pass


@pytest.mark.usefixtures("bound")
@pytest.mark.parametrize("paginator", [Sizeless, Own])
def test_default_size_without_a_size_of_the_paginator(asked, paginator):
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
def test_page_numbers_and_invalid_positions_are_not_found(paginator, query, status):
    class View(Files):
        pagination_class = paginator

    assert ask(view=View, **query).status_code == status


class TestWithoutPages:
    class View(Files):
        pagination_class = None

    def test_all_files_without_pages(self):
        assert len(ask(view=self.View).data) == 9

    @pytest.mark.usefixtures("bound")
    def test_too_many_files_without_pages_are_an_error(self, asked):
        response = ask(view=self.View)
        assert response.status_code == 400
        assert len(asked) == 20
        assert len(ask(view=self.View, path__startswith="/hidden-name/0").data) == 2

    def test_limit_does_not_apply_to_permissions_with_a_filter(self):
        class View(self.View):
            permission_classes = [AllowAny]

        assert len(ask(view=View).data) == TOTAL


class TestPosition:
    POSITION = {"path": "/hidden-name/é.txt", "size": None, "created_at": START}

    def test_unseal_returns_the_position(self):
        assert unseal(seal(self.POSITION)) == {
            **self.POSITION,
            "created_at": START.isoformat(),
        }

    @pytest.mark.usefixtures("bound")
    def test_sealed_position_is_unreadable(self):
        (sealed,) = parse_qs(urlsplit(ask().data["next"]).query)["position"]
        raw = base64.urlsafe_b64decode(sealed.partition(":")[0] + "===")
        for text in (sealed.encode(), raw):
            assert b"hidden" not in text
            assert b"path" not in text

    def test_seal_differs_at_each_call(self):
        assert seal(self.POSITION) != seal(self.POSITION)

    @pytest.mark.parametrize("change", [lambda text: text[1:], lambda text: text + "x", str.upper])
    def test_changed_position_is_invalid(self, change):
        assert unseal(change(seal(self.POSITION))) is None

    def test_position_of_another_secret_key_is_invalid(self, settings):
        sealed = seal(self.POSITION)
        settings.SECRET_KEY = "another"
        assert unseal(sealed) is None
        # The signature is valid then, but the position cannot be decrypted with the new key.
        settings.SECRET_KEY_FALLBACKS = ["tests"]
        assert unseal(sealed) is None


class TestAnonymous:
    class View(FileViewSet):
        permission_classes = [AllowAny]

    @pytest.mark.parametrize("is_open", [True, False])
    def test_anonymous_lists_setting(self, change, log_in, is_open, names):
        change(ANONYMOUS_LISTS=is_open, DEFAULT_PERMISSION_CLASSES=[AllowAny])
        assert Client().get("/files/").status_code == (200 if is_open else 403)
        assert log_in("ronaldo").get("/files/").status_code == 200
        assert Client().get("/files/record/?path=/hidden-name/01.txt").status_code == 200
        assert Client().options("/files/").status_code == 200

    def test_request_without_user_is_refused(self, change, settings):
        change(ANONYMOUS_LISTS=False)
        settings.REST_FRAMEWORK = {"UNAUTHENTICATED_USER": None}
        assert ask(view=Files).status_code == 403

    @pytest.mark.parametrize("requester", [{"sub": 1}, "owner", 7])
    def test_requester_without_is_authenticated_is_refused(self, change, requester):
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
        viewsets.log_unfiltered_permissions.cache_clear()

    def warnings(self, caplog, *permissions):
        class View(Files):
            permission_classes = permissions

        with caplog.at_level(logging.WARNING, "proxy_storage_api"):
            for _ in range(2):
                ask(view=View)
        return [text for text in caplog.messages if "A list checks" in text]

    def test_unfiltered_permission_is_logged_once(self, caplog):
        (text,) = self.warnings(caplog, AllowAny, Numbered | IsAuthenticated)
        assert f"{__name__}.Numbered" in text
        assert "AllowAny" not in text

    def test_permission_without_filter_for_this_request_is_logged(self, caplog):
        class Sometimes(Numbered):
            def has_object_permission(self, request, view, obj):
                return True

            def get_filter(self, request, view, models):
                return None

        (text,) = self.warnings(caplog, ~(Sometimes() & AllowAny), IsAuthenticated | Sometimes)
        assert "Sometimes" in text

    def test_permission_of_drf_is_logged(self, caplog):
        (text,) = self.warnings(caplog, ~(AllowAny & OnlyForRequests))
        assert "OnlyForRequests" in text

    def test_permissions_with_filters_are_not_logged(self, caplog):
        assert not self.warnings(caplog, AllowAny)
