"""The single-page client of the example project, with JSON Web Tokens."""

import json
from urllib.parse import quote, urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from demo import scenario
from tests.servers.browser.axe import check_accessibility
from tests.servers.browser.pdf import make_pdf

pytestmark = pytest.mark.slow

PAGES = ["One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight"]

# A script that runs before those of the page. It keeps the violations of the policy, and replaces
# the tokens of a log-in: `access` and `refresh` are texts to use instead.
OBSERVER = """
(function (replacements) {
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(event.violatedDirective + " " + event.blockedURI);
  });
  const send = window.fetch;
  window.fetch = async (url, options) => {
    const response = await send(url, options);
    if (url !== "/api/token/" || response.status !== 200) return response;
    const body = JSON.stringify({ ...(await response.json()), ...replacements });
    return new Response(body, { headers: { "Content-Type": "application/json" } });
  };
})(REPLACEMENTS);
"""

# The response to the first refresh of a token is held until the test calls `release`.
HELD_REFRESH = """
const send = window.fetch;
window.fetch = async (url, options) => {
  const response = await send(url, options);
  if (url === "/api/token/refresh/" && window.release === undefined) {
    await new Promise((resolve) => { window.release = resolve; });
    setTimeout(() => { window.released = true; }, 100);
  }
  return response;
};
"""


class Client:
    """The client in Chromium."""

    def __init__(self, browser):
        self.browser = browser
        self.driver = browser.driver
        self._observer = None
        self.observe()

    def observe(self, **replacements):
        """Let the next page keep violations, and replace the tokens of a log-in."""
        self.close()
        source = OBSERVER.replace("REPLACEMENTS", json.dumps(replacements))
        added = self.driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": source}
        )
        self._observer = added["identifier"]

    def close(self):
        if self._observer is not None:
            self.driver.execute_cdp_cmd(
                "Page.removeScriptToEvaluateOnNewDocument", {"identifier": self._observer}
            )

    def open(self, route=""):
        self.driver.get("about:blank")  # Another fragment alone would not load the page.
        self.browser.open(f"/client/{route}")
        self.wait_for_title("Log in")

    def log_in(self, who, password=None):
        for key, value in (("username", who), ("password", password or who)):
            field = self.find(f"#{key}")
            field.clear()
            field.send_keys(value)
        self.find("form button").click()

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def read(self):
        return self.browser.run("return document.body.innerText")

    def wait_for(self, script, message=None):
        """Wait until a JavaScript expression is true; return its value."""
        return self.browser.wait_for(
            lambda: self.browser.run(f"return {script}"), message or f"{script}: {self.read()}"
        )

    def wait_for_title(self, title):
        self.wait_for(f"document.querySelector('h1')?.textContent === {json.dumps(title)}")

    def wait_for_alert(self):
        self.wait_for("document.querySelector('.alert') !== null")
        return self.find(".alert").text

    def get_requests(self):
        """Return the path and the status of each request of the page."""
        script = (
            "performance.getEntriesByType('resource').map((one) => [one.name, one.responseStatus])"
        )
        return [(urlsplit(url), status) for url, status in self.browser.run(f"return {script}")]

    def get_statuses(self, path):
        return [status for url, status in self.get_requests() if url.path == path]


@pytest.fixture
def client(example_browser, example):
    client = Client(example_browser)
    yield client
    # Whatever the test has done.
    hosts = {url.netloc for url, _ in client.get_requests() if url.scheme != "blob"}
    violations = client.browser.run("return window.violations")
    client.close()
    assert hosts == {urlsplit(example).netloc}
    assert violations == []


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files for the form."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "letter.pdf").write_bytes(make_pdf(PAGES))
    (folder / "tall.pdf").write_bytes(make_pdf(["One"], media_box="0 0 3 30000"))
    (folder / "me.jpg").write_bytes(scenario.AVATAR)
    (folder / "page.html").write_text("<p>No resume</p>")
    (folder / "large.pdf").write_bytes(b"%PDF-1.7" + bytes(6 * 2**20))
    (folder / "text.jpg").write_text("not a picture")
    return folder


def fill_in(client, files, resume="letter.pdf", avatar="me.jpg"):
    client.find("#what_you_want").send_keys("To read")
    client.find("#resume").send_keys(str(files / resume))
    client.find("#avatar").send_keys(str(files / avatar))
    client.find("form button").click()


def apply(client, files, **names):
    """Send an application as ronaldo."""
    client.open("#/apply")
    client.log_in("ronaldo")
    client.wait_for_title("Apply")
    fill_in(client, files, **names)
    client.wait_for_title("Your applications")


def test_pictures_by_links(client):
    client.open()
    client.log_in("messi")
    client.wait_for_title("Your applications")
    client.wait_for("document.querySelectorAll('.pictures img').length > 0")
    client.wait_for("[...document.images].every((one) => one.complete && one.naturalWidth > 0)")
    links = client.browser.run("return [...document.images].map((one) => one.src)")
    assert all("signature=" in link for link in links)
    # One request returns all links.
    assert client.get_statuses("/api/applications/") == [200]
    assert client.get_statuses("/files/link/") == []
    assert client.browser.get_cookies() == set()


def test_wrong_password(client):
    client.open()
    client.log_in("messi", "ronaldo")
    assert client.wait_for_alert() == "The user name or the password is wrong."
    assert client.driver.switch_to.active_element.text == client.find(".alert").text
    client.log_in("messi")
    client.wait_for_title("Your applications")


def test_upload_with_progress(client, files):
    client.open("#/apply")
    client.log_in("messi")
    client.wait_for_title("Apply")
    client.browser.run(
        "window.seen = []; const bar = document.querySelector('progress');"
        "new MutationObserver(() => seen.push(bar.value)).observe(bar, { attributes: true })"
    )
    client.driver.set_network_conditions(
        latency=1, download_throughput=2**22, upload_throughput=2**18
    )
    try:
        fill_in(client, files)
        client.wait_for_title("Your applications")
    finally:
        client.driver.delete_network_conditions()
    seen = client.browser.run("return window.seen")
    assert len({value for value in seen if 0 < value < 100}) > 3
    assert seen == sorted(seen)
    client.wait_for("document.querySelectorAll('.card').length === 2")
    assert "Your application was sent." in client.read()
    assert client.get_statuses("/files/")[:2] == [201, 201]
    assert client.get_statuses("/api/applications/") == [201, 200]


def test_pdf_by_ranges(client, files, need_node_package):
    need_node_package("pdfjs-dist")
    apply(client, files)
    client.wait_for("document.querySelector('.card a') !== null")
    client.find(".card a").click()
    client.wait_for("document.querySelector('[data-rendered]') !== null")
    assert client.browser.run("return document.querySelectorAll('.pdf-page').length") == len(PAGES)
    # The text of a page is there for screen readers.
    assert client.browser.run("return document.querySelector('.pdf-page p').textContent") == "One"
    assert client.browser.run(
        "const canvas = document.querySelector('canvas');"
        "const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);"
        "return new Set(data).size > 100"
    )
    before = client.get_statuses("/files/")
    assert before.count(206) >= 1
    # The other pages are requested when they are seen.
    assert client.browser.run("return document.querySelectorAll('canvas').length") < len(PAGES)
    client.browser.run("document.querySelector('.pdf-page:last-child').scrollIntoView()")
    client.wait_for("document.querySelector('.pdf-page:last-child').dataset.rendered === 'true'")
    assert client.get_statuses("/files/").count(206) > before.count(206)


def test_pdf_with_a_page_of_an_absurd_size(client, files, need_node_package):
    need_node_package("pdfjs-dist")
    apply(client, files, resume="tall.pdf")
    client.wait_for("document.querySelector('.card a') !== null")
    client.find(".card a").click()
    client.wait_for("document.querySelector('[data-rendered]') !== null")
    width, height = client.browser.run(
        "const canvas = document.querySelector('canvas'); return [canvas.width, canvas.height]"
    )
    assert 0 < width * height <= 2**24
    assert height <= 2**14


def test_text_and_picture(client):
    client.open("#/read/messi_resume.txt")
    client.log_in("messi")
    client.wait_for("document.querySelector('pre') !== null")
    assert client.find("pre").text.strip() == scenario.MESSI_RESUME.decode().strip()
    client.browser.run("location.hash = '#/read/messi_avatar.jpg'")
    client.wait_for("document.querySelector('.picture')?.naturalWidth > 0")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("messi_resume.txt", "You may not read this file. Only its owner and the staff may."),
        ("missing.txt", "This file does not exist."),
        ("<img src=x onerror=alert(1)>", "This file does not exist."),
    ],
)
def test_refused_file(client, path, message):
    client.open(f"#/read/{quote(path, safe='')}")
    client.log_in("ronaldo")
    assert client.wait_for_alert() == message
    assert client.find("h1").text == f"File {path}"
    assert client.driver.find_elements(By.CSS_SELECTOR, "main img") == []


def test_expired_token_is_refreshed(client):
    # Not a token: the answer is the one for an expired token.
    client.observe(access="expired")
    client.open()
    client.log_in("messi")
    client.wait_for("document.querySelector('.card') !== null")
    assert client.get_statuses("/api/token/refresh/") == [200]
    assert client.get_statuses("/api/applications/") == [403, 200]
    # The new token is used from now on.
    client.browser.run("location.hash = '#/read/messi_resume.txt'")
    client.wait_for("document.querySelector('pre') !== null")
    assert client.get_statuses("/files/record/") == [200]


def test_log_out_during_a_refresh(client):
    """The new token of the first user does not replace that of the second one."""
    client.observe(access="expired")
    client.open()
    client.browser.run(HELD_REFRESH)
    client.log_in("ronaldo")
    client.wait_for("window.release !== undefined")
    client.find("#log-out").click()
    client.wait_for_title("Log in")
    client.log_in("messi")
    client.wait_for("document.querySelector('.card') !== null")
    client.browser.run("window.release()")
    client.wait_for("window.released")
    client.browser.run("location.hash = '#/read/messi_resume.txt'")
    client.wait_for("document.querySelector('pre') !== null")
    assert client.find("#user").text == "messi"


def test_expired_token_during_an_upload(client, files):
    client.observe(access="expired")
    client.open("#/apply")
    client.log_in("ronaldo")
    client.wait_for_title("Apply")
    fill_in(client, files)
    client.wait_for_title("Your applications")
    assert client.get_statuses("/files/")[:3] == [403, 201, 201]


def test_expired_log_in(client):
    client.observe(access="expired", refresh="expired")
    client.open("#/read/messi_resume.txt")
    client.log_in("messi")
    assert client.wait_for_alert() == "Your log-in has expired. Log in again."
    client.wait_for_title("Log in")
    # The page that was asked for is still in the URL.
    assert client.driver.current_url.endswith("#/read/messi_resume.txt")


@pytest.mark.parametrize(
    ("resume", "avatar", "message"),
    [
        (
            "page.html",
            "me.jpg",
            "“page.html” has the wrong type. A PDF or a text file is accepted.",
        ),
        ("large.pdf", "me.jpg", "“large.pdf” is too large: 6.0 MB. The limit is 5.0 MB."),
        ("letter.pdf", "text.jpg", "Upload a valid image."),
    ],
)
def test_refused_upload(client, files, resume, avatar, message):
    client.open("#/apply")
    client.log_in("ronaldo")
    client.wait_for_title("Apply")
    fill_in(client, files, resume, avatar)
    client.wait_for("document.querySelector('.errorlist') !== null")
    assert message in client.find(".errorlist").text
    focused = client.driver.switch_to.active_element
    assert focused.get_attribute("aria-invalid") == "true"
    assert focused.get_attribute("id") == ("avatar" if avatar == "text.jpg" else "resume")


@pytest.fixture
def session_of_messi(client):
    """The browser has a session of the site."""
    client.browser.open("/login/")
    for key in ("username", "password"):
        client.driver.find_element(By.NAME, key).send_keys("messi")
    client.driver.find_element(By.NAME, "password").submit()
    client.browser.wait_for(lambda: "sessionid" in client.browser.get_cookies(), "no session")


@pytest.mark.usefixtures("session_of_messi")
class TestSessionOfAnotherUser:
    """The client uses the token."""

    def test_read(self, client):
        client.open("#/read/messi_resume.txt")
        client.log_in("ronaldo")
        assert "You may not read this file." in client.wait_for_alert()

    def test_upload(self, client, files):
        apply(client, files)
        assert client.get_statuses("/files/")[:2] == [201, 201]


def test_keyboard(client):
    client.open()
    keyboard = client.driver.switch_to.active_element
    assert keyboard.text == "Log in"
    keyboard.send_keys(Keys.TAB)
    client.driver.switch_to.active_element.send_keys("messi", Keys.TAB)
    client.driver.switch_to.active_element.send_keys("messi", Keys.ENTER)
    client.wait_for_title("Your applications")
    # The new title has the focus, and the change was announced.
    assert client.driver.switch_to.active_element.text == "Your applications"
    client.wait_for("document.getElementById('status').textContent.includes('applications')")
    client.wait_for("document.querySelector('.card a') !== null")
    client.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert client.driver.switch_to.active_element.text.startswith("Read the resume")
    client.driver.switch_to.active_element.send_keys(Keys.ENTER)
    client.wait_for("document.querySelector('#content > *') !== null")
    assert client.driver.switch_to.active_element.tag_name == "h1"
    client.find("#log-out").send_keys(Keys.ENTER)
    client.wait_for_title("Log in")


@pytest.fixture(params=["light", "dark"])
def scheme(request, driver):
    feature = {"name": "prefers-color-scheme", "value": request.param}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    yield request.param
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.usefixtures("scheme")
def test_accessibility(client, files, need_node_package):
    need_node_package("axe-core")
    client.open("#/apply")
    client.log_in("messi", "wrong")
    client.wait_for_alert()
    check_accessibility(client.browser)
    client.log_in("messi")
    client.wait_for_title("Apply")
    fill_in(client, files, "page.html")
    client.wait_for("document.querySelector('.errorlist') !== null")
    check_accessibility(client.browser)
    client.browser.run("location.hash = '#/'")
    client.wait_for("document.querySelector('.card') !== null")
    check_accessibility(client.browser)
    for route, shown in (("messi_resume.txt", "pre"), ("missing.txt", ".alert")):
        client.browser.run(f"location.hash = '#/read/{route}'")
        client.wait_for(f"document.querySelector('{shown}') !== null")
        check_accessibility(client.browser)


def test_phone(client):
    client.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 375, "height": 700, "deviceScaleFactor": 2, "mobile": True},
    )
    try:
        client.open()
        client.log_in("messi")
        client.wait_for("document.querySelector('.card') !== null")
        assert client.browser.run("return document.documentElement.scrollWidth") <= 375
        client.browser.run("location.hash = '#/apply'")
        client.wait_for_title("Apply")
        assert client.browser.run("return document.documentElement.scrollWidth") <= 375
    finally:
        client.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_without_pdfjs(client, files):
    """The browser's own viewer is offered."""
    client.driver.execute_cdp_cmd("Network.enable", {})
    client.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/static/pdfjs/*"]})
    try:
        apply(client, files)
        client.wait_for("document.querySelector('.card a') !== null")
        client.find(".card a").click()
        client.wait_for("document.body.innerText.includes('PDF.js is not installed')")
        link = client.driver.find_element(By.PARTIAL_LINK_TEXT, "own viewer")
        assert "signature=" in link.get_attribute("href")
    finally:
        client.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
        client.driver.execute_cdp_cmd("Network.disable", {})
