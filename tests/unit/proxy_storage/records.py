"""Records here and there, and what tests ask of a list of them."""

import itertools

PATHS = [f"/{number:02}" for number in range(23)]
SIZES = dict(zip(PATHS, itertools.cycle([3, 1, 2, 1, 5]), strict=False))


def create(meta_backend, path, **data):
    names = {"proxy_storage_name": "orm-disk", "original_storage_path": "a.txt"}
    return meta_backend.create({"path": path, **names, **data})


def get_paths(records):
    return [record["path"] for record in records]


def is_odd(record):
    return int(record["path"][1:]) % 2 == 1
