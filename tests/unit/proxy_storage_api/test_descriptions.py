"""The text about the endpoint in the browsable API and in the responses to OPTIONS."""

import pytest
from django.urls import include, path
from rest_framework.permissions import AllowAny
from rest_framework.routers import SimpleRouter

from proxy_storage_api.media import MediaViewSet
from proxy_storage_api.viewsets import FileViewSet

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
TEXT = "Deliver, list, save and delete files, for requesters whom the permissions allow to do so."


class Documented(FileViewSet):
    """The scans of letters.

    They are ``PDF`` files.
    """


class Undocumented(FileViewSet):
    pass


def get_description(view, rf, **options):
    view = view.as_view({"get": "list"}, permission_classes=[AllowAny], **options)
    return view(rf.options("/files/")).data["description"]


def test_description_is_plain_text(rf):
    assert get_description(FileViewSet, rf) == TEXT
    view = MediaViewSet.as_view(permission_classes=[AllowAny])
    description = view(rf.options("/media/a"), file_path="a").data["description"]
    assert description == "Deliver the files of one proxy storage by their relative names."


def test_browsable_api(client, change):
    change(DEFAULT_PERMISSION_CLASSES=[AllowAny])
    page = client.get("/files/", headers={"Accept": "text/html"}).content.decode()
    assert TEXT in page
    for text in ("proxy_storage_api.urls", "ConfigurationError", "``"):
        assert text not in page


def test_texts_of_a_project_are_kept(rf):
    assert get_description(Documented, rf).splitlines()[-1] == "They are ``PDF`` files."
    assert get_description(Undocumented, rf) == ""
    assert get_description(FileViewSet, rf, description="Scans.") == "Scans."


def test_description_function_of_a_project(rf):
    class View(FileViewSet):
        def get_view_description(self, html=False):
            return f"Project: {super().get_view_description(html)}"

    View.__module__ = FileViewSet.__module__
    View.__doc__ = None
    assert get_description(View, rf) == "Project: "


def test_url_of_a_router(client, settings):
    router = SimpleRouter()
    router.register("scans", Undocumented, basename="scan")
    settings.ROOT_URLCONF = type(
        "Urls",
        (),
        {
            "urlpatterns": [
                path("", include(router.urls)),
                path("files/", include("proxy_storage_api.urls")),
            ]
        },
    )
    response = client.options("/scans/record/?path=a")
    assert "replaces" not in response.content.decode()
