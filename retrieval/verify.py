"""Looks through a library on the disk for damage, and makes it whole from what is good.

Knows the tables of `database.py` and their checksums, and the files of the index. It does not open
the library as `library.py` does, which may refuse a damaged one.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from retrieval.checksums import sum_of_row
from retrieval.database import SCHEMA_VERSION, read_seal, reason_of
from retrieval.errors import LibraryError
from retrieval.log_tail import lost_commits
from retrieval.opening import DATABASE, INDEX, Hold, connect, log_of, may_write
from retrieval.salvage import (
    decode_damaged,
    keep_aside,
    picture_fits,
    salvage,
    vector_fits,
)
from retrieval.snapshot import snapshot_fault
from retrieval.store import CASE_CELLS

_LINES = 20  # of SQLite's own check
_ENCODE = "left out: `wetread library rebuild` encodes its picture again"


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong at one place of a library, and what becomes of it in a repair."""

    place: str  # "database", "log", "case", "vector", "picture", "encoder" or "index"
    case: str | None  # its id, where one case is concerned and its id can be read
    fault: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked through in a library, and what is damaged."""

    cases: int  # whole ones
    vectors: int
    pictures: int
    damages: tuple[Damage, ...]
    kept_aside: Path | None = None  # the damaged database, after a repair


def verify_library(folder: Path) -> Verified:
    """Read every row and file of the library in a folder and compare it with its checksum.

    Nothing is changed. Raises LibraryError where there is no library, or one of an older Wetread,
    which has no checksums before it is opened once.
    """
    path = _database_in(folder)
    damages: list[Damage] = []
    log = log_of(path)
    with _held(folder) as hold:
        if hold.alone and log.is_file() and (lost := lost_commits(log)):
            gone = "what they held is lost: add it again"
            damages.append(Damage("log", None, f"its log has lost {lost}", gone))
    counts = Counter[str]()
    try:
        with closing(connect(path, writable=False)) as db:
            db.text_factory = decode_damaged
            _check_version(path, db)
            damages += _faults_of_pages(db)
            damages += _walk(db, counts)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        what = "put a backup in its place, if a repair fails"
        fault = f"it cannot be read to its end ({reason_of(error)})"
        damages.append(Damage("database", None, fault, what))
    if fault := snapshot_fault(folder / INDEX):
        damages.append(Damage("index", None, f"its snapshot {fault}", "made again"))
    return Verified(counts["case"], counts["vector"], counts["picture"], tuple(damages))


def repair_library(folder: Path) -> Verified:
    """Make the library in a folder whole again from all that fits its checksum.

    The damaged database is kept beside it, as `damaged-TIME.sqlite`. A damaged case is left out
    with its report, a damaged vector or picture is left out of its case, and the index is made
    again. Nothing is done where nothing is damaged. Raises LibraryError where another process has
    the library open, where it cannot be written, and where nothing of it can be read.
    """
    found = verify_library(folder)
    if not found.damages:
        return found
    path = _database_in(folder)
    if not may_write(path):
        raise LibraryError(f"The library at {folder} cannot be written: copy it to repair it.")
    aside = None
    with _held(folder) as hold:
        if not hold.alone:
            raise LibraryError(
                f"Another process has the library at {folder} open: end it to repair the library."
            )
        try:
            if any(damage.place != "index" for damage in found.damages):
                aside = keep_aside(path)
                salvage(path)
            if (folder / INDEX).is_dir():
                shutil.rmtree(folder / INDEX)
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise LibraryError(
                f"The library's database {path} cannot be repaired ({reason_of(error)}): put a "
                "backup in its place."
            ) from error
    return Verified(found.cases, found.vectors, found.pictures, found.damages, aside)


def _database_in(folder: Path) -> Path:
    path = folder / DATABASE
    if not path.is_file():
        raise LibraryError(f"There is no library at {folder}: add a case or a folder first.")
    return path


@contextmanager
def _held(folder: Path) -> Iterator[Hold]:
    hold = Hold(folder)
    try:
        yield hold
    finally:
        hold.release()


def _check_version(path: Path, db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if 0 < version < SCHEMA_VERSION:
        raise LibraryError(
            f"The library at {path.parent} was written by an older Wetread and has no checksums: "
            "open it once, as by `wetread library stats`, and verify it then."
        )


def _faults_of_pages(db: sqlite3.Connection) -> Iterator[Damage]:
    for (line,) in db.execute(f"PRAGMA integrity_check({_LINES})"):
        for fault in str(line).splitlines():
            if fault != "ok":
                yield Damage("database", None, f"SQLite finds: {fault}", "written anew")
    for (where,) in db.execute('SELECT "table" FROM pragma_foreign_key_check'):
        yield Damage("database", None, f"a row of {where} belongs to no case", "left out")
    _, seal, sealed = read_seal(db)
    if seal != sealed:
        fault = "its tables or the key of the patients' hashes do not fit their checksum"
        yield Damage("database", None, fault, "made anew; cases then belong to no known patient")


def _walk(db: sqlite3.Connection, counts: Counter[str]) -> Iterator[Damage]:
    """The damaged rows; counts the whole ones by kind."""
    names: dict[int, tuple[str, str]] = {}  # id and the picture's hash
    again = "add its film again"
    for *cells, total in db.execute(f"SELECT {CASE_CELLS}, sum FROM cases"):  # noqa: S608
        if sum_of_row(*cells) == total:
            counts["case"] += 1
            names[cells[0]] = (cells[1], cells[7])
        else:
            remedy = f"left out with its report: {again}"
            yield Damage("case", None, f"case number {cells[0]} does not fit its checksum", remedy)
    for number, data in db.execute("SELECT number, png FROM pictures"):
        name, wanted = names.pop(number, (None, ""))
        if picture_fits(data, wanted):
            counts["picture"] += 1
        elif name is not None:
            yield Damage("picture", name, "its picture does not fit its hash", f"left out: {again}")
    for name, _ in names.values():
        yield Damage("picture", name, "its picture is missing", again)
    dims: dict[int, int] = {}
    for number, name, dim, total in db.execute("SELECT number, name, dim, sum FROM encoders"):
        if sum_of_row(number, name, dim) == total:
            dims[number] = dim
        else:
            yield Damage("encoder", None, "an encoder does not fit its checksum", _ENCODE)
    ids = dict(db.execute("SELECT number, id FROM cases"))
    for encoder, number, data, total in db.execute(
        "SELECT encoder, number, vector, sum FROM embeddings"
    ):
        if vector_fits((encoder, number), dims.get(encoder), data, total):
            counts["vector"] += 1
        elif encoder in dims:
            fault = "a vector does not fit its checksum"
            yield Damage("vector", ids.get(number), fault, _ENCODE)
