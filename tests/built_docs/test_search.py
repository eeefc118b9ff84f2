"""The search of the built documentation, in Chromium."""

from urllib.parse import quote

import pytest

# What readers search for, and the page that they must find.
EXPECTED = {
    "private files": "index",
    "protected download": "index",
    "thumbnail": "guides/thumbnails",
    "JWT": "guides/javascript",
    "CORS": "guides/javascript",
    "React": "guides/javascript",
    "PDF.js": "guides/pdf-and-video",
    "video": "guides/pdf-and-video",
    "Celery": "guides/celery",
    "backup": "guides/backup",
    "403": "guides/troubleshooting",
    "404": "guides/troubleshooting",
    "416": "guides/troubleshooting",
    "presigned": "guides/s3",
    "X-Accel-Redirect": "guides/nginx",
    "X-Sendfile": "guides/apache",
    "S3": "guides/s3",
    "GridFS": "topics/originals",
    "audit": "guides/audit",
    "migrate": "guides/import",
    "existing files": "guides/import",
    "testing": "guides/testing",
    "django-private-storage": "guides/from-django-private-storage",
    "django-sendfile2": "guides/from-django-sendfile2",
    "django-downloadview": "guides/from-django-downloadview",
    "Active Storage": "comparison",
    "Zulip": "comparison",
    "example site": "example",
}


def search(browser, words):
    """Search for words; return the pages that are found, the best first."""
    browser.open(f"search.html?q={quote(words)}")
    browser.wait_for(
        lambda: browser.run("return document.querySelector('.search-summary')?.innerText"),
        "the search did not end",
    )
    links = browser.run(
        "return Array.from(document.querySelectorAll('ul.search a'), link => link.href)"
    )
    paths = [link.removeprefix(browser.site_url).partition("#")[0] for link in links]
    return list(dict.fromkeys(path.partition("?")[0].removesuffix(".html") for path in paths))


@pytest.mark.parametrize(("words", "page"), EXPECTED.items())
def test_search(browser, words, page):
    found = search(browser, words)
    assert page in found[:10], found


@pytest.mark.parametrize("words", ["flurbnozzle", "402"])
def test_search_for_something_else(browser, words):
    assert search(browser, words) == []
