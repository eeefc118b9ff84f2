"""Concurrent processes that are killed, wait for locks, or lose their database connection."""

from functools import cache

import pytest
from django.conf import settings as django_settings

from tests.torture.__main__ import BAD, torture
from tests.torture.relay import let_pass
from tests.torture.world import WORLDS, running_world

pytestmark = pytest.mark.long

PROGRAMS = {"postgresql": "postgres"}
TIME_LIMIT = 3  # seconds that processes wait for a database that does not respond


@pytest.fixture(scope="module", params=WORLDS)
def world(request, need_program):
    if request.param in PROGRAMS:
        need_program(PROGRAMS[request.param])
    with running_world(request.param) as world:
        yield world


@pytest.fixture
def with_relay(world):
    if world.relay is None:
        pytest.skip("SQLite has no network connection.")
    yield world
    world.relay.follow(let_pass)


@cache
def get_names():
    """Return numbers, so that each test has its own folder of journals."""
    return iter(range(1000))


def check(world, storage, work, **arguments):
    """Run a function in processes, and return the report of the audit, which has no errors."""
    storage = f"{world.meta_backend}-{storage}"
    journals = str(world.folder / f"{storage}-{next(get_names())}")
    world.run(work, storage=storage, journals=journals, **arguments)
    report = world.run("audit", storage=storage, journals=journals)
    assert {column: report[column] for column in BAD} == dict.fromkeys(BAD, 0), report["findings"]
    return report


class TestManyWriters:
    @pytest.mark.parametrize("storage", ["disk", "overwriting"])
    @pytest.mark.parametrize(("workers", "threads", "saves"), [(1, 16, 50), (4, 1, 100)])
    def test_every_save_of_one_name_succeeds(self, world, storage, workers, threads, saves):
        counts = {"workers": workers, "threads": threads, "saves": saves}
        report = check(world, storage, "save_one_name", using=[None], **counts)
        assert report["saves"] == workers * threads * saves

    def test_each_file_is_in_the_selected_original_storage(self, world):
        using = [None, "disk", "gridfs"]
        counts = {"workers": 1, "threads": 15, "saves": 6}
        report = check(world, "multiple", "save_one_name", using=using, **counts)
        assert report["saves"] == 90


@pytest.mark.parametrize("original", ["disk", "multiple"])
def test_no_file_is_lost_under_random_faults(world, original):
    report = torture(world, original, seed=1, seconds=2, small=True)
    assert {column: report[column] for column in BAD} == dict.fromkeys(BAD, 0), report["findings"]
    assert report["faults"] > 0
    assert report["saves"] > 120


@pytest.mark.parametrize("action", ["save", "delete"])
def test_killed_process_leaves_no_record_without_file(world, action):
    report = check(world, "disk", "kill_at_moments", action=action, moments=40)
    # One file before each kill, and all files of the process that was not killed.
    assert report["saves"] >= 41


class TestFailedRecord:
    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("storage", ["disk", "overwriting"])
    def test_broken_connection(self, with_relay, storage, moment):
        storage = f"{with_relay.meta_backend}-{storage}"
        before = with_relay.run("count", storage=storage)
        with_relay.relay.follow(lambda number: moment if number == 1 else "pass")
        result = with_relay.run("save_once", storage=storage)
        with_relay.relay.follow(let_pass)
        assert result["error"] == "MetaBackendUnavailable"
        assert result["cause"] in ("OperationalError", "AutoReconnect")
        assert result["notes"] == []
        after = with_relay.run("count", storage=storage)
        written = 1 if moment == "after" else 0
        assert [after[key] - before[key] for key in ("records", "files")] == [written, written]

    @pytest.mark.quiet
    def test_server_that_does_not_respond(self, with_relay):
        storage = f"{with_relay.meta_backend}-overwriting"
        if with_relay.name != "mongo":
            pytest.skip("PostgreSQL has no time limit for responses.")
        before = with_relay.run("count", storage=storage)
        with_relay.relay.follow(lambda number: "silent")
        uri = f"{with_relay.env['MONGODB_URI']}&timeoutMS={TIME_LIMIT * 1000}"
        result = with_relay.run("save_once", {"MONGODB_URI": uri}, storage=storage, warm=True)
        with_relay.relay.follow(let_pass)
        assert result["error"] == "MetaBackendUnavailable"
        # It has waited once.
        assert TIME_LIMIT <= result["seconds"] < 2 * TIME_LIMIT
        assert with_relay.run("count", storage=storage) == before

    @pytest.mark.quiet
    def test_table_locked_by_another_process(self, world):
        if world.meta_backend == "mongo":
            pytest.skip("Clients of MongoDB cannot lock a collection.")
        before = world.run("count", storage="orm-overwriting")
        env = world.get_lock_timeout_env(TIME_LIMIT)
        result = world.run("wait_for_lock", env, storage="orm-overwriting")
        assert (result["error"], result["cause"]) == ("MetaBackendUnavailable", "OperationalError")
        assert TIME_LIMIT * 0.9 <= result["seconds"] < 2 * TIME_LIMIT
        assert world.run("count", storage="orm-overwriting") == before


def test_fork_while_threads_save(world):
    if world.name == "sqlite":
        pytest.skip("SQLite does not support a fork while another thread uses it.")
    assert world.run("fork_under_load", storage=f"{world.meta_backend}-disk", forks=100) == 100


def test_large_file_uses_constant_memory(world):
    if world.name != "sqlite":
        pytest.skip("The result does not depend on the database.")
    grown = world.run("save_and_open", storage="orm-metadata", size=1 << 30)
    assert grown["is_whole"]
    assert max(grown["save"], grown["open"]) < 32 << 20


def test_import_opens_no_connections():
    from tests.torture.world import World

    unreachable = {
        "TEST_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "MONGODB_URI": "mongodb://127.0.0.1:1/?connectTimeoutMS=1",
        "TEST_S3_ENDPOINT_URL": "http://127.0.0.1:1",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": "example_project",
    }
    world = World("mongo", django_settings.FOLDER, unreachable)
    names = world.run("import_everything")
    assert "mongo-gridfs" in names
    assert "orm-s3" in names
