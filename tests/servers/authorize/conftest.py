"""One site for all tests of how web servers ask it; each program is started once."""

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
        # not pytest's own folder, which a web server of another user may not enter
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
        # the name is no text, and it has no record
        (site.files_root / "\udcff.txt").write_bytes(SECRET)
        yield site


@pytest.fixture(scope="session")
def url(site):
    """A file that messi alone may read."""
    return site.save("letter.txt", CONTENT, "messi")
