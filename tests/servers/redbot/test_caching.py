"""REDbot's analysis of each response for caches, from each program."""

import json
import subprocess
import sys
from urllib.parse import quote

import pytest

from tests.programs import ROOT
from tests.servers.redbot.conftest import DELIVERED
from tests.servers.site.checks import CONTENT
from tests.servers.site.client import get_url
from tests.servers.site.permissions import COOKIE

pytest.importorskip("redbot", reason="tox run -e redbot installs it")

NAMES = ("text.txt", "picture.png", "paper.pdf", "song.wav", "page.html", "Grüße.txt")
OTHERS = ("gridfs", "s3", "s3-redirect")


@pytest.fixture
def resources(site, front):
    """Return the URL, the headers and the expected status of each kind of request."""
    storage = DELIVERED[front.name]
    files = {name: site.keep(storage, f"redbot-{storage}-{name}", CONTENT) for name in NAMES}
    found = {name: (get_url(path), COOKIE, 200) for name, path in files.items()}
    for name in OTHERS:
        url = get_url(site.save(name, f"redbot-{front.name}.txt", CONTENT))
        found[name] = (url, COOKIE, 302 if name == "s3-redirect" else 200)
    path = quote(files["text.txt"])
    found["attachment"] = (f"/files/?path={path}&disposition=attachment", COOKIE, 200)
    found["record"] = (f"/files/record/?path={path}", COOKIE, 200)
    found["list"] = ("/files/", COOKIE, 200)
    found["authorize"] = (f"/files/authorize/?path={path}", COOKIE, 204)
    found["refusal"] = (f"/files/?path={path}", {}, 403)
    found["unknown"] = ("/files/?path=nothing", COOKIE, 404)
    return found


def test_caches_must_not_choose_a_lifetime(front, resources):
    """No response lets a cache choose a lifetime or share it between users."""
    requests = [(f"http://{front.address}{url}", headers) for url, headers, _ in resources.values()]
    done = subprocess.run(
        [sys.executable, "-m", "tests.servers.redbot.robot"],
        input=json.dumps(requests),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    answers = dict(zip(resources, json.loads(done.stdout), strict=True))
    assert {name: answer["status"] for name, answer in answers.items()} == {
        name: status for name, (_, _, status) in resources.items()
    }
    careless = {"FRESHNESS_HEURISTIC", "STORE_STORABLE", "STORE_STORABLE_SHARED_ONLY"}
    notes = {name: set(answer["notes"]) for name, answer in answers.items()}
    assert {name: careless & found for name, found in notes.items() if careless & found} == {}
    # REDbot examined each response and found its correct parts.
    files = {*NAMES, "gridfs", "s3", "attachment"}
    for name, found in notes.items():
        expected = "FRESHNESS_NO_CACHE" if name in files else "STORE_NO_STORE"
        assert expected in found, (name, found)
