"""Turns a library back into what an older Wetread wrote."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

# As the second version laid out its tables.
_VERSION_2 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE cases (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, film TEXT NOT NULL UNIQUE,
  patient TEXT, report TEXT NOT NULL, labels TEXT NOT NULL, source TEXT NOT NULL,
  preview TEXT NOT NULL, added TEXT NOT NULL);
CREATE INDEX cases_patient ON cases (patient);
CREATE INDEX cases_source ON cases (source);
CREATE TABLE pictures (
  number INTEGER PRIMARY KEY REFERENCES cases (number) ON DELETE CASCADE, png BLOB NOT NULL);
CREATE TABLE encoders (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, dim INTEGER NOT NULL);
CREATE TABLE embeddings (
  encoder INTEGER NOT NULL REFERENCES encoders (number),
  number INTEGER NOT NULL REFERENCES cases (number) ON DELETE CASCADE,
  vector BLOB NOT NULL, PRIMARY KEY (encoder, number));
CREATE INDEX embeddings_number ON embeddings (number);
CREATE TABLE changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, encoder INTEGER NOT NULL, number INTEGER NOT NULL,
  token BLOB NOT NULL DEFAULT (randomblob(8)));
"""
_TRIGGERS = """
CREATE TRIGGER embedding_added AFTER INSERT ON embeddings BEGIN
  INSERT INTO changes (encoder, number) VALUES (new.encoder, new.number); END;
CREATE TRIGGER embedding_changed AFTER UPDATE ON embeddings BEGIN
  INSERT INTO changes (encoder, number) VALUES (new.encoder, new.number); END;
CREATE TRIGGER embedding_removed AFTER DELETE ON embeddings BEGIN
  INSERT INTO changes (encoder, number) VALUES (old.encoder, old.number); END;
"""
_COLUMNS = {
    "meta": "key, value",
    "cases": "number, id, film, patient, report, labels, source, preview, added",
    "pictures": "number, png",
    "encoders": "number, name, dim",
    "embeddings": "encoder, number, vector",
    "changes": "seq, encoder, number, token",
}


def as_version_2(folder: Path) -> None:
    """No checksums."""
    now, old = folder / "cases.sqlite", folder / "old"
    with closing(sqlite3.connect(old)) as database:
        database.executescript(_VERSION_2)
        database.execute("ATTACH ? AS now", (str(now),))
        for table, columns in _COLUMNS.items():
            some = "WHERE key = 'salt'" if table == "meta" else ""
            database.execute(
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM now.{table} {some}"  # noqa: S608
            )
        database.commit()
        database.execute("DETACH now")
        database.executescript(_TRIGGERS)
        database.executescript("PRAGMA application_id = 1466266738; PRAGMA user_version = 2;")
        database.execute("PRAGMA journal_mode = WAL")
    old.replace(now)


def as_version_1(folder: Path) -> None:
    """And the pictures in files, by hash."""
    as_version_2(folder)
    with closing(sqlite3.connect(folder / "cases.sqlite")) as database, database:
        rows = database.execute("SELECT preview, png FROM cases JOIN pictures USING (number)")
        for name, data in rows:
            path = folder / "previews" / name[:2] / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        database.executescript(
            "DROP TABLE pictures; CREATE TABLE doomed (preview TEXT PRIMARY KEY);"
            "CREATE INDEX cases_preview ON cases (preview); PRAGMA user_version = 1;"
        )
