"""Brings the database of an older Wetread to today's tables.

Version 1 kept the pictures as files, `previews/ab/abcdef….png` by the SHA-256 of their bytes.
Version 2 had no checksums.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from pathlib import Path

from retrieval.checksums import sum_of_row, sum_of_vector

_CHANGED = (
    "CREATE TRIGGER embedding_{0} AFTER {1} ON embeddings BEGIN INSERT INTO changes "
    "(encoder, number, twin) VALUES ({2}.encoder, {2}.number, {2}.encoder - 1024 * {2}.number); END"
)
TRIGGERS = tuple(
    _CHANGED.format(*words)
    for words in (("added", "INSERT", "new"), ("changed", "UPDATE", "new"),
                  ("removed", "DELETE", "old"))
)  # fmt: skip


def take_in_pictures(db: sqlite3.Connection, folder: Path) -> None:
    """From version 1 to 2, inside the caller's transaction: the picture files become rows.

    A picture that is missing or damaged stays missing, and is said when it is asked for.
    """
    db.execute("DROP INDEX cases_preview")
    db.execute("DROP TABLE doomed")
    db.execute(
        "CREATE TABLE pictures (number INTEGER PRIMARY KEY "
        "REFERENCES cases (number) ON DELETE CASCADE, png BLOB NOT NULL)"
    )
    for number, name in db.execute("SELECT number, preview FROM cases").fetchall():
        path = folder / "previews" / name[:2] / f"{name}.png"
        data = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(data).hexdigest() == name:
            db.execute("INSERT INTO pictures VALUES (?, ?)", (number, data))


def add_checksums(db: sqlite3.Connection) -> None:
    """From version 2 to 3, inside the caller's transaction: every row gets its checksum."""
    for table in ("cases", "encoders", "embeddings"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN sum INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE changes ADD COLUMN twin INTEGER NOT NULL DEFAULT 0")
    for word in ("added", "changed", "removed"):
        db.execute(f"DROP TRIGGER embedding_{word}")
    db.create_function("sum_of_row", -1, sum_of_row, deterministic=True)
    db.create_function("sum_of_vector", 3, sum_of_vector, deterministic=True)
    db.execute(
        "UPDATE cases SET sum = sum_of_row("
        "number, id, film, patient, report, labels, source, preview, added)"
    )
    db.execute("UPDATE encoders SET sum = sum_of_row(number, name, dim)")
    db.execute("UPDATE embeddings SET sum = sum_of_vector(encoder, number, vector)")
    db.execute("UPDATE changes SET twin = encoder - 1024 * number")
    for trigger in TRIGGERS:
        db.execute(trigger)


def drop_picture_files(folder: Path) -> None:
    """Delete the files of version 1; called at each opening, in case a process was killed here."""
    if (folder / "previews").is_dir():
        shutil.rmtree(folder / "previews")
