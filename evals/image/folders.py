"""A folder of films that any system has generated, against a folder of real films.

This module knows the tiers and folders; of the backbone it uses the encoder and the probe only.
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
from evals.image.encoders import NamedEncoder, list_encoders
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
    GeneratedFilm,
    ReferenceSet,
    cases_of,
    compare_features,
    encode_films,
    findings_of_labels,
    join_results,
    labels_of,
    map_errors,
)
from evals.results import FigureTable, PartResult

PAIRS = "image/pairs of the same name"
COPIES = f"image/near copies of real films, at a similarity of {LIMIT}"


@dataclass(frozen=True, slots=True, eq=False)
class _FolderFilms:
    """The films of a folder that could be read, in the form that the tiers need."""

    sources: tuple[FilmSource, ...]
    patients: tuple[str, ...]
    features: Mapping[str, np.ndarray]  # by encoder
    unreadable: int  # files that could not be read


@dataclass(frozen=True, slots=True, eq=False)
class _GeneratedFolder:
    """Generated films, with the findings probed in each and the check against the real films."""

    films: _FolderFilms
    probed: tuple[set[FindingSide], ...] | None  # None: there is no probe
    checks: tuple[CopyCheck, ...]
    examples: tuple[GeneratedFilm, ...]  # the first ones
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
    """Compare generated films with real ones, by all that the two folders provide.

    Each folder holds films with a table (`retrieval.read_folder`), or films alone. `n` generated
    films and 2 n real ones are drawn at random, all if it is None. Features are always compared.
    Where each generated film has one real film of the same name, the pairs are compared pixel by
    pixel; otherwise near copies are counted. Where the table of the generated films has reports,
    they count as the prompts and are read back; where both tables have labels, a classifier is
    trained on the generated films. Raises SettingsError for a folder without any film that can be
    read, LibraryError for a bad table.
    """
    encoders, references = list_encoders(assistant), ReferenceSet(assistant)
    generated_sources, real_sources = (
        sample_by_patient(list_sources(generated), n, seed),
        list_sources(real),
    )
    pairs = _pair_by_name(generated_sources, real_sources)
    real_sources = sample_by_patient(real_sources, None if n is None else 2 * n, seed)
    total = len(generated_sources) + len(real_sources) + len(pairs)

    def progress_from(finished: int) -> OnProgress:
        return lambda done, _: on_progress(finished + done, total)

    real_films = _read_real(encoders, references, real_sources, real, progress_from(0))
    generated_films = _read_generated(
        assistant,
        encoders,
        references,
        generated_sources,
        generated,
        progress_from(len(real_sources)),
    )
    parts = [
        PartResult(
            {},
            cases_of(
                generated_films.examples,
                generated_films.checks[: len(generated_films.examples)],
                references,
            ),
        ),
        _compare_pixels(pairs, progress_from(total - len(pairs)))
        if pairs
        else _count_copies(generated_films),
        compare_features(
            encoders,
            real_films.features,
            generated_films.films.features,
            real_films.patients,
            seed=seed,
            unscored=generated_films.films.unreadable,
        ),
        _score_prompts(generated_films),
        _train_on_generated(generated_films.films, real_films, encoders[0].name, seed),
        _note_films(generated_films, real_films),
    ]
    compared = f"{len(generated_films.films.sources)} films of the folder {generated.name}"
    return join_results(parts, f"{compared} against {len(real_films.sources)} of {real.name}")


def _pair_by_name(
    generated: Sequence[FilmSource], real: Sequence[FilmSource]
) -> list[tuple[FilmSource, FilmSource]]:
    """Pair each generated film with the real film of its name; none unless each has exactly one."""
    by_name = {source.path.stem: source for source in real}
    names = [source.path.stem for source in generated]
    if len(by_name) < len(real) or len(set(names)) < len(names) or not set(names) <= set(by_name):
        return []
    return [(source, by_name[source.path.stem]) for source in generated]


def _read_real(
    encoders: Sequence[NamedEncoder],
    references: ReferenceSet,
    sources: Sequence[FilmSource],
    folder: Path,
    on_progress: OnProgress,
) -> _FolderFilms:
    """Read the real films, and add them to the reference set."""
    features: list[dict[str, np.ndarray]] = []
    owners: list[tuple[FilmSource, str]] = []
    for block in read_sources(sources, on_progress):
        films = [film for _, film in block]
        references.add(films)
        features.append(encode_films(encoders, [films]))
        owners += [(source, patient_of(source, film)) for source, film in block]
    return _collect_films(owners, features, len(sources), folder)


def _collect_films(
    owners: Sequence[tuple[FilmSource, str]],
    features: Sequence[Mapping[str, np.ndarray]],
    count: int,
    folder: Path,
) -> _FolderFilms:
    if not owners:
        raise SettingsError(f"No film of {folder} can be read; name a folder of chest films.")
    names = next(part for part in features if part)
    return _FolderFilms(
        tuple(source for source, _ in owners),
        tuple(patient for _, patient in owners),
        {name: np.concatenate([part[name] for part in features if part]) for name in names},
        count - len(owners),
    )


def _read_generated(
    assistant: Assistant,
    encoders: Sequence[NamedEncoder],
    references: ReferenceSet,
    sources: Sequence[FilmSource],
    folder: Path,
    on_progress: OnProgress,
) -> _GeneratedFolder:
    """Read the generated films, and check each against the reference set."""
    features: list[dict[str, np.ndarray]] = []
    owners: list[tuple[FilmSource, str]] = []
    probed: list[set[FindingSide]] = []
    checks: list[CopyCheck] = []
    examples: list[GeneratedFilm] = []
    marked = 0
    for block in read_sources(sources, on_progress):
        films = [film for _, film in block]
        features.append(encode_films(encoders, [films]))
        owners += [(source, film.sha256) for source, film in block]
        marked += sum("synthetic" in film.flags and bears_mark(film.pixels) for film in films)
        checks += check_copies(assistant.backbone, [references], films) if films else []
        block_findings = probed_findings(assistant, films) if films else []
        probed += [restrict_to(claims, FINDINGS) for claims in block_findings or ()]
        for (source, film), claims in zip(
            block, block_findings or [None] * len(block), strict=True
        ):
            if len(examples) < SHOWN:
                examples.append(_example_of(source, film, claims))
    films = _collect_films(owners, features, len(sources), folder)
    return _GeneratedFolder(
        films,
        tuple(probed) if len(probed) == len(owners) else None,
        tuple(checks),
        tuple(examples),
        marked,
    )


def _example_of(source: FilmSource, film: Film, probed: set[FindingSide] | None) -> GeneratedFilm:
    requested, hedged = _requested_findings(source)
    return GeneratedFilm(
        film,
        source.report,
        requested,
        hedged,
        None if probed is None else restrict_to(probed, FINDINGS),
    )


def _requested_findings(source: FilmSource) -> tuple[set[FindingSide], set[FindingSide]]:
    assertions = find_assertions(source.report)
    return restrict_to(finding_sides(assertions), FINDINGS), restrict_to(
        finding_sides(assertions, "uncertain"), FINDINGS
    )


def _compare_pixels(
    pairs: Sequence[tuple[FilmSource, FilmSource]], on_progress: OnProgress
) -> PartResult:
    """The pixel tier over pairs; a pair is unscored if one of its films cannot be read."""
    scores: list[pixel.PixelScores] = []
    patients: list[str] = []
    cases: list[dict[str, Any]] = []
    resized = 0
    for done, (generated, real) in enumerate(pairs, start=1):
        on_progress(done, len(pairs))
        try:
            film, copy = read_film(real.path), read_film(generated.path)
        except WetreadError:
            continue
        resized += film.pixels.shape != copy.pixels.shape
        film_pixels, copy_pixels = fit_to(film.pixels, copy.pixels)
        scores.append(pixel_scores(film_pixels, copy_pixels))
        patients.append(patient_of(real, film))
        if len(cases) < MAPS:
            cases.append(map_errors(PAIRS, len(cases), film_pixels, copy_pixels))
    result = pixel.measure(scores, patients, name=PAIRS, unscored=len(pairs) - len(scores))
    notes = dict(result.notes)
    if resized:
        notes[PAIRS] = f"in {resized} pairs the films differ in size: both were fitted to one"
    return PartResult(result.figures, cases, notes, counts=result.counts)


def _count_copies(generated: _GeneratedFolder) -> PartResult:
    rows = [
        [check.verdict == "copy", 1] for check in generated.checks if check.verdict != "unchecked"
    ]
    tally = FigureTable()
    patients = [str(i) for i in range(len(rows))]
    missing = generated.films.unreadable + len(generated.checks) - len(rows)
    tally.add(COPIES, np.array(rows, float).reshape(-1, 2), patients, "ratio", unscored=missing)
    return PartResult(tally.figures, counts=tally.counts)


def _score_prompts(generated: _GeneratedFolder) -> PartResult:
    """Score the findings of the prompts, where the table of the generated films has reports."""
    sources = generated.films.sources
    prompted = [i for i, source in enumerate(sources) if source.report]
    if not prompted:
        return PartResult({})
    requests = [_requested_findings(sources[i]) for i in prompted]
    return task.score_read_back(
        [requested for requested, _ in requests],
        [hedged for _, hedged in requests],
        None if generated.probed is None else [generated.probed[i] for i in prompted],
        name="image",
        patients=[str(i) for i in prompted],
    )


def _train_on_generated(
    generated: _FolderFilms, real: _FolderFilms, encoder: str, seed: int
) -> PartResult:
    """Train on the generated films and test on real ones, where both tables have labels."""
    labelled = [
        findings_of_labels(source.labels for source in part.sources) for part in (generated, real)
    ]
    findings = tuple(sorted(labelled[0] & labelled[1]))
    if not findings:
        return PartResult({})
    synthetic, real_labelled = (
        _labelled_films(part, encoder, findings) for part in (generated, real)
    )
    return task.train_on_synthetic(synthetic, *task.split_by_person(real_labelled, seed), seed=seed)


def _labelled_films(films: _FolderFilms, encoder: str, findings: tuple[str, ...]) -> LabelledFilms:
    """The films with any label; a film without the label of a finding counts as without it."""
    rows = [i for i, source in enumerate(films.sources) if source.labels]
    labels = labels_of([films.sources[i].labels for i in rows], findings)
    patients = tuple(films.patients[i] for i in rows)
    return LabelledFilms(films.features[encoder][rows], labels, findings, patients)


def _note_films(generated: _GeneratedFolder, real: _FolderFilms) -> PartResult:
    notes: dict[str, str] = {}
    if generated.films.unreadable or real.unreadable:
        notes["image"] = (
            f"{generated.films.unreadable} made films and {real.unreadable} real ones "
            "cannot be read"
        )
    if generated.marked:
        notes["image, marks"] = (
            f"{generated.marked} of the made films bear the visible mark, which every encoder sees"
        )
    return PartResult({}, (), notes)
