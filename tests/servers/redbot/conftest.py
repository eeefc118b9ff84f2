"""The site of the tests in tests/servers, and Caddy in front of it as well."""

import re
from contextlib import ExitStack

import pytest

from demo.services import free_port
from tests.servers.serverconf_fronts import FRAMES, running_program
from tests.servers.site.running import STORAGES, WEB_SERVERS, Front, _manage

# Front: the storage that it delivers from.
DELIVERED = {**{front: names[0] for front, names in STORAGES.items()}, "caddy": "nginx"}


@pytest.fixture(scope="module", params=DELIVERED)
def front(request, site, need_program):
    name = request.param
    need_program({**WEB_SERVERS, "caddy": "caddy"}.get(name))
    if name != "caddy":
        yield site.get_front(name)
        return
    folder, port = site.folder / "caddy", free_port()
    folder.mkdir()
    upstream = site.get_front("gunicorn").address
    text = _manage(["proxystorage", "serverconf", "caddy", "--site", upstream], site.env)
    values = {"PORT": str(port), "TEXT": text}
    conf = folder / "Caddyfile"
    frame = FRAMES["caddy"]
    conf.write_text(re.sub(r"\b[A-Z]+\b", lambda word: values.get(word[0], word[0]), frame))
    with ExitStack() as stack:
        stack.enter_context(running_program("caddy", folder, conf, port))
        yield Front("caddy", f"127.0.0.1:{port}")
