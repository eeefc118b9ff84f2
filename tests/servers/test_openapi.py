"""schemathesis compares the OpenAPI document with the running site."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import pytest
from django.conf import settings
from pymongo import MongoClient

from demo import services
from tests.programs import ROOT

if find_spec("schemathesis") is None:
    pytest.skip("tox run -e long installs schemathesis", allow_module_level=True)

pytestmark = pytest.mark.long

EXAMPLES = 8  # Examples for each operation, besides those that schemathesis always makes.
SEED = 6
CONFIG = ROOT / "tests" / "servers" / "openapi" / "schemathesis.toml"


@pytest.fixture(scope="module")
def env(mongodb_uri, tmp_path_factory):
    """The environment variables of the site, whose database is dropped at the end."""
    name = f"proxy_storage_openapi_{settings.RUN}"
    yield {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.servers.openapi.settings",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(services.PROJECT_DIR)]),
        "EXAMPLE_DATA_DIR": str(tmp_path_factory.mktemp("site")),
        "MONGODB_URI": mongodb_uri,
        "EXAMPLE_MONGODB_NAME": name,
    }
    with MongoClient(mongodb_uri) as client:
        client.drop_database(name)


@pytest.fixture(scope="module")
def site(env):
    """The running site, with files."""
    run([sys.executable, "-m", "tests.servers.openapi.fill"], env)
    folder = Path(env["EXAMPLE_DATA_DIR"])
    with services.running_gunicorn(folder, env, services.free_port()) as address:
        yield f"http://{address}"
    log = (folder / "gunicorn.log").read_text()
    assert "Traceback" not in log


def run(command, env, folder=services.PROJECT_DIR, status=0):
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def run_schemathesis(document, env, folder, *options, status=0):
    """Run schemathesis; return its output and the statuses of each operation's responses."""
    report = folder / "report.ndjson"
    program = Path(sys.executable).with_name("schemathesis")
    command = [program, "--config-file", CONFIG, "run", document, "--no-color", "--seed", SEED]
    command += ["--max-examples", EXAMPLES, "--report", "ndjson", "--report-ndjson-path", report]
    output = run([*command, *options], env, folder, status)
    statuses = defaultdict(set)
    for line in report.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for interaction in recorder.get("interactions", {}).values():
            # schemathesis also sends requests with undefined methods.
            method = interaction["request"]["method"]
            if recorder["label"].startswith(f"{method} "):
                statuses[recorder["label"]].add(interaction["response"]["status_code"])
    return output, statuses


def get_those_that_let_in(statuses):
    return {label for label, seen in statuses.items() if any(200 <= one < 300 for one in seen)}


@pytest.mark.parametrize("module", ["config.settings", "tests.servers.openapi.settings"])
def test_document_is_valid(env, module):
    env = {**env, "DJANGO_SETTINGS_MODULE": module}
    output = run([sys.executable, "manage.py", "spectacular", "--validate", "--fail-on-warn"], env)
    assert "title: Job applications" in output
    assert "delete:" in output
    assert ("/letters/link/:" in output) is (module == "tests.servers.openapi.settings")


def test_document_is_as_the_site_answers_strangers(site, env, tmp_path):
    _, statuses = run_schemathesis(f"{site}/schema/", env, tmp_path)
    assert len(statuses) == 12
    assert statuses.keys() - get_those_that_let_in(statuses) == {
        f"{method} {path}" for method in ("POST", "DELETE") for path in ("/files/", "/letters/")
    }
    assert 401 in statuses["GET /files/record/"]


def test_document_is_as_the_site_answers_staff(site, env, tmp_path):
    _, statuses = run_schemathesis(f"{site}/schema/", env, tmp_path, "--auth", "admin:admin")
    assert len(statuses) == 12
    assert get_those_that_let_in(statuses) == statuses.keys()
    assert {200, 206, 400, 404} <= statuses["GET /files/"]


def test_wrong_document_is_detected(site, env, tmp_path):
    with urlopen(f"{site}/schema/?format=json") as answer:
        document = json.load(answer)
    schemas, paths = document["components"]["schemas"], document["paths"]
    # Four mistakes in the document.
    del paths["/files/record/"]["get"]["responses"]["400"]
    schemas["FileRecord"]["properties"]["path"]["type"] = "integer"
    schemas["FileLinkOptions"]["properties"]["max_age"]["maximum"] = 100
    schemas["DispositionEnum"]["enum"].append("upside down")
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(document))
    options = ["--url", site, "--auth", "admin:admin", "--phases", "coverage"]
    options += ["--include-path", "/files/record/", "--include-path", "/files/link/"]
    output, _ = run_schemathesis(wrong, env, tmp_path, *options, status=1)
    for words in (
        "Undocumented status code: 1",
        "Response violates schema: 1",
        "Schema-violating request accepted: 1",
        "Schema-valid request rejected: 1",
    ):
        assert words in output
