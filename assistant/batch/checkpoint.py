"""What a batch keeps of its work, so that a run that was killed goes on where it was.

A run has a folder beside its output: `run.json` says what the run is of, and a run of anything
else is refused; a lock lets one run in at a time. Rows count once their whole window is on the
disk, because the studies of a window are drafted together.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from assistant.atomic import write_file
from assistant.errors import SettingsError

HEADER, LOCK = "run.json", "lock"
Header = Mapping[str, Any]
# What a header names, as it is told where it is another.
_NAMES = {
    "manifest": "manifest",
    "backbone": "backbone",
    "adapter": "adapter",
    "library": "library of cases",
    "options": "options",
    "versions": "version of wetread, torch or transformers",
}


@contextmanager
def open_run(folder: Path, out: Path, header: Header, *, resume: bool) -> Iterator[None]:
    """Hold a run's folder: as it was left by the same run, or empty.

    Raises SettingsError where another run holds it, where it was left by a run of anything else
    and is to be resumed, and where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK, timeout=0):
            _begin(folder, out, json.loads(json.dumps(header)), resume=resume)
            yield
    except Timeout:
        raise SettingsError(
            f"Another run is drafting to {out}; wait for it, or name another file with --out."
        ) from None
    except OSError as error:
        raise SettingsError(f"{out} cannot be written ({error.strerror}); name another.") from None


def _begin(folder: Path, out: Path, header: Header, *, resume: bool) -> None:
    left = _left_in(folder)
    if left == header and resume:
        return
    if left is not None and resume:
        other = [name for key, name in _NAMES.items() if left.get(key) != header.get(key)]
        raise SettingsError(
            f"{out} was begun with another {' and another '.join(other) or 'program'}; give it "
            "the same to go on, or begin anew with --no-resume."
        )
    for path in folder.iterdir():
        if path.name != LOCK:
            path.unlink()
    write_file(folder / HEADER, json.dumps(header, indent=2).encode())


def _left_in(folder: Path) -> dict[str, Any] | None:
    """What the run was of that left the folder; None where it cannot be told."""
    try:
        left = json.loads((folder / HEADER).read_bytes())
    except (OSError, ValueError):
        return None
    return left if isinstance(left, dict) else None


def remove_run(folder: Path) -> None:
    """Delete the folder of a run that is done."""
    shutil.rmtree(folder, ignore_errors=True)


class OutcomeCounts:
    """How many rows there are of each kind: "failed", or by what the gate answered."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row."""
        self.kinds["failed" if "error" in row else row["draft"]["gate"]["answer"]] += 1


class RowFile:
    """A file of JSON lines to which whole windows of rows are added."""

    def __init__(self, path: Path, window: int) -> None:
        """Open a file, drop what follows its last whole window, and count the rows before."""
        self._window, self.tally = window, OutcomeCounts()
        self._file: BinaryIO = path.open("a+b")
        self.rows, end, at = 0, 0, 0
        self._file.seek(0)
        some: list[Mapping[str, Any]] = []
        for line in self._file:
            row = _whole_row(line)
            if row is None:
                break
            some.append(row)
            at += len(line)
            if len(some) == window:
                for one in some:
                    self.tally.add(one)
                self.rows, end, some = self.rows + window, at, []
        self._file.truncate(end)

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row; with the last of a window, all of it is on the disk."""
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self.tally.add(row)
        self.rows += 1
        if self.rows % self._window == 0:
            self._settle()

    def _settle(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Put what was written on the disk."""
        self._settle()
        self._file.close()


def _whole_row(line: bytes) -> Mapping[str, Any] | None:
    """The row of a line, or None for one that was torn."""
    try:
        row = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return row if isinstance(row, dict) and ("error" in row or "draft" in row) else None
