"""A text that is opened in place shows the right characters."""

import pytest

TEXT = "Grüße aus Köln, 日本語 🎉"


def read(site, browser, content, storage="orm-metadata"):
    file = site.upload("text.txt", lambda token: content, storage_name=storage)
    browser.open(file.safe_url)
    return browser.run("return document.body.innerText").strip()


def test_utf8(site, browser):
    assert read(site, browser, TEXT.encode()) == TEXT


@pytest.mark.parametrize("text", ["Grüße", "ASCII"])
def test_other_bytes_are_not_declared_as_utf8(site, browser, text):
    assert read(site, browser, text.encode("windows-1252")) == text


def test_text_without_charset_is_misread(site, browser):
    """The test of UTF-8 can fail: this file does not have a recorded charset."""
    assert read(site, browser, TEXT.encode(), "orm-disk") != TEXT
