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
from typing import Any, TypeVar

import numpy as np

from retrieval.checksums import sum_of_row, sum_of_vector, vectors_fit
from retrieval.database import Database
from retrieval.errors import LibraryError
from retrieval.types import Added, Case, NewCase

_Value = TypeVar("_Value", int, str)
_JSON = json.JSONEncoder(ensure_ascii=False)
_MANY = 500  # parameters of one statement; old SQLite allows 999
CASE_CELLS = "number, id, film, patient, report, labels, source, preview, added"


class Store(Database):
    """The cases, and the vectors of the encoder that it was opened for."""

    _trusted = False  # whether SQLite has checked the table of cases since the opening

    def patient_key(self, patient: str | None) -> str | None:
        """The salted hash of a patient id: 24 hexadecimal digits; None for none or a blank."""
        plain = unicodedata.normalize("NFC", patient).strip() if patient else ""
        if not plain:
            return None
        return hmac.digest(self.salt, plain.encode("utf-8"), "sha256").hex()[:24]

    # Cases

    def number_of(self, case_or_film: str) -> int | None:
        """The number of the case with this id or this film's SHA-256, or None."""
        number = self.fetch_value(
            "SELECT number FROM cases WHERE id = ? OR film = ?", case_or_film, case_or_film
        )
        if number is not None and case_or_film not in self._cells(number)[1:3]:
            raise sqlite3.DatabaseError("the index of the cases is wrong")
        return number

    def case(self, number: int) -> Case:
        """The case with this number, which exists."""
        return self.cases([number])[number]

    def cases(self, numbers: Sequence[int]) -> dict[int, Case]:
        """The cases with these numbers, which exist."""
        found: dict[int, Case] = {}
        for part, marks in _parts(numbers):
            sql = f"SELECT {CASE_CELLS}, sum FROM cases WHERE number IN ({marks})"  # noqa: S608
            for row in self.db.execute(sql, part):
                number, name, _, patient, report, labels, source, _, added = _checked(row)
                labels = tuple(json.loads(labels))
                found[number] = Case(name, patient, report, labels, source, added)
        if len(found) != len(set(numbers)):
            raise sqlite3.DatabaseError("a case is missing")
        return found

    def _cells(self, number: int) -> tuple[Any, ...]:
        sql = f"SELECT {CASE_CELLS}, sum FROM cases WHERE number = ?"  # noqa: S608
        return _checked(self.db.execute(sql, (number,)).fetchone())

    def picture(self, number: int) -> bytes | None:
        """The small PNG of the case with this number, or None where it is missing or damaged."""
        wanted = self._cells(number)[7]
        data = self.fetch_value("SELECT png FROM pictures WHERE number = ?", number)
        fits = isinstance(data, bytes) and hashlib.sha256(data).hexdigest() == wanted
        return data if fits else None

    def keep(self, cases: Sequence[NewCase], added: str) -> list[Added]:
        """Put cases that were checked; a film that is known gains only what it lacks.

        That is its vector of this encoder, and its picture where that was lost and this is it.
        """
        known = self._known(cases)
        free = self._free_number()
        done: list[Added] = []
        pictures: list[tuple[int, bytes]] = []
        vectors: list[tuple[int, np.ndarray]] = []
        for case in cases:
            preview = hashlib.sha256(case.preview).hexdigest()
            number, first = known.get(case.film_sha256, (0, preview))
            done.append(Added(case.film_sha256[:16], new=not number))
            if not number:
                number, free = free, free + 1
                self._insert(number, case, preview, added)
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

    def _insert(self, number: int, case: NewCase, preview: str, added: str) -> None:
        cells = (
            number,
            case.film_sha256[:16],
            case.film_sha256,
            self.patient_key(case.patient),
            case.report,
            _JSON.encode(case.labels),
            case.source,
            preview,
            added,
        )
        try:
            self.db.execute(
                f"INSERT INTO cases ({CASE_CELLS}, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (*cells, sum_of_row(*cells)),
            )
        except sqlite3.IntegrityError as error:
            raise LibraryError(
                f"Another film's id is {case.film_sha256[:16]} too, so this one cannot be "
                "added: remove the other first."
            ) from error

    def _free_number(self) -> int:
        """The number of the next case: it is part of its checksum, so it is known before."""
        last = self.fetch_value("SELECT seq FROM sqlite_sequence WHERE name = 'cases'") or 0
        return 1 + max(last, self.fetch_value("SELECT max(number) FROM cases") or 0)

    def delete(self, number: int) -> None:
        """Delete a case with its vectors and its picture."""
        self.db.execute("DELETE FROM embeddings WHERE number = ?", (number,))
        self.db.execute("DELETE FROM cases WHERE number = ?", (number,))

    def trust_cases(self) -> None:
        """Let SQLite check the table of cases and its indices, once for each opening.

        A row says itself whether it is whole, but not whether another is missing: what is answered
        from a set of rows calls this first.
        """
        if not self._trusted:
            self._check_pages("integrity_check(cases)")
            self._trusted = True

    def numbers(self, *, source: str | None = None, patient: str | None = None) -> np.ndarray:
        """The numbers of all cases, of one source's, or of one patient's (the hashed key).

        They are int64 (N,), rising.
        """
        self.trust_cases()
        wanted = (("source", source), ("patient", patient))
        given = [(column, value) for column, value in wanted if value is not None]
        where = " AND ".join(f"{column} = ?" for column, _ in given) or "1"
        sql = f"SELECT number FROM cases WHERE {where} ORDER BY number"  # noqa: S608
        return self._numbers(sql, *(value for _, value in given))

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
        self.trust_cases()
        wanted = [[word.casefold() for word in group] for group in groups]
        where, values = ("", ()) if source is None else ("WHERE source = ?", (source,))
        found: list[int] = []
        sql = f"SELECT {CASE_CELLS}, sum FROM cases {where} ORDER BY number DESC"  # noqa: S608
        with closing(self.db.execute(sql, values)) as rows:
            for row in rows:
                if most is not None and len(found) >= most:
                    break
                number, name, _, _, report, labels, origin, *_ = _checked(row)
                texts = (name, origin, report, *json.loads(labels)) if wanted else ()
                text = "\n".join(texts).casefold()
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
        self.trust_cases()
        total, known, patients = self.db.execute(
            "SELECT count(*), count(patient), count(DISTINCT patient) FROM cases"
        ).fetchone()
        sources = self.db.execute(
            "SELECT source, count(*) FROM cases GROUP BY source ORDER BY count(*) DESC, source"
        )
        return total, patients, total - known, tuple((name, count) for name, count in sources)

    def check(self) -> None:
        """Look through the whole database for damage; LibraryError where there is some."""
        self._check_pages("integrity_check(1)")

    # Vectors of this encoder

    def has_vector(self, number: int) -> bool:
        """Whether the case with this number carries a vector of this encoder."""
        sql = "SELECT 1 FROM embeddings WHERE encoder = ? AND number = ?"
        return self.fetch_value(sql, self._encoder_number(), number) is not None

    def set_vector(self, number: int, vector: np.ndarray) -> None:
        """Put or replace a case's vector of this encoder: float32 (D,)."""
        self._put_vectors(
            [(number, vector)], "DO UPDATE SET vector = excluded.vector, sum = excluded.sum"
        )

    def _put_vectors(self, vectors: Sequence[tuple[int, np.ndarray]], otherwise: str) -> None:
        known = self.fetch_value("SELECT dim FROM encoders WHERE name = ?", self.encoder)
        if known is None:
            last = self.fetch_value("SELECT max(number) FROM encoders") or 0
            cells = (last + 1, self.encoder, self.dim)
            self.db.execute(
                "INSERT INTO encoders (number, name, dim, sum) VALUES (?, ?, ?, ?)",
                (*cells, sum_of_row(*cells)),
            )
        elif known != self.dim:
            raise LibraryError(
                f"Another process has put vectors of {known} numbers from {self.encoder}, this "
                f"one has {self.dim}: let both use one encoder."
            )
        encoder = self._encoder_number()
        rows = ((number, vector.astype("<f4").tobytes()) for number, vector in vectors)
        self.db.executemany(
            "INSERT INTO embeddings (encoder, number, vector, sum) VALUES (?, ?, ?, ?) "  # noqa: S608
            f"ON CONFLICT (encoder, number) {otherwise}",
            [
                (encoder, number, data, sum_of_vector(encoder, number, data))
                for number, data in rows
            ],
        )

    def count_vectors(self) -> int:
        """How many cases carry a vector of this encoder."""
        sql = "SELECT count(*) FROM embeddings WHERE encoder = ?"
        return self.fetch_value(sql, self._encoder_number())

    def vector_numbers(self) -> np.ndarray:
        """The numbers of the cases with a vector of this encoder: int64 (N,), rising."""
        return self._numbers(
            "SELECT number FROM embeddings WHERE encoder = ? ORDER BY number",
            self._encoder_number(),
        )

    def trust_vectors(self) -> None:
        """Let SQLite check the table of vectors and its indices: before all are read."""
        self._check_pages("integrity_check(embeddings)")

    def vectors(self, numbers: Sequence[int] | np.ndarray) -> tuple[list[int], np.ndarray]:
        """The vectors of these cases: the numbers found, rising, and float32 (N, D)."""
        wanted: list[int] = np.sort(np.asarray(numbers, dtype=np.int64)).tolist()
        rows: list[tuple[int, bytes, int]] = []
        encoder = self._encoder_number()
        for part, marks in _parts(wanted):
            rows += self.db.execute(
                "SELECT number, vector, sum FROM embeddings "  # noqa: S608 (marks: question marks)
                f"WHERE encoder = ? AND number IN ({marks}) ORDER BY number",
                (encoder, *part),
            )
        if not rows:
            return [], np.empty((0, self.dim), np.float32)
        found, vectors, sums = zip(*rows, strict=True)
        if not vectors_fit(encoder, found, vectors, sums):
            raise sqlite3.DatabaseError("a vector does not fit its checksum")
        return [*found], np.frombuffer(b"".join(vectors), dtype="<f4").reshape(-1, self.dim)

    def has_case(self, number: int) -> bool:
        """Whether there still is a case with this number."""
        return self.fetch_value("SELECT 1 FROM cases WHERE number = ?", number) is not None

    def digest(self) -> str:
        """SHA-256 over all that search can return under this encoder, in the order of films."""
        total = hashlib.sha256(self.encoder.encode("utf-8"))
        encoder = self._encoder_number()
        cells = ", ".join(f"cases.{name}" for name in CASE_CELLS.split(", "))
        for vector, vector_sum, *row in self.db.execute(
            f"SELECT vector, embeddings.sum, {cells}, cases.sum FROM embeddings "  # noqa: S608
            "JOIN cases ON cases.number = embeddings.number WHERE encoder = ? ORDER BY film",
            (encoder,),
        ):
            number, _, film, _, report, labels, source, *_ = _checked((*row,))
            if not vectors_fit(encoder, [number], [vector], [vector_sum]):
                raise sqlite3.DatabaseError("a vector does not fit its checksum")
            for data in (*(text.encode() for text in (film, report, labels, source)), vector):
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

    def trust_log(self) -> None:
        """DatabaseError where the last changes are missing from the log."""
        last = self.fetch_value("SELECT seq FROM sqlite_sequence WHERE name = 'changes'") or 0
        if self.watermark()[0] != last:
            raise sqlite3.DatabaseError("the end of its log of changes is missing")

    def changed_since(self, seq: int) -> np.ndarray:
        """The cases whose vector of this encoder came, changed or went since: int64 (N,)."""
        self.trust_log()
        encoder, changed = self._encoder_number(), set[int]()
        for at, row in enumerate(
            self.db.execute(
                "SELECT seq, encoder, number, twin FROM changes WHERE seq > ? ORDER BY seq", (seq,)
            ),
            start=seq + 1,
        ):
            here, whose, number, twin = row
            if here != at or twin != whose - 1024 * number:
                raise sqlite3.DatabaseError("its log of changes is broken")
            if whose == encoder:
                changed.add(number)
        return np.array(sorted(changed), dtype=np.int64)

    def _numbers(self, sql: str, *values: object) -> np.ndarray:
        numbers = [number for (number,) in self.db.execute(sql, values)]
        if not all(type(number) is int for number in numbers):
            raise sqlite3.DatabaseError("the number of a case is none")
        return np.array(numbers, dtype=np.int64)


def _parts(values: Sequence[_Value]) -> Iterator[tuple[Sequence[_Value], str]]:
    """The values by as many as one statement takes, with their question marks."""
    for start in range(0, len(values), _MANY):
        part = values[start : start + _MANY]
        yield part, ",".join("?" * len(part))


def _checked(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    """A case's cells, without the checksum that they fit."""
    if row is None:
        raise sqlite3.DatabaseError("a case is missing")
    *cells, total = row
    if sum_of_row(*cells) != total:
        raise sqlite3.DatabaseError("a case does not fit its checksum")
    return tuple(cells)
