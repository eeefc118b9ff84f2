# ruff: noqa: T201  (a command that prints its findings)
"""Let many processes save and delete while everything fails around them, and count what is lost.

Each line is one meta backend in front of one original storage. Exit status 0 only where nothing
is lost, mixed up or orphaned.
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
           broken off, disks full, tables locked or renamed, processes that see nobody's files
failed     saves that raised an error
lost       saved files that are not there whole, records without bytes
mixed up   files with the bytes of another one, bytes in another place than the record says
left over  what processes that were killed and transactions that were rolled back have left, and
           saves whose answer was lost while the database could not be asked again
orphaned   bytes without record that nothing excuses
"""


def torture(world: World, original: str, seed: int, seconds: float, small: bool) -> dict:
    """Run everything on one original storage; return what is counted.

    Args:
        world: what runs.
        original: its name, one of `ORIGINALS`.
        seed: of all chance.
        seconds: how long faults are injected.
        small: fewer writers, for a run of the tests.
    """
    storage = f"{world.meta_backend}-{original}"
    journals = str(world.folder / f"{storage}-torture")
    places = ["gridfs", "disk"] if original == "multiple" else []
    common = {"storage": storage, "journals": journals}
    # first without faults: every save has to succeed
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
