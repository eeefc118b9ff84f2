"""The pictures of the example project in the documentation.

``make screenshots`` writes them into docs/_static/screenshots. Without SCREENSHOTS, the name of a
folder, they are written into a temporary folder.
"""

import io
import os
from pathlib import Path

import pytest
from PIL import Image
from selenium.webdriver.common.by import By

from jobs.management.commands.seed import SEED_FILES
from tests.servers.browser.visits import PAGES, PHONE, Visits, limited_upload

pytestmark = pytest.mark.slow

SIZE = (1280, 800)
COLORS = 256
MAX_BYTES = 150_000


@pytest.fixture
def visits(example_browser):
    visits = Visits(example_browser)
    visits.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    with visits.screen(*SIZE), visits.colors("light"):
        yield visits
    visits.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": False})


@pytest.fixture
def shoot(visits, tmp_path):
    """Write a picture of what the browser shows, and check that it is not empty."""

    def shoot(name, size=SIZE):
        visits.browser.run("document.activeElement.blur()")
        with visits.screen(*size):
            content = visits.driver.get_screenshot_as_png()
        with Image.open(io.BytesIO(content)) as image:
            # A palette makes the file a quarter as large.
            picture = image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
        folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        picture.save(path, optimize=True)
        assert picture.size == size
        assert len(picture.getcolors()) > 30
        assert path.stat().st_size < MAX_BYTES

    return shoot


def test_home(visits, shoot):
    visits.open(PAGES["home of a user"])
    shoot("home", (SIZE[0], 920))


def test_home_on_a_phone(visits, shoot):
    visits.open(PAGES["home"])
    shoot("home-phone", PHONE)


def test_my_files(visits, shoot):
    visits.open(PAGES["my files"])
    shoot("my-files")


def test_link(visits, shoot):
    visits.open(PAGES["link"])
    shoot("link")


def test_rule(visits, shoot):
    visits.open(PAGES["rule"])
    shoot("rule")


def test_refusal(visits, shoot):
    visits.browser.open("/files/?path=ronaldo_resume.pdf")
    shoot("refusal", (SIZE[0], 420))


def test_client(visits, shoot, need_node_package):
    need_node_package("pdfjs-dist")
    visits.browser.open("/client/")
    visits.browser.wait_for(lambda: visits.find_all("#username"), "the client does not start")
    for field in ("username", "password"):
        visits.find(f"#{field}").send_keys("ronaldo")
    visits.find("form button").click()
    # Other tests have sent applications with other files.
    resume = (By.PARTIAL_LINK_TEXT, "ronaldo_resume.pdf")
    visits.browser.wait_for(lambda: visits.driver.find_elements(*resume), "no applications")
    visits.driver.find_element(*resume).click()
    visits.browser.wait_for(
        lambda: visits.find_all(".pdf-page[data-rendered=true]"), "the PDF is not shown"
    )
    shoot("client-pdf")


def test_admin(visits, shoot):
    visits.use_session_of("admin")
    visits.browser.open("/admin/")
    visits.driver.find_element(By.LINK_TEXT, "Stored files").click()
    shoot("admin-records")


def test_upload(visits, shoot, tmp_path):
    visits.open(PAGES["apply"])
    visits.find("[name=what_you_want]").send_keys("To play in goal")
    resume = tmp_path / "resume.txt"
    resume.write_text("A long resume\n" * 100_000)
    visits.find("[name=resume]").send_keys(str(resume))
    visits.find("[name=avatar]").send_keys(str(SEED_FILES / "ronaldo_avatar.jpg"))
    bar = visits.find("#upload-progress progress")
    with limited_upload(visits.driver, 100_000):
        visits.find("#apply-button").click()
        visits.browser.wait_for(lambda: float(bar.get_attribute("value")) >= 30, "no progress")
        shoot("upload", (SIZE[0], 1150))
