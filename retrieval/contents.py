"""What a library on the disk holds, counted without opening it for work: nothing is created.

Knows SQLite and the tables that `database.py` lays out; it knows no index and no encoder.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import LibraryError

_DATABASE = "cases.sqlite"


@dataclass(frozen=True, slots=True)
class EncoderCount:
    """How many cases carry a vector of one encoder."""

    encoder: str
    dim: int  # numbers of a vector
    cases: int


@dataclass(frozen=True, slots=True)
class LibraryContents:
    """How many cases a library holds, and whose vectors they carry."""

    cases: int
    encoders: tuple[EncoderCount, ...]  # most cases first


def count_contents(folder: Path) -> LibraryContents | None:
    """Count the cases of the library in this folder; None where there is no library.

    Raises LibraryError for a database that cannot be read.
    """
    path = folder / _DATABASE
    try:
        if not path.is_file():
            return None
        # Even a reader makes files for the log, unless it is told that there is none.
        log = path.with_name(f"{path.name}-wal")
        mode = "mode=ro" if log.is_file() and log.stat().st_size else "immutable=1"
        uri = f"{path.resolve().as_uri()}?{mode}"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            (cases,) = database.execute("SELECT count(*) FROM cases").fetchone()
            encoders = database.execute(
                "SELECT name, dim, count(embeddings.number) FROM encoders "
                "LEFT JOIN embeddings ON embeddings.encoder = encoders.number "
                "GROUP BY encoders.number ORDER BY 3 DESC, name"
            ).fetchall()
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        raise LibraryError(
            f"The library's database {path} cannot be read ({type(error).__name__}): check its "
            "permissions, or put a backup in its place."
        ) from error
    return LibraryContents(cases, tuple(EncoderCount(*row) for row in encoders))
