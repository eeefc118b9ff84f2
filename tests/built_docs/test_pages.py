"""The built pages: each link leads to a page, and no page needs another host."""

import re

import pytest

from tests.built_docs.pages import Page


def find_broken_links(pages, folder):
    """Return the links to missing files and to missing ids."""
    broken = []
    for page in pages.values():
        for url in page.links + page.loaded:
            target = page.get_target(url)
            if target is None:
                continue
            path, fragment = target
            if not (folder / path).is_file():
                broken.append(f"{page.path}: {url}")
            elif fragment and fragment not in pages[path].ids:
                broken.append(f"{page.path}: {url} (no such id)")
    return broken


def find_requests_to_other_hosts(pages):
    return [
        f"{page.path}: {url}"
        for page in pages.values()
        for url in page.loaded
        if page.get_target(url) is None and not url.startswith("data:")
    ]


def test_links(pages, built_docs):
    assert len(pages) > 50
    assert find_broken_links(pages, built_docs) == []


def test_no_page_loads_from_another_host(pages, built_docs):
    assert find_requests_to_other_hosts(pages) == []
    for path in built_docs.rglob("*.css"):
        urls = re.findall(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')]+)""", path.read_text())
        assert urls == [], path


def test_each_page_has_one_main_heading(pages):
    assert {path: page.headings for path, page in pages.items() if page.headings != 1} == {}


def test_images_have_texts(pages):
    without = {path: page.images_without_text for path, page in pages.items()}
    assert {path: images for path, images in without.items() if images} == {}


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ('<a href="missing.html">', "index.html: missing.html"),
        ('<a href="other.html#missing">', "index.html: other.html#missing (no such id)"),
        ('<img src="missing.png">', "index.html: missing.png"),
        ('<a href="#missing">', "index.html: #missing (no such id)"),
        ('<a href="other.html#there">', None),
        ('<a href="https://example.org/missing">', None),
    ],
)
def test_broken_links_are_found(tmp_path, link, message):
    """The tests above can fail."""
    texts = {"index.html": link, "other.html": '<h1 id="there">There</h1>'}
    for path, text in texts.items():
        (tmp_path / path).write_text(text)
    pages = {path: Page(path, text) for path, text in texts.items()}
    assert find_broken_links(pages, tmp_path) == ([message] if message else [])


@pytest.mark.parametrize(
    ("element", "is_found"),
    [
        ('<script src="https://example.org/a.js"></script>', True),
        ('<link rel="stylesheet" href="//example.org/a.css">', True),
        ('<link rel="next" href="https://example.org/">', False),
        ('<a href="https://example.org/">', False),
        ('<img src="picture.png">', False),
    ],
)
def test_requests_to_other_hosts_are_found(element, is_found):
    pages = {"index.html": Page("index.html", element)}
    assert bool(find_requests_to_other_hosts(pages)) is is_found
