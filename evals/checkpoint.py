"""Parts of a run that are done, kept on the disk until the run is: a killed run goes on after them.

A part is taken up again only by a run that asks for the same of the same: backbone, data, code.
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
    """Finished parts in a folder; without one nothing is kept."""

    def __init__(self, folder: Path | None, asked: Mapping[str, Any]) -> None:
        """`asked` is all that the parts depend on, as values that JSON holds."""
        told = json.dumps({**asked, "code": code_version()}, sort_keys=True, default=str)
        mark = hashlib.sha256(told.encode()).hexdigest()[:16]
        self._folder = None if folder is None else folder / FOLDER / mark

    def load(self, name: str) -> PartResult | None:
        """A part that an earlier run has finished; None where there is none."""
        path = self._path(name)
        if path is None or not path.is_file():
            return None
        told = json.loads(path.read_text(encoding="utf-8"))
        counts = {
            key: Counts(one["statistic"], tuple(one["patients"]), tuple(map(tuple, one["rows"])))
            for key, one in told.pop("counts").items()
        }
        return PartResult(**told, counts=counts)

    def save(self, name: str, part: PartResult) -> None:
        """Keep a part."""
        path = self._path(name)
        if path is None:
            return
        write_file(path, json.dumps(asdict(part), default=_plain).encode())

    def clear(self) -> None:
        """Forget the parts: the run is done, and the next measures anew."""
        if self._folder is not None:
            shutil.rmtree(self._folder.parent, ignore_errors=True)

    def _path(self, name: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{name.replace('/', '-')}.json"


def _plain(value: Any) -> Any:
    """Of numpy's numbers and of mappings what JSON holds."""
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
