"""What the library's database holds: cases, vectors, and the log of changes.

The one source of truth. Knows the meaning of the tables and the salted hash of a patient id;
it knows no FAISS and no pictures. Every method is to be called inside `reading` or `writing`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TypeVar

import numpy as np

from retrieval.database import Database
from retrieval.errors import LibraryError
from retrieval.types import Added, Case, NewCase

_Value = TypeVar("_Value", int, str)
_JSON = json.JSONEncoder(ensure_ascii=False)
_MANY = 500  # parameters of one statement; old SQLite allows 999


class Store(Database):
    """The cases, and the vectors of the encoder that it was opened for."""

    def patient_key(self, patient: str | None) -> str | None:
        """The salted hash of a patient id: 24 hexadecimal digits; None for none or a blank."""
        plain = unicodedata.normalize("NFC", patient).strip() if patient else ""
        if not plain:
            return None
        return hmac.digest(self.salt, plain.encode("utf-8"), "sha256").hex()[:24]

    # Cases

    def number_of(self, case_or_film: str) -> int | None:
        """The number of the case with this id or this film's SHA-256, or None."""
        return self.fetch_value(
            "SELECT number FROM cases WHERE id = ? OR film = ?", case_or_film, case_or_film
        )

    def case(self, number: int) -> Case:
        """The case with this number, which exists."""
        row = self.db.execute(
            "SELECT id, patient, report, labels, source, added FROM cases WHERE number = ?",
            (number,),
        ).fetchone()
        identifier, patient, report, labels, source, added = row
        return Case(identifier, patient, report, tuple(json.loads(labels)), source, added)

    def picture(self, number: int) -> bytes | None:
        """The small PNG of the case with this number, or None where it is missing or damaged."""
        row = self.db.execute(
            "SELECT preview, png FROM cases JOIN pictures USING (number) WHERE number = ?",
            (number,),
        ).fetchone()
        return row[1] if row and hashlib.sha256(row[1]).hexdigest() == row[0] else None

    def keep(self, cases: Sequence[NewCase], added: str) -> list[Added]:
        """Put cases that were checked; a film that is known gains only what it lacks.

        That is its vector of this encoder, and its picture where that was lost and this is it.
        """
        known = self._known(cases)
        done: list[Added] = []
        pictures: list[tuple[int, bytes]] = []
        vectors: list[tuple[int, np.ndarray]] = []
        for case in cases:
            preview = hashlib.sha256(case.preview).hexdigest()
            number, first = known.get(case.film_sha256, (0, preview))
            done.append(Added(case.film_sha256[:16], new=not number))
            if not number:
                number = self._insert(case, preview, added)
                known[case.film_sha256] = (number, preview)
            if done[-1].new or (first == preview and self.picture(number) is None):
                pictures.append((number, case.preview))
            vectors.append((number, case.embedding))
        self.db.executemany("INSERT OR REPLACE INTO pictures VALUES (?, ?)", pictures)
        self._put_vectors(vectors, "DO NOTHING")
        return done

    def _known(self, cases: Sequence[NewCase]) -> dict[str, tuple[int, str]]:
        """The number and the picture's SHA-256 of the films that are here already, by film."""
        films = [case.film_sha256 for case in cases]
        found: dict[str, tuple[int, str]] = {}
        for part, marks in _parts(films):
            sql = f"SELECT film, number, preview FROM cases WHERE film IN ({marks})"  # noqa: S608
            found |= {film: (number, name) for film, number, name in self.db.execute(sql, part)}
        return found

    def _insert(self, case: NewCase, preview: str, added: str) -> int:
        try:
            done = self.db.execute(
                "INSERT INTO cases (id, film, patient, report, labels, source, preview, added) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    case.film_sha256[:16],
                    case.film_sha256,
                    self.patient_key(case.patient),
                    case.report,
                    _JSON.encode(case.labels),
                    case.source,
                    preview,
                    added,
                ),
            )
        except sqlite3.IntegrityError as error:
            raise LibraryError(
                f"Another film's id is {case.film_sha256[:16]} too, so this one cannot be "
                "added: remove the other first."
            ) from error
        return int(done.lastrowid or 0)

    def delete(self, number: int) -> None:
        """Delete a case with its vectors and its picture."""
        self.db.execute("DELETE FROM embeddings WHERE number = ?", (number,))
        self.db.execute("DELETE FROM cases WHERE number = ?", (number,))

    def numbers(self, *, source: str | None = None) -> np.ndarray:
        """The numbers of all cases, or of one source's: int64 (N,), rising."""
        where, values = ("", ()) if source is None else ("WHERE source = ?", (source,))
        return self._numbers(f"SELECT number FROM cases {where} ORDER BY number", *values)  # noqa: S608

    def numbers_holding(
        self,
        groups: Sequence[Sequence[str]],
        *,
        source: str | None = None,
        most: int | None = None,
    ) -> np.ndarray:
        """The numbers of the cases that hold a word of every group: int64 (N,), falling.

        A word may be part of another, in any case of letters, in report, labels, source or id.
        Not SQLite's LIKE: that knows capitals of ASCII alone.
        """
        wanted = [[word.casefold() for word in group] for group in groups]
        where, values = ("", ()) if source is None else ("WHERE source = ?", (source,))
        found: list[int] = []
        sql = f"SELECT number, id, source, report, labels FROM cases {where} ORDER BY number DESC"  # noqa: S608
        with closing(self.db.execute(sql, values)) as rows:
            for number, *texts, labels in rows:
                if most is not None and len(found) >= most:
                    break
                text = "\n".join((*texts, *json.loads(labels))).casefold() if wanted else ""
                if all(any(word in text for word in group) for group in wanted):
                    found.append(number)
        return np.array(found, dtype=np.int64)

    def numbers_without_vector(self) -> np.ndarray:
        """The numbers of the cases that carry no vector of this encoder: int64 (N,), rising."""
        return self._numbers(
            "SELECT number FROM cases WHERE number NOT IN "
            "(SELECT number FROM embeddings WHERE encoder = ?) ORDER BY number",
            self._encoder_number(),
        )

    def counts(self) -> tuple[int, int, int, tuple[tuple[str, int], ...]]:
        """Cases, distinct patients, cases without one, and (source, cases), most first."""
        total, known, patients = self.db.execute(
            "SELECT count(*), count(patient), count(DISTINCT patient) FROM cases"
        ).fetchone()
        sources = self.db.execute(
            "SELECT source, count(*) FROM cases GROUP BY source ORDER BY count(*) DESC, source"
        )
        return total, patients, total - known, tuple((name, count) for name, count in sources)

    def check(self) -> None:
        """Look through the whole database for damage; LibraryError where there is some."""
        found = self.fetch_value("PRAGMA quick_check(1)")
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    # Vectors of this encoder

    def _encoder_number(self) -> int:
        return self.fetch_value("SELECT number FROM encoders WHERE name = ?", self.encoder) or 0

    def has_vector(self, number: int) -> bool:
        """Whether the case with this number carries a vector of this encoder."""
        sql = "SELECT 1 FROM embeddings WHERE encoder = ? AND number = ?"
        return self.fetch_value(sql, self._encoder_number(), number) is not None

    def set_vector(self, number: int, vector: np.ndarray) -> None:
        """Put or replace a case's vector of this encoder: float32 (D,)."""
        self._put_vectors([(number, vector)], "DO UPDATE SET vector = excluded.vector")

    def _put_vectors(self, vectors: Sequence[tuple[int, np.ndarray]], otherwise: str) -> None:
        self.db.execute(
            "INSERT OR IGNORE INTO encoders (name, dim) VALUES (?, ?)", (self.encoder, self.dim)
        )
        known = self.fetch_value("SELECT dim FROM encoders WHERE name = ?", self.encoder)
        if known != self.dim:
            raise LibraryError(
                f"Another process has put vectors of {known} numbers from {self.encoder}, this "
                f"one has {self.dim}: let both use one encoder."
            )
        encoder = self._encoder_number()
        self.db.executemany(
            "INSERT INTO embeddings (encoder, number, vector) VALUES (?, ?, ?) "  # noqa: S608
            f"ON CONFLICT (encoder, number) {otherwise}",
            [(encoder, number, vector.astype("<f4").tobytes()) for number, vector in vectors],
        )

    def count_vectors(self) -> int:
        """How many cases carry a vector of this encoder."""
        sql = "SELECT count(*) FROM embeddings WHERE encoder = ?"
        return self.fetch_value(sql, self._encoder_number())

    def vector_numbers(
        self, *, source: str | None = None, patient: str | None = None, case: int | None = None
    ) -> np.ndarray:
        """The numbers of the cases with a vector of this encoder: int64 (N,), rising.

        Only those of the source, of the patient (the hashed key) or the one case, where given.
        """
        wanted = (("source", source), ("patient", patient), ("number", case))
        given = [(column, value) for column, value in wanted if value is not None]
        also = "".join(f" AND cases.{column} = ?" for column, _ in given)
        join = "JOIN cases ON cases.number = embeddings.number" if given else ""
        return self._numbers(
            f"SELECT embeddings.number FROM embeddings {join} WHERE encoder = ?{also} "  # noqa: S608
            "ORDER BY embeddings.number",
            self._encoder_number(),
            *(value for _, value in given),
        )

    def vectors(self, numbers: Sequence[int] | np.ndarray) -> tuple[list[int], np.ndarray]:
        """The vectors of these cases: the numbers found, rising, and float32 (N, D)."""
        wanted = sorted(int(number) for number in numbers)
        rows: list[tuple[int, bytes]] = []
        for part, marks in _parts(wanted):
            rows += self.db.execute(
                "SELECT number, vector FROM embeddings "  # noqa: S608 (marks are question marks)
                f"WHERE encoder = ? AND number IN ({marks}) ORDER BY number",
                (self._encoder_number(), *part),
            )
        if any(len(blob) != 4 * self.dim for _, blob in rows):
            raise sqlite3.DatabaseError("a vector has the wrong length")
        matrix = np.frombuffer(b"".join(blob for _, blob in rows), dtype="<f4")
        return [number for number, _ in rows], matrix.reshape(-1, self.dim)

    def ids(self, numbers: Sequence[int]) -> dict[int, str]:
        """The ids of these cases by number."""
        found: dict[int, str] = {}
        for part, marks in _parts(numbers):
            sql = f"SELECT number, id FROM cases WHERE number IN ({marks})"  # noqa: S608
            found.update(self.db.execute(sql, part).fetchall())
        return found

    def digest(self) -> str:
        """SHA-256 over all that search can return under this encoder, in the order of films."""
        total = hashlib.sha256(self.encoder.encode("utf-8"))
        for row in self.db.execute(
            "SELECT film, report, labels, source, vector FROM embeddings "
            "JOIN cases ON cases.number = embeddings.number WHERE encoder = ? ORDER BY film",
            (self._encoder_number(),),
        ):
            for cell in row:
                data = cell if isinstance(cell, bytes) else cell.encode("utf-8")
                total.update(len(data).to_bytes(8, "little") + data)
        return total.hexdigest()

    # The log of changes

    def watermark(self) -> tuple[int, str]:
        """The last change and its token; (0, "") before the first."""
        sql = "SELECT seq, hex(token) FROM changes ORDER BY seq DESC LIMIT 1"
        return self.db.execute(sql).fetchone() or (0, "")

    def token(self, seq: int) -> str:
        """The token of this change, "" where the log has no such change."""
        return self.fetch_value("SELECT hex(token) FROM changes WHERE seq = ?", seq) or ""

    def changed_since(self, seq: int) -> np.ndarray:
        """The cases whose vector of this encoder came, changed or went since: int64 (N,)."""
        return self._numbers(
            "SELECT DISTINCT number FROM changes WHERE seq > ? AND encoder = ? ORDER BY number",
            seq,
            self._encoder_number(),
        )

    def _numbers(self, sql: str, *values: object) -> np.ndarray:
        rows = self.db.execute(sql, values)
        return np.fromiter((number for (number,) in rows), dtype=np.int64)


def _parts(values: Sequence[_Value]) -> Iterator[tuple[Sequence[_Value], str]]:
    """The values by as many as one statement takes, with their question marks."""
    for start in range(0, len(values), _MANY):
        part = values[start : start + _MANY]
        yield part, ",".join("?" * len(part))
