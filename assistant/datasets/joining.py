"""Joins the films of a data set: laterals to their study, studies to their patient, in order.

A temporary database sorts them, so that a set of any size needs the memory of one patient. What
goes out has hashes for all identifiers of the set, keyed by the bytes of its own tables: whoever
has not the set cannot find an identifier by trying them all.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from assistant.datasets.case import DatasetCase, DatasetInfo, FilmBox, FilmLabels, LeftOut
from assistant.iterables import batched
from assistant.labeller.report_sections import ReportSections

TWICE = "films that are listed twice"
_COLUMNS = (
    *("grouped", "study", "moment", "number", "patient", "image", "projection", "view", "sex"),
    *("age", "split", "labels", "boxes", "prior"),
)
_SCHEMA = f"""
create table film ({", ".join(_COLUMNS)}, unique (image) on conflict ignore);
create table report (grouped, study, sections, original, primary key (grouped, study))
    without rowid;
"""
_INSERT = f"insert into film values ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - our own names
# Films of one study may be minutes apart: a study is where its first film is.
_ORDER = (
    f"select {', '.join(_COLUMNS).replace('moment', 'first')}, sections, original "  # noqa: S608
    "from (select *, min(moment) over (partition by grouped, study) as first from film) "
    "left join report using (grouped, study) "
    "order by grouped, first is null, first, study, number"
)


@dataclass(frozen=True, slots=True)
class JoinedFilm:
    """One film with what its study and its patient add; identifiers are hashes."""

    image: Path
    case: str
    patient: str  # empty: the set does not say
    study: str
    follow_up: int | None  # how many studies of the patient are earlier; None: not known
    projection: str
    view: str
    sex: str
    age: int | None
    split: str
    labels: FilmLabels
    boxes: tuple[FilmBox, ...]
    sections: ReportSections
    report: str
    original_report: str
    laterals: tuple[Path, ...] = ()  # of the same study; of a frontal film only
    prior_image: Path | None = None  # the frontal film of the study before
    prior_report: str = ""


@dataclass(frozen=True, slots=True)
class _Film:
    """A row of the database, as `_ORDER` gives it."""

    grouped: str
    study: str
    moment: float | None
    number: int
    patient: str
    image: str
    projection: str
    view: str
    sex: str
    age: int | None
    split: str
    labels: str
    boxes: str
    prior: str
    sections: str | None
    original: str | None


def key_of(tables: Iterable[Path]) -> bytes:
    """The key of a set's hashes: a SHA-256 of its tables."""
    digest = hashlib.sha256()
    for table in tables:
        with table.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.digest()


class CaseJoiner:
    """The films of one data set on their way from its tables to a case folder."""

    def __init__(self, database: Path, info: DatasetInfo, key: bytes) -> None:
        self._database, self._info, self._key = database, info, key

    def add_all(self, cases: Iterable[DatasetCase], left_out: LeftOut) -> int:
        """Take in all films; returns how many. A film that comes twice is taken once."""
        with closing(sqlite3.connect(self._database)) as database:
            database.executescript(
                f"pragma journal_mode = off; pragma synchronous = off; {_SCHEMA}"
            )
            total = 0
            numbered = enumerate(cases)
            for batch in batched(numbered, 1000):
                total += len(batch)
                database.executemany(_INSERT, (_row_of(number, case) for number, case in batch))
                database.executemany(
                    "insert or ignore into report values (?, ?, ?, ?)",
                    filter(None, (_report_of(case) for _, case in batch)),
                )
            database.commit()
            (kept,) = database.execute("select count(*) from film").fetchone()
        if kept < total:
            left_out[TWICE] += total - kept
        return kept

    def joined(self) -> Iterator[JoinedFilm]:
        """All films, patient by patient, the studies of each in order."""
        with closing(sqlite3.connect(self._database)) as database:
            films = (_Film(*row) for row in database.execute(_ORDER))
            for _, group in groupby(films, key=attrgetter("grouped")):
                yield from self._join_patient(list(group))

    def hash_of(self, kind: str, name: str) -> str:
        """The hash that stands for an identifier of the set: 16 hexadecimal digits."""
        text = f"{self._info.name}\0{kind}\0{name}".encode("utf-8", "surrogateescape")
        return hmac.new(self._key, text, "sha256").hexdigest()[:16]

    def _join_patient(self, films: Sequence[_Film]) -> Iterator[JoinedFilm]:
        earlier: _Prior | None = None  # the last study of an earlier moment
        latest: _Prior | None = None  # the last study so far
        count = 0  # of moments
        for _, group in groupby(films, key=attrgetter("study")):
            study = list(group)
            moment = study[0].moment
            if moment is not None and (latest is None or moment > latest.moment):
                earlier, count = latest, count + 1
            sections, report, original = _texts_of(study[0])
            prior = earlier if moment is not None and self._info.dated else None
            frontals = [Path(film.image) for film in study if film.projection != "Lateral"]
            laterals = tuple(Path(film.image) for film in study if film.projection == "Lateral")
            for film in study:
                named = Path(film.prior) if film.prior else None
                yield JoinedFilm(
                    image=Path(film.image),
                    case=self.hash_of("film", film.image),
                    patient=self.hash_of("patient", film.patient) if film.patient else "",
                    study=self.hash_of("study", f"{film.grouped}\0{film.study}"),
                    follow_up=None if moment is None else count - 1,
                    projection=film.projection,
                    view=film.view,
                    sex=film.sex,
                    age=film.age,
                    split=film.split,
                    labels=_labels_of(film.labels),
                    boxes=_boxes_of(film.boxes) if film.boxes else (),
                    sections=sections,
                    report=report,
                    original_report=original,
                    laterals=laterals if film.projection != "Lateral" else (),
                    prior_image=named or (prior.image if prior else None),
                    prior_report=prior.report if prior else "",
                )
            if moment is not None:
                latest = _Prior(moment, frontals[0] if frontals else None, report)


@dataclass(frozen=True, slots=True)
class _Prior:
    """A study as the later ones need it."""

    moment: float
    image: Path | None
    report: str


def _row_of(number: int, case: DatasetCase) -> tuple:
    return (
        # A film whose patient is not known is with those of its own study alone.
        case.patient or f"\0{case.study}",
        case.study,
        case.order,
        number,
        case.patient,
        str(case.image),
        case.projection,
        case.view,
        case.sex,
        case.age,
        case.split,
        json.dumps(astuple(case.labels)),
        json.dumps([astuple(box) for box in case.boxes]) if case.boxes else "",
        str(case.prior or ""),
    )


def _report_of(case: DatasetCase) -> tuple | None:
    """What the report of a film's study is, or None."""
    texts = (*astuple(case.text), case.report)
    if not any(texts):
        return None
    grouped = case.patient or f"\0{case.study}"
    return grouped, case.study, json.dumps(texts), case.original_report


def _texts_of(film: _Film) -> tuple[ReportSections, str, str]:
    """Sections, the whole report, and the report in its own language."""
    if not film.sections:
        return ReportSections(), "", ""
    *parts, report = json.loads(film.sections)
    indication, comparison, findings, impression = parts
    sections = ReportSections(indication, comparison, findings, impression)
    return sections, sections.report or report, film.original or ""


def _boxes_of(text: str) -> tuple[FilmBox, ...]:
    boxes = ((label, key, tuple(at), reader) for label, key, at, reader in json.loads(text))
    return tuple(FilmBox(*box) for box in boxes)


def _labels_of(text: str) -> FilmLabels:
    present, uncertain, absent, other, places = json.loads(text)
    names = (tuple(part) for part in (present, uncertain, absent, other))
    return FilmLabels(*names, places=tuple((key, side, zone) for key, side, zone in places))
