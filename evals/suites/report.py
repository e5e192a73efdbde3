"""The backbone's drafts, scored against the reports of their films, and against baselines.

A system is worth its cost if it beats the baselines without film, adapter or retrieval.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from assistant import Assistant, WetreadError
from assistant.errors import SettingsError
from assistant.intake import read_film
from assistant.intake.png import png
from assistant.intake.resize import square
from assistant.iterables import batched
from assistant.types import Film, OnProgress, Study
from evals.data.phantoms import as_film, make_phantoms
from evals.data.real_films import has_table
from evals.data.temporary_library import new_cases, temporary_library
from evals.report.pairs import Pair, read_predictions
from evals.report.suite import score_pairs
from evals.results import PartResult
from retrieval import read_folder

FILMS, KNOWN = 120, 300  # films that are drafted; cases of the library
PICTURED, THUMBNAIL = 8, 128  # cases with their film, of the best and of the worst; pixels
NEAREST, BASE, ALONE = "nearest case's report", "base without its adapter", "without retrieval"


@dataclass(frozen=True, slots=True)
class ReportedFilm:
    """A film with its own report."""

    film: Film
    patient: str
    report: str
    indication: str = ""


def measure(
    assistant: Assistant,
    *,
    data: Path | None,
    n: int | None,
    seed: int,
    weights: Mapping[str, Path],
    on_progress: OnProgress,
) -> PartResult:
    """Draft `n` held-out phantoms of site A, or the films of a folder that have reports.

    Phantoms are drafted with a library of training phantoms; films of a folder with a library of
    the other patients' films in it. A folder of such folders is for other suites, whose films
    need no reports: phantoms are drafted then.
    """
    count = n or FILMS
    if data is None or not has_table(data):
        reported = [
            ReportedFilm(as_film(p), f"phantom-{i}", p.report, p.indication)
            for i, p in enumerate(make_phantoms(seed, range(count)))
        ]
        library_films = [
            ReportedFilm(as_film(p), f"training-{i}", p.report)
            for i, p in enumerate(make_phantoms(seed, range(min(KNOWN, 10 * count)), split="train"))
        ]
        material = (
            f"{len(reported)} phantoms, with a library of {len(library_films)} training phantoms"
        )
    else:
        reported = _read_reported(data, n)
        library_films, material = (
            reported,
            f"{len(reported)} films of {data.name} with their reports",
        )
    nearest = _nearest_reports(assistant, reported, library_films)
    studies = [Study((film.film,), film.indication) for film in reported]
    cases = new_cases(assistant, ((film.film, film.report) for film in library_films))
    with temporary_library(assistant, cases) as library:
        plain_writer = Assistant(assistant.backbone)
        texts = _draft_texts(
            Assistant(assistant.backbone, library),
            studies,
            _same_patient_cases(reported, library_films),
            True,
        )
        on_progress(1, 3)
        without_retrieval = _draft_texts(plain_writer, studies, [()] * len(reported), True)
        on_progress(2, 3)
        without_adapter = _draft_texts(plain_writer, studies, [()] * len(reported), False)
        on_progress(3, 3)
    pairs = [
        Pair(case=f"{i}", patient=film.patient, reference=film.report, candidate=text,
             indication=film.indication)
        for i, (film, text) in enumerate(zip(reported, texts, strict=True))
    ]  # fmt: skip
    baselines = {NEAREST: nearest, ALONE: without_retrieval, BASE: without_adapter}
    result = score_pairs(pairs, baselines=baselines, weights=weights, seed=seed)
    return replace(result, material=material, cases=_add_pictures(result.cases, reported))


def _add_pictures(
    cases: Sequence[Mapping[str, Any]], reported: Sequence[ReportedFilm]
) -> list[dict[str, Any]]:
    """The cases, with a thumbnail of the film for the best and the worst of them."""
    order = sorted(range(len(cases)), key=lambda i: cases[i]["composite"])
    pictured = {*order[:PICTURED], *order[-PICTURED:]}
    return [
        {**case, "picture": thumbnail_uri_of(reported[int(case["case"])].film)}
        if i in pictured
        else dict(case)
        for i, case in enumerate(cases)
    ]


def thumbnail_uri_of(film: Film) -> str:
    """A film at the size of a thumbnail as a data URI."""
    data = png(square(film.pixels, THUMBNAIL))
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _draft_texts(
    writer: Assistant,
    studies: Sequence[Study],
    excluded: Sequence[tuple[str, ...]],
    use_adapter: bool,
) -> list[str | None]:
    """Draft studies, without similar cases of the same patient, and return the texts."""
    if any(excluded):
        reports = [
            writer.draft(study, exclude=cases, use_adapter=use_adapter, anyway=True)
            for study, cases in zip(studies, excluded, strict=True)
        ]
    else:
        reports = list(writer.draft_many(studies, use_adapter=use_adapter, anyway=True))
    return [" ".join(s.text for s in report.sentences) for report in reports]


def measure_predictions(
    predictions: Path,
    *,
    data: Path | None,
    n: int | None,
    seed: int,
    weights: Mapping[str, Path],
    on_progress: OnProgress,
) -> PartResult:
    """Score reports written elsewhere; `data` holds their references if their file does not."""
    pairs = read_predictions(predictions, data)[:n]
    result = score_pairs(pairs, weights=weights, seed=seed, on_progress=on_progress)
    return replace(result, material=f"{len(pairs)} reports of {predictions.name}")


def _read_reported(data: Path, n: int | None) -> list[ReportedFilm]:
    reported: list[ReportedFilm] = []
    for row in read_folder(data):
        if not row.report.strip() or (n is not None and len(reported) >= n):
            continue
        try:
            film = read_film(row.image)
        except WetreadError:
            continue
        reported.append(ReportedFilm(film, row.patient or film.sha256, row.report))
    if not reported:
        raise SettingsError(f"{data} has no film with a report; name a folder that has some.")
    return reported


def _same_patient_cases(
    reported: Sequence[ReportedFilm], library_films: Sequence[ReportedFilm]
) -> list[tuple[str, ...]]:
    """The ids of the cases of the same patient, for each film."""
    return [
        tuple(case.film.sha256[:16] for case in library_films if case.patient == film.patient)
        for film in reported
    ]


def _nearest_reports(
    assistant: Assistant, reported: Sequence[ReportedFilm], library_films: Sequence[ReportedFilm]
) -> list[str | None]:
    """The report of the most similar case of another patient, for each film."""

    def embed(films: Sequence[ReportedFilm]) -> np.ndarray:
        codes = (
            c
            for block in batched(films)
            for c in assistant.backbone.encode([t.film for t in block])
        )
        return np.stack([code.embedding for code in codes])

    similarity = embed(reported) @ embed(library_films).T
    same_patient = np.array(
        [[case.patient == film.patient for case in library_films] for film in reported]
    )
    similarity[same_patient] = -np.inf
    nearest = similarity.argmax(axis=1)
    return [
        library_films[index].report if np.isfinite(similarity[i, index]) else None
        for i, index in enumerate(nearest)
    ]
