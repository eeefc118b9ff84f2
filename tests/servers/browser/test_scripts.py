"""An uploaded file cannot run a script in the origin of the site that delivers it.

Each file is delivered by `serve` and by a careless view. At the careless view the attack must
succeed. This proves that the test would notice a successful attack on `serve`.
"""

import pytest

from proxy_storage.settings import DEFAULTS
from tests.servers.browser.attacks import HIDDEN_PAGES, PAGES, PARTS, THEFT, make_png


def parametrize(*groups):
    """Run a test with each attack of these groups."""
    attacks = [pytest.param(attack, id=key) for group in groups for key, attack in group.items()]
    return pytest.mark.parametrize("attack", attacks)


@pytest.fixture
def file(attack, browser, site):
    """The attack, as an upload."""
    if "xsl:stylesheet" in attack.text and not browser.run("return 'XSLTProcessor' in window"):
        pytest.skip("this Chromium applies no XSLT, not even where it is delivered without care")
    return site.upload(attack.name, attack.make_content, attack.mime_type)


@pytest.fixture
def show_pages(settings):
    """The project lets browsers show types that can run a script."""
    types = [*DEFAULTS["INLINE_CONTENT_TYPES"], *(attack.unsafe_type for attack in PAGES.values())]
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "INLINE_CONTENT_TYPES": types}


def get_deeds(site, browser, file):
    """Return the parts of a page that sent beacons for a file, and the effects of its script."""
    sent = [beacon for beacon in site.beacons if beacon.token == file.token]
    deeds = {beacon.by for beacon in sent} - {"SITE"}
    if any(site.SECRET in beacon.cookie for beacon in sent):
        deeds.add("cookie read")
    if "taken" in browser.get_cookies():
        deeds.add("cookie written")
    return deeds


def wait_for_deeds(site, browser, file, expected):
    """Wait until a file has had all effects that it has at a careless site."""
    browser.wait_for(
        lambda: get_deeds(site, browser, file) == expected,
        f"the attack itself does not work, which should achieve {set(expected)}",
    )


def open_page_that_embeds(site, browser, file, url):
    """Open a page of the site that embeds a file; wait until its parts are loaded."""
    del site.beacons[:]
    browser.open(file.get_embedding_page_url(url))
    browser.wait_for(
        lambda: any((beacon.token, beacon.by) == (file.token, "SITE") for beacon in site.beacons),
        "the page of the site has not been loaded",
    )


def open_safely(site, browser, file):
    """Open a file from a page of the site; return the MIME type that is shown."""
    browser.open(file.get_page_url(file.safe_url))
    shown_as = browser.open_or_download(file.safe_url)
    if shown_as is None:
        download = browser.wait_for_download(file.safe_url)
        assert (browser.folder / download.name).read_bytes() == file.content
    assert get_deeds(site, browser, file) == set()
    return shown_as


def check_opened_without_care(site, browser, file, attack):
    browser.open(file.get_unsafe_url(attack.unsafe_type))
    wait_for_deeds(site, browser, file, attack.opened)


def check_embedded(site, browser, file, attack):
    open_page_that_embeds(site, browser, file, file.safe_url)
    assert get_deeds(site, browser, file) == set()
    assert browser.driver.title == "the site's own title"

    open_page_that_embeds(site, browser, file, file.get_unsafe_url(attack.unsafe_type))
    wait_for_deeds(site, browser, file, attack.embedded)
    assert (browser.driver.title == "taken") == (attack.embedded >= THEFT)


@parametrize(PAGES, HIDDEN_PAGES)
def test_opened(site, browser, file, attack):
    assert open_safely(site, browser, file) == attack.shown_as
    check_opened_without_care(site, browser, file, attack)


@parametrize(PAGES, HIDDEN_PAGES, PARTS)
def test_embedded_by_a_page_of_the_site(site, browser, file, attack):
    check_embedded(site, browser, file, attack)


@pytest.mark.usefixtures("show_pages")
class TestTypesThatTheProjectHasShown:
    """The sandbox alone prevents each attack."""

    @parametrize(PAGES)
    def test_opened(self, site, browser, file, attack):
        assert open_safely(site, browser, file) is not None
        check_opened_without_care(site, browser, file, attack)

    @parametrize(PAGES)
    def test_embedded_by_a_page_of_the_site(self, site, browser, file, attack):
        check_embedded(site, browser, file, attack)


def test_image_is_shown_by_a_page_of_the_site(site, browser):
    """Harmless files still work."""
    file = site.upload("photo.png", lambda token: make_png(token))
    open_page_that_embeds(site, browser, file, file.safe_url)
    assert browser.run("return document.images[0].naturalWidth") == 1
