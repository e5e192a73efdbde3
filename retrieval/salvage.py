"""Makes a whole database from the rows of a damaged one that fit their checksums."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retrieval.checksums import sum_of_row, sum_of_vector
from retrieval.database import read_seal
from retrieval.files import replaced_when_whole, sync_folder
from retrieval.opening import DATABASE, connect, log_of
from retrieval.store import CASE_CELLS, Store

_PATIENT = 3  # among the cells of a case


def decode_damaged(data: bytes) -> str:
    """Text whatever the bytes are: those that are no UTF-8 fit no checksum."""
    return data.decode("utf-8", "surrogateescape")


def vector_fits(key: tuple[int, int], dim: int | None, data: Any, total: int) -> bool:
    """Whether a vector under its key (encoder, number) has its length and fits its checksum."""
    whole = isinstance(data, bytes) and dim is not None and len(data) == 4 * dim
    return whole and sum_of_vector(*key, data) == total


def picture_fits(data: Any, name: str | None) -> bool:
    """Whether a picture is the one of this SHA-256."""
    return isinstance(data, bytes) and hashlib.sha256(data).hexdigest() == name


def keep_aside(path: Path) -> Path:
    """Copy a database and its log, flushed and for the owner alone; returns the copy."""
    aside = path.with_name(f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}.sqlite")
    for source, copy in ((path, aside), (log_of(path), log_of(aside))):
        if source.is_file():
            with replaced_when_whole(copy, private=True) as temporary:
                shutil.copyfile(source, temporary)
    return aside


def salvage(path: Path) -> None:
    """Put a new database, made of what is whole, in the place of a damaged one.

    Numbers and the key of the patients' hashes stay; the log of changes begins anew. Raises
    sqlite3.Error where nothing can be read.
    """
    with tempfile.TemporaryDirectory(prefix=".repair-", dir=path.parent) as folder:
        fresh = Store(Path(folder) / DATABASE, "repair", 1)
        with closing(fresh), closing(connect(path, writable=True)) as old, fresh.writing():
            old.text_factory = decode_damaged
            _copy(old, fresh.db)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        (Path(folder) / DATABASE).replace(path)
    sync_folder(path.parent)


def _copy(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    try:
        salt, seal, sealed = read_seal(old)
    except sqlite3.DatabaseError:
        salt, seal, sealed = b"", 0, 1
    known = seal == sealed  # else nobody's patient is known by the hashes any more
    if known:
        new.execute("UPDATE meta SET value = ? WHERE key = 'salt'", (salt,))
        new.execute("UPDATE meta SET value = ? WHERE key = 'seal'", read_seal(new)[2:])
    names: dict[int, str] = {}
    for *cells, total in _rows(old, "cases", f"{CASE_CELLS}, sum"):
        if sum_of_row(*cells) == total:
            cells[_PATIENT] = cells[_PATIENT] if known else None
            marks = ", ".join("?" * (len(cells) + 1))
            new.execute(
                f"INSERT OR IGNORE INTO cases ({CASE_CELLS}, sum) VALUES ({marks})",  # noqa: S608
                (*cells, sum_of_row(*cells)),
            )
            names[cells[0]] = cells[7]
    for number, data in _rows(old, "pictures", "number, png"):
        if picture_fits(data, names.get(number)):
            new.execute("INSERT INTO pictures VALUES (?, ?)", (number, data))
    dims: dict[int, int] = {}
    for number, name, dim, total in _rows(old, "encoders", "number, name, dim, sum"):
        if sum_of_row(number, name, dim) == total:
            new.execute("INSERT INTO encoders VALUES (?, ?, ?, ?)", (number, name, dim, total))
            dims[number] = dim
    for *key, data, total in _rows(old, "embeddings", "encoder, number, vector, sum"):
        encoder, number = key
        if number in names and vector_fits((encoder, number), dims.get(encoder), data, total):
            new.execute(
                "INSERT OR IGNORE INTO embeddings (encoder, number, vector, sum) "
                "VALUES (?, ?, ?, ?)",
                (encoder, number, data, total),
            )


def _rows(db: sqlite3.Connection, table: str, columns: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a table that can be read, whatever pages between them cannot."""
    numbers: set[int] = set()
    for order in ("", "DESC"):
        try:
            rows = db.execute(f"SELECT rowid FROM {table} NOT INDEXED ORDER BY rowid {order}")  # noqa: S608
            for (number,) in rows:
                numbers.add(number)
        except sqlite3.DatabaseError:  # from the other end, then
            continue
    for number in sorted(numbers):
        try:
            row = db.execute(
                f"SELECT {columns} FROM {table} NOT INDEXED WHERE rowid = ?",  # noqa: S608
                (number,),
            ).fetchone()
        except sqlite3.DatabaseError:
            continue
        if row is not None:
            yield row
