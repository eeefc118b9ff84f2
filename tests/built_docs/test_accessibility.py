"""The built documentation: axe-core finds no serious problem, on a phone or in the dark."""

import pytest

from tests.servers.browser.axe import check_accessibility

PAGES = ["index", "tutorial", "guides/who-may-read", "reference/settings", "search"]


@pytest.fixture(params=["light", "dark"])
def scheme(request, browser):
    feature = {"name": "prefers-color-scheme", "value": request.param}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    yield request.param
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("page", PAGES)
def test_page(browser, need_node_package, scheme, page):
    need_node_package("axe-core")
    browser.open(f"{page}.html")
    check_accessibility(browser)
