# ruff: noqa: T201  (a command that prints its findings)
"""Save and delete files in many processes under faults, and count the lost files.

Each line of the output is one meta backend with one original storage. The exit status is 0 only if
no file is lost, mixed up or orphaned.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

from tests.torture.relay import break_some, let_pass
from tests.torture.world import WORLDS, World, running_world

ORIGINALS = ("disk", "overwriting", "gridfs", "s3", "multiple")
COLUMNS = (
    *("faults", "saves", "failed", "deletes", "records", "files"),
    *("lost", "mixed up", "left over", "orphaned"),
)
BAD = ("lost", "mixed up", "orphaned")
LEGEND = """
faults     processes killed, connections broken before or after a record was written, uploads
           interrupted, disks full, tables locked or renamed, processes whose checks find no files
failed     saves that raised an error
lost       saved files that are missing or incomplete, and records without a file
mixed up   files with the content of another file, and files in another place than in the record
left over  files and records of killed processes and of rolled back transactions, and files whose
           insert had an unknown result while the database could not be read
orphaned   files without a record for any other reason
"""


def torture(world: World, original: str, seed: int, seconds: float, small: bool) -> dict:
    """Run all tests on one original storage, and return the report of the audit.

    Args:
        world: the running programs.
        original: the name of the original storage, one of `ORIGINALS`.
        seed: the seed of all random numbers.
        seconds: the duration of the faults.
        small: whether to use fewer writers, for the test suite.
    """
    storage = f"{world.meta_backend}-{original}"
    journals = str(world.folder / f"{storage}-torture")
    places = ["gridfs", "disk"] if original == "multiple" else []
    common = {"storage": storage, "journals": journals}
    # First without faults: every save must succeed.
    for workers, threads, saves in ((1, 16, 50), (4, 1, 100)):
        saves = saves // 10 if small else saves
        counts = {"workers": workers, "threads": threads, "saves": saves}
        world.run("save_one_name", **common, using=[None, *places], **counts)
    broken = world.relay.faults if world.relay else 0
    try:
        if world.relay:
            world.relay.follow(break_some(seed, 0.05))
        env = world.get_lock_timeout_env(1)
        world.run("torture", env, **common, seed=seed, seconds=seconds, using=places)
    finally:
        if world.relay:
            world.relay.follow(let_pass)
    report = world.run("audit", **common)
    report["faults"] += (world.relay.faults if world.relay else 0) - broken
    return report


def main() -> int:
    """Run the stress tests from the command line."""
    parser = argparse.ArgumentParser("python -m tests.torture", description=__doc__)
    parser.add_argument(
        "--records", nargs="+", choices=WORLDS, default=WORLDS, help="the databases of the records"
    )
    parser.add_argument(
        "--originals", nargs="+", choices=ORIGINALS, default=ORIGINALS, help="the original storages"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=10,
        help="duration of the faults for each pair (default: 10)",
    )
    parser.add_argument("--small", action="store_true", help="fewer writers before the faults")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the reports to this file"
    )
    options = parser.parse_args()

    print(f"seed {options.seed}")
    print("".join(f"{name:>12}" for name in ("backend", "original", *COLUMNS)))
    reports = []
    for name in options.records:
        with running_world(name, s3="s3" in options.originals) as world:
            for original in options.originals:
                print(f"{name:>12}{original:>12} ...", end="\r", file=sys.stderr, flush=True)
                report = torture(world, original, options.seed, options.seconds, options.small)
                reports.append({"records": name, "original": original, **report})
                figures = "".join(f"{report[column]:>12}" for column in COLUMNS)
                print(f"{name:>12}{original:>12}{figures}", flush=True)
                for finding in report["findings"][:20]:
                    print(f"    {finding}")
    print(LEGEND)
    if options.json:
        options.json.write_text(json.dumps({"seed": options.seed, "reports": reports}, indent=1))
    return any(report[column] for report in reports for column in BAD)


if __name__ == "__main__":
    sys.exit(main())
