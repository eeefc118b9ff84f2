"""Chromium revalidates its copies, plays media in place, and embeds files in the site's pages."""

import io
import os
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse, HttpResponseForbidden
from django.urls import path
from PIL import Image

from proxy_storage.serving import serve
from tests.servers.browser import site as uploads_site
from tests.servers.browser.attacks import make_png
from tests.servers.browser.chromium import Browser
from tests.servers.browser.test_links import SECONDS, make_sound
from tests.servers.serverconf_fronts import running_front

pytestmark = pytest.mark.slow

# Without Cache-Control, browsers would use a copy of such an old file for days.
OLD = datetime(2024, 2, 29, tzinfo=UTC)
READER, STRANGER = "messi", "ronaldo"
readers, asked = set(), []


def deliver(request, token):
    """Deliver a file to the user of the cookie, or of a header, if the user is permitted."""
    user = request.headers.get("X-User") or request.COOKIES.get("user")
    asked.append(user)
    if user not in readers:
        return HttpResponseForbidden("This is not for you.")
    return serve(request, uploads_site.uploads[token].record)


def show_page(request):
    response = HttpResponse(request.GET.get("html", ""))
    if "user" in request.GET:
        response.set_cookie("user", request.GET["user"])
    return response


urlpatterns = [path("file/<token>/", deliver), path("page/", show_page)]


def make_pdf(padding=0):
    """Return a PDF of one page, which is red, with a comment of some bytes before the page."""
    content = b"1 0 0 rg 0 0 300 200 re f"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R /Resources << >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    pdf, offsets = b"%%PDF-1.4\n%%%s\n" % (b"-" * padding), []
    for number, text in enumerate(objects, 1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return pdf + (
        b"xref\n0 5\n0000000000 65535 f \n%strailer << /Size 5 /Root 1 0 R >>\n"
        b"startxref\n%d\n%%%%EOF\n" % (table, len(pdf))
    )


@pytest.fixture(params=["python", "nginx"])
def browser(request, driver, running_site, site, settings, tmp_path):
    """Chromium at the site itself, or at nginx, which delivers the files of the site."""
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
    # Most projects use this middleware. It would keep pages of the site from embedding files.
    settings.MIDDLEWARE = ["django.middleware.clickjacking.XFrameOptionsMiddleware"]
    readers.clear()
    readers.add(READER)
    asked.clear()
    driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    if request.param == "python":
        yield Browser(driver, running_site, tmp_path / "downloads")
        return
    request.getfixturevalue("need_program")("nginx")
    server = "proxy_storage.serving.XAccelRedirectServer"
    entry = {"BACKEND": server, "OPTIONS": {"location": "/internal/files/"}}
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "SERVERS": {"orm-disk": entry}}
    address = running_site.removeprefix("http://").replace("localhost", "127.0.0.1")
    folder = tmp_path / "nginx"
    folder.mkdir()
    with running_front("nginx", folder, address) as front:
        url = f"http://{front.address.replace('127.0.0.1', 'localhost')}"
        yield Browser(driver, url, tmp_path / "downloads")


@pytest.fixture
def upload(site):
    """Save a file, set an old date, and return its URL."""

    def upload(name, content):
        file = site.upload(name, lambda token: content)
        local = file.record.get_original_storage().path(file.record["original_storage_path"])
        os.utime(local, (OLD.timestamp(), OLD.timestamp()))
        return f"/file/{file.token}/"

    return upload


def open_page(browser, html="", host=None, **query):
    url = f"/page/?{urlencode({'html': html, **query})}"
    if host is None:
        browser.open(url)
    else:
        browser.driver.get(browser.site_url.replace("localhost", host) + url)


class TestCopies:
    """A file that the user has opened before, so that the browser has a copy."""

    @pytest.fixture
    def look(self, browser, upload):
        """Return whether a page shows the image, and the users of the requests to the site."""
        url = upload("dot.png", make_png("a dot"))

        def look():
            asked.clear()
            events = """onload="document.title = 'shown'" onerror="document.title = 'refused'\""""
            open_page(browser, f'<img src="{url}" {events}>')
            title = browser.wait_for(
                lambda: browser.driver.title, "the picture has not been loaded"
            )
            return title == "shown", asked[:]

        look.url = url
        return look

    def test_permission_that_was_withdrawn(self, browser, look):
        open_page(browser, user=READER)
        assert look() == (True, [READER])
        assert look() == (True, [READER])
        readers.clear()
        assert look() == (False, [READER])

    def test_another_user_of_the_same_browser(self, browser, look):
        open_page(browser, user=READER)
        assert look() == (True, [READER])
        open_page(browser, user=STRANGER)
        assert look() == (False, [STRANGER])
        browser.driver.delete_all_cookies()
        assert look() == (False, [None])

    def test_users_without_different_cookies(self, browser, look):
        open_page(browser)
        fetch = (
            "const done = arguments[2]; fetch(arguments[0], {headers: {'X-User': arguments[1]}})"
            ".then(response => done(response.status))"
        )
        for user, status in ((READER, 200), (STRANGER, 403), (READER, 200)):
            assert browser.driver.execute_async_script(fetch, look.url, user) == status

    def test_file_that_was_replaced(self, browser, look):
        open_page(browser, user=READER)
        assert look() == (True, [READER])
        upload = uploads_site.uploads[look.url.split("/")[2]]
        storage = upload.record.get_original_storage()
        with open(storage.path(upload.record["original_storage_path"]), "wb") as file:
            file.write(b"no picture any more")
        assert look() == (False, [READER])

    def test_project_may_allow_copies_for_a_while(self, browser, look, settings):
        entries = {"orm-disk": "private, max-age=3600"}
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "CACHE_CONTROL": entries}
        open_page(browser, user=READER)
        assert look() == (True, [READER])
        readers.clear()
        assert look() == (True, [])


def test_song_that_is_opened_plays(browser, upload):
    """The player requests the bytes a second time and must send the cookie."""
    url = upload("minute.wav", make_sound())
    open_page(browser, user=READER)
    browser.open(url)
    player = "document.querySelector('video, audio')"
    browser.wait_for(lambda: browser.run(f"return {player}.readyState >= 2"), "it cannot play")
    assert round(browser.run(f"return {player}.duration")) == SECONDS
    assert browser.run("return document.contentType") == "audio/x-wav"


class TestEmbedding:
    """A PDF in a frame, and in the two elements that browsers treat like a frame."""

    SIZE = 'style="width: 200px; height: 150px; border: 0"'
    PAGE = (
        f'<iframe src="{{0}}" {SIZE}></iframe><embed src="{{0}}" type="application/pdf" {SIZE}>'
        f'<object data="{{0}}" type="application/pdf" {SIZE}></object>'
    )

    @pytest.fixture
    def url(self, browser, upload):
        # A frame in another site does not send a cookie. This test is not about permissions.
        readers.add(None)
        return browser.site_url + upload("red.pdf", make_pdf()) + "#toolbar=0"

    def count_red(self, browser):
        """Return the number of elements of the page that show the PDF."""
        boxes = browser.run(
            "return [...document.body.children].map(element => element.getBoundingClientRect())"
            ".map(box => [box.left, box.top, box.right, box.bottom])"
        )
        with Image.open(io.BytesIO(browser.driver.get_screenshot_as_png())) as image:
            parts = [image.convert("RGB").crop(tuple(map(int, box))) for box in boxes]
        return sum(
            any(n > 1000 and colour == (255, 0, 0) for n, colour in part.getcolors(1 << 24))
            for part in parts
        )

    def test_page_of_the_site(self, browser, url):
        open_page(browser, self.PAGE.format(url))
        browser.wait_for(lambda: self.count_red(browser) == 3, "it is not shown everywhere")

    def test_page_of_another_site(self, browser, url, settings):
        """Another site may embed a file only if the project allows it."""
        other = browser.site_url.replace("localhost", "127.0.0.1")
        frame = f'<iframe src="{url}" {self.SIZE}></iframe>'
        asked.clear()
        open_page(browser, frame, host="127.0.0.1")
        browser.wait_for(lambda: asked, "it has not been asked for")
        assert self.count_red(browser) == 0
        ancestors = {"FRAME_ANCESTORS": ["'self'", other]}
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, **ancestors}
        open_page(browser, frame, host="127.0.0.1")
        browser.wait_for(lambda: self.count_red(browser) == 1, "it is not shown")
