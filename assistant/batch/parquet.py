"""Reads Parquet files of films, as Hugging Face's datasets writes them, row by row.

A column `image` holds a path, the bytes of a film, or a struct of `bytes` and `path`; `laterals`
and `prior_image` hold the same or a list of it. They, `case`, `indication` and `prior_report` are
optional, and no other column is read. This module knows
pyarrow, which the extra `parquet` installs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assistant.errors import SettingsError
from retrieval.folders import cell_text, is_file
from retrieval.parsing import repeated_name

TEXT_COLUMNS = ("indication", "prior_report")
PICTURE_COLUMNS = ("laterals", "prior_image")
_COLUMNS = ("image", "case", *TEXT_COLUMNS, *PICTURE_COLUMNS)
ROWS_DECODED = 16  # rows that are decoded at once
Cells = Mapping[str, Any]


def parquet_files(folder: Path) -> tuple[Path, ...]:
    """The Parquet files in and below a folder, sorted by path; hidden ones are left out."""
    paths = (path for path in folder.rglob("*.parquet") if is_file(path))
    visible = (p for p in paths if not any(x[0] == "." for x in p.relative_to(folder).parts))
    return tuple(sorted(visible))


def count_parquet(files: Sequence[Path]) -> tuple[int, str]:
    """How many rows the files have, and the SHA-256 of their footers, which cover every page.

    Raises SettingsError for no rows, or a file that is not of films.
    """
    total, digest = 0, hashlib.sha256()
    for file in files:
        with _open_parquet(file) as parquet:
            _columns_of(file, parquet)
            total += parquet.metadata.num_rows
        with file.open("rb") as data:
            data.seek(-8, 2)
            length = int.from_bytes(data.read(4), "little")
            data.seek(-8 - length, 2)
            digest.update(data.read(length))
    if not total:
        raise SettingsError(f"{files[0].name} has no rows: add one a film.")
    return total, digest.hexdigest()


def parquet_rows(files: Sequence[Path], start: int) -> Iterator[tuple[int, Cells | None]]:
    """Number and cells of the rows from number `start`; None for a row that cannot be read."""
    offset = 0  # rows of the files and row groups before
    for file in files:
        with _open_parquet(file) as parquet:
            columns = _columns_of(file, parquet)
            for group in range(parquet.num_row_groups):
                count = parquet.metadata.row_group(group).num_rows
                if offset + count > start:
                    rows = _rows_of(parquet, group, columns, count)
                    for number, row in enumerate(rows, start=offset):
                        if number >= start:
                            yield number, row
                offset += count


def picture_of(image: Any) -> tuple[bytes | None, str]:
    """The bytes and the path, either or both, that a cell of the column `image` holds."""
    if isinstance(image, Mapping):
        data, path = image.get("bytes"), image.get("path")
    else:
        data, path = image, image
    return (data if isinstance(data, bytes) else None), cell_text(path)


def _rows_of(
    parquet: Any, group: int, columns: Mapping[str, str], count: int
) -> Iterator[Cells | None]:
    """The `count` rows of a group; those after a damage in it are None."""
    from pyarrow import ArrowException

    done = 0
    batches = parquet.iter_batches(ROWS_DECODED, row_groups=[group], columns=[*columns.values()])
    while done < count:
        try:
            batch = next(batches)
        except (ArrowException, OSError, ValueError, StopIteration):
            break
        for number in range(min(batch.num_rows, count - done)):
            yield _cells_of(batch, number, columns)
        done += batch.num_rows
    yield from (None for _ in range(count - done))


def _cells_of(batch: Any, number: int, columns: Mapping[str, str]) -> Cells | None:
    try:
        return {key: batch.column(name)[number].as_py() for key, name in columns.items()}
    except ValueError:  # a text that is no UTF-8; pyarrow looks when it is asked for
        return None


def _columns_of(file: Path, parquet: Any) -> dict[str, str]:
    """The columns that are read, by their names in lower case."""
    try:
        names = [(name.strip().lower(), name) for name in parquet.schema_arrow.names]
    except ValueError:  # a name that is no UTF-8
        raise _unreadable_error(file) from None
    if repeated := repeated_name([name for name, _ in names if name in _COLUMNS]):
        raise SettingsError(f"{file.name} has the column {repeated} twice: keep one.")
    found = {key: name for key, name in names if key in _COLUMNS}
    if "image" not in found:
        raise SettingsError(f"{file.name} has no column image; name the films' column so.")
    return found


def _open_parquet(file: Path) -> Any:
    """Open a Parquet file as a context; SettingsError where it cannot be read."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise SettingsError(
            "Parquet files need pyarrow; install it with `pip install 'wetread[parquet]'`."
        ) from None
    try:
        # Buffered, so that a large group of rows is not read whole.
        return ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
    except (ArrowException, OSError, ValueError):
        raise _unreadable_error(file) from None


def _unreadable_error(file: Path) -> SettingsError:
    return SettingsError(f"{file.name} cannot be read as Parquet; write it again.")
