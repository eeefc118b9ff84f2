"""A site whose visitors upload files. One view delivers them safely, another does not."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import uuid4

from django.core.files.base import ContentFile
from django.http import HttpResponse
from django.urls import path
from django.utils.html import format_html

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving import serve

# A cookie that the site's own scripts may read and an attacker must not read.
SECRET = uuid4().hex

# Without a doctype, because a browser in quirks mode accepts a style sheet of nearly any type. The
# page reports when its embedded files are loaded.
PAGE = """\
<title>the site's own title</title>
<body>
<a href="{url}">download</a>
<script>onload = () => new Image().src = "/beacon/?token={token}&by=SITE"</script>
"""
EMBEDDED = """\
<link rel="stylesheet" href="{url}">
<script src="{url}"></script>
<iframe src="{url}"></iframe>
<object data="{url}"></object>
<embed src="{url}">
<img src="{url}">
"""


@dataclass(frozen=True)
class Upload:
    """An uploaded file.

    Args:
        token: identifies the requests of this upload.
        record: its record.
        content: its bytes.
    """

    token: str
    record: MetaBackendObject
    content: bytes

    @property
    def safe_url(self):
        """The URL at which `serve` delivers the file."""
        return f"/safe/{self.token}/"

    @property
    def attachment_url(self):
        """The URL at which `serve` delivers the file as an attachment."""
        return f"/attachment/{self.token}/"

    def get_unsafe_url(self, content_type):
        """Return the URL at which a careless view delivers the bytes with this Content-Type."""
        return f"/unsafe/{self.token}/?{urlencode({'type': content_type})}"

    def get_page_url(self, url):
        """Return the URL of a page that links to a URL of this file."""
        return f"/page/{self.token}/?{urlencode({'url': url})}"

    def get_embedding_page_url(self, url):
        """Return the URL of a page that embeds a URL of this file with each HTML element."""
        return f"/embedding/{self.token}/?{urlencode({'url': url})}"


@dataclass(frozen=True)
class Beacon:
    """A request to the site by the script of an upload, or by the site's own script.

    Args:
        token: the token of the upload.
        by: the element that embeds the sending document, or ``SITE``.
        cookie: the value of ``document.cookie`` that the script read.
    """

    token: str
    by: str
    cookie: str


uploads = {}
beacons = []


def upload(
    name: str,
    make_content: Callable[[str], bytes],
    mime_type: str | None = None,
    storage_name: str = "orm-disk",
):
    """Save a file.

    Args:
        name: the file's name.
        make_content: a function that returns the bytes, with the token in them.
        mime_type: the MIME type in the record, or ``None``.
        storage_name: the name of the proxy storage.
    """
    token = uuid4().hex
    content = make_content(token)
    storage = get_proxy_storage(storage_name)
    saved_path = storage.save(name, ContentFile(content))
    if mime_type is not None:
        storage.meta_backend.update(saved_path, {"mime_type": mime_type})
    uploads[token] = Upload(token, storage.meta_backend.get(saved_path), content)
    return uploads[token]


def deliver_safely(request, token):
    return serve(request, uploads[token].record)


def deliver_attachment(request, token):
    return serve(request, uploads[token].record, as_attachment=True)


def deliver_unsafely(request, token):
    response = HttpResponse(uploads[token].content, content_type=request.GET["type"])
    if not request.GET["type"]:
        del response["Content-Type"]
    return response


def show_page(request, token, template):
    response = HttpResponse(format_html(template, url=request.GET["url"], token=token))
    response.set_cookie("secret", SECRET)
    return response


def take_beacon(request):
    beacons.append(Beacon(*(request.GET.get(key, "") for key in ("token", "by", "cookie"))))
    return HttpResponse(status=204)


urlpatterns = [
    path("safe/<token>/", deliver_safely),
    path("attachment/<token>/", deliver_attachment),
    path("unsafe/<token>/", deliver_unsafely),
    path("page/<token>/", show_page, {"template": PAGE}),
    path("embedding/<token>/", show_page, {"template": PAGE + EMBEDDED}),
    path("beacon/", take_beacon),
]
