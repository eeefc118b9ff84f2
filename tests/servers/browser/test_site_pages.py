"""Each page of the example project: for its users, in the dark, on a phone, by keyboard."""

import re
from html import unescape

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from jobs import urls
from tests.servers.browser.axe import check_accessibility
from tests.servers.browser.visits import DESKTOP, PAGES, PHONE, Visits, log_in_once

pytestmark = pytest.mark.slow

# The elements that users reach with the Tab key.
FOCUSABLE = """
const elements = [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary"
)];
return elements.filter(one => !one.disabled && one.checkVisibility());
"""
# The element with the focus, whether it is on the screen, and whether it is marked.
FOCUSED = """
const element = document.activeElement;
const style = getComputedStyle(element);
const box = element.getBoundingClientRect();
const isInView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
const isMarked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
return [element, isInView, isMarked];
"""
# Pages with templates of other packages, and the rules of axe-core that these templates violate.
DJANGO = ["label-title-only", "link-in-text-block"]
REST_FRAMEWORK = ["button-name", "color-contrast", "html-has-lang", "label", "select-name"]
SWAGGER = ["color-contrast", "html-has-lang", "nested-interactive"]
FOREIGN_PAGES = {
    "/admin/": DJANGO,
    "/admin/jobs/jobapply/": DJANGO,
    "/admin/proxy_storage_records/storedfile/": DJANGO,
    "/api/": REST_FRAMEWORK,
    "/api/applications/": REST_FRAMEWORK,
    "/files/": REST_FRAMEWORK,
    "/schema/docs/": SWAGGER,
}


@pytest.fixture
def visits(example_browser):
    visits = Visits(example_browser)
    with visits.screen(*DESKTOP):
        yield visits


@pytest.fixture(params=PAGES.values(), ids=PAGES)
def page(request, visits):
    visits.open(request.param)
    return request.param


def press(visits, key):
    ActionChains(visits.driver, duration=0).send_keys(key).perform()


def test_all_pages_are_tested():
    """A new page needs an entry in `PAGES`."""
    assert {pattern.name for pattern in urls.urlpatterns} == {page.name for page in PAGES.values()}


def test_page(visits, page, need_node_package):
    """The page needs no other host, reports no error, and can be read in light and dark."""
    requested = visits.get_requested()
    assert any(url.endswith("/site.css") for url in requested)
    assert [url for url in requested if not url.startswith(visits.site_url)] == []
    assert visits.get_problems() == []
    assert len(visits.find_all("h1")) == 1
    need_node_package("axe-core")
    for scheme in ("light", "dark"):
        with visits.colors(scheme):
            check_accessibility(visits.browser)


def test_phone(visits, page, need_node_package):
    """Nothing is wider than the screen, and targets have the size of WCAG 2.2, 24 pixels."""
    need_node_package("axe-core")
    with visits.screen(*PHONE):
        assert visits.browser.run("return document.scrollingElement.scrollWidth") <= PHONE[0]
        check_accessibility(visits.browser, {"target-size": True})


def test_keyboard(visits, page):
    """The Tab key reaches all links and controls in their order, and each is marked."""
    # The Tab key also reaches each control of Chromium's PDF viewer, which are not of the site.
    visits.browser.run("document.querySelectorAll('.pdf-frame').forEach(frame => frame.remove())")
    expected = visits.browser.run(FOCUSABLE)
    first, *_ = visits.browser.run(FOCUSED)
    if first in expected:  # The log-in form has the focus from the start.
        place = expected.index(first) + 1
        expected = expected[place:] + expected[:place]
    for element in expected:
        focused, is_in_view, is_marked = press_tab(visits)
        assert focused == element, focused.get_attribute("outerHTML")
        assert is_in_view, element.get_attribute("outerHTML")
        assert is_marked, element.get_attribute("outerHTML")


def press_tab(visits):
    """Press Tab until another link or control has the focus; return the result of `FOCUSED`."""
    before, *_ = visits.browser.run(FOCUSED)
    for _ in range(5):
        press(visits, Keys.TAB)
        focused, *rest = visits.browser.run(FOCUSED)
        # At the end of the page, the body has the focus. Frames and inputs can have several parts.
        if focused != before and focused.tag_name not in ("body", "iframe"):
            break
    return focused, *rest


def test_skip_link(visits):
    visits.open(PAGES["home"])
    press(visits, Keys.TAB)
    assert visits.browser.run("return document.activeElement.innerText") == "Skip to the content"
    press(visits, Keys.ENTER)
    press(visits, Keys.TAB)
    assert visits.browser.run("return document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_refusal(visits, size, need_node_package):
    """The page in place of a file that the user may not read."""
    need_node_package("axe-core")
    visits.browser.open("/files/?path=ronaldo_resume.pdf")
    assert "This file cannot be opened" in visits.read()
    assert visits.browser.run("return document.styleSheets.length") == 1
    with visits.screen(*size):
        assert visits.browser.run("return document.scrollingElement.scrollWidth") <= size[0]
        check_accessibility(visits.browser, {"target-size": True})


@pytest.mark.parametrize(("url", "violated"), FOREIGN_PAGES.items(), ids=FOREIGN_PAGES)
def test_page_of_another_package(visits, url, violated, need_node_package):
    """It needs no other host, and the policy of the site allows all that it does."""
    need_node_package("axe-core")
    visits.use_session_of("admin")
    visits.browser.open(url)
    if violated is SWAGGER:
        visits.browser.wait_for(lambda: visits.find_all(".opblock"), "it does not start")
    requested = visits.get_requested()
    assert [url for url in requested if not url.startswith(visits.site_url)] == []
    assert visits.get_problems() == []
    check_accessibility(visits.browser, dict.fromkeys(violated, False))


@pytest.mark.parametrize("user", [None, "messi", "ronaldo", "admin"])
def test_links(example, user):
    """All links of all pages that a user reaches from the home page work.

    Links to files are left out, since the site shows them to all visitors.
    """
    client = log_in_once(example, user)
    waiting, seen = ["/"], {"/"}
    while waiting:
        url = waiting.pop()
        answer = client.request(url)
        assert answer.status < 400, url
        if re.match(r"/(admin|api|files|schema|static)/", url):
            continue
        links = re.findall(r'href="(/[^"#]*)', answer.body.decode())
        new = {unescape(link) for link in links} - seen
        seen |= new
        waiting += [link for link in new if not link.startswith("/files/?")]
    assert len(seen) > 10


class TestClient:
    """The pages of the single-page client. tests/servers/browser/test_client.py uses them."""

    @pytest.fixture(params=["log in", "list", "apply", "file"])
    def client(self, request, visits):
        visits.browser.open("/client/")
        self.wait_for_heading(visits, "Log in")
        if request.param == "log in":
            return visits
        for field in ("username", "password"):
            visits.find(f"#{field}").send_keys("messi")
        visits.find("form button").click()
        self.wait_for_heading(visits, "Your applications")
        if request.param == "apply":
            visits.browser.run("location.hash = '#/apply'")
            self.wait_for_heading(visits, "Apply")
        elif request.param == "file":
            visits.browser.run("location.hash = '#/read/messi_resume.txt'")
            self.wait_for_heading(visits, "File messi_resume.txt")
        return visits

    def wait_for_heading(self, visits, text):
        visits.browser.wait_for(
            lambda: visits.browser.run("return document.querySelector('h1')?.innerText") == text,
            f"{text} is not shown",
        )

    def test_accessibility(self, client, need_node_package):
        need_node_package("axe-core")
        assert client.get_problems() == []
        for scheme in ("light", "dark"):
            with client.colors(scheme):
                check_accessibility(client.browser)
        with client.screen(*PHONE):
            assert client.browser.run("return document.scrollingElement.scrollWidth") <= PHONE[0]
            check_accessibility(client.browser, {"target-size": True})
