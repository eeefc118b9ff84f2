"""The endpoint uses the project's settings of Django REST framework."""

import pytest
from django.core.files.base import ContentFile
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.throttling import BaseThrottle
from rest_framework.views import exception_handler

from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.viewsets import FileViewSet

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]


class Everything(FileViewSet):
    permission_classes = [AllowAny]
    authentication_classes = []


def ask(view, method="get", query=None):
    request = getattr(APIRequestFactory(), method)("/files/", query or {})
    return view.as_view({"get": "list"})(request)


def shout(error, context):
    response = exception_handler(error, context)
    return Response({"PROBLEM": str(error).upper()}, response.status_code)


class Never(BaseThrottle):
    def allow_request(self, request, view):
        return False

    def wait(self):
        return 30


@pytest.mark.parametrize("query", [{}, {"path": "/nothing.txt"}])
def test_throttles_of_the_project_are_used(query):
    class Throttled(Everything):
        throttle_classes = [Never]

    response = ask(Throttled, query=query)
    assert response.status_code == 429
    assert response["Retry-After"] == "30"


def test_exception_handler_of_the_project_is_used(settings):
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": f"{__name__}.shout"}
    response = ask(Everything, query={"path": "/nothing.txt"})
    assert response.status_code == 404
    assert response.data == {"PROBLEM": "NOT FOUND."}


def test_authorize_has_no_body_with_an_exception_handler_of_the_project(settings):
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": f"{__name__}.shout"}
    view = Everything.as_view({"get": "authorize"})
    response = view(APIRequestFactory().get("/", {"path": "/nothing.txt"}))
    assert response.status_code == 404
    assert response.content == b""


def test_paginator_of_the_project_is_used():
    for name in ("a.txt", "b.txt"):
        get_proxy_storage("orm_disk").save(name, ContentFile(b""))

    class Limited(LimitOffsetPagination):
        default_limit = 1

    class Paged(Everything):
        pagination_class = Limited

    response = ask(Paged)
    assert response.data["count"] == 2
    assert len(response.data["results"]) == 1
    assert "offset=1" in response.data["next"]


def test_renderers_of_the_project_are_used():
    class Plain(JSONRenderer):
        media_type = "application/vnd.files+json"

    class Rendered(Everything):
        renderer_classes = [Plain]

    response = ask(Rendered).render()
    assert response["Content-Type"] == "application/vnd.files+json"
    response = ask(Rendered, query={"path": "/nothing.txt"}).render()
    assert response["Content-Type"] == "application/vnd.files+json"
