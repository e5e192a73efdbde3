"""Films that any system has made, in a folder, against a folder of real ones.

It knows the tiers and folders, and asks the backbone for its encoder and its probe only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant import Assistant
from assistant.chest.phantoms import FINDINGS
from assistant.errors import SettingsError, WetreadError
from assistant.intake import read_film
from assistant.intake.synthetic_mark import bears_mark
from assistant.labeller.labeller import find_assertions
from assistant.painting.copy_check import LIMIT, check_copies
from assistant.types import CopyCheck, Film, OnProgress
from evals.counting import FindingSide, finding_sides, restrict_to
from evals.data.phantoms import probed_findings
from evals.image import pixel, task
from evals.image.encoders import NamedEncoder, encoders
from evals.image.film_folders import (
    FilmSource,
    list_sources,
    patient_of,
    read_sources,
    sample_by_patient,
)
from evals.image.pixel import fit_to, pixel_scores
from evals.image.task import LabelledFilms
from evals.image.tiers import (
    MAPS,
    SHOWN,
    GeneratedFilms,
    ReferenceSet,
    encode_films,
    features_compared,
    findings_in,
    join_results,
    labels_of,
    map_errors,
    shown_cases,
)
from evals.results import FigureTable, PartResult

PAIRS = "image/pairs of the same name"
COPIES = f"image/near copies of real films, at a similarity of {LIMIT}"


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """The films of a folder that could be read, as the tiers need them."""

    sources: tuple[FilmSource, ...]
    patients: tuple[str, ...]
    features: Mapping[str, np.ndarray]  # by encoder
    missing: int  # files that could not be read


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Made films beside real ones: what is seen in each, and which real film is nearest."""

    films: _Read
    seen: tuple[set[FindingSide], ...] | None  # None: there is no probe
    checks: tuple[CopyCheck, ...]
    shown: tuple[GeneratedFilms, ...]  # the first ones
    marked: int  # films that bear the visible mark


def measure_folders(
    assistant: Assistant,
    generated: Path,
    real: Path,
    *,
    n: int | None,
    seed: int,
    on_progress: OnProgress,
) -> PartResult:
    """Compare films that any system has made with real ones, by all that the folders tell.

    Each folder holds films with a table (`retrieval.read_folder`), or films alone. `n` made films
    and 2 n real ones are taken at random, all where it is None. Features are always compared.
    Where each made film has one real film of the same name, these are compared pixel by pixel;
    otherwise near copies are counted. Where the made films' table has reports, they are held for
    the prompts, and read back; where both tables have labels, a classifier learns from the made
    films. Raises SettingsError for a folder without any film that can be read, LibraryError for
    a bad table.
    """
    eyes, shelf = encoders(assistant), ReferenceSet(assistant)
    ours, theirs = sample_by_patient(list_sources(generated), n, seed), list_sources(real)
    pairs = _pairs(ours, theirs)
    theirs = sample_by_patient(theirs, None if n is None else 2 * n, seed)
    total = len(ours) + len(theirs) + len(pairs)

    def after(before: int) -> OnProgress:
        return lambda done, _: on_progress(before + done, total)

    known = _known(eyes, shelf, theirs, real, after(0))
    made = _made(assistant, eyes, shelf, ours, generated, after(len(theirs)))
    parts = [
        PartResult({}, shown_cases(made.shown, made.checks[: len(made.shown)], shelf)),
        _pixels(pairs, after(total - len(pairs))) if pairs else _copies(made),
        features_compared(
            eyes,
            known.features,
            made.films.features,
            known.patients,
            seed=seed,
            unscored=made.films.missing,
        ),
        _read_back(made),
        _learnt(made.films, known, eyes[0].name, seed),
        _notes(made, known),
    ]
    count = f"{len(made.films.sources)} films of the folder {generated.name}"
    return join_results(parts, f"{count} against {len(known.sources)} of {real.name}")


def _pairs(
    made: Sequence[FilmSource], real: Sequence[FilmSource]
) -> list[tuple[FilmSource, FilmSource]]:
    """Each made film with the real film of its name; none unless each has one, and one only."""
    by_name = {source.path.stem: source for source in real}
    names = [source.path.stem for source in made]
    if len(by_name) < len(real) or len(set(names)) < len(names) or not set(names) <= set(by_name):
        return []
    return [(source, by_name[source.path.stem]) for source in made]


def _known(
    eyes: Sequence[NamedEncoder],
    shelf: ReferenceSet,
    rows: Sequence[FilmSource],
    folder: Path,
    on_progress: OnProgress,
) -> _Read:
    """Read the real films, and put them on the shelf."""
    parts: list[dict[str, np.ndarray]] = []
    kept: list[tuple[FilmSource, str]] = []
    for block in read_sources(rows, on_progress):
        films = [film for _, film in block]
        shelf.add(films)
        parts.append(encode_films(eyes, [films]))
        kept += [(source, patient_of(source, film)) for source, film in block]
    return _as_read(kept, parts, len(rows), folder)


def _as_read(
    kept: Sequence[tuple[FilmSource, str]],
    parts: Sequence[Mapping[str, np.ndarray]],
    count: int,
    folder: Path,
) -> _Read:
    if not kept:
        raise SettingsError(f"No film of {folder} can be read; name a folder of chest films.")
    names = next(part for part in parts if part)
    return _Read(
        tuple(source for source, _ in kept),
        tuple(patient for _, patient in kept),
        {name: np.concatenate([part[name] for part in parts if part]) for name in names},
        count - len(kept),
    )


def _made(
    assistant: Assistant,
    eyes: Sequence[NamedEncoder],
    shelf: ReferenceSet,
    rows: Sequence[FilmSource],
    folder: Path,
    on_progress: OnProgress,
) -> _Judged:
    """Read the made films, and hold each against the shelf."""
    parts: list[dict[str, np.ndarray]] = []
    kept: list[tuple[FilmSource, str]] = []
    seen: list[set[FindingSide]] = []
    checks: list[CopyCheck] = []
    shown: list[GeneratedFilms] = []
    marked = 0
    for block in read_sources(rows, on_progress):
        films = [film for _, film in block]
        parts.append(encode_films(eyes, [films]))
        kept += [(source, film.sha256) for source, film in block]
        marked += sum("synthetic" in film.flags and bears_mark(film.pixels) for film in films)
        checks += check_copies(assistant.backbone, [shelf], films) if films else []
        there = probed_findings(assistant, films) if films else []
        seen += [restrict_to(one, FINDINGS) for one in there or ()]
        for (source, film), one in zip(block, there or [None] * len(block), strict=True):
            if len(shown) < SHOWN:
                shown.append(_as_made(source, film, one))
    films = _as_read(kept, parts, len(rows), folder)
    return _Judged(
        films,
        tuple(seen) if len(seen) == len(kept) else None,
        tuple(checks),
        tuple(shown),
        marked,
    )


def _as_made(source: FilmSource, film: Film, seen: set[FindingSide] | None) -> GeneratedFilms:
    asked, hedged = _asked(source)
    return GeneratedFilms(
        film, source.report, asked, hedged, None if seen is None else restrict_to(seen, FINDINGS)
    )


def _asked(source: FilmSource) -> tuple[set[FindingSide], set[FindingSide]]:
    said = find_assertions(source.report)
    return restrict_to(finding_sides(said), FINDINGS), restrict_to(
        finding_sides(said, "uncertain"), FINDINGS
    )


def _pixels(pairs: Sequence[tuple[FilmSource, FilmSource]], on_progress: OnProgress) -> PartResult:
    """The pixel tier over pairs; a pair of which one film cannot be read is unscored."""
    found: list[pixel.PixelScores] = []
    people: list[str] = []
    cases: list[dict[str, Any]] = []
    resized = 0
    for done, (made, real) in enumerate(pairs, start=1):
        on_progress(done, len(pairs))
        try:
            film, copy = read_film(real.path), read_film(made.path)
        except WetreadError:
            continue
        resized += film.pixels.shape != copy.pixels.shape
        one, other = fit_to(film.pixels, copy.pixels)
        found.append(pixel_scores(one, other))
        people.append(patient_of(real, film))
        if len(cases) < MAPS:
            cases.append(map_errors(PAIRS, len(cases), one, other))
    measured = pixel.measure(found, people, name=PAIRS, unscored=len(pairs) - len(found))
    notes = dict(measured.notes)
    if resized:
        notes[PAIRS] = f"in {resized} pairs the films differ in size: both were fitted to one"
    return PartResult(measured.figures, cases, notes, counts=measured.counts)


def _copies(made: _Judged) -> PartResult:
    rows = [[check.verdict == "copy", 1] for check in made.checks if check.verdict != "unchecked"]
    tally = FigureTable()
    people = [str(i) for i in range(len(rows))]
    missing = made.films.missing + len(made.checks) - len(rows)
    tally.add(COPIES, np.array(rows, float).reshape(-1, 2), people, "ratio", unscored=missing)
    return PartResult(tally.figures, counts=tally.counts)


def _read_back(made: _Judged) -> PartResult:
    """The findings of the prompts, where the table of the made films has any."""
    sources = made.films.sources
    told = [i for i, source in enumerate(sources) if source.report]
    if not told:
        return PartResult({})
    wanted = [_asked(sources[i]) for i in told]
    return task.read_back(
        [asked for asked, _ in wanted],
        [hedged for _, hedged in wanted],
        None if made.seen is None else [made.seen[i] for i in told],
        name="image",
        patients=[str(i) for i in told],
    )


def _learnt(made: _Read, real: _Read, encoder: str, seed: int) -> PartResult:
    """Train on the made films and test on real ones, where both tables have labels."""
    told = [findings_in(source.labels for source in part.sources) for part in (made, real)]
    findings = tuple(sorted(told[0] & told[1]))
    if not findings:
        return PartResult({})
    synthetic, known = (_labelled(part, encoder, findings) for part in (made, real))
    return task.train_on_synthetic(synthetic, *task.split_by_person(known, seed), seed=seed)


def _labelled(films: _Read, encoder: str, findings: tuple[str, ...]) -> LabelledFilms:
    """The films with any label; one that is not labelled with a finding is without it."""
    rows = [i for i, source in enumerate(films.sources) if source.labels]
    labels = labels_of([films.sources[i].labels for i in rows], findings)
    people = tuple(films.patients[i] for i in rows)
    return LabelledFilms(films.features[encoder][rows], labels, findings, people)


def _notes(made: _Judged, real: _Read) -> PartResult:
    notes: dict[str, str] = {}
    if made.films.missing or real.missing:
        notes["image"] = (
            f"{made.films.missing} made films and {real.missing} real ones cannot be read"
        )
    if made.marked:
        notes["image, marks"] = (
            f"{made.marked} of the made films bear the visible mark, which every encoder sees"
        )
    return PartResult({}, (), notes)
