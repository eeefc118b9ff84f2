"""A downloaded file has the name and the bytes of the upload."""

import posixpath
import re
import unicodedata

import pytest
from django.core.exceptions import SuspiciousFileOperation

from tests.hostile_names import HOSTILE_NAMES

# Names that a storage on a file system refuses.
REFUSED = {"absolute", "half-of-a-pair", "line-end", "nul", "parent"}
TAKEN = [pytest.param(name, id=key) for key, name in HOSTILE_NAMES if key not in REFUSED]

# The extension of a file while it is being downloaded.
UNFINISHED = ".crdownload"
MAX_BYTES = 255


def get_name_in_chromium(name):
    """Return the name that Chromium gives to a file for which the server sends this name.

    Source: SanitizeGeneratedFileName in net/base/filename_util_internal.cc,
    ReplaceIllegalCharactersInPath in base/i18n/file_util_icu.cc
    """
    name = unicodedata.normalize("NFC", name).strip(".")
    name = "".join("_" if is_replaced(character) else character for character in name)
    return re.sub(r"^[\s~]|[\s.~]$", "_", name)


def is_replaced(character):
    """Return whether Chromium replaces a character."""
    is_noncharacter = 0xFDD0 <= ord(character) <= 0xFDEF or ord(character) & 0xFFFE == 0xFFFE
    return (
        is_noncharacter
        or character in '"*/:<>?\\|'
        or unicodedata.category(character) in ("Cc", "Cf")
    )


def upload(site, name):
    # Chromium cannot derive an extension from this type.
    return site.upload(name, lambda token: token.encode() * 100, "application/octet-stream")


def check_download(browser, file, url, name):
    download = browser.wait_for_download(url)
    assert download.name == get_name_in_chromium(name)
    if len((download.name + UNFINISHED).encode()) <= MAX_BYTES:
        assert download.state == "completed"
        assert [path.name for path in browser.folder.iterdir()] == [download.name]
        assert (browser.folder / download.name).read_bytes() == file.content


@pytest.mark.parametrize("name", TAKEN)
def test_download(site, browser, name):
    file = upload(site, name)
    browser.open(file.get_page_url(file.attachment_url))
    browser.click_link()
    # A storage treats backslashes as slashes, as Django does.
    check_download(browser, file, file.attachment_url, posixpath.basename(name.replace("\\", "/")))


@pytest.mark.parametrize("name", ["日本語の履歴書.txt", 'a"b, c;d.txt', "100%25.txt"])
def test_download_of_what_a_browser_would_show(site, browser, name):
    file = site.upload(name, lambda token: token.encode() * 100)
    browser.open(file.get_page_url(file.safe_url))
    browser.run("document.links[0].download = ''")
    browser.click_link()
    check_download(browser, file, file.safe_url, name)


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_refused(site, key):
    name = dict(HOSTILE_NAMES)[key]
    with pytest.raises(SuspiciousFileOperation) as caught:
        upload(site, name)
    assert repr(name) in str(caught.value)
