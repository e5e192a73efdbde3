"""The rows of Parquet files of films, as Hugging Face's datasets writes them, one at a time.

A column `image` holds a path, or a struct of `bytes` and `path`; `indication` and `prior_report`
may stand beside it, and no other column is read. Knows pyarrow, which the extra `parquet` brings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from assistant.drafting.sources import BatchRow, FailedStudy, FileSource
from assistant.errors import SettingsError
from retrieval.folders import path_within

TEXTS = ("indication", "prior_report")
AT_ONCE = 16  # rows that are decoded at once


def parquet_files(folder: Path) -> tuple[Path, ...]:
    """The Parquet files in and below a folder, sorted by path; hidden ones are left out."""
    found = (path for path in folder.rglob("*.parquet") if path.is_file())
    shown = (p for p in found if not any(x[0] == "." for x in p.relative_to(folder).parts))
    return tuple(sorted(shown))


def count_parquet(files: Sequence[Path]) -> tuple[int, str]:
    """How many rows the files have, and the SHA-256 of their footers, which tell of every page.

    Raises SettingsError for no rows, or a file that is not of films.
    """
    total, digest = 0, hashlib.sha256()
    for file in files:
        with _opened(file) as parquet:
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

    A row without a picture, or whose path leads outside, is one that failed.
    """
    before = 0  # rows of the files and row groups that are done with
    for file in files:
        with _opened(file) as parquet:
            columns = [name for name in ("image", *TEXTS) if name in parquet.schema_arrow.names]
            for group in range(parquet.num_row_groups):
                count = parquet.metadata.row_group(group).num_rows
                if before + count > start:
                    rows = _rows_of(file, parquet, group, columns)
                    for number, row in enumerate(rows, start=before):
                        if number >= start:
                            yield _named(folder, number, row)
                before += count


def _rows_of(
    file: Path, parquet: Any, group: int, columns: Sequence[str]
) -> Iterator[Mapping[str, Any]]:
    from pyarrow import ArrowException

    try:
        for batch in parquet.iter_batches(AT_ONCE, row_groups=[group], columns=columns):
            yield from batch.to_pylist()
    except (ArrowException, OSError):
        raise _unreadable(file) from None


def _opened(file: Path) -> Any:
    """The Parquet file, a context; SettingsError says what it lacks."""
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
        raise _unreadable(file) from None
    if "image" not in parquet.schema_arrow.names:
        parquet.close()
        raise SettingsError(f"{file.name} has no column image; name the films' column so.")
    return parquet


def _unreadable(file: Path) -> SettingsError:
    return SettingsError(f"{file.name} cannot be read as Parquet; write it again.")


def _named(folder: Path, number: int, row: Mapping[str, Any]) -> BatchRow:
    image = row["image"]
    data, path = (
        (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (None, image)
    )
    name = path if isinstance(path, str) and path.strip() else f"row {number + 1}"
    texts = {key: str(row.get(key) or "").strip() for key in TEXTS}
    if isinstance(data, bytes):
        return BatchRow(name, FileSource(data, **texts, name=PureWindowsPath(name).name))
    if name is not path:
        why = f'"{name}" has neither bytes nor a path in its column image: give one of them.'
        return BatchRow(name, FailedStudy(number, why))
    file = path_within(folder, name)
    if file is None:
        why = f"The picture's path in row {number + 1} leads outside the folder: give it relative."
        return BatchRow(name, FailedStudy(number, why))
    return BatchRow(name, FileSource(file, **texts))
