"""Run Python blocks in a project. This is a program: `Projects.run_inside` starts it.

It reads a job from its standard input, as JSON:

- ``migrate``: whether to make and run the migrations first,
- ``check``: whether to run the system checks then,
- ``blocks``: a list of blocks with ``code``, ``file`` and ``line``.

The last line of its output is the result: what each block has printed, and the error with the index
of the block that has failed.
"""

import contextlib
import doctest
import io
import json
import os
import sys
import traceback


def main():
    job = json.load(sys.stdin)
    # This file is not part of the project, but the modules in the working directory are.
    sys.path[0] = os.getcwd()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
    result = {"printed": [], "error": "", "failed": None}
    try:
        set_up(job["migrate"], job["check"])
    except BaseException:  # noqa: BLE001  (it is the error of a page)
        result["error"] = traceback.format_exc()
    else:
        run_blocks(job["blocks"], result)
    sys.stdout.write("\n\0" + json.dumps(result))


def set_up(migrate, check):
    import django

    django.setup()
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    with contextlib.redirect_stdout(io.StringIO()):
        if migrate:
            call_command("makemigrations", interactive=False, verbosity=0)
            call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        if check:
            call_command("check", fail_level="WARNING")
    # Django's test client sends the host name "testserver".
    setup_test_environment()


def run_blocks(blocks, result):
    namespace = {"__name__": "__main__"}
    for index, block in enumerate(blocks):
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                run_block(block, namespace)
        except BaseException as error:  # noqa: BLE001  (it is the error of a page)
            frames = error.__traceback__
            while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
                frames = frames.tb_next
            lines = [str(error)]
            if not isinstance(error, DoctestFailure):
                lines = traceback.format_exception(type(error), error, frames)
            result.update(error=output.getvalue() + "".join(lines), failed=index)
            return
        result["printed"].append(output.getvalue())


class DoctestFailure(Exception):
    """A pycon block has another result than the page shows."""


def run_block(block, namespace):
    code, file, line = block["code"], block["file"], block["line"]
    if not code.lstrip().startswith(">>>"):
        # With these empty lines, a traceback has the line of the page.
        exec(compile("\n" * (line - 1) + code, file, "exec"), namespace)
        return
    test = doctest.DocTestParser().get_doctest(code, namespace, "page", file, line - 1)
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=report.write, clear_globs=False)
    namespace.update(test.globs)
    if runner.failures:
        raise DoctestFailure(report.getvalue())


main()
