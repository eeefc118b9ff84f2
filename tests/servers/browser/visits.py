"""The pages of the example project, and users who visit them in Chromium."""

import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial

from selenium.webdriver.common.by import By

from demo.client import Client

PHONE, DESKTOP = (375, 812), (1280, 900)


@dataclass(frozen=True)
class Page:
    """A page of the example project.

    Args:
        user: the user who visits it, or ``None``.
        url: its URL. ``{messi}`` stands for the key of this user's application.
        name: the name of its URL in the URLconf.
    """

    user: str | None
    url: str
    name: str


PAGES = {
    "home": Page(None, "/", "home"),
    "home of a user": Page("messi", "/", "home"),
    "log in": Page(None, "/login/", "login"),
    "apply": Page("ronaldo", "/apply/", "apply"),
    "my files": Page("ronaldo", "/my-files/", "my-files"),
    "my files without files": Page("admin", "/my-files/", "my-files"),
    "application": Page("ronaldo", "/applications/{ronaldo}/", "application"),
    "application with a text": Page("messi", "/applications/{messi}/", "application"),
    "application of another user": Page("messi", "/applications/{ronaldo}/", "application"),
    "rule": Page("ronaldo", "/applications/{ronaldo}/certificate/why/", "file-explained"),
    "rule for the staff": Page("admin", "/applications/{messi}/avatar/why/", "file-explained"),
    "rule of a refusal": Page(None, "/applications/{ronaldo}/resume/why/", "file-explained"),
    "link": Page("ronaldo", "/applications/{ronaldo}/resume/link/", "link"),
    "delete a file": Page("ronaldo", "/applications/{ronaldo}/certificate/delete/", "delete-file"),
    "delete an application": Page(
        "ronaldo", "/applications/{ronaldo}/delete/", "delete-application"
    ),
}


class Visits:
    """Visits of the example project.

    Args:
        browser: Chromium without cookies of the site.
    """

    def __init__(self, browser):
        self.browser = browser
        self.driver = browser.driver
        self.site_url = browser.site_url
        self.find = partial(self.driver.find_element, By.CSS_SELECTOR)
        self.find_all = partial(self.driver.find_elements, By.CSS_SELECTOR)
        self.get_problems()

    def open(self, page):
        """Log in as the user of a page, and open it."""
        if page.user is not None:
            self.use_session_of(page.user)
        if page.name == "link":  # It is made by a form.
            self.browser.open("/my-files/")
            self.find(f'form[action="{self.get_url(page)}"] button').click()
        else:
            self.browser.open(self.get_url(page))

    def get_url(self, page):
        return page.url.format_map(get_applications(self.site_url))

    def use_session_of(self, user):
        """Use a session that another client has begun."""
        for name, value in log_in_once(self.site_url, user).cookies.items():
            cookie = {"name": name, "value": value, "url": self.site_url}
            self.driver.execute_cdp_cmd("Network.setCookie", cookie)

    def log_in(self, user):
        """Fill in the log-in form that is open."""
        self.find("[name=username]").clear()
        self.find("[name=username]").send_keys(user)
        self.find("[name=password]").send_keys(user)
        self.find("main button").click()

    def read(self):
        """Return the text of the page."""
        return self.browser.run("return document.body.innerText")

    def wait_for_text(self, text):
        self.browser.wait_for(lambda: text in self.read(), f"{text!r} is not shown")

    def get_problems(self):
        """Return the errors that Chromium has reported since the last call.

        These are errors of scripts, failed requests, and violations of a policy.
        """
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def get_requested(self):
        """Return the URLs that the page has requested."""
        return self.browser.run(
            "return performance.getEntriesByType('resource').map(entry => entry.name)"
        )

    def fetch(self, url):
        """Return the status and the headers of a response to a script of the page."""
        return self.driver.execute_async_script(
            "const done = arguments[1];"
            "fetch(arguments[0]).then(one => done([one.status, Object.fromEntries(one.headers)]))",
            url,
        )

    @contextmanager
    def screen(self, width, height):
        """Use a screen of this size."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    @contextmanager
    def colors(self, scheme):
        """Prefer light or dark colors."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    @contextmanager
    def without_scripts(self):
        """Do not run the scripts of pages."""
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@contextmanager
def limited_upload(driver, bytes_per_second):
    """Slow down what the browser sends, so that the progress of an upload can be seen."""
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}

    def limit(value):
        driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions", {**conditions, "uploadThroughput": value}
        )

    driver.execute_cdp_cmd("Network.enable", {})
    limit(bytes_per_second)
    try:
        yield
    finally:
        limit(-1)
        driver.execute_cdp_cmd("Network.disable", {})


@cache
def log_in_once(site_url, user):
    """Return a client with a session of a user, which many tests can share."""
    client = Client(site_url)
    if user is not None:
        client.log_in(user)
    return client


@cache
def get_applications(site_url):
    """Return the key of the first application of each user of the example."""
    home = Client(site_url).request("/").body.decode()
    found = re.findall(r'href="/applications/(\d+)/">(\w+)<', home)
    return {user: key for key, user in found}
