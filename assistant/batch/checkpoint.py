"""Checkpoints of a batch: a run that was killed continues where it stopped.

A run has a folder beside its output: `run.json`, the header, describes the run, and a run with
another header is refused; a lock lets one run in at a time. Rows count once their whole window is
on the disk, because the studies of a window are drafted together.
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

from assistant.atomic import make_own_folder, write_file
from assistant.errors import SettingsError
from assistant.parsing import parse_json

HEADER, LOCK = "run.json", "lock"
Header = Mapping[str, Any]
# The header's keys in words, for the error about a different run.
_HEADER_NAMES = {
    "manifest": "manifest",
    "backbone": "backbone",
    "adapter": "adapter",
    "library": "library of cases",
    "options": "options",
    "versions": "version of wetread, torch or transformers",
}


@contextmanager
def open_run(folder: Path, out: Path, header: Header, *, resume: bool) -> Iterator[None]:
    """Hold a run's folder: as the same run left it, or empty.

    Raises SettingsError where another process holds it, where a different run left it and is to
    be resumed, and where it cannot be written.
    """
    try:
        make_own_folder(folder)
        with FileLock(folder / LOCK, timeout=0):
            _prepare_folder(folder, out, json.loads(json.dumps(header)), resume=resume)
            yield
    except Timeout:
        raise SettingsError(
            f"Another run is drafting to {out}; wait for it, or name another file with --out."
        ) from None
    except OSError as error:
        raise SettingsError(f"{out} cannot be written ({error.strerror}); name another.") from None


def _prepare_folder(folder: Path, out: Path, header: Header, *, resume: bool) -> None:
    previous = _read_header(folder)
    if previous == header and resume:
        return
    if previous is not None and resume:
        changes = [
            name for key, name in _HEADER_NAMES.items() if previous.get(key) != header.get(key)
        ]
        raise SettingsError(
            f"{out} was begun with another {' and another '.join(changes) or 'program'}; give it "
            "the same to go on, or begin anew with --no-resume."
        )
    for path in folder.iterdir():
        if path.name != LOCK:
            path.unlink()
    write_file(folder / HEADER, json.dumps(header, indent=2).encode())


def _read_header(folder: Path) -> dict[str, Any] | None:
    """The header of the run that left the folder; None where there is none to read."""
    try:
        header = parse_json((folder / HEADER).read_bytes())
    except (OSError, ValueError):
        return None
    return header if isinstance(header, dict) else None


def remove_run(folder: Path) -> None:
    """Delete the folder of a run that is done."""
    shutil.rmtree(folder, ignore_errors=True)


class OutcomeCounts:
    """Counts the rows of each kind: "failed", or the gate's answer."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row."""
        self.kinds["failed" if "error" in row else row["draft"]["gate"]["answer"]] += 1


class RowFile:
    """A file of JSON lines to which whole windows of rows are added."""

    def __init__(self, path: Path, window: int) -> None:
        """Open a file, drop what follows its last whole window, and count the rows before."""
        self._window, self.counts = window, OutcomeCounts()
        self._file: BinaryIO = path.open("a+b")
        self.rows, end, position = 0, 0, 0
        self._file.seek(0)
        window_rows: list[Mapping[str, Any]] = []
        for line in self._file:
            row = _parse_row(line)
            if row is None:
                break
            window_rows.append(row)
            position += len(line)
            if len(window_rows) == window:
                for counted in window_rows:
                    self.counts.add(counted)
                self.rows, end, window_rows = self.rows + window, position, []
        self._file.truncate(end)

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row; with the last of a window, all of it is on the disk."""
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self.counts.add(row)
        self.rows += 1
        if self.rows % self._window == 0:
            self._flush()

    def _flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Put what was written on the disk."""
        self._flush()
        self._file.close()


def _parse_row(line: bytes) -> Mapping[str, Any] | None:
    """The row of a line; None for an incomplete line."""
    try:
        row = parse_json(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    if not isinstance(row, dict):
        return None
    draft = row.get("draft")
    gate = draft.get("gate") if isinstance(draft, dict) else None
    is_whole = "error" in row or (isinstance(gate, dict) and isinstance(gate.get("answer"), str))
    return row if is_whole else None
