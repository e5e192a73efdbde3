"""Brings the database of an older Wetread to today's tables.

Version 1 kept the pictures as files, `previews/ab/abcdef….png` by the SHA-256 of their bytes.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from pathlib import Path


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


def drop_picture_files(folder: Path) -> None:
    """Delete the files of version 1; called at each opening, in case a process was killed here."""
    if (folder / "previews").is_dir():
        shutil.rmtree(folder / "previews")
