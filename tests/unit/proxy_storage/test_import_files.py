"""``manage.py proxystorage import``."""

import json
import os
import signal
from io import StringIO

import pytest
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command

from proxy_storage.management import progress
from proxy_storage.management.import_files import SHOWN_ROWS
from proxy_storage.management.progress import get_text
from proxy_storage.operations import importing
from tests.testapp.models import OrmLetter, PlainLetter, StoredFile
from tests.unit.proxy_storage.test_importing import ROWS, rows, user  # noqa: F401  (fixtures)

LABEL = "testapp.OrmLetter.file"


def run(*arguments, **options):
    """Return the output of the command, and that to standard error."""
    stdout, stderr = StringIO(), StringIO()
    call_command("proxystorage", "import", *arguments, stdout=stdout, stderr=stderr, **options)
    return stdout.getvalue(), stderr.getvalue()


def test_prints_the_counts(rows):  # noqa: F811
    stdout, stderr = run(LABEL)
    counts = f"{ROWS} created, 0 assigned, 0 present; 0 bad rows"
    assert stdout == f"{LABEL}: {ROWS} rows with a file; records: {counts}\n"
    assert stderr == ""
    assert StoredFile.objects.count() == ROWS
    assert f"0 created, 0 assigned, {ROWS} present" in run(LABEL)[0]


def test_label_ignores_the_case_of_the_model(rows):  # noqa: F811
    assert f"{ROWS} created" in run("testapp.ormletter.file")[0]


def test_dry_run(rows):  # noqa: F811
    assert f"{ROWS} would be created" in run(LABEL, "--dry-run")[0]
    assert not StoredFile.objects.exists()


def test_options_are_passed(rows):  # noqa: F811
    run(LABEL, "--batch-size", "2", "--no-checksum", "--database", "default")
    assert StoredFile.objects.count() == ROWS
    with pytest.raises(CommandError, match="original storage 'x'"):
        run(LABEL, "--using", "x")


def test_quiet(rows, monkeypatch):  # noqa: F811
    monkeypatch.setattr(progress, "LOG_PAUSE", 0)
    assert run(LABEL, verbosity=0) == ("", "")
    assert StoredFile.objects.count() == ROWS


def test_no_progress(rows, monkeypatch):  # noqa: F811
    monkeypatch.setattr(progress, "LOG_PAUSE", 0)
    stdout, stderr = run(LABEL, "--no-progress")
    assert (stdout != "", stderr) == (True, "")


def test_bad_rows_are_printed_and_are_an_error(rows, tmp_path):  # noqa: F811
    PlainLetter.objects.filter(pk=rows[1].pk).update(file="gone.txt")
    report, stderr = tmp_path / "report.json", StringIO()
    with pytest.raises(CommandError, match=r"^1 row could not be imported\.$"):
        call_command(
            "proxystorage", "import", LABEL, report=report, stdout=StringIO(), stderr=stderr
        )
    assert stderr.getvalue().startswith(f"{LABEL} {rows[1].pk}: 'gone.txt': FileSystemStorage doe")
    (result,) = json.loads(report.read_text())
    (bad,) = result.pop("bad")
    assert result == {
        "field": LABEL,
        "total": ROWS,
        "created": ROWS - 1,
        "assigned": 0,
        "present": 0,
    }
    assert (bad["key"], bad["value"]) == (rows[1].pk, "gone.txt")
    assert bad["reason"].startswith("FileSystemStorage does not have a file")


def test_many_bad_rows_are_not_all_printed(user):  # noqa: F811
    os.makedirs(PlainLetter._meta.get_field("file").storage.location)
    PlainLetter.objects.bulk_create(
        PlainLetter(user=user, file=f"{number}.txt") for number in range(SHOWN_ROWS + 2)
    )
    stderr = StringIO()
    with pytest.raises(CommandError, match="102 rows could not be imported"):
        call_command("proxystorage", "import", LABEL, stdout=StringIO(), stderr=stderr)
    assert len(stderr.getvalue().splitlines()) == SHOWN_ROWS + 1
    assert "2 more bad rows are not shown" in stderr.getvalue()


def test_stopped_import_writes_the_report(rows, tmp_path):  # noqa: F811
    location = rows[0].file.storage.location
    os.rename(location, tmp_path / "unmounted")
    report = tmp_path / "report.json"
    with pytest.raises(CommandError, match="Mount or create it"):
        run(LABEL, "--report", str(report))
    (result,) = json.loads(report.read_text())
    assert (result["total"], result["created"]) == (ROWS, 0)


@pytest.mark.parametrize("number", [0, 2])
def test_interrupted_import_writes_the_report(rows, tmp_path, monkeypatch, number):  # noqa: F811
    original = FileSystemStorage.exists

    def exists(self, name):
        if name == rows[number].file.name:
            signal.raise_signal(signal.SIGINT)
        return original(self, name)

    monkeypatch.setattr(FileSystemStorage, "exists", exists)
    # The records of a group are written when the next row would wait for too long.
    monkeypatch.setattr(importing, "GROUP_SECONDS", 0)
    report = tmp_path / "report.json"
    with pytest.raises(CommandError, match="Run the import again to continue") as caught:
        run(LABEL, "--report", str(report))
    assert caught.value.returncode == 130
    results = json.loads(report.read_text())
    assert [result["created"] for result in results] == ([number] if number else [])
    assert StoredFile.objects.count() == number
    monkeypatch.undo()
    assert f"{ROWS - number} created" in run(LABEL)[0]


def test_report_that_cannot_be_written_stops_before_the_import(rows, tmp_path):  # noqa: F811
    with pytest.raises(CommandError, match="cannot be written"):
        run(LABEL, "--report", str(tmp_path))
    assert not StoredFile.objects.exists()


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("testapp.OrmLeter.file", "does not exist. Did you mean 'testapp.OrmLetter.file'"),
        ("testapp.OrmLetter.fil", "does not exist. Did you mean 'testapp.OrmLetter.file'"),
        ("OrmLetter.file", "does not exist. Did you mean 'testapp.OrmLetter.file'"),
        ("testapp.OrmLetter.user", "is not a file field. Did you mean"),
        ("x", "Write it as app.Model.field"),
        ("testapp.ScannedDocument.orm_file", "Use testapp.Document.orm_file instead"),
    ],
)
def test_wrong_field(db, label, message):
    with pytest.raises(CommandError, match=message):
        run(label)


def test_field_of_a_proxy_model(db, empty_storages):
    assert run("testapp.ProxyDocument.orm_file")[0].startswith("testapp.Document.orm_file: 0 rows")


@pytest.mark.parametrize("size", ["0", "-1", "x", "²"])
def test_wrong_batch_size(db, size):
    with pytest.raises(CommandError, match="is not a number greater than 0"):
        run(LABEL, f"--batch-size={size}")


class Terminal(StringIO):
    def isatty(self):
        return True


def test_progress_on_a_terminal(rows, monkeypatch):  # noqa: F811
    monkeypatch.setattr(progress, "PAUSE", 0)
    terminal = Terminal()
    call_command("proxystorage", "import", LABEL, stdout=StringIO(), stderr=terminal)
    lines = terminal.getvalue().split("\r")
    assert len(lines) == ROWS + 1
    assert lines[1].startswith(f"{LABEL}: 1/{ROWS} (20 %), ")
    assert lines[-1].startswith(f"{LABEL}: {ROWS}/{ROWS} (100 %), ")
    assert lines[-1].endswith("/s, 0:00 left\n") or lines[-1].endswith(" \n")


def test_end_is_shown_without_a_pause(rows):  # noqa: F811
    terminal = Terminal()
    call_command("proxystorage", "import", LABEL, stdout=StringIO(), stderr=terminal)
    assert f"{ROWS}/{ROWS} (100 %)" in terminal.getvalue()


def test_progress_in_a_log(rows, monkeypatch):  # noqa: F811
    assert run(LABEL)[1] == ""  # It has taken less than a pause.
    StoredFile.objects.all().delete()
    monkeypatch.setattr(progress, "LOG_PAUSE", 0)
    lines = run(LABEL)[1].splitlines()
    assert len(lines) == ROWS
    assert lines[0].startswith(f"{LABEL}: 1/{ROWS} (20 %), ")


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0, 10, 1.0), "0/10 (0 %)"),
        ((1, 10, 0.0), "1/10 (10 %)"),
        ((300, 1000, 2.0), "300/1000 (30 %), 150/s, 0:05 left"),
        ((10, 1000, 10.0), "10/1000 (1 %), 1/s, 16:30 left"),
        ((12, 10, 1.0), "12/10 (120 %), 12/s, 0:00 left"),
        ((1, 0, 1.0), "1/0, 1/s, 0:00 left"),
    ],
)
def test_text(numbers, text):
    assert get_text(*numbers) == text


def test_rows_of_the_model_are_found(rows):  # noqa: F811
    run(LABEL)
    assert OrmLetter.objects.count() == ROWS
