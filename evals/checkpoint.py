"""Finished parts of a run, kept on disk until the run is done, so that a killed run can resume.

A run loads a part only if it has the same options, backbone, data and code.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.atomic import write_file
from evals.results import Counts, PartResult

FOLDER = "parts"
ROOT = Path(__file__).parent.parent
ROOMS = ("assistant", "evals", "retrieval")


class PartStore:
    """Stores finished parts in a folder; without a folder it stores nothing."""

    def __init__(self, folder: Path | None, settings: Mapping[str, Any]) -> None:
        """`settings` holds all that the parts depend on, as values that JSON can hold."""
        key = json.dumps({**settings, "code": code_version()}, sort_keys=True, default=str)
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        self._folder = None if folder is None else folder / FOLDER / digest

    @property
    def work(self) -> Path | None:
        """Where parts may keep what they have done; None where nothing is stored."""
        return None if self._folder is None else self._folder / "work"

    def load(self, name: str) -> PartResult | None:
        """Return a part that an earlier run has finished; None where there is none."""
        path = self._path_of(name)
        if path is None or not path.is_file():
            return None
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            counts = {
                key: Counts(
                    entry["statistic"], tuple(entry["patients"]), tuple(map(tuple, entry["rows"]))
                )
                for key, entry in stored.pop("counts").items()
            }
            return PartResult(**stored, counts=counts)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None  # damaged: the part is measured again

    def save(self, name: str, part: PartResult) -> None:
        """Store a part."""
        path = self._path_of(name)
        if path is None:
            return
        write_file(path, json.dumps(asdict(part), default=_to_json).encode())

    def clear(self) -> None:
        """Delete the parts: the run is done, and the next one measures anew."""
        if self._folder is not None:
            shutil.rmtree(self._folder.parent, ignore_errors=True)

    def _path_of(self, name: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{name.replace('/', '-')}.json"


def _to_json(value: Any) -> Any:
    """Convert numpy's numbers and mappings to values that JSON can hold."""
    return dict(value) if isinstance(value, Mapping) else value.item()


def code_version() -> str:
    """A short hash over the source that drafts and measures."""
    digest = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def data_hash(folder: Path | None) -> str | None:
    """A hash over a folder's tables, and the names and sizes of its files; None for no folder."""
    if folder is None:
        return None
    digest = hashlib.sha256()
    files = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
    for path in files:
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
        if path.suffix in (".csv", ".jsonl", ".xml", ".tgz"):
            digest.update(path.read_bytes())
    return digest.hexdigest()
