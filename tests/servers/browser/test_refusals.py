"""A link to a file of the example project: the page, the log-in, and then the file."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from selenium.webdriver.common.by import By

from demo import scenario, services
from demo.__main__ import running_site
from demo.client import Client
from tests.servers.browser.chromium import Browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def example():
    """The URL of the example project."""
    with TemporaryDirectory(prefix="proxy-storage-site-") as folder:
        port = services.free_port()
        with running_site(Path(folder), "stream", port, throw_away=True) as base_url:
            yield base_url


@pytest.fixture
def browser(driver, example, tmp_path):
    """Chromium without cookies of the example project."""
    return Browser(driver, example, tmp_path / "downloads")


@pytest.fixture(scope="module")
def resume(example):
    return Client(example).find_link("/", "messi", "resume")


def read(browser):
    return browser.run("return document.body.innerText")


def log_in(browser, who):
    browser.driver.find_element(By.NAME, "username").send_keys(who)
    browser.driver.find_element(By.NAME, "password").send_keys(who)
    browser.driver.find_element(By.TAG_NAME, "button").click()


def test_log_in_comes_back_to_the_file(browser, example, resume):
    browser.open(resume)
    assert "This file cannot be opened" in read(browser)
    browser.click_link()
    log_in(browser, "messi")
    browser.wait_for(lambda: browser.driver.current_url == example + resume, "no way back")
    assert read(browser).strip() == scenario.MESSI_RESUME.decode().strip()


def test_user_without_permission(browser, example, resume):
    browser.open(resume)
    browser.click_link()
    log_in(browser, "ronaldo")
    browser.wait_for(lambda: browser.driver.current_url == example + resume, "no way back")
    assert "You do not have permission to perform this action." in read(browser)
    assert browser.driver.find_elements(By.TAG_NAME, "a") == []


def test_policy_of_the_page(browser, resume):
    """The policy applies the style sheet of the page, and runs no script."""
    browser.open(resume)
    assert browser.run("return getComputedStyle(document.body).maxWidth") != "none"
    browser.run(
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = `changed`'; document.body.append(script)"
    )
    assert browser.driver.title == "This file cannot be opened"


@pytest.mark.parametrize("name", ["<script>document.title=1</script>", "\"'><b>.txt", "//x/y"])
def test_hostile_path(browser, name):
    browser.open(f"/files/?path={name}")
    assert browser.driver.title == "This file cannot be opened"
    assert browser.driver.find_elements(By.TAG_NAME, "b") == []
    assert len(browser.driver.find_elements(By.TAG_NAME, "a")) == 1


def test_scripts_and_images_get_json(browser, resume):
    browser.open("/")
    script = (
        "const done = arguments[1];"
        "fetch(arguments[0]).then(one => done([one.status, one.headers.get('Content-Type')]))"
    )
    answer = browser.driver.execute_async_script(script, resume)
    assert answer == [403, "application/json"]
