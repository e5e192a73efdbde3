"""Opens the library's SQLite database and keeps its transactions; the tables are laid out here.

Knows SQLite: WAL, locks, the schema and its version. What the tables mean is `store.py`'s, what
older versions were like `upgrade.py`'s.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retrieval import upgrade
from retrieval.errors import LibraryError

SCHEMA_VERSION = 2
_APPLICATION_ID = 0x57657472  # "Wetr", in the database's header
_BUSY_SECONDS = 60.0
_LOG_PAGES = 8192  # of 4 KiB, before the log is folded in: each folding waits twice for the disk

# Numbers are never reused (AUTOINCREMENT), so that a number means one case for ever. `changes`
# is only ever appended to, by triggers, and its random tokens tell two histories apart: that is
# how a snapshot of the index is known to belong to this database. The pictures lie here too, apart
# from what is searched: a file for each would cost a wait for the disk for each.
_SCHEMA = """
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
CREATE TRIGGER embedding_added AFTER INSERT ON embeddings BEGIN
  INSERT INTO changes (encoder, number) VALUES (new.encoder, new.number); END;
CREATE TRIGGER embedding_changed AFTER UPDATE ON embeddings BEGIN
  INSERT INTO changes (encoder, number) VALUES (new.encoder, new.number); END;
CREATE TRIGGER embedding_removed AFTER DELETE ON embeddings BEGIN
  INSERT INTO changes (encoder, number) VALUES (old.encoder, old.number); END;
"""


class Database:
    """One open database; `encoder` and `dim` say which vectors it deals in."""

    def __init__(self, path: Path, encoder: str, dim: int) -> None:
        self.path = path
        self.encoder = encoder
        self.dim = dim
        self._lock = threading.RLock()
        self._open = True
        with self._translated():
            self.db = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            self.salt = self._prepare()
        except LibraryError:
            self.db.close()
            raise

    @property
    def is_open(self) -> bool:
        """False once closed."""
        return self._open

    def close(self) -> None:
        """Fold the log into the database and let go of it."""
        with self._lock, self._translated():
            if self._open:
                self._open = False
                self.db.close()

    def checkpoint(self) -> None:
        """Fold the log into the database where no other process is reading, else leave it."""
        with self._lock, self._translated():
            self.db.execute("PRAGMA busy_timeout = 1000")  # readers elsewhere: not worth waiting
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.db.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One consistent view of the database, whatever others write meanwhile."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All or nothing, durable when left (synchronous=FULL), one writer at a time."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with self._lock, self._translated():
            if not self._open:
                raise LibraryError(f"The library at {self.path.parent} is closed: open it again.")
            self.db.execute(begin)
            try:
                yield
                self.db.execute("COMMIT")
            finally:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise LibraryError(
                f"The library's database {self.path} cannot be used ({error}): check the "
                "folder's permissions, free space, and whether another program holds it."
            ) from error
        except sqlite3.DatabaseError as error:
            raise LibraryError(
                f"The library's database {self.path} is damaged or not a database ({error}): "
                "put a backup in its place."
            ) from error
        except UnicodeEncodeError:
            raise LibraryError(
                "A text holds half a character (a lone surrogate), and no case holds that: "
                "write it anew."
            ) from None
        except OSError as error:
            raise LibraryError(
                f"The library's folder {self.path.parent} cannot be used ({error.strerror}): "
                "check its permissions and free space."
            ) from error

    def _prepare(self) -> bytes:
        with self._translated():
            # Before anything is changed: a newer or a foreign database stays as it is. In one
            # view: another process may be making this very database between two of its reads.
            with self.reading():
                self._check_kind()
            self._use_wal()
            self.db.execute("PRAGMA synchronous = FULL")  # acknowledged means on the disk
            self.db.execute("PRAGMA foreign_keys = ON")
            self.db.execute("PRAGMA secure_delete = ON")  # a removed report leaves no bytes
            self.db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        with self.writing():
            version = self._check_kind()
            if version == 0:
                for statement in _statements(_SCHEMA):
                    self.db.execute(statement)
                self.db.execute("INSERT INTO meta VALUES ('salt', ?)", (os.urandom(32),))
                self.db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            elif version == 1:
                upgrade.take_in_pictures(self.db, self.path.parent)
            if version < SCHEMA_VERSION:
                self.db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            known = self.fetch_value("SELECT dim FROM encoders WHERE name = ?", self.encoder)
            if known is not None and known != self.dim:
                raise LibraryError(
                    f"The library at {self.path.parent} holds vectors of {known} numbers from "
                    f"the encoder {self.encoder}, not of {self.dim}: give the encoder that "
                    "made the others another name."
                )
            salt = self.fetch_value("SELECT value FROM meta WHERE key = 'salt'")
        with self._translated():
            upgrade.drop_picture_files(self.path.parent)  # now that they are surely in here
        return salt

    def _check_kind(self) -> int:
        version = self.fetch_value("PRAGMA user_version")
        if version > SCHEMA_VERSION:
            raise LibraryError(
                f"The library at {self.path.parent} was written by a newer Wetread (schema "
                f"{version}, this one reads up to {SCHEMA_VERSION}): update Wetread."
            )
        ours = self.fetch_value("PRAGMA application_id") == _APPLICATION_ID
        empty = self.fetch_value("SELECT count(*) FROM sqlite_master") == 0
        if ours != (version > 0) or (not ours and not empty):
            raise LibraryError(f"{self.path} is not a library of Wetread: give another folder.")
        return version

    def _use_wal(self) -> None:
        # Going over to WAL does not wait for a lock as other statements do, so it is tried
        # again while another process does the same to a new database.
        last = time.monotonic() + 10
        while True:
            try:
                self.db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > last:
                    raise
                time.sleep(0.02)
            else:
                return

    def fetch_value(self, sql: str, *values: object) -> Any:
        """The first cell of the first row, or None where there is no row."""
        row = self.db.execute(sql, values).fetchone()
        return row[0] if row else None


def _statements(script: str) -> Iterator[str]:
    """The script's statements one by one: `executescript` would commit the open transaction."""
    part = ""
    for line in script.splitlines():
        part += line + "\n"
        if sqlite3.complete_statement(part):
            yield part
            part = ""
