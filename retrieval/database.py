"""Opens the library's SQLite database and keeps its transactions; the tables are laid out here.

Knows SQLite: WAL, the schema and its version. What the tables mean is `store.py`'s, who may open
the file `opening.py`'s, what older versions were like `upgrade.py`'s.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retrieval import upgrade
from retrieval.checksums import sum_of_row, sum_of_schema
from retrieval.errors import LibraryError
from retrieval.opening import BUSY_SECONDS, REPAIR, Hold, connect, may_write, opened_alone

log = logging.getLogger(__name__)

_OUR_SQL = "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'"

SCHEMA_VERSION = 3
# How SQLite begins to say what is not the file's fault but that of its place.
_OF_THE_PLACE = ("unable to open", "attempt to write", "database ", "disk I/O", "locking", "out of")
_APPLICATION_ID = 0x57657472  # "Wetr", in the database's header
_LOG_PAGES = 8192  # of 4 KiB, before the log is folded in: each folding waits twice for the disk

# Numbers are never reused (AUTOINCREMENT), so that a number means one case for ever. `changes`
# is only ever appended to, by triggers, and its random tokens tell two histories apart: that is
# how a snapshot of the index is known to belong to this database. The pictures lie here too, apart
# from what is searched: a file for each would cost a wait for the disk for each. Every row has a
# checksum, `sum`: that of a picture is the SHA-256 in its case's row, that of a change its `twin`,
# and the seal in `meta` is that of the salt and of these statements.
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE cases (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, film TEXT NOT NULL UNIQUE,
  patient TEXT, report TEXT NOT NULL, labels TEXT NOT NULL, source TEXT NOT NULL,
  preview TEXT NOT NULL, added TEXT NOT NULL, sum INTEGER NOT NULL DEFAULT 0);
CREATE INDEX cases_patient ON cases (patient);
CREATE INDEX cases_source ON cases (source);
CREATE TABLE pictures (
  number INTEGER PRIMARY KEY REFERENCES cases (number) ON DELETE CASCADE, png BLOB NOT NULL);
CREATE TABLE encoders (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, dim INTEGER NOT NULL,
  sum INTEGER NOT NULL DEFAULT 0);
CREATE TABLE embeddings (
  encoder INTEGER NOT NULL REFERENCES encoders (number),
  number INTEGER NOT NULL REFERENCES cases (number) ON DELETE CASCADE,
  vector BLOB NOT NULL, sum INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (encoder, number));
CREATE INDEX embeddings_number ON embeddings (number);
CREATE TABLE changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, encoder INTEGER NOT NULL, number INTEGER NOT NULL,
  token BLOB NOT NULL DEFAULT (randomblob(8)), twin INTEGER NOT NULL DEFAULT 0);
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
            self._hold = Hold(path.parent)
        try:
            with self._translated(), opened_alone(path, self._hold) as unclean:
                self.writable = may_write(path)
                self.db = connect(path, writable=self.writable)
                if unclean:
                    log.info("%s was not closed: looking through it for damage", path)
                    self._check_pages()
            self.salt = self._prepare()
        except LibraryError:
            if hasattr(self, "db"):
                self.db.close()
            self._hold.release()
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
                self._hold.release()

    def checkpoint(self) -> None:
        """Fold the log into the database where no other process is reading, else leave it."""
        with self._lock, self._translated():
            self.db.execute("PRAGMA busy_timeout = 1000")  # readers elsewhere: not worth waiting
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.db.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One consistent view of the database, whatever others write meanwhile."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All or nothing, durable when left (synchronous=FULL), one writer at a time."""
        if not self.writable:
            raise LibraryError(
                f"The library at {self.path.parent} cannot be written, only searched: it is "
                "read-only or another user's; copy it to change it."
            )
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
            if not str(error).startswith(_OF_THE_PLACE):  # a column that is there no more
                raise self._damaged(error) from error
            raise LibraryError(
                f"The library's database {self.path} cannot be used ({error}): check the "
                "folder's permissions, free space, and whether another program holds it."
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        except UnicodeDecodeError as error:  # SQLite quotes what it cannot read
            raise self._damaged(sqlite3.DatabaseError("its tables cannot be read")) from error
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

    def _damaged(self, error: sqlite3.Error) -> LibraryError:
        reason = reason_of(error)
        return LibraryError(
            f"The library's database {self.path} is damaged or not a database ({reason}): {REPAIR}."
        )

    def _prepare(self) -> bytes:
        with self._translated():
            # Before anything is changed: a newer or a foreign database stays as it is. In one
            # view: another process may be making this very database between two of its reads.
            with self.reading():
                version = self._check_kind()
            if not self.writable:
                return self._prepare_to_read(version)
            self._use_wal()
            self.db.execute("PRAGMA synchronous = FULL")  # acknowledged means on the disk
            self.db.execute("PRAGMA foreign_keys = ON")
            self.db.execute("PRAGMA secure_delete = ON")  # a removed report leaves no bytes
            self.db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        with self.writing():
            version = self._check_kind()
            if version == 0:
                for statement in (*_statements(_SCHEMA), *upgrade.TRIGGERS):
                    self.db.execute(statement)
                self.db.execute("INSERT INTO meta VALUES ('salt', ?)", (os.urandom(32),))
                self.db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            elif version < SCHEMA_VERSION:
                self._check_pages()  # a checksum of what is damaged would seal the damage
            if version == 1:
                upgrade.take_in_pictures(self.db, self.path.parent)
            if version in (1, 2):
                upgrade.add_checksums(self.db)
            if version < SCHEMA_VERSION:
                self.db.execute("INSERT INTO meta VALUES ('seal', ?)", read_seal(self.db)[2:])
                self.db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            salt = self._checked_salt()
        with self._translated():
            upgrade.drop_picture_files(self.path.parent)  # now that they are surely in here
        return salt

    def _prepare_to_read(self, version: int) -> bytes:
        if 0 < version < SCHEMA_VERSION:
            raise LibraryError(
                f"The library at {self.path.parent} was written by an older Wetread and cannot be "
                "written here: copy it to a folder of yours, where it is brought up to date."
            )
        with self.reading():
            return self._checked_salt()

    def _checked_salt(self) -> bytes:
        """The salt, once seal and encoders fit their checksums and this encoder its length."""
        salt, seal, sealed = read_seal(self.db)
        odd = self.fetch_value("PRAGMA auto_vacuum"), self.fetch_value("PRAGMA encoding")
        if seal != sealed or odd != (0, "UTF-8"):
            raise sqlite3.DatabaseError("its tables do not fit their checksum")
        for number, name, dim, total in self.db.execute(
            "SELECT number, name, dim, sum FROM encoders NOT INDEXED"
        ).fetchall():
            if total != sum_of_row(number, name, dim):
                raise sqlite3.DatabaseError("an encoder does not fit its checksum")
            if name == self.encoder and dim != self.dim:
                raise LibraryError(
                    f"The library at {self.path.parent} holds vectors of {dim} numbers from "
                    f"the encoder {self.encoder}, not of {self.dim}: give the encoder that "
                    "made the others another name."
                )
            if name == self.encoder and number != self._encoder_number():
                raise sqlite3.DatabaseError("the index of the encoders is wrong")
        return salt

    def _encoder_number(self) -> int:
        """The number of this encoder; 0 before its first vector."""
        return self.fetch_value("SELECT number FROM encoders WHERE name = ?", self.encoder) or 0

    def _check_pages(self, what: str = "quick_check(1)") -> None:
        found = self.fetch_value(f"PRAGMA {what}")
        if found != "ok":
            raise sqlite3.DatabaseError(found)

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


def reason_of(error: Exception) -> str:
    """What SQLite, or the system, says of its trouble, in one line.

    Without the text that it cannot read and quotes: it may be a patient's report.
    """
    return " ".join(str(error).partition(" with text ")[0].split())


def read_seal(db: sqlite3.Connection) -> tuple[bytes, int | None, int]:
    """The salt, the seal, and the seal that salt and tables should have.

    Raises sqlite3.DatabaseError where there is no salt.
    """
    meta = dict(db.execute("SELECT key, value FROM meta"))
    if not isinstance(meta.get("salt"), bytes):
        raise sqlite3.DatabaseError("the key of the patients' hashes is gone")
    sealed = sum_of_schema(meta["salt"], [sql for (sql,) in db.execute(_OUR_SQL)])
    return meta["salt"], meta.get("seal"), sealed


def _statements(script: str) -> Iterator[str]:
    """The script's statements one by one: `executescript` would commit the open transaction."""
    part = ""
    for line in script.splitlines():
        part += line + "\n"
        if sqlite3.complete_statement(part):
            yield part
            part = ""
