"""Signed links in a page: a browser without a session shows an image and seeks in a sound."""

import io
import wave
from urllib.parse import urlencode

import pytest
from django.core.files.base import ContentFile
from django.http import HttpResponse
from django.urls import path
from django.utils.html import format_html

from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import HasValidSignature, get_signed_url
from tests.servers.browser.attacks import make_png
from tests.testapp.storages import MongoStorage

SECONDS, RATE = 60, 8000
ranges = []


class LinkedFiles(FileViewSet):
    """Files for requests with a link. There are no users, and no database is used."""

    authentication_classes = []
    permission_classes = [HasValidSignature]
    meta_backends = [MongoStorage.meta_backend]

    def download(self, request, *args, **kwargs):
        ranges.append(request.headers.get("Range"))
        return super().download(request, *args, **kwargs)


def show_page(request):
    page = '<img src="{url}">' if request.GET["tag"] == "img" else '<audio src="{url}"></audio>'
    return HttpResponse(format_html(page, url=request.GET["url"]))


urlpatterns = [
    path("files/", LinkedFiles.as_view({"get": "download"}), name="linked-files"),
    path("page/", show_page, name="page"),
]


@pytest.fixture
def link(browser, settings):
    """Return a link to a new file with this content."""
    settings.ROOT_URLCONF = __name__
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "FILE_URL_NAME": "linked-files"}
    del ranges[:]

    def link(name, content):
        storage = get_proxy_storage("mongo_disk")
        record = storage.get_meta_backend_obj(storage.save(name, ContentFile(content)))
        return get_signed_url(record).url

    return link


def open_page(browser, tag, url):
    browser.open(f"/page/?{urlencode({'tag': tag, 'url': url})}")


def make_sound():
    """Return a minute of silence."""
    with io.BytesIO() as file:
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 1, RATE, 0, "NONE", "not compressed"))
            sound.writeframes(b"\x80" * (SECONDS * RATE))
        return file.getvalue()


def test_image(browser, link):
    url = link("dot.png", make_png("a dot"))
    for shown, expected in ((url, True), (url[:-1], False), (url.partition("&expires")[0], False)):
        open_page(browser, "img", shown)
        assert browser.run("return document.images[0].naturalWidth > 0") is expected
    assert browser.get_cookies() == set()


def test_sound(browser, link):
    open_page(browser, "audio", link("minute.wav", make_sound()))
    audio = "document.querySelector('audio')"
    browser.wait_for(lambda: browser.run(f"return {audio}.readyState >= 2"), "it cannot play")
    assert round(browser.run(f"return {audio}.duration")) == SECONDS
    browser.run(f"{audio}.currentTime = {SECONDS - 5}")
    browser.wait_for(
        lambda: browser.run(f"return !{audio}.seeking && {audio}.readyState >= 2"),
        "it cannot seek",
    )
    assert any(value and value.startswith("bytes=") for value in ranges)
