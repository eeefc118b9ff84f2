"""Chromium, as a visitor of the site uses it."""

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.programs import TIMEOUT, find_program


@contextmanager
def running_chromium():
    """Run Chromium without a window; yield its driver."""
    options = webdriver.ChromeOptions()
    options.binary_location = find_program("chromium")
    options.add_argument("--headless=new")
    options.add_argument("--disable-dev-shm-usage")  # /dev/shm is small in containers.
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    # Log events of downloads, but not of the network, which would take time.
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": False})
    # Its files are deleted with the folder. The path of pytest's folder is too long for a socket.
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        env = {**os.environ, "HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8"}
        driver = webdriver.Chrome(options, Service(find_program("chromedriver"), env=env))
        try:
            driver.set_page_load_timeout(TIMEOUT)
            driver.set_script_timeout(TIMEOUT)
            yield driver
        finally:
            driver.quit()


@dataclass
class Download:
    """A download of Chromium.

    Args:
        name: the name that Chromium gives to the file.
        state: ``completed``, or ``canceled`` if Chromium cannot write a file of this name.
    """

    name: str
    state: str = "inProgress"


class Browser:
    """Chromium at the site, with a folder for downloads."""

    def __init__(self, driver, site_url, folder):
        self.driver = driver
        self.site_url = site_url
        self.folder = folder
        self._downloads = {}
        folder.mkdir()
        driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)}
        )
        driver.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def open(self, url):
        """Navigate to a URL of the site, and wait until the page and its parts are loaded."""
        self.driver.get(self.site_url + url)

    def open_or_download(self, url):
        """Navigate to a URL of the site; return the MIME type if the page is shown."""
        self.open(url)
        is_shown = self.driver.current_url == self.site_url + url
        return self.run("return document.contentType") if is_shown else None

    def click_link(self):
        """Click the only link of the page."""
        self.driver.find_element(By.TAG_NAME, "a").click()

    def run(self, script):
        """Run script in the page, sandboxed or not, and return what it returns."""
        return self.driver.execute_script(script)

    def get_cookies(self):
        """Return the names of the cookies that the page's site has set."""
        return {cookie["name"] for cookie in self.driver.get_cookies()}

    def wait_for(self, condition, message):
        """Wait until a condition holds; return its result."""
        wait = WebDriverWait(self.driver, TIMEOUT, poll_frequency=0.02)
        return wait.until(lambda _: condition(), message)

    def wait_for_download(self, url):
        """Wait until the download of a URL of the site has ended; return it."""
        message = f"{url} has not been downloaded"
        return self.wait_for(lambda: self._get_ended_download(self.site_url + url), message)

    def _get_ended_download(self, url):
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            params = event["params"]
            if event["method"] == "Page.downloadWillBegin" and params["url"] == url:
                self._downloads[params["guid"]] = Download(params["suggestedFilename"])
            if event["method"] == "Page.downloadProgress" and params["guid"] in self._downloads:
                self._downloads[params["guid"]].state = params["state"]
        ended = [item for item in self._downloads.values() if item.state != "inProgress"]
        return ended[0] if ended else None
