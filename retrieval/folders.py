"""Reads the table of a folder of films: `cases.csv`, or Hugging Face's imagefolder metadata.

Knows tables and paths. It opens no picture and puts no cell of a table into a message: a cell,
even a file name, may name a patient, so messages give the row.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import Literal, TextIO, overload

from retrieval.errors import LibraryError
from retrieval.parsing import RepeatedKey, encoding_of, parse_json, repeated_name
from retrieval.types import FaultyRow, FolderRow

TABLES = ("cases.csv", "metadata.csv", "metadata.jsonl")
_IMAGE = {"cases.csv": "image", "metadata.csv": "file_name", "metadata.jsonl": "file_name"}
# In each row the first of these columns that is not empty speaks.
_REPORT = ("report", "text", "caption", "notes")
_LABELS = ("labels", "label", "finding")
_LATERALS = ("laterals", "lateral")
_PRIOR_IMAGES = ("prior_image", "prior_film")
_PATIENT = ("patient", "patient_id", "subject_id")
# What programs write where they have nothing to write.
_EMPTY = frozenset(("nan", "nat", "none", "null", "<na>", "n/a", "#n/a"))
# An item of a list that is written out: in either kind of quotes, or without.
_ITEM = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s'"|;,][^|;,]*)""")
_SIZE = re.compile(r"[0-9]{1,6}(?:\.0*)?")  # pixels; a column with gaps is one of floats
_LARGEST_WHOLE = 2.0**53  # a float beyond it does not tell its digits
_SPLITS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing")


def read_folder(path: Path) -> tuple[FolderRow, ...]:
    """The rows of a folder's table, in its order, every one checked before any is returned.

    The folder holds `cases.csv` (column `image`; perhaps `case`, `patient`, `report`, `labels`,
    `split`, `source`, `indication`, `prior_report`, `laterals` and `prior_image`, paths parted by
    `|`, and `original_columns` and `original_rows` of
    films that were squeezed) or `metadata.csv` / `metadata.jsonl` (column `file_name`; the report
    under `report`, `text`, `caption` or `notes`), at its top or in one folder a split. Text is
    UTF-8, or UTF-16 with its byte order mark.
    Raises LibraryError, naming the row, for anything that cannot be read or leads outside.
    """
    return tuple(folder_rows(path))


@overload
def folder_rows(path: Path, *, faulty: Literal[False] = False) -> Iterator[FolderRow]: ...
@overload
def folder_rows(path: Path, *, faulty: Literal[True]) -> Iterator[FolderRow | FaultyRow]: ...
def folder_rows(path: Path, *, faulty: bool = False) -> Iterator[FolderRow | FaultyRow]:
    """`read_folder` row by row, so that a table of any length takes no memory.

    With `faulty` a row that does not hold becomes a `FaultyRow` and the rest goes on, and it is
    not looked whether a picture is there; what is wrong with the whole table is still raised.
    """
    folder = Path(path)
    if not is_folder(folder):
        raise LibraryError(f"{folder} is not a folder: give a folder with one of {_names()}.")
    tables = tables_of(folder)
    if not tables:
        raise LibraryError(f"{folder} has no table of its films: put one of {_names()} there.")
    row = None
    for table in tables:
        for row in _rows(table, folder):
            if isinstance(row, FolderRow) and not faulty and not is_file(row.image):
                row = FaultyRow(row.row, "the folder has no such picture; correct the path")
            if isinstance(row, FaultyRow) and not faulty:
                raise LibraryError(f"{table}, row {row.row}: {row.reason}.")
            yield row
    if row is None:
        raise LibraryError(f"{tables[0]} has no rows: add one line a film.")


def tables_of(folder: Path) -> list[Path]:
    """The table of a folder of films at its top, or else that of each folder of a split in it."""
    top = [folder / name for name in TABLES if is_file(folder / name)]
    return top[:1] or sorted(
        sub / name
        for sub in folder.iterdir()
        if sub.is_dir() and sub.name.lower() in _SPLITS
        for name in TABLES[1:]
        if (sub / name).is_file()
    )


def rows_with_cells(
    path: Path, columns: Sequence[str]
) -> Iterator[tuple[FolderRow | FaultyRow, dict[str, str]]]:
    """The rows of a folder, or of one table of any name, each with its cells in more columns.

    Rows that do not hold are given too, without cells, and it is not looked whether a picture is
    there. A cell's text is given as it is, "none" too, and a list of a JSON table as JSON. Raises
    LibraryError for a table that cannot be read.
    """
    tables = [path] if is_file(path) else tables_of(path) if is_folder(path) else []
    if not tables:
        raise LibraryError(f"{path} has no table of its films: put one of {_names()} there.")
    for table in tables:
        for row, cells in _rows_with_cells(table, table.parent if is_file(path) else path):
            texts = {name: _text_of(cells.get(name)) for name in columns}
            yield row, texts if isinstance(row, FolderRow) else {}


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value) if isinstance(value, list | dict) else cell_text(value)


def _names() -> str:
    return ", ".join(TABLES)


def _rows(table: Path, folder: Path) -> Iterator[FolderRow | FaultyRow]:
    return (row for row, _ in _rows_with_cells(table, folder))


def _rows_with_cells(
    table: Path, folder: Path
) -> Iterator[tuple[FolderRow | FaultyRow, Mapping[str, object]]]:
    parse = _json_lines if table.suffix == ".jsonl" else _csv_lines
    column = _IMAGE.get(table.name, "image")
    # In <folder>/<split>/metadata.*, the folder's name is the split.
    split = table.parent.name.lower() if table.parent != folder else None
    for number, cells in parse(table):
        if isinstance(cells, str):
            yield FaultyRow(number, cells), {}
            continue
        name = _cell(cells, (column,))
        image = path_within(table.parent, name)
        further = [_paths(cells, columns, table.parent) for columns in (_LATERALS, _PRIOR_IMAGES)]
        if not name:
            yield FaultyRow(number, f"the column {column} is empty; fill it in"), {}
        elif image is None or None in further:
            noun = "the picture" if image is None else "the lateral or the earlier picture"
            reason = f"the path of {noun} leads outside the folder; give it relative to the folder"
            yield FaultyRow(number, f"{reason}, without '..'"), {}
        else:
            row = FolderRow(
                image=image,
                patient=_cell(cells, _PATIENT) or None,
                report=_cell(cells, _REPORT),
                labels=_labels(cells),
                split=_cell(cells, ("split",)) or split or _split_of(name),
                source=_cell(cells, ("source",)) or None,
                row=number,
                indication=_cell(cells, ("indication",)),
                prior_report=_cell(cells, ("prior_report",)),
                case=_cell(cells, ("case",)),
                shape=_shape(cells),
                laterals=further[0] or (),
                prior_images=further[1] or (),
            )
            yield row, cells


@contextmanager
def _text(table: Path) -> Iterator[TextIO]:
    """The table's text, read as it is asked for."""
    encoding = "utf-8"
    try:
        with table.open("rb") as start:
            encoding = encoding_of(start.read(4))
        with table.open(encoding=encoding, newline="") as lines:
            yield lines
    except OSError as error:
        raise LibraryError(f"{table} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        line = f", line {_undecodable(table)}" if encoding.startswith("utf-8") else ""
        raise LibraryError(f"{table}{line}: not UTF-8 text; save it as UTF-8.") from error


def _undecodable(table: Path) -> int:
    """The first line that is no UTF-8: text is decoded in blocks, whose place says little."""
    with table.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1


def _csv_lines(table: Path) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    """The cells of each row by column, or what is wrong with the row."""
    number = 0
    with _text(table) as lines:
        reader = csv.reader(lines, strict=True)
        try:
            header = [name.strip(" \t\ufeff").lower() for name in next(reader, [])]
            column = _IMAGE.get(table.name, "image")
            if column not in header:
                # The columns that are there are not listed: without a header they are patients.
                raise LibraryError(
                    f"{table} needs one column {column}: the first line must name the columns, "
                    "parted by commas."
                )
            if repeated := repeated_name(header):
                raise LibraryError(
                    f"{table} has the column {_short(repeated)} twice: keep one, and give the "
                    "other another name."
                )
            number = 1
            for number, cells in enumerate(reader, start=2):
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    yield (
                        number,
                        (
                            f"{len(cells)} cells where the header has {len(header)}; quote cells "
                            "that hold commas"
                        ),
                    )
                    continue
                yield number, dict(zip(header, cells, strict=True))
        except csv.Error as error:
            raise LibraryError(f"{table}, row {number + 1}: not a CSV row ({error}).") from error


def _json_lines(table: Path) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    """The values of each line by key, or what is wrong with the line."""
    with _text(table) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                cells = parse_json(line, unique=True)
            except RepeatedKey as key:
                yield number, f"the column {_short(str(key))} is there twice; keep one"
                continue
            except ValueError:
                yield number, "not a line of JSON; mend it"
                continue
            if not isinstance(cells, dict) or "file_name" not in cells:
                yield number, "needs a JSON object with a file_name; add it"
                continue
            yield number, {str(key).strip().lower(): value for key, value in cells.items()}


def _short(name: str) -> str:
    """The name of a column on one line."""
    return "".join(c if c.isprintable() else "?" for c in name)[:40]


def _cell(cells: Mapping[str, object], columns: tuple[str, ...]) -> str:
    return next(filter(None, (cell_text(cells.get(column)) for column in columns)), "")


def cell_text(value: object) -> str:
    """The text of a cell; empty where it holds none, as None, NaN and "nan" do."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        # A column of whole numbers with gaps is one of floats: 12.0 is patient 12.
        whole = value.is_integer() and abs(value) < _LARGEST_WHOLE
        value = int(value) if whole else value
    text = str(value).strip()
    return "" if text.lower() in _EMPTY else text


def split_labels(value: object) -> tuple[str, ...]:
    """The labels of a cell, each once: a list, the text of one, or parted by `|`, `;` or `,`.

    A list may be written as JSON or Python write one; in it a label may hold a comma.
    """
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(filter(None, map(cell_text, value))))
    text = cell_text(value)
    if text[:1] + text[-1:] in ("[]", "()", "{}"):
        parts = [next(filter(None, item), "") for item in _ITEM.findall(text[1:-1])]
    else:
        parts = [part.strip(" \t\r'\"") for part in re.split(r"[|;,\n\t]", text)]
    return tuple(dict.fromkeys(filter(None, map(cell_text, parts))))


def _labels(cells: Mapping[str, object]) -> tuple[str, ...]:
    return next(filter(None, (split_labels(cells.get(column)) for column in _LABELS)), ())


def _paths(
    cells: Mapping[str, object], columns: tuple[str, ...], folder: Path
) -> tuple[Path, ...] | None:
    """The further pictures of a row, parted by `|` or `;`, or a list; None where one is outside."""
    for value in (cells.get(column) for column in columns):
        parts = value if isinstance(value, list) else re.split(r"[|;]", cell_text(value))
        names = [name for name in (cell_text(part) for part in parts) if name]
        if names:
            paths = [path_within(folder, name) for name in names]
            return None if None in paths else tuple(path for path in paths if path is not None)
    return ()


def _shape(cells: Mapping[str, object]) -> tuple[int, int] | None:
    """The columns and rows that a film had before it was saved in another shape, if it is said."""
    sizes = [_cell(cells, (f"original_{name}",)) for name in ("columns", "rows")]
    if not all(_SIZE.fullmatch(size) for size in sizes):
        return None
    columns, rows = (int(size.partition(".")[0]) for size in sizes)
    return (columns, rows) if columns and rows else None


def _split_of(name: str) -> str | None:
    first, *rest = PureWindowsPath(name).parts or ("",)
    return first.lower() if rest and first.lower() in _SPLITS else None


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have has none."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises for a long name


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; a name that no folder can have has none."""
    return os.path.isdir(path)  # noqa: PTH112 - as above


def path_within(folder: Path, name: str) -> Path | None:
    """The path that a table names in its folder; None for one that leads outside.

    Read as a Windows path, both kinds of slash part the name, on every system. Links are
    followed: the hub's own cache is made of them.
    """
    parts = PureWindowsPath(name)
    if parts.is_absolute() or parts.drive or parts.root or ".." in parts.parts or "\0" in name:
        return None
    return folder.joinpath(*parts.parts)
