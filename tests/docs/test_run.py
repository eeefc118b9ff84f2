"""Small pages: what works passes, and each kind of mistake fails with the line of the page."""

import time

import pytest

from demo.services import accepts_connections
from tests.docs import run
from tests.docs.parse import parse_page
from tests.docs.run import PageError, run_page
from tests.docs.services import running_mongodb_service

pytestmark = pytest.mark.slow

TICKS = "`" * 3


@pytest.fixture
def run_text(projects, tmp_path, need_program):
    """Run a page in which each ``@`` block is a fenced block."""

    def run_text(text, services=()):
        page = tmp_path / "page.md"
        page.write_text(text.replace("@", TICKS))
        parsed = parse_page(page)
        assert parsed.mistakes == ()
        if parsed.mentions("run", r"\bcurl "):
            need_program("curl")
        run_page(parsed, projects, tmp_path, services)

    return run_text


RIGHT = """\
<!-- file: letters/notes.py -->
@python
TEXT = "Dear Bert"
@

<!-- hidden shell
from letters.models import Letter
letter = Letter.objects.get()
-->

<!-- shell -->
@pycon
>>> from letters.notes import TEXT
>>> letter.scan.name, TEXT
('scans/hello.txt', ...)
@

<!-- shell -->
@python
print(letter.scan.read())
@

<!-- output -->
@text
b'Dear ...'
@

<!-- append: letters/notes.py -->
@python
SIGNATURE = "Anna"
@

<!-- run -->
@console
$ name=hello; cat private/scans/$name*
Dear Anna
$ python -c 'import letters.notes as notes
> print(notes.TEXT, notes.SIGNATURE)'
Dear Bert Anna
$ echo $name; pwd
hello
/path/to/mysite
$ django-admin --version
@

<!-- run: fails -->
@console
$ python manage.py download
Unknown command: 'download'...
@

<!-- new project: empty -->

<!-- run -->
@console
$ test ! -e letters
@
"""


def test_right_page_passes(run_text):
    run_text(RIGHT)


def test_migrations_of_changed_models_are_made(run_text):
    run_text("""\
<!-- append: letters/models.py -->
@python
class Note(models.Model):
    text = models.TextField()
@

<!-- shell -->
@python
from letters.models import Note
Note.objects.create(text="Hello")
@
""")


def test_page_that_shows_its_migrations_makes_them(run_text):
    run_text("""\
<!-- append: letters/models.py -->
@python
class Note(models.Model):
    text = models.TextField()
@

<!-- run -->
@console
$ python manage.py makemigrations letters
...Create model Note
$ python manage.py migrate letters
...
  Applying letters.0002_note... OK
@
""")


SERVER = """\
<!-- run -->
@console
$ python manage.py runserver 8000 &
$ curl --silent --user anna:secret http://127.0.0.1:8000/files/?path=scans/hello.txt
Dear Anna
@

<!-- append: mysite/urls.py -->
@python
from django.http import HttpResponse

urlpatterns += [path("hello/", lambda request: HttpResponse("Hello"))]
@

<!-- shell -->
@python
from urllib.request import urlopen
print(urlopen("http://127.0.0.1:8000/hello/").read())
@

<!-- output -->
@text
b'Hello'
@
"""


def test_server_runs_until_the_end_of_the_page(run_text, monkeypatch):
    ports = []
    get_port = run.free_port
    monkeypatch.setattr(run, "free_port", lambda: ports.append(get_port()) or ports[-1])
    run_text(SERVER)
    assert ports
    assert not any(accepts_connections(port) for port in ports)


WRONG = {
    "output of a command": (
        "<!-- run -->\n@console\n$ echo one\none\n$ echo two\nthree\n@",
        r"page.md:5: the output is not as expected:\nthree\n\nIt is:\n\$ echo two\ntwo",
    ),
    "status of a command": (
        "<!-- run -->\n@console\n$ echo one; false\n@",
        r"page.md:3: the exit status is 1\n\$ echo one; false\none",
    ),
    "status after the right output": (
        "<!-- run -->\n@console\n$ echo one; false\none\n@",
        r"page.md:3: the exit status is 1",
    ),
    "success where a failure is shown": (
        "<!-- run: fails -->\n@console\n$ true\n@",
        r"page.md:3: the exit status is 0",
    ),
    "shell that ends": (
        "<!-- run -->\n@console\n$ exit\n@",
        r"page.md:3: the command ended the shell: exit",
    ),
    "block without commands": ("<!-- run -->\n@console\ntrue\n@", r"page.md:3: no line begins"),
    "doctest": (
        "<!-- shell -->\n@pycon\n>>> 1 + 1\n3\n@",
        r'(?s)page.md:3: .*page.md", line 3.*Expected:\n    3\nGot:\n    2',
    ),
    "assertion": (
        "<!-- hidden shell\nx = 1\nassert x == 2\n-->",
        r'(?s)page.md:2: .*page.md", line 3.*assert x == 2\n.*AssertionError',
    ),
    "syntax": ("<!-- shell -->\n@python\nx =\n@", r'(?s)page.md", line 3.*SyntaxError'),
    "later block": (
        "<!-- shell -->\n@python\nx = 1\n@\n\n<!-- shell -->\n@python\nassert x == 2\n@",
        r"page.md:8: ",
    ),
    "exit": ("<!-- shell -->\n@python\nraise SystemExit\n@", r"(?s)page.md:3: .*SystemExit"),
    "output of a shell": (
        "<!-- shell -->\n@python\nprint(1)\n@\n\n<!-- output -->\n@text\n2\n@",
        r"page.md:8: the output is not as expected. It is:\n1",
    ),
    "output of nothing": ("<!-- output -->\n@text\n2\n@", r"page.md:3: no block before"),
    "app": (
        "<!-- append: mysite/settings.py -->\n@python\nINSTALLED_APPS += ['nowhere']\n@",
        r"(?s)page.md:3: .*No module named 'nowhere'",
    ),
    "settings": (
        "<!-- append: mysite/settings.py -->\n@python\nPROXY_STORAGE = {'SERVER': 1}\n@",
        r"(?s)page.md:3: .*proxy_storage.W001.*SERVER",
    ),
    "Python file": (
        "<!-- file: letters/models.py -->\n@python\nimport nowhere\n@",
        r"(?s)page.md:3: .*No module named 'nowhere'",
    ),
    "file outside": ("<!-- file: ../x.py -->\n@python\n@", r"page.md:3: '../x.py' is not a file"),
    "project": ("<!-- project: none -->\n<!-- shell -->\n@python\n@", "not a project yet"),
    "server": (
        "<!-- run -->\n@console\n$ python manage.py runserver --port 8000 &\n@",
        r"(?s)page.md:3: the server did not start.*unrecognized arguments",
    ),
    "other host": (
        "<!-- run -->\n@console\n$ curl --silent --show-error http://example.org/\n@",
        r"page.md:3: the exit status is 7",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistake_fails(run_text, name):
    text, message = WRONG[name]
    with pytest.raises(PageError, match=message):
        run_text(text)


def test_command_that_does_not_end_fails(run_text, monkeypatch):
    monkeypatch.setattr(run, "TIMEOUT", 5.0)
    started = time.monotonic()
    message = r"page.md:4: the command did not end within 5 s: sleep 999"
    with pytest.raises(PageError, match=message):
        run_text("<!-- run -->\n@console\n$ true\n$ sleep 999\n@")
    assert time.monotonic() - started < 300


def test_page_gets_its_services(run_text, tmp_path):
    with running_mongodb_service(tmp_path / "mongodb") as mongodb:
        run_text(
            """\
<!-- needs: mongodb -->
<!-- shell -->
@python
from pymongo import MongoClient
client = MongoClient("mongodb://127.0.0.1:27017")
client.letters.files.insert_one({"path": "a.txt"})
@
""",
            [mongodb],
        )
