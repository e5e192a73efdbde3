"""Folders of real films: their tables, what is known of each film, and the film in its true shape.

The tables are those that people have: any column may be missing, and no id, name or birth date of
a patient goes further than this module: patients are numbered, and only an age group is kept.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assistant.chest.vocabulary import finding_of_label
from assistant.errors import SettingsError
from assistant.intake import read_film
from assistant.intake.resize import restore_shape
from assistant.labeller.labeller import reads_language
from assistant.types import Film
from retrieval import FaultyRow, FolderRow, rows_with_cells
from retrieval.folders import TABLES, is_file, is_folder, split_labels

BoxCorners = tuple[float, float, float, float]  # left, top, right, bottom, in parts of the film
LATERAL_TABLE = "laterals.csv"
UNKNOWN = "not stated"
# The columns that are read beside those of `retrieval.read_folder`, by what they say.
_STUDY = ("report_id", "study_id", "accession")
_VIEW = ("projection", "frontal/lateral", "view", "viewposition", "view_position")
_GOLD, _FINDINGS, _SEX, _AGE = "gold", "findings", ("sex", "gender"), "age"
_BORN, _TAKEN = "birth", "study"  # years
_UNCERTAIN, _ABSENT = "uncertain", "absent"  # labels, beside those that are present
_LANGUAGE = "language"  # of the report
_COLUMNS = (
    *_STUDY, *_VIEW, _GOLD, _FINDINGS, *_SEX, _AGE, _BORN, _TAKEN, _UNCERTAIN, _ABSENT,
    _LANGUAGE,
)  # fmt: skip
# Columns of boxes, the pixels of the edge that they count in (None: of the film itself, in
# parts of it where no number is above 1), and the finding of a box that names none.
_BOXES = (
    ("boxes", None, ""),
    ("nih_boxes_1024", 1024.0, ""),
    ("rsna_boxes_1024", 1024.0, "Lung Opacity"),
)
_AGE_GROUPS = ((18, "under 18"), (40, "18 to 39"), (65, "40 to 64"), (130, "65 and over"))
_WOMAN = re.compile(r"\b(?:female|woman|lady)\b", re.IGNORECASE)
_MAN = re.compile(r"\b(?:male|man|gentleman)\b", re.IGNORECASE)
_NOTHING = frozenset(("", "nan", "nat", "none", "null", "n/a", "na", "unknown"))
_NO_LABELS = frozenset(("", "nan", "null"))
_FINDINGS_TITLE = re.compile(r"\bfindings?\s*:", re.IGNORECASE)
_IMPRESSION_TITLE = re.compile(r"\b(?:impressions?|conclusions?)\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FilmRecord:
    """One film of a table, not yet read, and what the table says about it."""

    image: Path
    patient: str  # a number; of a film without one in the table, its own
    study: str  # of films with one report, a number
    split: str = ""
    report: str = ""  # all of it
    findings: str = ""  # the findings section; empty: none
    labels: tuple[str, ...] = ()  # present
    uncertain: tuple[str, ...] = ()  # labels that are left open
    labelled: bool = False  # whether anybody labelled it, if only with what is absent
    gold: tuple[str, ...] | None = None  # None: not labelled; (): nothing found
    lateral: bool = False
    view: str = UNKNOWN  # as stated: "PA", "AP"
    sex: str = UNKNOWN  # "F", "M"
    age: str = UNKNOWN  # the age group
    shape: tuple[int, int] | None = None  # true columns and rows of a squeezed film
    boxes: tuple[tuple[str, BoxCorners], ...] = ()  # label and place


@dataclass(frozen=True, slots=True)
class FilmTable:
    """The films of a table, and how many of its rows do not hold."""

    records: tuple[FilmRecord, ...]
    faulty: int
    foreign: int = 0  # reports in a language that the labeller does not read, which are left out


class PatientNumbers:
    """Numbers patients and studies in the order in which they come, over several tables."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], str] = {}

    def number_of(self, kind: str, name: str) -> str:
        """The number of a patient or study, as text."""
        return self._numbers.setdefault((kind, name), f"{kind} {len(self._numbers) + 1}")


def read_table(path: Path, numbers: PatientNumbers) -> FilmTable:
    """Read the table of a folder, or one CSV table of any name with the column `image`.

    Raises LibraryError for a table that cannot be read.
    """
    columns = (*_COLUMNS, *(name for name, _, _ in _BOXES))
    records, faulty, foreign = [], 0, 0
    for row, cells in rows_with_cells(path, columns):
        if isinstance(row, FaultyRow):
            faulty += 1
        else:
            if row.report and not reads_language(cells[_LANGUAGE]):
                row, foreign = replace(row, report=""), foreign + 1
                cells = {**cells, _FINDINGS: ""}
            records.append(_record_of(row, cells, numbers, f"{path} {row.row}"))
    return FilmTable(tuple(records), faulty, foreign)


def choose_split(table: FilmTable, split: str) -> FilmTable:
    """The films of one split; all where it is empty. SettingsError where it has none."""
    if not split:
        return table
    chosen = tuple(r for r in table.records if r.split.casefold() == split.casefold())
    if not chosen:
        known = ", ".join(sorted({r.split for r in table.records if r.split})) or "none"
        raise SettingsError(
            f"The table has no film of the split {split!r}; its splits are: {known}."
        )
    return FilmTable(chosen, table.faulty, table.foreign)


def read_record(record: FilmRecord) -> Film:
    """Read a film in its true shape; raises IntakeError where it cannot be read."""
    film = read_film(record.image, "film")
    if record.shape is None:
        return film
    pixels = restore_shape(film.pixels, record.shape)
    pixels.setflags(write=False)
    return replace(film, pixels=pixels)


def has_table(folder: Path) -> bool:
    """Whether a folder has a table of films of its own."""
    return any((folder / name).is_file() for name in TABLES)


def tables_in(data: Path) -> list[Path]:
    """The folder, if it has a table of films, or else those in it that have one.

    Raises SettingsError where there is none.
    """
    if has_table(data):
        return [data]
    inside = sorted(path for path in data.glob("*") if path.is_dir())
    if not (found := [folder for folder in inside if has_table(folder)]):
        raise SettingsError(f"{data} holds no table of films; name a folder with a cases.csv.")
    return found


def lateral_table_of(data: Path) -> Path | None:
    """The table of lateral films that lies beside a folder's own; None where there is none."""
    path = data / LATERAL_TABLE
    return path if is_folder(data) and is_file(path) else None


def findings_section(report: str) -> str:
    """The findings section of a report; without its heading what stands before the impression."""
    title = _FINDINGS_TITLE.search(report)
    start = title.end() if title else 0
    end = _IMPRESSION_TITLE.search(report, start)
    return report[start : end.start() if end else None].strip()


def _record_of(
    row: FolderRow, cells: Mapping[str, str], numbers: PatientNumbers, own: str
) -> FilmRecord:
    patient = numbers.number_of("patient", row.patient or own)
    study = next((cells[name] for name in _STUDY if cells[name]), own)
    gold = cells[_GOLD].casefold()
    uncertain, absent = (split_labels(cells[name]) for name in (_UNCERTAIN, _ABSENT))
    return FilmRecord(
        image=row.image,
        patient=patient,
        study=numbers.number_of("study", f"{patient} {study}"),
        split=row.split or "",
        report=row.report,
        findings=cells[_FINDINGS] or findings_section(row.report),
        labels=row.labels,
        uncertain=uncertain,
        labelled=bool(row.labels or uncertain or absent),
        gold=None if gold in _NO_LABELS else tuple(split_labels(cells[_GOLD])),
        lateral=any(_is_lateral(cells[name]) for name in _VIEW),
        view=_first_known(cells, _VIEW[2:]).upper() or UNKNOWN,
        sex=_sex_of(_first_known(cells, _SEX), row.indication),
        age=_age_group_of(cells),
        shape=row.shape,
        boxes=tuple(_boxes_of(cells, row.shape)),
    )


def _first_known(cells: Mapping[str, str], names: Iterable[str]) -> str:
    values = (cells[name] for name in names)
    return next((value for value in values if value.casefold() not in _NOTHING), "")


def _is_lateral(view: str) -> bool:
    return view.strip().upper() in ("LL", "RL", "L", "LLD") or "LATERAL" in _words_of(view)


def _words_of(view: str) -> set[str]:
    # "Frontal/Lateral" would be both; a view names one.
    return set(re.findall(r"[A-Z]+", view.upper()))


def _sex_of(sex: str, indication: str) -> str:
    """The sex that the table states, or else that the indication tells ("a 50-year-old male")."""
    if sex:
        return sex[0].upper()
    if _WOMAN.search(indication):
        return "F"
    return "M" if _MAN.search(indication) else UNKNOWN


def _age_group_of(cells: Mapping[str, str]) -> str:
    age = _number_of(cells[_AGE].upper().removesuffix("Y"))
    born, taken = _number_of(cells[_BORN]), _number_of(cells[_TAKEN])
    if age is None and born is not None and taken is not None:
        age = taken - born
    if age is None or not 0 <= age < _AGE_GROUPS[-1][0]:
        return UNKNOWN
    return next(name for limit, name in _AGE_GROUPS if age < limit)


def _number_of(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _boxes_of(
    cells: Mapping[str, str], shape: tuple[int, int] | None
) -> Iterable[tuple[str, BoxCorners]]:
    """The boxes of a row in parts of the film; what is no box is left out."""
    for column, edge, unnamed in _BOXES:
        try:
            entries = json.loads(cells[column] or "[]")
        except ValueError:
            continue
        for entry in entries if isinstance(entries, list) else ():
            named = _named_box(entry, unnamed)
            if named is None:
                continue
            label, (x, y, width, height) = named
            sizes = (edge, edge) if edge else shape or (1.0, 1.0)
            if max(x + width, y + height) <= 1:
                sizes = (1.0, 1.0)
            box = (x / sizes[0], y / sizes[1], (x + width) / sizes[0], (y + height) / sizes[1])
            if box[0] < box[2] <= 1.001 and box[1] < box[3] <= 1.001:
                yield label, box


def _named_box(entry: object, unnamed: str) -> tuple[str, Sequence[float]] | None:
    """The label of a box and its left, top, width and height: `[label, x, y, w, h]`, or without."""
    if not isinstance(entry, list):
        return None
    label, numbers = (
        (entry[0], entry[1:]) if entry and isinstance(entry[0], str) else (unnamed, entry)
    )
    is_box = len(numbers) == 4 and all(isinstance(n, int | float) for n in numbers)
    return (label, numbers) if is_box and finding_of_label(label) else None
