"""The guides that move a project from another package, followed step by step.

Each guide shows a project with the other package and then its changes. The project is made in an
empty folder, with the other package from PyPI. These pages are read:

- docs/guides/from-django-private-storage.md
- docs/guides/from-django-sendfile2.md
- docs/guides/from-django-downloadview.md
"""

import json
import re
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from demo.client import Client
from demo.services import accepts_connections, free_port, running
from tests.programs import running_nginx
from tests.project.conftest import ROOT, make_environment, run
from tests.servers.site.nginx import get_commented

pytestmark = pytest.mark.slow

# Page: the requirement, and the old URL of a letter.
PEERS = {
    "from-django-private-storage": ("django-private-storage==3.1.3", "/private-media/{name}"),
    "from-django-sendfile2": ("django-sendfile2==0.7.2", "/letters/{pk}/scan/"),
    "from-django-downloadview": ("django-downloadview==2.5.0", "/letters/{pk}/scan/"),
}
NAMES = ["hello.txt", "Grüße.txt", "hello.txt"]

CREATE_ROWS = f"""
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from letters.models import Letter

anna, _stranger = User.objects.create_user("anna"), User.objects.create_user("stranger")
User.objects.create_user("staff", is_staff=True)
for number, name in enumerate({NAMES}, 1):
    Letter(reader=anna).scan.save(name, ContentFile(b"Dear Anna, %d" % number))
"""
SAVE_ANOTHER = """
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from letters.models import Letter
Letter(reader=User.objects.get(username="anna")).scan.save("new.txt", ContentFile(b"Dear Anna, 4"))
"""
# The URLs of each letter, and a session of each user.
PREPARE_DOWNLOADS = """
import json
from urllib.parse import quote
from django.contrib.auth.models import User
from django.test import Client
from letters.models import Letter

def log_in(user):
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value

sessions = {user.username: log_in(user) for user in User.objects.all()}
urls = []
for letter in Letter.objects.order_by("pk"):
    urls.append([letter.pk, OLD_URL.format(name=quote(letter.scan.name), pk=letter.pk)])
    if letter.scan.url.startswith("/files/"):
        urls.append([letter.pk, letter.scan.url])
print(json.dumps([sessions, urls]))
"""
NAME_OF_SETTINGS = "mysite/settings.py"


@dataclass
class Block:
    """A fenced block of a page."""

    section: str
    language: str
    text: str


def read_blocks(page):
    """Return the blocks of a page in their order."""
    text = (ROOT / "docs" / "guides" / f"{page}.md").read_text()
    blocks, section = [], ""
    pattern = r"^## ([^\n]*)$|^```(\w+)\n(.*?)^```$"
    for match in re.finditer(pattern, text, re.DOTALL | re.MULTILINE):
        if match[1]:
            section = match[1]
        else:
            blocks.append(Block(section, match[2], match[3]))
    return blocks


@dataclass
class Project:
    """A project in a folder, with its own environment."""

    page: str
    folder: Path
    environment: dict
    wheel: Path
    hunks: list = field(default_factory=list)

    def call(self, *command):
        return run(*command, cwd=self.folder, env=self.environment)

    def pip(self, *arguments):
        python = Path(self.environment["PATH"].split(":")[0]) / "python"
        run("python3", "-m", "pip", "--python", python, *arguments)

    def shell(self, code):
        return self.call("python", "manage.py", "shell", "--verbosity", "0", "-c", code)

    def follow(self, block):
        """Do what a block of the page shows."""
        getattr(self, f"_follow_{block.language}")(block.text)

    def _follow_python(self, text):
        first, rest = text.split("\n", 1)
        if first == "# In manage.py shell":
            self.shell(rest)
        elif first.startswith("# At the end of "):
            with (self.folder / first.removeprefix("# At the end of ")).open("a") as file:
                file.write(f"\n{rest}")
        else:
            (self.folder / first.removeprefix("# ")).write_text(rest)

    def _follow_diff(self, text):
        first, rest = text.split("\n", 1)
        name = first.removeprefix("--- ")
        for hunk in rest.split("@@\n")[1:]:
            lines = [line or " " for line in hunk.splitlines()]
            old = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
            new = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
            self.replace(name, old, new)
            self.hunks.append((name, old, new))

    def replace(self, name, old, new):
        file = self.folder / name
        text = f"\n{file.read_text()}"
        assert text.count(f"\n{old}") == 1, (name, old, text)
        file.write_text(text.replace(f"\n{old}", f"\n{new}")[1:])

    def _follow_console(self, text):
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, expected = part.split("\n", 1)
            if command.startswith("pip "):
                self._call_pip(command)
            else:
                printed = self.call(*command.split())
                assert matches(printed, expected), (command, printed)

    def _call_pip(self, command):
        if command == 'pip install "django-proxy-storage[api]"':
            self.pip("install", "--quiet", f"{self.wheel}[api]")
        else:
            self.pip(*command.split()[1:])

    def follow_section(self, section):
        """Follow the blocks of a section of the page."""
        blocks = [block for block in read_blocks(self.page) if block.section == section]
        assert blocks, section
        for block in blocks:
            self.follow(block)

    def check_migrations(self):
        """Check that the project does not import the other package, and create a new database."""
        sources = "".join(file.read_text() for file in self.folder.rglob("*.py"))
        packages = "private_storage|django_sendfile|django_downloadview"
        imported = re.findall(rf"(?:import|from) ({packages})", sources)
        assert imported == []
        database = self.folder / "db.sqlite3"
        kept = database.rename(self.folder / "kept")
        self.call("python", "manage.py", "migrate", "--verbosity", "0")
        kept.replace(database)

    def download(self):
        """Request each letter at each of its URLs, as each user; through nginx if it is used."""
        code = f"OLD_URL = {PEERS[self.page][1]!r}\n{PREPARE_DOWNLOADS}"
        sessions, urls = json.loads(self.shell(code).splitlines()[-1])
        answers = []
        with self.running_site() as address:
            client = Client(f"http://{address}")
            for pk, url in urls:
                for name, session in [*sessions.items(), (None, None)]:
                    headers = {"Cookie": f"sessionid={session}"} if session else {}
                    answer = client.request(url, headers=headers)
                    answers.append((pk, url, name, answer.status, answer.body))
        return answers

    @contextmanager
    def running_site(self):
        """Run the site, behind nginx if the settings name a server; yield the address."""
        port, python = free_port(), shutil.which("python", path=self.environment["PATH"])
        site = [python, "manage.py", "runserver", "--noreload", str(port)]
        log = self.folder / "site.log"
        environment = {**self.environment, "DJANGO_SETTINGS_MODULE": "mysite.settings"}
        with (
            running(site, lambda: accepts_connections(port), log, environment, self.folder),
            ExitStack() as stack,
        ):
            if "XAccelRedirectServer" not in (self.folder / NAME_OF_SETTINGS).read_text():
                yield f"127.0.0.1:{port}"
                return
            text = self.call("python", "manage.py", "proxystorage", "serverconf", "nginx")
            nginx_port, folder = free_port(), self.folder / "nginx"
            folder.mkdir(exist_ok=True)
            conf = folder / "nginx.conf"
            conf.write_text(
                f"pid {folder}/pid; events {{}} http {{ access_log off;\n"
                f"server {{ listen 127.0.0.1:{nginx_port};\n"
                f"location / {{ proxy_pass http://127.0.0.1:{port};\n"
                f"{get_commented(text, 'passes requests to Django')} }}\n{text} }} }}\n"
            )
            stack.enter_context(running_nginx(conf, folder, nginx_port))
            yield f"127.0.0.1:{nginx_port}"

    def read_files(self):
        folder = self.folder / "private"
        return {
            str(file.relative_to(folder)): (file.stat().st_ino, file.read_bytes())
            for file in folder.rglob("*")
            if file.is_file()
        }


def matches(printed, expected):
    """Return whether an output is the documented one, in which ``...`` stands for any text."""
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("..."))
    return not expected.strip() or re.fullmatch(pattern, printed.strip(), re.DOTALL)


@dataclass
class Answers:
    """The responses and the files before the guide, after it, and after the way back."""

    before: list
    files: dict
    after: list = field(default_factory=list)
    files_after: dict = field(default_factory=dict)
    with_new_file: list = field(default_factory=list)


@pytest.fixture(scope="module", params=PEERS)
def moved(request, tmp_path_factory, wheel, need_program):
    """A project after its guide, and the answers."""
    need_program("nginx")
    page = request.param
    environment = make_environment(
        tmp_path_factory.mktemp("environment") / "venv", "Django~=5.2.13", PEERS[page][0]
    )
    project = Project(page, tmp_path_factory.mktemp("project"), environment, wheel)
    project.call("django-admin", "startproject", "mysite", ".")
    project.call("python", "manage.py", "startapp", "letters")
    project.follow_section("The project before")
    project.call("python", "manage.py", "makemigrations", "letters")
    project.call("python", "manage.py", "migrate", "--verbosity", "0")
    project.shell(CREATE_ROWS)
    answers = Answers(project.download(), project.read_files())
    project.follow_section("Move the project")
    answers.after, answers.files_after = project.download(), project.read_files()
    project.check_migrations()
    project.shell(SAVE_ANOTHER)
    answers.with_new_file = project.download()
    return project, answers


@pytest.fixture(scope="module")
def returned(moved):
    """The answers and files of the project after the section "Go back" of its guide."""
    project, _answers = moved
    project.follow_section("Go back")
    project.pip("install", "--quiet", PEERS[project.page][0])
    for name, old, new in reversed(project.hunks):
        project.replace(name, new, old)
    settings = project.folder / NAME_OF_SETTINGS
    settings.write_text(settings.read_text().split('\nPROXY_STORAGE["SERVERS"]')[0])
    (project.folder / "letters" / "permissions.py").unlink()
    project.call("python", "manage.py", "makemigrations", "letters")
    project.call("python", "manage.py", "migrate", "--verbosity", "0")
    return project.download(), project.read_files()


def assert_only_readers_download(answers, count):
    """Check that the reader and staff get each file, and that other users get none of them."""
    assert {pk for pk, *_ in answers} == set(range(1, count + 1))
    for pk, url, name, status, body in answers:
        if name in ("anna", "staff"):
            assert (status, body) == (200, b"Dear Anna, %d" % pk), (url, name)
        else:
            assert status in (302, 401, 403, 404), (url, name)
            assert b"Dear Anna" not in body


def test_only_readers_download_before(moved):
    assert_only_readers_download(moved[1].before, len(NAMES))


def test_only_readers_download_after(moved):
    assert_only_readers_download(moved[1].after, len(NAMES))


def test_new_file_is_downloaded_by_its_readers(moved):
    assert_only_readers_download(moved[1].with_new_file, len(NAMES) + 1)


def test_files_are_not_moved(moved):
    answers = moved[1]
    assert len(answers.files) == len(NAMES)
    assert answers.files_after == answers.files


def test_way_back_keeps_old_and_new_files(moved, returned):
    downloads, files = returned
    assert_only_readers_download(downloads, len(NAMES) + 1)
    assert moved[1].files.items() <= files.items()
