"""Six changed lines make the files of an existing project private.

The project is made in an empty folder by Django's commands, with one ``FileField`` and 100 rows.
Then the lines and the rule in the README are added, and each reader downloads the files.
"""

import json
import re
import shutil
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from difflib import SequenceMatcher
from urllib.parse import urlencode

import pytest

from demo.client import Client
from demo.services import accepts_connections, free_port, running
from tests.project.conftest import ROOT, run

pytestmark = pytest.mark.slow

ROWS, OWNERS = 100, 10
RULE = "letters/permissions.py"

# The app as it is before the package is added.
MODELS = """\
from django.conf import settings
from django.db import models


class Letter(models.Model):
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    scan = models.FileField(upload_to="scans/%Y/")
"""
SETTINGS = """
INSTALLED_APPS += ["letters"]
MEDIA_ROOT = BASE_DIR / "private"
"""
CREATE_ROWS = f"""
import json
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from letters.models import Letter

def log_in(name):
    client = Client()
    client.force_login(User.objects.create_user(name))
    return client.cookies["sessionid"].value

sessions = [log_in(f"reader{{number}}") for number in range({OWNERS})]
readers = list(User.objects.order_by("pk"))
letters = [
    Letter.objects.create(
        reader=readers[number % {OWNERS}], scan=ContentFile(b"letter %d" % number, "letter.txt")
    )
    for number in range({ROWS})
]
names = [letter.scan.name for letter in letters]
print(json.dumps({{"sessions": sessions, "names": names, "stranger": log_in("stranger")}}))
"""


def read_readme():
    """Return the six lines and the rule from the README: the text for each file."""
    section = (ROOT / "README.md").read_text().split("## Existing projects\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```(?:diff|python)\n(.*?)```", section, re.DOTALL)
    return dict(zip(["mysite/settings.py", "mysite/urls.py", RULE], blocks, strict=False))


def change(folder):
    """Change the files of the project as the README describes it."""
    texts = read_readme()
    (folder / RULE).write_text(texts[RULE])
    with (folder / "mysite" / "settings.py").open("a") as settings:
        settings.write(texts["mysite/settings.py"])
    urls = (folder / "mysite" / "urls.py").read_text()
    lines = texts["mysite/urls.py"].splitlines()
    (removed,) = (line[1:] for line in lines if line.startswith("-"))
    imported, added = (line[1:] for line in lines if line.startswith("+"))
    assert urls.count(removed) == 1
    urls = urls.replace(removed, imported).replace(
        "urlpatterns = [\n", f"urlpatterns = [\n{added}\n"
    )
    (folder / "mysite" / "urls.py").write_text(urls)


def read_sources(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*.py")}


def count_changed_lines(before, after):
    """Return the number of lines that were added, removed or replaced by others."""
    number = 0
    for name in before.keys() | after.keys():
        old = before.get(name, "").splitlines()
        new = after.get(name, "").splitlines()
        old, new = ([line for line in lines if line.strip()] for lines in (old, new))
        for tag, first, last, new_first, new_last in SequenceMatcher(None, old, new).get_opcodes():
            if tag != "equal":
                number += max(last - first, new_last - new_first)
    return number


@pytest.fixture(scope="module")
def project(tmp_path_factory, api_environment):
    """A project with 100 rows, whose folder, sources and sessions are returned."""
    folder = tmp_path_factory.mktemp("existing")

    def call(*command):
        return run(*command, cwd=folder, env=api_environment)

    call("django-admin", "startproject", "mysite", ".")
    call("python", "manage.py", "startapp", "letters")
    (folder / "letters" / "models.py").write_text(MODELS)
    with (folder / "mysite" / "settings.py").open("a") as settings:
        settings.write(SETTINGS)
    call("python", "manage.py", "makemigrations", "letters")
    call("python", "manage.py", "migrate", "--verbosity", "0")
    data = json.loads(call("python", "manage.py", "shell", "--verbosity", "0", "-c", CREATE_ROWS))
    return folder, read_sources(folder), data


@pytest.fixture(scope="module")
def imported(project, api_environment):
    """The changed project, the output of the import, and the time of the first change."""
    folder, _sources, _data = project
    started = time.monotonic()
    change(folder)
    run("python", "manage.py", "migrate", "--verbosity", "0", cwd=folder, env=api_environment)
    printed = import_letters(folder, api_environment)
    return folder, printed, started


IMPORT = ["manage.py", "proxystorage", "import", "letters.Letter.scan"]


def import_letters(folder, environment):
    return run("python", *IMPORT, cwd=folder, env=environment)


def start_import(folder, environment):
    """Start an import in a process of its own."""
    python = shutil.which("python", path=environment["PATH"])
    return subprocess.Popen(
        [python, *IMPORT], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )


def run_code(folder, environment, code):
    command = ["python", "manage.py", "shell", "--verbosity", "0", "-c", code]
    return run(*command, cwd=folder, env=environment).strip()


COUNT = "SELECT COUNT(*) FROM proxy_storage_records_storedfile"
DELETE_RECORDS = """
from proxy_storage.records.models import StoredFile
StoredFile.objects.all().delete()
"""
COUNT_RECORDS = """
from proxy_storage.records.models import StoredFile
print(StoredFile.objects.exclude(content_type=None).exclude(checksum="").count())
"""


def get_headers(session):
    return {} if session is None else {"Cookie": f"sessionid={session}"}


@pytest.fixture(scope="module")
def answers(imported, project, api_environment, tmp_path_factory):
    """The responses for each letter to its reader, another reader, a stranger, and without log-in.

    The last value is the time from the first changed line to the last response.
    """
    folder, _printed, started = imported
    data, port = project[2], free_port()
    python = shutil.which("python", path=api_environment["PATH"])
    site = [python, "manage.py", "runserver", "--noreload", str(port)]
    log = tmp_path_factory.mktemp("log") / "site.log"
    environment = {**api_environment, "DJANGO_SETTINGS_MODULE": "mysite.settings"}
    sessions = data["sessions"]

    def request(number):
        url = "/files/?" + urlencode({"path": data["names"][number]})
        readers = [sessions[number % OWNERS], sessions[(number + 1) % OWNERS], data["stranger"]]
        client = Client(f"http://127.0.0.1:{port}")
        return [client.request(url, headers=get_headers(key)) for key in (*readers, None)]

    with running(site, lambda: accepts_connections(port), log, environment, folder):
        with ThreadPoolExecutor(4) as executor:
            found = list(executor.map(request, range(ROWS)))
        seconds = time.monotonic() - started
        listed = Client(f"http://127.0.0.1:{port}").request(
            "/files/", headers=get_headers(sessions[0])
        )
    return found, listed, seconds


@pytest.mark.usefixtures("imported")
def test_at_most_six_lines_are_changed(project):
    folder, before, _data = project
    after = {name: text for name, text in read_sources(folder).items() if name != RULE}
    assert before.keys() == after.keys()
    assert 0 < count_changed_lines(before, after) <= 6


def test_all_rows_are_imported_and_a_second_import_skips_them(imported, api_environment):
    folder, printed, _started = imported
    label = f"letters.Letter.scan: {ROWS} rows with a file; records:"
    assert printed == f"{label} {ROWS} created, 0 assigned, 0 present; 0 bad rows\n"
    again = import_letters(folder, api_environment)
    assert again == f"{label} 0 created, 0 assigned, {ROWS} present; 0 bad rows\n"


def test_each_reader_downloads_each_letter_and_others_do_not(answers):
    found, _listed, _seconds = answers
    assert len(found) == ROWS
    for number, (own, other, stranger, anonymous) in enumerate(found):
        assert (own.status, own.body) == (200, b"letter %d" % number)
        assert (other.status, stranger.status) == (403, 403)
        assert anonymous.status in (401, 403)


def test_each_reader_lists_own_letters(answers, project):
    _found, listed, _seconds = answers
    paths = {record["path"] for record in json.loads(listed.body)["results"]}
    assert paths == set(project[2]["names"][::OWNERS])


def test_names_in_rows_are_unchanged(imported, project, api_environment):
    code = "from letters.models import Letter; import json\n"
    code += "print(json.dumps(list(Letter.objects.order_by('pk').values_list('scan', flat=True))))"
    printed = run_code(imported[0], api_environment, code)
    assert json.loads(printed) == project[2]["names"]


@pytest.mark.usefixtures("answers")
def test_two_imports_at_once_share_the_rows(imported, api_environment):
    folder = imported[0]
    run_code(folder, api_environment, DELETE_RECORDS)
    processes = [start_import(folder, api_environment) for _number in range(2)]
    printed = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    created = [int(re.search(r"(\d+) created", text)[1]) for text in printed]
    assert sum(created) == ROWS
    assert run_code(folder, api_environment, COUNT_RECORDS) == str(ROWS)


@pytest.mark.usefixtures("answers")
def test_killed_import_is_continued(imported, api_environment):
    folder = imported[0]
    run_code(folder, api_environment, DELETE_RECORDS)
    process = start_import(folder, api_environment)
    database = sqlite3.connect(folder / "db.sqlite3")
    deadline = time.monotonic() + 60
    while not (found := database.execute(COUNT).fetchone()[0]) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.kill()
    process.communicate()
    database.close()
    assert found
    import_letters(folder, api_environment)
    assert run_code(folder, api_environment, COUNT_RECORDS) == str(ROWS)


def test_system_checks_find_no_problems(imported, api_environment):
    command = ["python", "manage.py", "check", "--fail-level", "WARNING"]
    run(*command, cwd=imported[0], env=api_environment)


def test_no_migration_is_missing(imported, api_environment):
    command = ["python", "manage.py", "makemigrations", "--check", "--dry-run"]
    run(*command, cwd=imported[0], env=api_environment)


@pytest.mark.quiet
def test_takes_at_most_a_minute(answers):
    """The time from the first changed line to the last of 400 requests; without pip install."""
    assert answers[2] <= 60
