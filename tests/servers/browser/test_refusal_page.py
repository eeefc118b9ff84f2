"""The package's own page in place of a file, in a project without a template for it."""

import pytest
from django.urls import include, path

from proxy_storage_permissions import DenyAll
from tests.servers.browser.axe import check_accessibility

pytestmark = pytest.mark.slow


class Urls:
    urlpatterns = [path("files/", include("proxy_storage_api.urls"))]


@pytest.fixture
def page(browser, settings):
    """The page for a permission that does not look up the file."""
    settings.ROOT_URLCONF = Urls
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "DEFAULT_PERMISSION_CLASSES": [DenyAll]}
    browser.open("/files/?path=nothing.txt")
    assert browser.driver.title == "This file cannot be opened"
    return browser


def test_policy(page):
    """The policy applies the style sheet of the page, and runs no script."""
    assert page.run("return getComputedStyle(document.body).maxWidth") != "none"
    page.run(
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = `changed`'; document.body.append(script)"
    )
    assert page.driver.title == "This file cannot be opened"


def test_accessibility(page, need_node_package):
    need_node_package("axe-core")
    check_accessibility(page, {"target-size": True})
