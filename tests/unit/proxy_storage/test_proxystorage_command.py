"""``manage.py proxystorage``: the options of all commands, and a closed pipe."""

import os
import subprocess
import sys
from io import StringIO, TextIOWrapper
from threading import Event, Thread

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand

from proxy_storage.management.commands import proxystorage
from proxy_storage.management.commands.proxystorage import Command
from proxy_storage.operations import doctor


class Recorded(proxystorage.Subcommand):
    summary = description = "Record the options."

    def add_arguments(self, parser):
        parser.add_argument("--size", type=int, default=1)

    def handle(self, command, options):
        command.stdout.write(f"{options['verbosity']} {options['traceback']} {options['size']}")


class Broken(Recorded):
    def handle(self, command, options):
        raise BrokenPipeError("A server has closed the connection.")


class Fails(Recorded):
    def handle(self, command, options):
        raise CommandError("1 check has failed.")


@pytest.fixture(autouse=True)
def subcommands(monkeypatch):
    for name, cls in {"record": Recorded, "break": Broken, "fail": Fails}.items():
        monkeypatch.setitem(proxystorage.SUBCOMMANDS, name, f"{__name__}.{cls.__name__}")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["record"], "1 False 1"),
        (["--verbosity", "0", "--traceback", "record"], "0 True 1"),
        (["record", "--verbosity", "0", "--traceback", "--size", "2"], "0 True 2"),
        (["-v", "3", "record", "--no-color", "--skip-checks", "--settings", "x"], "3 False 1"),
    ],
)
def test_options_of_all_commands(arguments, expected):
    out = StringIO()
    call_command("proxystorage", *arguments, stdout=out)
    assert out.getvalue() == f"{expected}\n"


def test_all_options_of_django_are_accepted():
    """A new version of Django may have another one."""
    parser = BaseCommand().create_parser("manage.py", "other")
    flags = {flag for action in parser._actions for flag in action.option_strings}
    accepted = {flag for flags, _arguments in proxystorage._BASE_OPTIONS for flag in flags}
    assert flags - {"-h", "--help", "--version"} == accepted


def test_value_that_is_not_valid():
    with pytest.raises(CommandError, match="invalid choice: 7"):
        call_command("proxystorage", "record", "--verbosity", "7")


@pytest.mark.parametrize("has_buffer", [True, False])
@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_closed_pipe(closed, has_buffer, monkeypatch, capfd):
    """The reader of the output has ended, such as head after the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    binary = os.fdopen(writing, "wb", buffering=-1 if has_buffer else 0)
    with TextIOWrapper(binary, line_buffering=True, write_through=not has_buffer) as pipe:
        monkeypatch.setattr(sys, closed, pipe)
        name = "record" if closed == "stdout" else "fail"
        with pytest.raises(SystemExit) as error:
            Command().run_from_argv(["manage.py", "proxystorage", name, "--skip-checks"])
        assert error.value.code == 1
        pipe.write("The rest of the output is not an error.")
    monkeypatch.undo()
    assert capfd.readouterr().err == ""


def test_closed_connection_to_a_server():
    with pytest.raises(BrokenPipeError, match="A server has closed"):
        Command().run_from_argv(["manage.py", "proxystorage", "break", "--skip-checks"])


class Exited(BaseException):
    pass


@pytest.mark.parametrize(("is_unfinished", "expected"), [(True, Exited), (False, SystemExit)])
def test_thread_that_is_not_finished(monkeypatch, is_unfinished, expected):
    """Python would wait for the threads that it has started."""

    def leave(code):
        assert code == 1
        raise Exited

    done = Event()
    thread = Thread(target=done.wait, daemon=True)
    thread.start()
    if not is_unfinished:
        done.set()
        thread.join()
    monkeypatch.setattr(doctor, "_unfinished", [thread])
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(expected):
        Command().run_from_argv(["manage.py", "proxystorage", "fail", "--skip-checks"])
    done.set()


@pytest.mark.slow
def test_program_with_a_closed_pipe():
    code = (
        "from django.core.management import execute_from_command_line as e; import sys; e(sys.argv)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "proxystorage", "serverconf", "nginx"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
    ) as program:
        program.stdout.close()
        error = program.stderr.read().decode()
    assert "Traceback" not in error
    assert "BrokenPipeError" not in error
