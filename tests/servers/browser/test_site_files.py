"""Files of the example project in Chromium: uploads, pictures, links, a video, a PDF, a script."""

import base64
import io
import re
from html import unescape

import pytest
from PIL import Image
from selenium.webdriver.common.by import By

from demo.client import Client
from jobs.models import MAX_FILE_SIZE
from tests.servers.browser.attacks import make_png
from tests.servers.browser.visits import DESKTOP, PAGES, PHONE, Visits, limited_upload, log_in_once

pytestmark = pytest.mark.slow

# Resolve to a recording of two seconds or more, with a key frame at least every 200 ms.
RECORD = """
const done = arguments[0];
const canvas = document.body.appendChild(document.createElement("canvas"));
const context = canvas.getContext("2d");
const recorder = new MediaRecorder(canvas.captureStream(20), {
    mimeType: "video/webm;codecs=vp8", videoKeyFrameIntervalDuration: 200,
});
const chunks = [];
recorder.ondataavailable = event => chunks.push(event.data);
recorder.onstop = async () => {
    const bytes = new Uint8Array(await new Blob(chunks).arrayBuffer());
    done(btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join("")));
};
recorder.start();
let frame = 0;
const timer = setInterval(() => {
    context.fillStyle = `hsl(${frame++ * 9} 80% 50%)`;
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (frame === 40) { clearInterval(timer); recorder.stop(); }
}, 50);
"""
# Upload a file with the API, in the session of the page; resolve to its URL.
UPLOAD = """
const [encoded, name, type, token, done] = arguments;
const bytes = Uint8Array.from(atob(encoded), character => character.charCodeAt(0));
const body = new FormData();
body.append("storage", "file_system_proxy_storage");
body.append("file", new File([bytes], name, {type}));
fetch("/files/", {method: "POST", body, headers: {"X-CSRFToken": token}})
    .then(async response => done([response.status, await response.json()]));
"""
# Keep the values of the progress bar, also for the page that follows.
WATCH_PROGRESS = """
const seen = new Set();
setInterval(() => {
    const bar = document.querySelector("#upload-progress progress");
    if (bar) sessionStorage.setItem("percents", JSON.stringify([...seen.add(bar.value)]));
}, 20);
"""
# Drop files on a field, as a user does.
DROP = """
const [field, name, type, size] = arguments;
const dataTransfer = new DataTransfer();
dataTransfer.items.add(new File([new Uint8Array(size)], name, {type}));
for (const kind of ["dragenter", "dragover", "drop"]) {
    field.dispatchEvent(
        new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true}),
    );
}
"""


@pytest.fixture
def visits(example_browser):
    visits = Visits(example_browser)
    with visits.screen(*DESKTOP):
        yield visits


@pytest.fixture
def write(tmp_path):
    """Write a file, and return its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


def choose(visits, write, **contents):
    """Fill in the form of an application with new files: field=(name, content)."""
    visits.find("[name=what_you_want]").send_keys("To try the form")
    for field, (name, content) in contents.items():
        visits.find(f"[name={field}]").send_keys(write(name, content))


def read_errors(visits, field):
    return [item.text for item in visits.find_all(f"[data-field={field}] .errorlist li")]


def is_shown(visits, url):
    """Return whether the page that is open shows a picture with this URL."""
    return visits.driver.execute_async_script(
        "const [url, done] = arguments; const image = new Image();"
        "image.onload = () => done(image.naturalWidth > 0); image.onerror = () => done(false);"
        "image.src = url; document.body.append(image)",
        url,
    )


class TestLogIn:
    @pytest.mark.parametrize("user", ["messi", "ronaldo", "admin"])
    def test_each_user(self, visits, user):
        visits.browser.open("/")
        assert "You are not logged in" in visits.read()
        visits.driver.find_element(By.LINK_TEXT, f"Log in as {user}").click()
        visits.log_in(user)
        visits.wait_for_text(f"You are logged in as {user}")
        admin = visits.find_all('header a[href="/admin/"]')
        assert bool(admin) == (user == "admin")
        visits.find("header form button").click()
        visits.wait_for_text("You are not logged in")

    def test_marks_are_right(self, visits, example):
        """Each file that a page marks as refused is refused, and each other one is sent."""
        for user in (None, "messi", "ronaldo", "admin"):
            visits.driver.delete_all_cookies()
            if user is not None:
                visits.use_session_of(user)
            visits.browser.open("/")
            lines = visits.find_all(".files li")
            marks = {
                line.find_element(By.CSS_SELECTOR, "[data-field]").get_attribute("href"): (
                    line.find_element(By.CSS_SELECTOR, ".answer").text
                )
                for line in lines
            }
            assert set(marks.values()) <= {"allowed", "refused"}
            for url, mark in marks.items():
                status, _ = visits.fetch(url)
                assert (status == 200) == (mark == "allowed"), (user, url, mark)


class TestUpload:
    @pytest.fixture(autouse=True)
    def form(self, visits):
        visits.open(PAGES["apply"])

    def test_progress(self, visits, write):
        text = b"A long resume\n" * 30_000
        choose(visits, write, resume=("cv.txt", text), avatar=("me.png", make_png("me")))
        picture = "document.querySelector('[data-field=avatar] .chosen img')"
        visits.browser.wait_for(
            lambda: visits.browser.run(f"return {picture}?.naturalWidth > 0"), "no picture is shown"
        )
        visits.browser.run(WATCH_PROGRESS)
        with limited_upload(visits.driver, 200_000):
            visits.find("#apply-button").click()
            visits.wait_for_text("Your application has been saved.")
        percents = visits.browser.run("return JSON.parse(sessionStorage.getItem('percents'))")
        assert len(set(percents) - {0, 100}) >= 2, percents
        assert visits.get_problems() == []

    def test_wrong_type_and_size(self, visits, write):
        choose(
            visits,
            write,
            resume=("cv.txt", bytes(MAX_FILE_SIZE + 1)),
            avatar=("page.html", b"<script>"),
        )
        assert "The limit is 5.0 MB." in read_errors(visits, "resume")[0]
        assert "does not have an accepted type" in read_errors(visits, "avatar")[0]
        visits.find("#apply-button").click()
        assert visits.browser.run("return document.activeElement.name") == "resume"
        assert visits.driver.current_url.endswith("/apply/")

    def test_errors_of_the_site(self, visits, write):
        """A picture that only the site can recognise as damaged."""
        choose(visits, write, resume=("cv.txt", b"Text"), avatar=("me.png", b"no picture"))
        visits.find("#apply-button").click()
        visits.wait_for_text("This file is not a picture, or it is damaged.")
        assert read_errors(visits, "avatar")
        assert visits.find("#apply-button").is_enabled()

    def test_drag_and_drop(self, visits):
        field = visits.find("[data-field=resume]")
        visits.driver.execute_script(DROP, field, "dropped.txt", "text/plain", 100)
        assert "dropped.txt" in field.text
        assert read_errors(visits, "resume") == []
        visits.driver.execute_script(DROP, field, "dropped.exe", "application/x-msdownload", 100)
        assert "does not have an accepted type" in read_errors(visits, "resume")[0]


class TestPictures:
    @pytest.fixture
    def thumbnail(self, example):
        """The URL of the thumbnail of a private picture, which only the owner's page has."""
        page = log_in_once(example, "ronaldo").request("/my-files/").body.decode()
        (url,) = re.findall(r'src="([^"]*certificate[^"]*)"', page)
        return unescape(url)

    @pytest.mark.parametrize(
        ("user", "status"), [("ronaldo", 200), ("admin", 200), ("messi", 403), (None, 403)]
    )
    def test_private_thumbnail(self, visits, thumbnail, user, status):
        if user is not None:
            visits.use_session_of(user)
        visits.browser.open("/")
        assert visits.fetch(thumbnail)[0] == status
        assert is_shown(visits, thumbnail) == (status == 200)

    def test_page_of_the_owner(self, visits):
        """All pictures of the owner's page are shown."""
        visits.open(PAGES["application"])
        widths = visits.browser.run("return [...document.images].map(image => image.naturalWidth)")
        assert len(widths) >= 3
        assert all(widths)


class TestLink:
    def test_browser_without_cookies(self, visits):
        visits.open(PAGES["link"])
        link = visits.find("#link").get_attribute("value")
        visits.driver.delete_all_cookies()
        for url, status in (
            (link, 200),
            (link[:-1] + ("A" if link[-1] != "A" else "B"), 403),
            (link.replace("ronaldo_resume.pdf", "messi_resume.txt"), 403),
        ):
            visits.browser.open("/")
            assert visits.fetch(url)[0] == status, url
        assert visits.browser.get_cookies() == set()

    def test_copy_button(self, visits):
        visits.open(PAGES["link"])
        visits.find("#copy-button").click()
        visits.wait_for_text("The link has been copied.")


def upload(visits, name, mime_type, content):
    """Upload a file with the API; return its URL."""
    token = visits.driver.get_cookie("csrftoken")["value"]
    encoded = base64.b64encode(content).decode()
    answer = visits.driver.execute_async_script(UPLOAD, encoded, name, mime_type, token)
    status, body = answer
    assert status == 201, answer
    return body["url"]


class TestVideo:
    def test_seek(self, visits):
        """The player requests ranges of the file, and shows another time."""
        visits.open(PAGES["my files"])
        recording = base64.b64decode(visits.driver.execute_async_script(RECORD))
        url = upload(visits, "clip.webm", "video/webm", recording)
        visits.browser.run(
            "const video = document.querySelector('main').appendChild("
            f"document.createElement('video')); video.muted = true; video.src = {url!r}"
        )
        video = "document.querySelector('video')"
        visits.browser.wait_for(
            lambda: visits.browser.run(f"return {video}.readyState >= 2"), "it cannot play"
        )
        visits.browser.run(f"{video}.currentTime = 1.5")
        visits.browser.wait_for(
            lambda: visits.browser.run(f"return !{video}.seeking && {video}.readyState >= 2"),
            "it cannot seek",
        )
        assert visits.browser.run(f"return {video}.currentTime") == 1.5
        statuses = visits.browser.run(
            f"return performance.getEntriesByName({url!r}).map(entry => entry.responseStatus)"
        )
        assert set(statuses) == {206}
        assert visits.get_problems() == []


class TestPdf:
    """The page of an application shows a PDF in a frame."""

    REQUESTS = "return performance.getEntriesByName({!r}).length"

    def count_dark(self, frame):
        """Return the number of dark pixels. The viewer has some, and an empty frame does not."""
        with Image.open(io.BytesIO(frame.screenshot_as_png)) as image:
            colors = image.convert("RGB").getcolors(1 << 24)
        return sum(count for count, color in colors if max(color) < 40)

    def test_frame(self, visits):
        visits.open(PAGES["application"])
        frame = visits.find("iframe")
        url = frame.get_attribute("src")
        assert "ronaldo_resume.pdf" in url
        # It is loaded when it can be seen.
        visits.driver.execute_script("arguments[0].scrollIntoView()", frame)
        visits.browser.wait_for(lambda: self.count_dark(frame) > 1000, "it is not shown")
        assert visits.browser.run(self.REQUESTS.format(url)) == 1
        status, headers = visits.fetch(url)
        assert (status, headers["content-type"]) == (200, "application/pdf")
        assert visits.get_problems() == []

    def test_phone(self, visits):
        """Phones do not show a PDF in a frame. The link remains, and the frame is not loaded."""
        with visits.screen(*PHONE):
            visits.open(PAGES["application"])
            frame = visits.find("iframe")
            assert not frame.is_displayed()
            url = frame.get_attribute("src")
            assert visits.find("main a.button").get_attribute("href") == url
            assert visits.browser.run(self.REQUESTS.format(url)) == 0


class TestScripts:
    """Files with scripts that users upload."""

    ATTACK = b"<!doctype html><title>taken</title><script>document.title = 'run'</script>"

    def test_html_is_not_accepted(self, visits, write):
        """The site refuses it, also without the script of the page."""
        with visits.without_scripts():
            visits.open(PAGES["apply"])
            avatar = ("me.png", make_png("me"))
            choose(visits, write, resume=("cv.html", self.ATTACK), avatar=avatar)
            visits.find("#apply-button").click()
            visits.wait_for_text("Files of the type text/html are not allowed.")

    def test_html_with_another_name(self, visits, write):
        """It is shown as text."""
        visits.open(PAGES["apply"])
        avatar = ("me.png", make_png("me"))
        choose(visits, write, resume=("attack.txt", self.ATTACK), avatar=avatar)
        visits.find("#apply-button").click()
        visits.wait_for_text("Your application has been saved.")
        visits.browser.open("/my-files/")
        visits.driver.find_element(By.LINK_TEXT, "attack.txt").click()
        assert visits.read().strip() == self.ATTACK.decode()
        assert visits.browser.run("return document.contentType") == "text/plain"
        assert visits.driver.title not in ("taken", "run")

    def test_html_in_the_api(self, visits):
        """The API accepts all types. Chromium downloads it and does not open it."""
        visits.open(PAGES["my files"])
        url = upload(visits, "attack.html", "text/html", self.ATTACK)
        title = visits.driver.title
        visits.browser.run(f"location.href = {url!r}")
        download = visits.browser.wait_for_download(url.removeprefix(visits.site_url))
        assert (visits.browser.folder / download.name).read_bytes() == self.ATTACK
        assert visits.driver.title == title


class TestWithoutScripts:
    """The site works in a browser that runs no scripts."""

    @pytest.fixture(autouse=True)
    def browser_without_scripts(self, visits):
        with visits.without_scripts():
            yield

    def test_visit(self, visits, write):
        """Log in, apply, make a link, read the rule, delete a file and the application."""
        visits.browser.open("/apply/")
        visits.log_in("messi")
        visits.wait_for_text("Send the application")
        picture = make_png("me")
        choose(
            visits,
            write,
            resume=("plain.txt", b"Plain"),
            avatar=("me.png", picture),
            certificate=("paper.png", picture),
        )
        visits.find("#apply-button").click()
        visits.wait_for_text("Your application has been saved.")

        visits.browser.open("/my-files/")
        visits.find('form[action$="/resume/link/"] button').click()
        link = visits.find("#link").get_attribute("value")
        assert not visits.find("#copy-button").is_displayed()
        assert Client(visits.site_url).request(link.removeprefix(visits.site_url)).body == b"Plain"

        visits.browser.open("/my-files/")
        visits.find('a[href$="/certificate/delete/"]').click()
        visits.find("button.danger").click()
        visits.wait_for_text("The certificate has been deleted.")
        visits.find('main h2 a[href^="/applications/"]').click()
        visits.find('a[href$="/resume/why/"]').click()
        assert "IsOwner" in visits.read()

        visits.browser.open("/my-files/")
        visits.find('a[href$="/delete/"]').click()
        visits.find("button.danger").click()
        visits.wait_for_text("The application and its files have been deleted.")
