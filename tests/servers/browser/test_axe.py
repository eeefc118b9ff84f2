"""The helper with axe-core finds the problems of a bad page."""

import pytest

from tests.servers.browser.axe import check_accessibility, find_violations

BAD = """
<title>Bad</title>
<p style="color: #999; background: #fff">Pale</p>
<img src="data:,">
<input>
"""
GOOD = """
<!doctype html>
<html lang="en">
<title>Good</title>
<main>
  <h1>Good</h1>
  <p style="color: #000; background: #fff">Dark</p>
  <img src="data:," alt="A picture">
  <label>Name <input></label>
</main>
"""


def show(browser, html):
    browser.driver.get("about:blank")
    browser.driver.execute_script("document.write(arguments[0]); document.close()", html)


@pytest.fixture
def browser(browser, need_node_package):
    need_node_package("axe-core")
    return browser


def test_bad_page(browser):
    show(browser, BAD)
    found = {violation.rule for violation in find_violations(browser)}
    assert found == {"color-contrast", "html-has-lang", "image-alt", "label"}
    with pytest.raises(AssertionError, match=r'image-alt: .*\n  <img src="data:,">'):
        check_accessibility(browser)


def test_rules_that_are_left_out(browser):
    show(browser, BAD)
    rules = dict.fromkeys(["color-contrast", "html-has-lang", "image-alt", "label"], False)
    check_accessibility(browser, rules)
    with pytest.raises(AssertionError, match="critical: label"):
        check_accessibility(browser, {**rules, "label": True})


def test_small_targets(browser):
    style = "display: block; width: 9px; height: 9px; padding: 0"
    buttons = "".join(f'<button style="{style}">{name}</button>' for name in "abc")
    show(browser, GOOD.replace("</main>", f"{buttons}</main>"))
    check_accessibility(browser)
    with pytest.raises(AssertionError, match="serious: target-size"):
        check_accessibility(browser, {"target-size": True})


def test_good_page(browser):
    show(browser, GOOD)
    check_accessibility(browser, {"target-size": True})
