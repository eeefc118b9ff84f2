"""A site whose visitors upload files. One view of it delivers them safely, another does not."""

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

# a cookie that the site's own scripts may read, and an attacker would like to
SECRET = uuid4().hex

# Without a doctype, since a browser in quirks mode takes a style sheet of nearly any type. The
# page reports when all that it embeds has been loaded.
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
    """A file that somebody has uploaded.

    Args:
        token: tells its requests from those of every other upload.
        record: its record.
        content: its bytes.
    """

    token: str
    record: MetaBackendObject
    content: bytes

    @property
    def safe_url(self):
        """Where `serve` delivers it."""
        return f"/safe/{self.token}/"

    @property
    def attachment_url(self):
        """Where `serve` delivers it as an attachment, whatever its type."""
        return f"/attachment/{self.token}/"

    def get_unsafe_url(self, content_type):
        """Where a careless view delivers the same bytes as this type; empty stands for none."""
        return f"/unsafe/{self.token}/?{urlencode({'type': content_type})}"

    def get_page_url(self, url):
        """Where a page of the site links to a URL of this file."""
        return f"/page/{self.token}/?{urlencode({'url': url})}"

    def get_embedding_page_url(self, url):
        """Where a page of the site embeds a URL of this file, in all ways that there are."""
        return f"/embedding/{self.token}/?{urlencode({'url': url})}"


@dataclass(frozen=True)
class Beacon:
    """A request that somebody's script, or the site's own, has sent to the site.

    Args:
        token: that of the upload.
        by: what embeds the document that sent it, or ``SITE``.
        cookie: what the script has read in ``document.cookie``.
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
    """Save a file, whose record tells a type if one is given.

    Args:
        name: the file's name.
        make_content: makes its bytes with the token in them.
        mime_type: what the record tells.
        storage_name: the proxy storage that saves it.
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
