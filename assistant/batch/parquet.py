"""Reads Parquet files of films, as Hugging Face's datasets writes them, row by row.

A column `image` holds a path, or a struct of `bytes` and `path`; `indication` and `prior_report`
are optional, and no other column is read. This module knows pyarrow, which the extra `parquet`
installs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from assistant.drafting.sources import BatchRow, FailedStudy, FileSource
from assistant.errors import SettingsError
from retrieval.folders import path_within

TEXT_COLUMNS = ("indication", "prior_report")
ROWS_DECODED = 16  # rows that are decoded at once


def parquet_files(folder: Path) -> tuple[Path, ...]:
    """The Parquet files in and below a folder, sorted by path; hidden ones are left out."""
    paths = (path for path in folder.rglob("*.parquet") if path.is_file())
    visible = (p for p in paths if not any(x[0] == "." for x in p.relative_to(folder).parts))
    return tuple(sorted(visible))


def count_parquet(files: Sequence[Path]) -> tuple[int, str]:
    """How many rows the files have, and the SHA-256 of their footers, which cover every page.

    Raises SettingsError for no rows, or a file that is not of films.
    """
    total, digest = 0, hashlib.sha256()
    for file in files:
        with _open_parquet(file) as parquet:
            total += parquet.metadata.num_rows
        with file.open("rb") as data:
            data.seek(-8, 2)
            length = int.from_bytes(data.read(4), "little")
            data.seek(-8 - length, 2)
            digest.update(data.read(length))
    if not total:
        raise SettingsError(f"{files[0].name} has no rows: add one a film.")
    return total, digest.hexdigest()


def parquet_rows(folder: Path, files: Sequence[Path], start: int) -> Iterator[BatchRow]:
    """The rows from number `start`; a picture's path is taken within `folder`.

    A row without a picture, or whose path leads outside, becomes a `FailedStudy`.
    """
    offset = 0  # rows of the files and row groups before
    for file in files:
        with _open_parquet(file) as parquet:
            columns = [
                name for name in ("image", *TEXT_COLUMNS) if name in parquet.schema_arrow.names
            ]
            for group in range(parquet.num_row_groups):
                count = parquet.metadata.row_group(group).num_rows
                if offset + count > start:
                    rows = _rows_of(file, parquet, group, columns)
                    for number, row in enumerate(rows, start=offset):
                        if number >= start:
                            yield _batch_row_of(folder, number, row)
                offset += count


def _rows_of(
    file: Path, parquet: Any, group: int, columns: Sequence[str]
) -> Iterator[Mapping[str, Any]]:
    from pyarrow import ArrowException

    try:
        for batch in parquet.iter_batches(ROWS_DECODED, row_groups=[group], columns=columns):
            yield from batch.to_pylist()
    except (ArrowException, OSError):
        raise _unreadable_error(file) from None


def _open_parquet(file: Path) -> Any:
    """Open a Parquet file as a context; SettingsError says what it lacks."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise SettingsError(
            "Parquet files need pyarrow; install it with `pip install 'wetread[parquet]'`."
        ) from None
    try:
        # Buffered, so that a large group of rows is not read whole.
        parquet = ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
    except (ArrowException, OSError):
        raise _unreadable_error(file) from None
    if "image" not in parquet.schema_arrow.names:
        parquet.close()
        raise SettingsError(f"{file.name} has no column image; name the films' column so.")
    return parquet


def _unreadable_error(file: Path) -> SettingsError:
    return SettingsError(f"{file.name} cannot be read as Parquet; write it again.")


def _batch_row_of(folder: Path, number: int, row: Mapping[str, Any]) -> BatchRow:
    image = row["image"]
    data, path = (
        (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (None, image)
    )
    name = path if isinstance(path, str) and path.strip() else f"row {number + 1}"
    texts = {key: str(row.get(key) or "").strip() for key in TEXT_COLUMNS}
    if isinstance(data, bytes):
        return BatchRow(name, FileSource(data, **texts, name=PureWindowsPath(name).name))
    if name is not path:
        reason = f'"{name}" has neither bytes nor a path in its column image: give one of them.'
        return BatchRow(name, FailedStudy(number, reason))
    file = path_within(folder, name)
    if file is None:
        reason = (
            f"The picture's path in row {number + 1} leads outside the folder: give it relative."
        )
        return BatchRow(name, FailedStudy(number, reason))
    return BatchRow(name, FileSource(file, **texts))
