"""Reads the table of a folder of films: `cases.csv`, or Hugging Face's imagefolder metadata.

Knows tables and paths. It opens no picture and puts no cell of a table into a message: a cell,
even a file name, may name a patient, so messages give the row.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import TextIO

from retrieval.errors import LibraryError
from retrieval.types import FolderRow

TABLES = ("cases.csv", "metadata.csv", "metadata.jsonl")
_IMAGE = {"cases.csv": "image", "metadata.csv": "file_name", "metadata.jsonl": "file_name"}
# In each row the first of these columns that is not empty speaks.
_REPORT = ("report", "text", "caption", "notes")
_LABELS = ("labels", "label", "finding")
_PATIENT = ("patient", "patient_id", "subject_id")
_SPLITS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing")


def read_folder(path: Path) -> tuple[FolderRow, ...]:
    """The rows of a folder's table, in its order, every one checked before any is returned.

    The folder holds `cases.csv` (column `image`; perhaps `patient`, `report`, `labels` parted
    by `|`, `split`, `source`, `indication`, `prior_report`) or `metadata.csv` / `metadata.jsonl`
    (column `file_name`; the report under `report`, `text`, `caption` or `notes`), at its top or
    in one folder a split.
    Raises LibraryError, naming the row, for anything that cannot be read or leads outside.
    """
    return tuple(folder_rows(path))


def folder_rows(path: Path, *, there: bool = True) -> Iterator[FolderRow]:
    """`read_folder` row by row, so that a table of any length takes no memory.

    With `there` False it is not looked whether each picture is there: a table that was read
    before may have lost one.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise LibraryError(f"{folder} is not a folder: give a folder with one of {_names()}.")
    tables = tables_of(folder)
    if not tables:
        raise LibraryError(f"{folder} has no table of its films: put one of {_names()} there.")
    row = None
    for table in tables:
        for row in _rows(table, folder, there):
            yield row
    if row is None:
        raise LibraryError(f"{tables[0]} has no rows: add one line a film.")


def tables_of(folder: Path) -> list[Path]:
    """The table of a folder of films at its top, or else that of each folder of a split in it."""
    top = [folder / name for name in TABLES if (folder / name).is_file()]
    return top[:1] or sorted(
        sub / name
        for sub in folder.iterdir()
        if sub.is_dir() and sub.name.lower() in _SPLITS
        for name in TABLES[1:]
        if (sub / name).is_file()
    )


def _names() -> str:
    return ", ".join(TABLES)


def _rows(table: Path, folder: Path, there: bool) -> Iterator[FolderRow]:
    parse = _json_lines if table.suffix == ".jsonl" else _csv_lines
    column = _IMAGE[table.name]
    # In <folder>/<split>/metadata.*, the folder's name is the split.
    split = table.parent.name.lower() if table.parent != folder else None
    for number, cells in parse(table):
        name = _cell(cells, (column,))
        if not name:
            raise LibraryError(f"{table}, row {number}: the column {column} is empty; fill it in.")
        yield FolderRow(
            image=_inside(table, number, name, there),
            patient=_cell(cells, _PATIENT) or None,
            report=_cell(cells, _REPORT),
            labels=_labels(cells),
            split=_cell(cells, ("split",)) or split or _split_of(name),
            source=_cell(cells, ("source",)) or None,
            row=number,
            indication=_cell(cells, ("indication",)),
            prior_report=_cell(cells, ("prior_report",)),
        )


@contextmanager
def _text(table: Path) -> Iterator[TextIO]:
    """The table's text, read as it is asked for."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            yield lines
    except OSError as error:
        raise LibraryError(f"{table} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        line = _undecodable(table)
        raise LibraryError(f"{table}, line {line}: not UTF-8 text; save it as UTF-8.") from error


def _undecodable(table: Path) -> int:
    """The first line that is no UTF-8: text is decoded in blocks, whose place says little."""
    with table.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1


def _csv_lines(table: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    number = 0
    with _text(table) as lines:
        reader = csv.reader(lines, strict=True)
        try:
            header = [name.strip().lower() for name in next(reader, [])]
            column = _IMAGE[table.name]
            if header.count(column) != 1:
                # The columns that are there are not listed: without a header they are patients.
                raise LibraryError(
                    f"{table} needs one column {column}: the first line must name the columns, "
                    "parted by commas."
                )
            number = 1
            for number, cells in enumerate(reader, start=2):
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise LibraryError(
                        f"{table}, row {number}: {len(cells)} cells where the header has "
                        f"{len(header)}; quote cells that hold commas."
                    )
                yield number, dict(zip(header, cells, strict=True))
        except csv.Error as error:
            raise LibraryError(f"{table}, row {number + 1}: not a CSV row ({error}).") from error


def _json_lines(table: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    with _text(table) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                cells = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise LibraryError(
                    f"{table}, row {number}: not a line of JSON; mend it."
                ) from error
            if not isinstance(cells, dict) or "file_name" not in cells:
                raise LibraryError(
                    f"{table}, row {number}: needs a JSON object with a file_name; add it."
                )
            yield number, {str(key).strip().lower(): value for key, value in cells.items()}


def _cell(cells: Mapping[str, object], columns: tuple[str, ...]) -> str:
    for column in columns:
        value = cells.get(column)
        if isinstance(value, str | int | float) and str(value).strip():
            return str(value).strip()
    return ""


def _labels(cells: Mapping[str, object]) -> tuple[str, ...]:
    for column in _LABELS:
        value = cells.get(column)
        if value is None:
            continue
        parts = value if isinstance(value, list) else str(value).split("|")
        labels = tuple(dict.fromkeys(str(part).strip() for part in parts if str(part).strip()))
        if labels:
            return labels
    return ()


def _split_of(name: str) -> str | None:
    first = PureWindowsPath(name).parts[0].lower()
    return first if first in _SPLITS and len(PureWindowsPath(name).parts) > 1 else None


def _inside(table: Path, number: int, name: str, there: bool) -> Path:
    image = path_within(table.parent, name)
    if image is None:
        raise LibraryError(
            f"{table}, row {number}: the picture's path leads outside the folder; "
            "give it relative to the folder, without '..'."
        )
    if there and not image.is_file():
        raise LibraryError(
            f"{table}, row {number}: the folder has no such picture; correct the path."
        )
    return image


def path_within(folder: Path, name: str) -> Path | None:
    """The path that a table names in its folder; None for one that leads outside.

    Read as a Windows path, both kinds of slash part the name, on every system. Links are
    followed: the hub's own cache is made of them.
    """
    parts = PureWindowsPath(name)
    if parts.is_absolute() or parts.drive or parts.root or ".." in parts.parts or "\0" in name:
        return None
    return folder.joinpath(*parts.parts)
