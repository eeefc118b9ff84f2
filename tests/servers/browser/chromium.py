"""Chromium, as a visitor of the site has it."""

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
    options.add_argument("--disable-dev-shm-usage")  # small in containers
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    # tells of downloads, and of nothing else that would take time
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": False})
    # what it leaves goes with the folder; not pytest's own, whose path may be long for a socket
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        env = {**os.environ, "HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8"}
        driver = webdriver.Chrome(options, Service(find_program("chromedriver"), env=env))
        try:
            driver.set_page_load_timeout(TIMEOUT)
            yield driver
        finally:
            driver.quit()


@dataclass
class Download:
    """What Chromium has downloaded.

    Args:
        name: the name that it gives to the file.
        state: ``completed``, or ``canceled`` where it cannot write a file of this name.
    """

    name: str
    state: str = "inProgress"


class Browser:
    """Chromium at the site, whose downloads go to a folder."""

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
        """Navigate to a URL of the site, and wait until all in it has been loaded."""
        self.driver.get(self.site_url + url)

    def open_or_download(self, url):
        """Navigate to a URL of the site; return the type that it is shown as, if it is shown."""
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
        """Wait until a condition holds; return what it has returned."""
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
