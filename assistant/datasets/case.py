"""What the readers of published data sets give: a film with all that its set says about it.

The identifiers in these values are the set's own and are kept out of every repr; what is written
has hashes of them (`assistant.datasets.joining`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from assistant.labeller.report_sections import ReportSections

Projection = Literal["Frontal", "Lateral", ""]
NO_TEXT = ReportSections()
LeftOut = Counter[str]  # what was left out, by its reason in words


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """A published data set: what it is, who may use it for what, and where it is."""

    name: str  # as the command line uses it
    title: str
    licence: str
    citation: str
    url: str
    labels: str  # where its labels come from, and what "absent" and "uncertain" mean
    order: str = ""  # what `follow_up` counts; empty: the set states no order
    dated: bool = False  # whether the order is one of time, so that priors can be joined
    language: str = "en"


@dataclass(frozen=True, slots=True)
class FilmBox:
    """One box of one film, in fractions of its width and height from the top left corner."""

    label: str  # as the set calls it
    finding: str  # key of the vocabulary; empty: it names none
    corners: tuple[float, float, float, float]  # left, top, right, bottom
    reader: int = 1  # which reader of the film drew it, counted from 1


@dataclass(frozen=True, slots=True)
class FilmLabels:
    """What a set says of the findings of one film, as keys of the vocabulary."""

    present: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()  # what the set denies; what it does not mention is in none
    other: tuple[str, ...] = ()  # present labels that name no finding, as the set writes them
    places: tuple[tuple[str, str, str], ...] = ()  # finding, side, zone, where the set says them


@dataclass(frozen=True, slots=True)
class DatasetCase:
    """One film of a published data set."""

    image: Path
    patient: str = field(repr=False)  # empty: the set does not say
    study: str = field(repr=False)
    projection: Projection
    view: str = ""  # PA, AP, LL, ... as the set states it
    order: float | None = None  # studies of a patient are sorted by it
    sex: str = ""  # F, M or empty
    age: int | None = None  # years
    split: str = ""  # train, val, test or empty
    labels: FilmLabels = FilmLabels()
    boxes: tuple[FilmBox, ...] = ()
    text: ReportSections = NO_TEXT
    report: str = ""  # the whole report where it has no sections
    original_report: str = ""  # in its own language, where `text` is the set's translation
    prior: Path | None = None  # the earlier film, where the set itself names it


@dataclass(frozen=True, slots=True)
class OpenedSet:
    """A data set whose tables have been found."""

    tables: tuple[Path, ...]  # their bytes are the key of all hashes
    cases: Callable[[LeftOut], Iterator[DatasetCase]]  # what is left out is counted
