"""The modules of the guides javascript.md and pdf-and-video.md, at an API of another origin.

The API is the project of the first page, with its settings, URLs and permissions.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from demo.services import accepts_connections, free_port, running
from tests.docs.parse import parse_page
from tests.docs.project import Projects
from tests.docs.run import run_page
from tests.local_servers import serving_files
from tests.programs import NODE_MODULES, find_program, running_nginx
from tests.servers.browser import test_copies_and_players as players
from tests.servers.browser.attacks import make_png
from tests.servers.browser.chromium import Browser
from tests.servers.browser.test_links import SECONDS, make_sound
from tests.servers.site.nginx import write_nginx

pytestmark = pytest.mark.slow
GUIDES = Path(__file__).parents[3] / "docs/guides"
PAGE = GUIDES / "javascript.md"
PLAYERS_PAGE = GUIDES / "pdf-and-video.md"
# The text of each module, whose first line is a comment with its name.
MODULES = dict(
    re.findall(
        r"```jsx?\n// (\S+)\n(.*?)```", PAGE.read_text() + PLAYERS_PAGE.read_text(), re.DOTALL
    )
)
NAMES = ["Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag"]
API, CLIENT = "http://localhost:8000", "http://localhost:5173"
# While DEBUG is on, Python delivers the files to clients that are not behind nginx.
SERVERS = """
PROXY_STORAGE["SERVERS"] = {
    "default": {
        "BACKEND": "proxy_storage.serving.XAccelRedirectServer",
        "OPTIONS": {"location": "/internal/files/"},
    },
}
"""
SAVE_FILES = """
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from letters.models import Letter

readers = {
    "dot.png": "anna", "red.pdf": "anna", "long.pdf": "anna", "minute.wav": "anna",
    "other.png": "admin",
}
for name, reader in readers.items():
    with open(name, "rb") as file:
        letter = Letter(reader=User.objects.get(username=reader))
        letter.scan.save(name, ContentFile(file.read()))
"""
REACT = """
import { createRoot } from "react-dom/client";
import { logIn } from "./files.js";
import { PrivateImage } from "./PrivateImage.jsx";

const root = createRoot(document.querySelector("main"));
window.show = (path) => root.render(<PrivateImage path={path} alt="a scan" />);
window.logIn = logIn;
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """The folder and the origin of the client, which serves files only."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "index.html").write_text("<!doctype html><main></main>")
    with serving_files(folder) as port:
        yield folder, f"http://localhost:{port}"


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The output of the API."""
    return tmp_path_factory.mktemp("log") / "output"


@pytest.fixture(scope="module")
def project(client, tmp_path_factory):
    """The folder and the environment of the project of the page, with some files.

    It accepts the origin of the client.
    """
    folder = tmp_path_factory.mktemp("page")
    projects = Projects(tmp_path_factory.mktemp("projects"))
    run_page(parse_page(PAGE), projects, folder)
    project = folder / "project1"
    environment = {**projects.environment, "DJANGO_SETTINGS_MODULE": "mysite.settings"}
    settings = project / "mysite" / "settings.py"
    assert CLIENT in settings.read_text()
    settings.write_text(settings.read_text().replace(CLIENT, client[1]) + SERVERS)
    (project / "dot.png").write_bytes(make_png("a dot"))
    (project / "other.png").write_bytes(make_png("another dot"))
    (project / "red.pdf").write_bytes(players.make_pdf())
    (project / "long.pdf").write_bytes(players.make_pdf(padding=1_000_000))
    (project / "minute.wav").write_bytes(make_sound())
    manage(project, environment, "shell", "--verbosity", "0", "-c", SAVE_FILES)
    return project, environment


def manage(project, environment, *arguments):
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def api(project, log):
    """The URL of the project, from which Python delivers the files."""
    folder, environment = project
    port = free_port()
    command = [sys.executable, "manage.py", "runserver", "--noreload", str(port)]
    with running(command, partial(accepts_connections, port), log, environment, folder):
        yield f"http://localhost:{port}"


@pytest.fixture
def nginx_url(project, api, need_program, tmp_path):
    """The URL of nginx in front of the project, which delivers the files."""
    need_program("nginx")
    printed = manage(*project, "proxystorage", "serverconf", "nginx")
    address = api.removeprefix("http://").replace("localhost", "127.0.0.1")
    port = free_port()
    conf = tmp_path / "nginx.conf"
    conf.write_text(write_nginx(tmp_path, (port, address, printed)))
    with running_nginx(conf, tmp_path, port):
        yield f"http://localhost:{port}"


@pytest.fixture
def browser(driver, client, api, tmp_path):
    """Chromium at the client, whose modules contain the URL of the API."""
    folder, url = client
    assert API in MODULES["files.js"]
    for name, text in MODULES.items():
        (folder / name).write_text(text.replace(API, api))
    browser = Browser(driver, url, tmp_path / "downloads")
    driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    browser.open("/")
    return browser


def run_modules(browser, code, log_in=True):
    """Run code of an async function with all exports of the modules; return its result."""
    # Only its own test has PDF.js.
    names = [name for name in MODULES if name.endswith(".js") and name != "viewer.js"]
    imports = ", ".join(f"import('/{name}')" for name in names)
    start = "await m.logIn('anna', 'secret');" if log_in else ""
    script = f"""
        const done = arguments[arguments.length - 1];
        Promise.all([{imports}])
            .then((modules) => Object.assign({{}}, ...modules))
            .then(async (m) => {{ {start} {code} }})
            .then((result) => done({{result}}), (error) => done({{error: String(error)}}));
    """
    answer = browser.driver.execute_async_script(script)
    assert "error" not in answer, answer["error"]
    return answer["result"]


def test_file_of_another_user(browser):
    code = "return m.request('/files/?path=scans/other.png').catch((error) => error.message)"
    message = "You do not have permission to perform this action."
    assert run_modules(browser, code) == message
    code = "return m.logIn('anna', 'wrong').catch((error) => error.message)"
    assert run_modules(browser, code, log_in=False) == "The user name or the password is wrong."


def test_token_stays_at_the_api(browser, client):
    code = f"return m.request('{client[1]}/index.html').catch((error) => error.message)"
    assert run_modules(browser, code).endswith("is not the API.")


def test_image_without_a_link_is_refused(browser, api):
    url = f"{api}/files/?path=scans/dot.png"
    code = f"const image = new Image(); image.src = '{url}'; await image.decode();"
    with pytest.raises(AssertionError, match="EncodingError"):
        run_modules(browser, code)


def test_picture_by_a_link(browser):
    code = """
        const image = new Image();
        image.src = await m.getLink("scans/dot.png");
        await image.decode();
        return image.naturalWidth;
    """
    assert run_modules(browser, code) == 1


def test_picture_by_a_blob(browser):
    code = """
        const image = new Image();
        const shown = new Promise((resolve) => image.addEventListener("load", resolve));
        await m.showPicture(image, "scans/dot.png");
        await shown;
        return [image.naturalWidth, image.src.split(":")[0]];
    """
    assert run_modules(browser, code) == [1, "blob"]


def test_file_is_saved(browser):
    run_modules(browser, "await m.saveFile('scans/hello.txt', 'letter.txt')")
    file = browser.folder / "letter.txt"
    browser.wait_for(file.exists, "the file has not been saved")
    assert file.read_bytes() == b"Dear Anna"


@pytest.mark.parametrize("by", ["python", "nginx"])
def test_exposed_headers(browser, api, request, by):
    url = api if by == "python" else request.getfixturevalue("nginx_url")
    code = f"""
        const answers = [];
        // In another order, Chromium would complete the part, and show the headers of the part.
        for (const own of [{{}}, {{ Range: "bytes=0-3" }}]) {{
            const headers = m.authorize(own);
            const response = await fetch("{url}/files/?path=scans/hello.txt", {{ headers }});
            const values = {NAMES}.map((name) => response.headers.get(name));
            answers.push([response.status, await response.text(), ...values]);
        }}
        return answers;
    """
    whole, part = run_modules(browser, code)
    name = 'inline; filename="hello.txt"'
    assert whole[:-1] == [200, "Dear Anna", "bytes", name, "9", None]
    assert part[:2] == [206, "Dear"]
    assert part[3:-1] == [name, "4", "bytes 0-3/9"]
    assert whole[-1] is not None
    assert whole[-1] == part[-1]
    assert all(f'"{name}"' in PAGE.read_text() for name in NAMES)


def test_pdf_in_a_frame(browser):
    code = """
        const frame = document.createElement("iframe");
        frame.style = "width: 200px; height: 150px; border: 0";
        document.body.replaceChildren(frame);
        await m.showPdf(frame, "scans/red.pdf");
    """
    run_modules(browser, code)
    count_red = partial(players.TestEmbedding().count_red, browser)
    browser.wait_for(lambda: count_red() == 1, "the PDF is not shown")


def test_player(browser):
    code = """
        const media = document.createElement("video");
        document.body.replaceChildren(media);
        const canPlay = () => new Promise((resolve) => {
            media.addEventListener("canplay", resolve, { once: true });
        });
        let ready = canPlay();
        await m.play(media, "scans/minute.wav");
        await ready;
        media.currentTime = 40;
        await new Promise((resolve) => { media.onseeked = resolve; });
        ready = canPlay();
        media.dispatchEvent(new Event("error"));
        await ready;
        return [Math.round(media.duration), Math.round(media.currentTime), media.error];
    """
    assert run_modules(browser, code) == [SECONDS, 40, None]


def test_pdf_js_loads_parts(browser, client, log, need_node_package):
    build = need_node_package("pdfjs-dist") / "build"
    shutil.copytree(build, client[0] / "pdfjs", dirs_exist_ok=True)
    log.write_bytes(b"")
    code = """
        const { showPage } = await import("/viewer.js");
        const canvas = document.createElement("canvas");
        const pages = await showPage(canvas, await m.getLink("scans/long.pdf"));
        const pixel = canvas.getContext("2d").getImageData(9, 9, 1, 1).data;
        return [pages, canvas.width, ...pixel];
    """
    assert run_modules(browser, code) == [1, 450, 255, 0, 0, 255]
    # The API logs a response after the client has got it.
    sizes = browser.wait_for(
        lambda: re.findall(r'"GET [^"]*" 206 (\d+)', log.read_text()), "no part was requested"
    )
    assert sum(map(int, sizes)) < 500_000


def test_upload(browser):
    code = """
        const seen = [];
        const file = new File(["x".repeat(500000)], "notes.txt");
        const record = await m.upload(file, (part) => seen.push(part));
        const response = await m.request(record.url);
        return [record.path, seen.at(-1), (await response.text()).length];
    """
    path, progress, length = run_modules(browser, code)
    assert re.fullmatch(r"notes(_\w+)?\.txt", path)
    assert (progress, length) == (1, 500000)
    code = "return m.upload(new File([], '..'), () => {}).catch((xhr) => xhr.status)"
    assert run_modules(browser, code) == 400


def test_react_component(browser, client, need_program, need_node_package):
    need_program("node")
    esbuild = need_node_package("esbuild-wasm") / "bin" / "esbuild"
    folder = client[0]
    (folder / "main.jsx").write_text(REACT)
    options = ["--bundle", "--jsx=automatic", "--outfile=bundle.js"]
    subprocess.run(
        [find_program("node"), esbuild, "main.jsx", *options],
        cwd=folder,
        env={**os.environ, "NODE_PATH": str(NODE_MODULES)},
        capture_output=True,
        check=True,
    )
    (folder / "react.html").write_text(
        '<!doctype html><main></main><script src="bundle.js"></script>'
    )
    browser.open("/react.html")
    browser.run("logIn('anna', 'secret').then(() => show('scans/dot.png'))")
    browser.wait_for(
        lambda: browser.run("return document.images[0]?.naturalWidth > 0"), "no picture is shown"
    )
    browser.run("show('scans/other.png')")
    text = browser.wait_for(
        lambda: browser.run("return document.querySelector('[role=alert]')?.textContent"),
        "no error is shown",
    )
    assert text == "You do not have permission to perform this action."
