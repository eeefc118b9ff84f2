"""The site that a web server asks for each file, and its programs, started once."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.servers.authorize.fronts import FRONTS, AskedSite
from tests.servers.authorize.targets import OPEN, OTHERS, SECRET, SECRETS
from tests.servers.site.checks import CONTENT


@pytest.fixture(scope="session")
def site():
    with ExitStack() as stack:
        # A web server of another user could not enter pytest's folder.
        temporary = TemporaryDirectory(prefix="proxy-storage-authorize-")
        folder = Path(stack.enter_context(temporary)).resolve()
        folder.chmod(0o711)
        site = AskedSite(folder)
        site.migrate()
        for name in FRONTS:
            stack.enter_context(site.running(name))
        for who in ("messi", "ronaldo"):
            site.get_cookie(who)
        for name in SECRETS:
            site.save(name, SECRET, "ronaldo")
        for name in (OPEN, *OTHERS):
            site.save(name, CONTENT, "messi")
        # The name is not valid UTF-8, and the file does not have a record.
        (site.files_root / "\udcff.txt").write_bytes(SECRET)
        yield site


@pytest.fixture(scope="session")
def url(site):
    """The URL of a file that only messi may read."""
    return site.save("letter.txt", CONTENT, "messi")
