"""The films of a batch: from a table, from a folder without one, or from Parquet files.

This module knows tables and paths; it opens no film. A `Manifest` holds its rows, for a page that
shows them; a `RowListing` iterates over any number of rows and holds none.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path, PureWindowsPath
from typing import Any, Literal

from assistant.batch.parquet import (
    PICTURE_COLUMNS,
    TEXT_COLUMNS,
    count_parquet,
    parquet_files,
    parquet_rows,
    picture_of,
)
from assistant.drafting.sources import BatchRow, FailedStudy, FileSource
from assistant.drafting.study_files import walk_films
from assistant.errors import LibraryError, SettingsError
from retrieval import FaultyRow, FolderRow, folder_rows, read_folder
from retrieval.folders import TABLES, cell_text, is_file, is_folder, path_within, tables_of


@dataclass(frozen=True, slots=True)
class Manifest:
    """The films of a folder, in the order of its table."""

    folder: Path
    table: Path | None  # None: a table in each folder of a split
    rows: tuple[FolderRow, ...]


def read_manifest(path: Path) -> Manifest:
    """Read a folder's table of films; `path` is the folder or the table.

    The table is that of `retrieval.read_folder`. Raises SettingsError where there is no such
    table, LibraryError naming the row for one that cannot be read.
    """
    folder, table = _find_table(path)
    return Manifest(folder, table, read_folder(folder))


def find_manifest(folder: Path) -> Manifest:
    """The films of a folder with or without a table, as `unpack` leaves one.

    A table is read as `read_manifest` does, also where it lies in the folder's only subfolder;
    without one every file in and below the folder that may be a film is a row that has no
    report, sorted by path. Raises SettingsError where there is no folder or no file, LibraryError
    naming the row for a table that cannot be read; neither names the folder.
    """
    if not is_folder(folder):
        raise SettingsError("There is no such folder of films; name one that is there.")
    subfolders = [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
    for candidate in (folder, *(subfolders if len(subfolders) == 1 else ())):
        if tables_of(candidate):
            try:
                return read_manifest(candidate)
            except LibraryError as error:
                raise LibraryError(str(error).replace(f"{candidate}{os.sep}", "")) from None
    rows = tuple(
        FolderRow(path, None, "", (), None, None, number)
        for number, path in enumerate(walk_films(folder), start=1)
    )
    if not rows:
        raise SettingsError("The folder holds no films; give DICOM, PNG, JPEG or TIFF files.")
    return Manifest(folder, None, rows)


def _find_table(path: Path) -> tuple[Path, Path | None]:
    """The folder of a manifest and the table at its top; SettingsError for any other file."""
    folder = path if is_folder(path) else path.parent
    table = next((folder / name for name in TABLES if is_file(folder / name)), None)
    if not is_folder(path) and path != table:
        raise SettingsError(
            f"{path} is no manifest; name a folder of films, a table {' or '.join(TABLES)}, "
            "or a Parquet file."
        )
    return folder, table


def source_of(row: FolderRow, name: str | None) -> FileSource:
    """What is drafted of a folder's row; errors call its film `name`, or by its file."""
    return FileSource(
        row.image,
        row.indication,
        row.prior_report,
        name,
        laterals=row.laterals,
        prior=row.prior_images,
    )


def batch_row_of(row: FolderRow, case: str, name: str | None, image: str = "") -> BatchRow:
    """The batch row of a folder's row, as `source_of` has it."""
    return BatchRow(case, row.row, source_of(row, name), image)


def case_of(digest: str, path: str) -> str:
    """What a film without a name of its own is called: a hash of its path in its manifest.

    The manifest's digest goes into it, or the names of files could be guessed from it.
    """
    data = digest.encode() + b"\0" + os.fsencode(path)
    return hashlib.sha256(data).hexdigest()[:16]


def printable_path(path: Path) -> str:
    """A path as text that can be written as UTF-8; other bytes in it become U+FFFD."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class RowListing:
    """The films of a batch; can be iterated from any row, any number of times."""

    kind: Literal["table", "films", "parquet"]
    folder: Path
    files: tuple[Path, ...]  # the tables, or the Parquet files
    total: int
    digest: str  # SHA-256 of the tables, of the films' paths, or of the Parquet files' footers
    show_paths: bool = False  # whether rows and errors name the films' files

    def rows(self, start: int = 0) -> Iterator[BatchRow]:
        """The rows from number `start`, counted from 0."""
        if self.kind == "parquet":
            for number, cells in parquet_rows(self.files, start):
                yield self._row_of_cells(number, cells)
            return
        for row in islice(self.table_rows(), start, None):
            yield self._row_of(row)

    def table_rows(self) -> Iterator[FolderRow | FaultyRow]:
        """The rows of a table, or a row for each film of a folder."""
        if self.kind == "table":
            yield from folder_rows(self.folder, faulty=True)
            return
        for number, path in enumerate(walk_films(self.folder), start=1):
            yield FolderRow(path, None, "", (), None, None, number)

    def case_of_row(self, row: FolderRow) -> str:
        """What a row is called in the output: what the table calls it, or a hash."""
        return row.case or case_of(self.digest, row.image.relative_to(self.folder).as_posix())

    def _row_of(self, row: FolderRow | FaultyRow) -> BatchRow:
        if isinstance(row, FaultyRow):
            reason = f"Row {row.row} does not hold: {row.reason}."
            return BatchRow(case_of(self.digest, f"row {row.row}"), row.row, _failed(reason))
        name, image = f"row {row.row}", ""
        if self.show_paths:
            name, image = None, printable_path(row.image.relative_to(self.folder))
        return batch_row_of(row, self.case_of_row(row), name, image)

    def _row_of_cells(self, number: int, cells: Mapping[str, Any] | None) -> BatchRow:
        """The batch row of a row of Parquet, counted from 0; None where it cannot be read."""
        row = number + 1
        if cells is None:
            reason = f"Row {row} cannot be read: its text is not UTF-8, or its data is damaged."
            return BatchRow(case_of(self.digest, f"row {row}"), row, _failed(reason))
        data, path = picture_of(cells["image"])
        further = [self._pictures(cells.get(name)) for name in PICTURE_COLUMNS]
        case = cell_text(cells.get("case")) or case_of(self.digest, f"{row} {path}")
        name, image = f"row {row}", ""
        if path and self.show_paths:
            name, image = PureWindowsPath(path).name, printable_path(Path(path))
        texts = {key: cell_text(cells.get(key)) for key in TEXT_COLUMNS}
        file = self._file_of(data, path)
        if file is not None and None not in further:
            laterals, prior = (tuple(files or ()) for files in further)
            source = FileSource(file, **texts, name=name, laterals=laterals, prior=prior)
            return BatchRow(case, row, source, image)
        reason = f"Row {row} has neither bytes nor a path in its column image: give one of them."
        if path or None in further:
            reason = f"The picture's path in row {row} leads outside the folder: give it relative."
        return BatchRow(case, row, _failed(reason), image)

    def _file_of(self, data: bytes | None, path: str) -> bytes | Path | None:
        """A picture's bytes, else its path; None where it has neither or the path leads outside."""
        return data if data is not None else path_within(self.folder, path) if path else None

    def _pictures(self, cell: Any) -> list[bytes | Path] | None:
        """The pictures of a cell, one or several; None where one leads outside."""
        parts = re.split(r"[|;]", cell) if isinstance(cell, str) else cell
        given = [picture_of(part) for part in (parts if isinstance(parts, list) else [parts])]
        files = [self._file_of(data, path) for data, path in given if data is not None or path]
        return None if None in files else [file for file in files if file is not None]

    def holds(self, file: Path) -> bool:
        """Whether a file is a table, a Parquet file or a film of this batch."""
        try:
            status = file.stat()
        except OSError:  # not there, so it is none of them
            return False
        rows = () if self.kind == "parquet" else self.table_rows()
        films = (
            path
            for row in rows
            if isinstance(row, FolderRow)
            for path in (row.image, *row.laterals, *row.prior_images)
        )
        return any(_is_same_file(status, path) for path in chain(self.files, films))


def list_rows(path: Path) -> RowListing:
    """Count and check the rows of a manifest, a folder of films or Parquet files, in one pass.

    `path` is a table or a folder as `read_manifest` takes it, any other folder of films, a
    Parquet file or a folder of them. Raises SettingsError where there is nothing to draft,
    LibraryError naming the row for a table that cannot be read.
    """
    if path.suffix.lower() == ".parquet" and is_file(path):
        return RowListing("parquet", path.parent, (path,), *count_parquet((path,)))
    folder, _ = _find_table(path)
    if not is_folder(folder):
        raise SettingsError(f"There is no folder {folder}; name one that is there.")
    if tables := tables_of(folder):
        total = sum(1 for _ in folder_rows(folder, faulty=True))
        return RowListing("table", folder, tuple(tables), total, _digest_of(tables))
    if files := parquet_files(folder):
        return RowListing("parquet", folder, files, *count_parquet(files))
    digest, total = hashlib.sha256(), 0
    for film in walk_films(folder):
        digest.update(os.fsencode(film.relative_to(folder)) + b"\0")
        total += 1
    if not total:
        raise SettingsError(
            f"{folder} holds no films: give DICOM, PNG, JPEG or TIFF files, with or without a "
            f"table {' or '.join(TABLES)}, or Parquet files."
        )
    return RowListing("films", folder, (), total, digest.hexdigest())


def _digest_of(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as data:
            digest.update(hashlib.file_digest(data, "sha256").digest())
    return digest.hexdigest()


def _failed(reason: str) -> FailedStudy:
    return FailedStudy(0, reason)  # who drafts it counts it


def _is_same_file(status: os.stat_result, path: Path) -> bool:
    try:
        return os.path.samestat(status, path.stat())
    except (OSError, ValueError):  # a name that no file can have
        return False
