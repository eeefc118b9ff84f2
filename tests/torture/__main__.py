# ruff: noqa: T201  (a command that prints its findings)
"""Let many processes save and delete while faults occur, and count the lost files.

Each line is one meta backend with one original storage. The exit status is 0 only if no file is
lost, mixed up or orphaned.
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
faults     killed processes, connections that broke before or after a record was written, uploads
           with an error, full disks, locked or renamed tables, processes that lose each race
failed     saves that raised an error
lost       saved files that are missing or incomplete, records without bytes
mixed up   files with the bytes of another file, or in another place than in the record
left over  files of killed processes and of rolled back transactions, and of saves whose response
           was lost while the database did not answer
orphaned   bytes without a record and without one of these reasons
"""


def torture(world: World, original: str, seed: int, seconds: float, small: bool) -> dict:
    """Run all work on one original storage; return the counts.

    Args:
        world: the database and the programs.
        original: the name of the original storage, one of `ORIGINALS`.
        seed: the seed of all random choices.
        seconds: the duration of the faults.
        small: whether there are fewer writers, as in the tests.
    """
    storage = f"{world.meta_backend}-{original}"
    journals = str(world.folder / f"{storage}-torture")
    places = ["gridfs", "disk"] if original == "multiple" else []
    common = {"storage": storage, "journals": journals}
    # First without faults: each save must succeed.
    for workers, threads, saves in ((1, 16, 50), (4, 1, 100)):
        saves = saves // 10 if small else saves
        counts = {"workers": workers, "threads": threads, "saves": saves}
        world.run("save_one_name", **common, using=[None, *places], **counts)
    broken = world.relay.faults if world.relay else 0
    try:
        if world.relay:
            world.relay.follow(break_some(seed, 0.05))
        env = world.get_impatient(1)
        world.run("torture", env, **common, seed=seed, seconds=seconds, using=places)
    finally:
        if world.relay:
            world.relay.follow(let_pass)
    report = world.run("audit", **common)
    report["faults"] += (world.relay.faults if world.relay else 0) - broken
    return report


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser("python -m tests.torture", description=__doc__)
    parser.add_argument(
        "--records", nargs="+", choices=WORLDS, default=WORLDS, help="where the records are"
    )
    parser.add_argument(
        "--originals", nargs="+", choices=ORIGINALS, default=ORIGINALS, help="where the bytes are"
    )
    parser.add_argument(
        "--seconds", type=float, default=10, help="of faults for each pair (default: 10)"
    )
    parser.add_argument("--small", action="store_true", help="fewer writers before the faults")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all counts there as well")
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
