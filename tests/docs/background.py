"""Commands of a page that run in the background, such as ``python manage.py runserver &``."""

import os
import signal
import subprocess
import time
from contextlib import suppress

from demo.services import accepts_connections
from tests.docs.project import TIMEOUT, ProjectError


class Server:
    """A command that runs in the background until the end of the page."""

    def __init__(self, command, folder, environment, log, ports):
        self.command, self.folder, self.environment = command, folder, environment
        self.log, self.ports = log, ports
        self.process = None

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                # Otherwise the shell would end at once, without the command.
                ["bash", "-c", f"{self.command}\nwait"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + TIMEOUT
        while not all(map(accepts_connections, self.ports)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                output = self.log.read_text(errors="replace")
                raise ProjectError(f"the server did not start: {self.command}\n{output}")
            time.sleep(0.05)

    def stop(self):
        kill(self.process)
        self.process.wait()
        # The shell has ended, but its programs may end a moment later.
        deadline = time.monotonic() + TIMEOUT
        while any(map(accepts_connections, self.ports)) and time.monotonic() < deadline:
            time.sleep(0.02)

    def restart(self):
        self.stop()
        self.start()


def kill(process):
    """Stop a command and the programs that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
