"""django-debug-toolbar, whose middleware receives each response, also those with files."""

import pytest
from django.core.files.base import ContentFile

from tests.applications.files import make_image
from tests.applications.models import Picture


@pytest.fixture
def toolbar(settings):
    """Show the toolbar in each response that it accepts."""
    settings.DEBUG = True
    settings.MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware", *settings.MIDDLEWARE]
    settings.DEBUG_TOOLBAR_CONFIG = {
        "IS_RUNNING_TESTS": False,
        "SHOW_TOOLBAR_CALLBACK": lambda request: True,
    }


@pytest.fixture
def picture(owner):
    picture = Picture(user=owner)
    picture.image.save("cat.png", make_image())
    return picture


@pytest.mark.usefixtures("toolbar")
def test_a_file_is_streamed_without_the_toolbar(client, picture, owner):
    client.force_login(owner)
    answer = client.get(picture.image.url)
    assert answer.streaming
    assert b"".join(answer) == make_image().read()
    assert int(answer["Content-Length"]) == make_image().size
    part = client.get(picture.image.url, headers={"Range": "bytes=1-3"})
    assert (part.status_code, b"".join(part)) == (206, make_image().read()[1:4])
    assert client.get(picture.image.url, headers={"If-None-Match": answer["ETag"]}).status_code == (
        304
    )


@pytest.mark.usefixtures("toolbar")
def test_an_html_file_gets_no_toolbar(client, owner):
    page = b"<html><body>A page of a user</body></html>"
    picture = Picture(user=owner)
    picture.image.save("page.html", ContentFile(page))
    client.force_login(owner)
    answer = client.get(picture.image.url)
    assert b"".join(answer) == page
    assert answer["Content-Disposition"].startswith("attachment")


@pytest.mark.usefixtures("toolbar")
def test_a_page_gets_the_toolbar(client):
    """Otherwise the other tests would prove nothing."""
    assert b"djDebug" in client.get("/admin/login/").content
