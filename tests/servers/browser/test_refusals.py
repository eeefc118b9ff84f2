"""A link to a file of the example project: the page, the log-in, and then the file."""

import pytest
from selenium.webdriver.common.by import By

from demo import scenario
from demo.client import Client

pytestmark = pytest.mark.slow


@pytest.fixture
def browser(example_browser):
    return example_browser


@pytest.fixture(scope="module")
def resume(example):
    return Client(example).find_link("/", "messi", "resume")


def read(browser):
    return browser.run("return document.body.innerText")


def read_links(browser):
    return [link.text for link in browser.driver.find_elements(By.CSS_SELECTOR, "main a")]


def click_link(browser):
    browser.driver.find_element(By.CSS_SELECTOR, "main a").click()


def log_in(browser, who):
    browser.driver.find_element(By.NAME, "username").send_keys(who)
    browser.driver.find_element(By.NAME, "password").send_keys(who)
    browser.driver.find_element(By.CSS_SELECTOR, "main button").click()


def test_log_in_comes_back_to_the_file(browser, example, resume):
    browser.open(resume)
    assert "This file cannot be opened" in read(browser)
    click_link(browser)
    log_in(browser, "messi")
    browser.wait_for(lambda: browser.driver.current_url == example + resume, "no way back")
    assert read(browser).strip() == scenario.MESSI_RESUME.decode().strip()


def test_user_without_permission(browser, example, resume):
    browser.open(resume)
    click_link(browser)
    log_in(browser, "ronaldo")
    browser.wait_for(lambda: browser.driver.current_url == example + resume, "no way back")
    assert "You do not have permission to perform this action." in read(browser)
    assert read_links(browser) == ["Home page"]


def test_policy_of_the_page(browser, resume):
    """The policy of the site applies its style sheet, and runs no inline script."""
    browser.open(resume)
    main = "document.querySelector('main')"
    assert browser.run(f"return getComputedStyle({main}).display") == "grid"
    browser.run(
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = `changed`'; document.body.append(script)"
    )
    assert browser.driver.title.startswith("This file cannot be opened")


@pytest.mark.parametrize("name", ["<script>document.title=1</script>", "\"'><b>.txt", "//x/y"])
def test_hostile_path(browser, name):
    browser.open(f"/files/?path={name}")
    assert browser.driver.title.startswith("This file cannot be opened")
    assert browser.driver.find_elements(By.TAG_NAME, "b") == []
    assert read_links(browser) == ["Log in and open the file", "Home page"]


def test_scripts_and_images_get_json(browser, resume):
    browser.open("/")
    script = (
        "const done = arguments[1];"
        "fetch(arguments[0]).then(one => done([one.status, one.headers.get('Content-Type')]))"
    )
    answer = browser.driver.execute_async_script(script, resume)
    assert answer == [403, "application/json"]
