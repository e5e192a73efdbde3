"""Real films with what their reports assert, as arrays that the encoder's training reads.

The films come from a folder with `cases.csv` (`wetread cases` writes one; docs/datasets.md). What
a report does not mention is neither present nor absent, and stays so here. No text of a report is
kept: only its claims, in the vocabulary's words, and the terms under which it was indexed.
"""

from __future__ import annotations

import collections
import csv
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from adapters.data.folder_films import TEST_MARKS, VALIDATION_MARKS
from adapters.data.phantom_arrays import FILM_LABELS
from assistant.backbones.probe.probe import Label
from assistant.chest.places import each_side
from assistant.errors import SettingsError
from assistant.intake.resize import square
from assistant.labeller.labeller import find_assertions, reads_language
from assistant.parsing import is_file
from assistant.types import Assertion

EDGE = 256
TABLE = "cases.csv"
LATERAL_TABLE = "laterals.csv"  # further films of the same patients
LATERAL = ("LL", "RL", "LATERAL")
FEWEST_TERMS = 10  # films that are indexed under a term, for it to be learnt
# What a report says of a label: nothing, that it is so, that it is not, that it may be, or only
# of its finding and not of its place.
UNMENTIONED, ABSENT, PRESENT, UNCERTAIN, OPEN = range(5)
_RANK = {"present": PRESENT, "uncertain": UNCERTAIN}


@dataclass(frozen=True, slots=True, eq=False)
class RealArrays:
    """N real films, L labels, T terms."""

    films: np.ndarray  # uint8 (N, 256, 256), air dark
    labels: np.ndarray  # uint8 (N, L): of FILM_LABELS, UNMENTIONED to OPEN
    terms: np.ndarray  # uint8 (N, T)
    claims: tuple[tuple[Assertion, ...], ...]
    patients: tuple[str, ...]  # hashes
    splits: tuple[str, ...]  # "train", "extra", "val", ...
    lateral: np.ndarray  # bool (N,)
    term_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.films)

    def select(self, chosen: np.ndarray) -> RealArrays:
        """Some of the films: `chosen` are indices or bool (N,)."""
        rows = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        return RealArrays(
            self.films[rows],
            self.labels[rows],
            self.terms[rows],
            tuple(self.claims[i] for i in rows),
            tuple(self.patients[i] for i in rows),
            tuple(self.splits[i] for i in rows),
            self.lateral[rows],
            self.term_names,
        )


def no_real_films() -> RealArrays:
    """Arrays of no film, for an encoder that learns from phantoms alone."""
    return RealArrays(
        films=np.zeros((0, EDGE, EDGE), np.uint8),
        labels=np.zeros((0, len(FILM_LABELS)), np.uint8),
        terms=np.zeros((0, 0), np.uint8),
        claims=(),
        patients=(),
        splits=(),
        lateral=np.zeros(0, bool),
        term_names=(),
    )


def held_out_films(films: RealArrays) -> np.ndarray:
    """Which films are marked as held out, bool (N,)."""
    return np.array([split in VALIDATION_MARKS for split in films.splits])


def label_states(claims: Sequence[Assertion], labels: Sequence[Label]) -> np.ndarray:
    """What claims say of each label, uint8 (L,): UNMENTIONED to OPEN."""
    by_finding: dict[str, list[Assertion]] = collections.defaultdict(list)
    for claim in claims:
        by_finding[claim.finding].append(claim)
    return np.array([_state_of(label, by_finding.get(label.finding, ())) for label in labels], "u1")


def _state_of(label: Label, claims: Sequence[Assertion]) -> int:
    for polarity in ("present", "uncertain"):
        fits = [_fits(label, claim) for claim in claims if claim.polarity == polarity]
        if True in fits:
            return _RANK[polarity]
        if fits:
            return OPEN if None in fits else ABSENT
    return ABSENT if claims else UNMENTIONED


def _fits(label: Label, claim: Assertion) -> bool | None:
    """Whether a claim of the label's finding is of its place and degree; None: it does not say."""
    asked = (
        (label.side is None or label.side in each_side(claim.side), claim.side),
        (label.zone is None or label.zone == claim.zone, claim.zone),
        (not label.degrees or claim.degree in label.degrees, claim.degree),
    )
    if all(holds for holds, _ in asked):
        return True
    return None if any(not holds and value is None for holds, value in asked) else False


def index_terms(mesh: str) -> set[str]:
    """The terms of an index entry (MeSH, `;` between terms): each alone, and with a qualifier."""
    found = set()
    for entry in filter(None, mesh.lower().split(";")):
        heading, *qualifiers = entry.split("/")
        found |= {heading, *(f"{heading}/{qualifier}" for qualifier in qualifiers)}
    return found


def read_square(path: Path, shape: tuple[int, int] | None) -> np.ndarray:
    """A film in a square of 256 pixels: uint8 (256, 256).

    `shape` is its true columns and rows where the file is squeezed.
    """
    picture = Image.open(path).convert("L")
    columns, rows = shape or picture.size
    scale = EDGE / max(columns, rows)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    kind = Image.Resampling.BICUBIC if max(picture.size) <= EDGE else Image.Resampling.BOX
    pixels = np.asarray(picture.resize(size, kind), np.float32) / 255
    return (square(pixels, EDGE) * 255).round().astype(np.uint8)


def load_real_arrays(
    folder: Path,
    cache: Path,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    read: Callable[[Path, tuple[int, int] | None], np.ndarray] = read_square,
) -> RealArrays:
    """The films of a case folder, from the cache where they were read before.

    Films that are marked as test are left out. Raises SettingsError for a folder without a table.
    """
    rows = _rows_of(folder)
    digest = hashlib.sha256(json.dumps([sorted(row.items()) for row in rows]).encode())
    films_file = cache / f"real-{digest.hexdigest()[:16]}.npy"
    if not films_file.is_file():
        films = np.empty((len(rows), EDGE, EDGE), np.uint8)
        for number, row in enumerate(rows):
            films[number] = read(folder / row["image"], _shape_of(row))
            on_progress(number + 1, len(rows))
        cache.mkdir(parents=True, exist_ok=True)
        temporary = films_file.with_suffix(".part.npy")
        np.save(temporary, films)
        temporary.replace(films_file)
    claims = tuple(_claims_of(row) for row in rows)
    found = [index_terms(row.get("mesh") or "") for row in rows]
    counts = collections.Counter(
        term for row, terms in zip(rows, found, strict=True) for term in terms if not _is_held(row)
    )
    names = tuple(sorted(term for term, n in counts.items() if n >= FEWEST_TERMS))
    return RealArrays(
        films=np.load(films_file, mmap_mode="r"),
        labels=np.stack([label_states(part, FILM_LABELS) for part in claims]),
        terms=np.array([[name in terms for name in names] for terms in found], "u1"),
        claims=claims,
        patients=tuple(
            hashlib.sha256(f"{row.get('patient') or row['image']}".encode()).hexdigest()[:32]
            for row in rows
        ),
        splits=tuple((row.get("split") or "train").lower() for row in rows),
        lateral=np.array([_is_lateral(row) for row in rows]),
        term_names=names,
    )


def _rows_of(folder: Path) -> list[dict[str, str]]:
    if not is_file(folder / TABLE):
        raise SettingsError(
            f"The folder {folder} has no {TABLE}; name one that `wetread cases` has written."
        )
    rows = []
    for name in (TABLE, LATERAL_TABLE):
        if is_file(folder / name):
            with (folder / name).open(encoding="utf-8", newline="") as file:
                rows += [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]
    return [row for row in rows if (row.get("split") or "").lower() not in TEST_MARKS]


def _claims_of(row: dict[str, str]) -> tuple[Assertion, ...]:
    if not reads_language(row.get("language") or ""):
        return ()
    return tuple(dict.fromkeys(find_assertions(row.get("report") or "")))


def _is_held(row: dict[str, str]) -> bool:
    return (row.get("split") or "").lower() in VALIDATION_MARKS


def _is_lateral(row: dict[str, str]) -> bool:
    return "Lateral" in (row.get("projection") or "") or (row.get("view") or "") in LATERAL


def _shape_of(row: dict[str, str]) -> tuple[int, int] | None:
    columns, rows = row.get("original_columns"), row.get("original_rows")
    return (int(float(columns)), int(float(rows))) if columns and rows else None
