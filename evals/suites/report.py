"""The backbone's own drafts, held against the reports of their films, and against baselines.

A system is worth its cost where it beats what needs no film, or no adapter, or no retrieval.
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
from evals.data.phantoms import as_film, phantoms
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

    Phantoms are drafted with a library of training phantoms; films of a folder with one of the
    other patients' films in it. A folder of such folders is for other suites, whose films need no
    reports, and phantoms are drafted.
    """
    count = n or FILMS
    if data is None or not has_table(data):
        told = [
            ReportedFilm(as_film(p), f"phantom-{i}", p.report, p.indication)
            for i, p in enumerate(phantoms(seed, range(count)))
        ]
        shelf = [
            ReportedFilm(as_film(p), f"training-{i}", p.report)
            for i, p in enumerate(phantoms(seed, range(min(KNOWN, 10 * count)), split="train"))
        ]
        material = f"{len(told)} phantoms, with a library of {len(shelf)} training phantoms"
    else:
        told = _of_folder(data, n)
        shelf, material = told, f"{len(told)} films of {data.name} with their reports"
    near = _nearest(assistant, told, shelf)
    studies = [Study((one.film,), one.indication) for one in told]
    known = new_cases(assistant, ((one.film, one.report) for one in shelf))
    with temporary_library(assistant, known) as library:
        bare = Assistant(assistant.backbone)
        texts = _drafted(Assistant(assistant.backbone, library), studies, _kin(told, shelf), True)
        on_progress(1, 3)
        alone = _drafted(bare, studies, [()] * len(told), True)
        on_progress(2, 3)
        base = _drafted(bare, studies, [()] * len(told), False)
        on_progress(3, 3)
    pairs = [
        Pair(case=f"{i}", patient=one.patient, reference=one.report, candidate=text,
             indication=one.indication)
        for i, (one, text) in enumerate(zip(told, texts, strict=True))
    ]  # fmt: skip
    others = {NEAREST: near, ALONE: alone, BASE: base}
    found = score_pairs(pairs, baselines=others, weights=weights, seed=seed)
    return replace(found, material=material, cases=_with_films(found.cases, told))


def _with_films(
    cases: Sequence[Mapping[str, Any]], told: Sequence[ReportedFilm]
) -> list[dict[str, Any]]:
    """The cases, the best and the worst of them with a small picture of their film."""
    order = sorted(range(len(cases)), key=lambda i: cases[i]["composite"])
    shown = {*order[:PICTURED], *order[-PICTURED:]}
    return [
        {**case, "picture": uri(told[int(case["case"])].film)} if i in shown else dict(case)
        for i, case in enumerate(cases)
    ]


def uri(film: Film) -> str:
    """A film at the size of a thumbnail as a data URI."""
    data = png(square(film.pixels, THUMBNAIL))
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _drafted(
    writer: Assistant, studies: Sequence[Study], kin: Sequence[tuple[str, ...]], adapted: bool
) -> list[str | None]:
    """The texts of drafts, with no similar case of the same patient."""
    if any(kin):
        reports = [
            writer.draft(study, exclude=own, use_adapter=adapted, anyway=True)
            for study, own in zip(studies, kin, strict=True)
        ]
    else:
        reports = list(writer.draft_many(studies, use_adapter=adapted, anyway=True))
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
    """Score reports that were made elsewhere; `data` holds their references where they do not."""
    pairs = read_predictions(predictions, data)[:n]
    found = score_pairs(pairs, weights=weights, seed=seed, on_progress=on_progress)
    return replace(found, material=f"{len(pairs)} reports of {predictions.name}")


def _of_folder(data: Path, n: int | None) -> list[ReportedFilm]:
    found: list[ReportedFilm] = []
    for row in read_folder(data):
        if not row.report.strip() or (n is not None and len(found) >= n):
            continue
        try:
            film = read_film(row.image)
        except WetreadError:
            continue
        found.append(ReportedFilm(film, row.patient or film.sha256, row.report))
    if not found:
        raise SettingsError(f"{data} has no film with a report; name a folder that has some.")
    return found


def _kin(told: Sequence[ReportedFilm], shelf: Sequence[ReportedFilm]) -> list[tuple[str, ...]]:
    """Of each film the cases that are of the same patient."""
    return [
        tuple(case.film.sha256[:16] for case in shelf if case.patient == one.patient)
        for one in told
    ]


def _nearest(
    assistant: Assistant, told: Sequence[ReportedFilm], shelf: Sequence[ReportedFilm]
) -> list[str | None]:
    """Of each film the report of the most similar case of another patient."""

    def embedded(films: Sequence[ReportedFilm]) -> np.ndarray:
        codes = (
            c
            for block in batched(films)
            for c in assistant.backbone.encode([t.film for t in block])
        )
        return np.stack([code.embedding for code in codes])

    likeness = embedded(told) @ embedded(shelf).T
    own = np.array([[case.patient == one.patient for case in shelf] for one in told])
    likeness[own] = -np.inf
    best = likeness.argmax(axis=1)
    return [shelf[at].report if np.isfinite(likeness[i, at]) else None for i, at in enumerate(best)]
