"""Compares the meta backend and the original storages with the journals."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.files.storage import FileSystemStorage, Storage

from proxy_storage.registry import get_proxy_storage, get_proxy_storage_name
from tests.torture.journal import make_content, read_journals, read_token

# A save that ends like this may leave bytes without a record.
EXCUSES = {"begin", "rollback", "delete"}


def list_files(original: Storage) -> Iterator[str]:
    """Yield the paths of all files of an original storage."""
    if isinstance(original, FileSystemStorage):
        root = Path(original.location)
        for folder, _, names in os.walk(root):
            for name in names:
                yield str((Path(folder) / name).relative_to(root))
    elif hasattr(original, "bucket"):  # S3
        for item in original.bucket.objects.all():
            yield item.key
    else:
        for grid_out in original._bucket.find({}):
            yield grid_out.filename


def count(storage_name: str) -> dict[str, int]:
    """Return the number of records, and of files in the original storage."""
    storage = get_proxy_storage(storage_name)
    where = {"proxy_storage_name": get_proxy_storage_name(storage)}
    return {
        "records": sum(1 for _ in storage.meta_backend.filter(where)),
        "files": sum(1 for _ in list_files(storage.get_original_storage())),
    }


def audit(storage_name: str, folder: Path) -> dict[str, Any]:
    """Compare the journals of all processes with the records and files.

    Returns:
        The count of each column, and ``findings``: a description of each error.
    """
    storage = get_proxy_storage(storage_name)
    files: dict[str, dict[str, Any]] = {}
    events: Counter[str] = Counter()
    findings: list[str] = []
    # The files of earlier work on this storage are known, but not counted.
    for path in sorted(folder.parent.glob(f"{storage_name}-*")):
        for entry in read_journals(path):
            events[entry["event"]] += path == folder
            if entry["event"] == "mixed up" and path == folder:
                findings.append(f"read as something else: {entry}")
            known = files.setdefault(entry["token"], {})
            known.update({key: value for key, value in entry.items() if value is not None})
    report = _Report(storage, files)
    report.look_at_records()
    report.look_at_files()
    report.look_for_saved()
    return {
        "faults": sum(count for event, count in events.items() if event.startswith("fault")),
        "saves": events["saved"],
        "failed": events["failed"],
        "deletes": events["deleted"],
        "records": len(report.records),
        "files": report.file_count,
        "lost": report.lost,
        "mixed up": report.mixed_up + events["mixed up"],
        "left over": report.left_over,
        "orphaned": report.orphaned,
        "findings": findings + report.findings,
    }


class _Report:
    """The findings of the audit."""

    def __init__(self, storage: Any, files: dict[str, dict[str, Any]]) -> None:
        self.storage = storage
        self.files = files
        where = {"proxy_storage_name": get_proxy_storage_name(storage)}
        self.records = list(storage.meta_backend.filter(where))
        self.tokens: dict[str, str] = {}  # Path: the token of the bytes of the record.
        self.findings: list[str] = []
        self.file_count = self.lost = self.mixed_up = self.left_over = self.orphaned = 0

    def get_event(self, token: str) -> str:
        return str(self.files.get(token, {}).get("event", ""))

    def look_at_records(self) -> None:
        """Each record has all bytes of one file, and no other record has them."""
        places: Counter[Any] = Counter()
        for record in self.records:
            path = record["path"]
            places[self._get_place(record)] += 1
            try:
                with self.storage.open(path) as file:
                    content = file.read()
            except FileNotFoundError:
                self._miss(record)
                continue
            token = self.tokens[path] = read_token(content)
            if token and token not in self.files:
                continue  # A record of other work in this world.
            if content != make_content(token, self.files.get(token, {}).get("size", -1)):
                self.lost += 1
                self.findings.append(f"cut or spoilt: {path}: {content[:40]!r}, {len(content)}")
        for place, count in places.items():
            if count > 1:
                self.mixed_up += 1
                self.findings.append(f"{count} records have the bytes at {place}")

    def _get_place(self, record: Any) -> tuple[Any, str]:
        return record.get("original_storage_name") or None, record["original_storage_path"]

    def _miss(self, record: Any) -> None:
        """Accept a record without bytes only if a delete was killed between the two steps.

        Or if the response of a write was lost and the database could not be asked afterwards.
        """
        path = record["path"]
        owners = [token for token, facts in self.files.items() if facts.get("path") == path]
        untold = f"Whether {path!r} has a record cannot be told"
        if any(self.get_event(token) == "delete" for token in owners) or any(
            untold in note for facts in self.files.values() for note in facts.get("notes", ())
        ):
            self.left_over += 1
            return
        self.lost += 1
        self.findings.append(f"record without bytes: {record}, {[self.files[t] for t in owners]}")

    def look_at_files(self) -> None:
        """Each file has a record, unless its save or delete was killed or rolled back."""
        known = {self._get_place(record) for record in self.records}
        for original in self._get_originals():
            for path in list_files(original.storage):
                if (original.name, path) in known:
                    self.file_count += 1
                    continue
                with original.storage.open(path) as file:
                    token = read_token(file.read())
                if token and token not in self.files:
                    continue  # A file of another proxy storage in the same folder.
                self.file_count += 1
                # The file of a save that was killed before its first byte is empty.
                if not token or self.get_event(token) in EXCUSES:
                    self.left_over += 1
                else:
                    self.orphaned += 1
                    self.findings.append(f"no record: {path}: {self.files.get(token)}")

    def _get_originals(self) -> Any:
        several = getattr(self.storage, "get_original_storages", None)
        if several is None:
            return self.storage.get_originals()
        original = type(self.storage.get_originals()[0])
        return [original(storage, name) for name, storage in several().items()]

    def look_for_saved(self) -> None:
        """Each file that was saved and not deleted is at its path and in its original storage."""
        by_path = {record["path"]: record for record in self.records}
        for token, facts in self.files.items():
            if facts["event"] in ("saved", "kept"):
                record = by_path.get(facts["path"])
                if record is None:
                    self.lost += 1
                    self.findings.append(f"no record of {facts}")
                elif self.tokens.get(facts["path"], token) != token:
                    self.mixed_up += 1
                    self.findings.append(f"{facts} has bytes of {self.tokens[facts['path']]}")
                elif facts.get("using") not in (None, record.get("original_storage_name")):
                    self.mixed_up += 1
                    self.findings.append(f"{facts} is in {record.get('original_storage_name')}")
            elif facts["event"] == "deleted" and self.tokens.get(facts["path"]) == token:
                self.lost += 1
                self.findings.append(f"{facts} is still there")
