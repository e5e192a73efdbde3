"""Do phantoms teach what real films teach? Train on phantoms, test on labelled real films."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assistant import Assistant
from assistant.chest.phantoms import FINDINGS
from assistant.iterables import batched
from assistant.types import OnProgress
from evals.data.phantoms import as_film, phantoms, true_findings
from evals.image import task
from evals.image.film_folders import (
    FilmSource,
    list_sources,
    patient_of,
    read_sources,
    sample_by_patient,
)
from evals.image.task import LabelledFilms
from evals.image.tiers import findings_in, labels_of
from evals.mini.kid import features
from evals.results import PartResult, figure_of

A_PAINTING = 16  # real films for each painting, where the number of paintings is told
FIRST = 200_000  # number of the first phantom to learn from: far from those of other parts


def transfer_to_real(
    assistant: Assistant, data: Path, n: int | None, seed: int, site: str, on_progress: OnProgress
) -> PartResult:
    """AUROC on half of a folder's patients after training on phantoms, and on the other half.

    There are as many phantoms as real training films. Both are seen by the backbone's encoder;
    the findings are those that phantoms and the folder's labels have in common, and a film that
    is not labelled with one is held to be without it, as in NIH's sets. Films without any label
    are left out.
    """
    name = f"image/{data.name}"
    labelled = [source for source in list_sources(data) if source.labels]
    rows = sample_by_patient(labelled, None if n is None else A_PAINTING * n, seed)
    common = findings_in(row.labels for row in rows) & set(FINDINGS)
    if not common:
        mean = f"{name}/{task.SYNTHETIC.format(task.MEAN)}"
        none = figure_of(None, 0, unscored=len(rows))
        reason = "the folder's labels name no finding that phantoms have"
        return PartResult({mean: none}, (), {mean: reason})
    findings = tuple(finding for finding in FINDINGS if finding in common)
    real = films_labelled(assistant, rows, findings, on_progress)
    train, test = task.split_by_person(real, seed)
    synthetic = _phantoms_labelled(assistant, len(train.patients), findings, seed, site)
    missing = len(rows) - len(real.patients)
    found = task.train_on_synthetic(synthetic, train, test, name=name, seed=seed, unscored=missing)
    material = f"phantoms of site {site}, and {len(real.patients)} films of the folder {data.name}"
    return PartResult(found.figures, found.cases, found.notes, material, found.counts)


def films_labelled(
    assistant: Assistant, rows: list[FilmSource], findings: tuple[str, ...], on_progress: OnProgress
) -> LabelledFilms:
    """Those of a folder's films that can be read, by the backbone's encoder."""
    seen: list[np.ndarray] = []
    told: list[tuple[str, ...]] = []
    people: list[str] = []
    for block in read_sources(rows, on_progress):
        if block:
            seen.append(features(assistant, [film for _, film in block]))
        told += [source.labels for source, _ in block]
        people += [patient_of(source, film) for source, film in block]
    return LabelledFilms(np.concatenate(seen), labels_of(told, findings), findings, tuple(people))


def _phantoms_labelled(
    assistant: Assistant, count: int, findings: tuple[str, ...], seed: int, site: str
) -> LabelledFilms:
    """Phantoms with what they show, faint or not."""
    seen: list[np.ndarray] = []
    told: list[set[str]] = []
    for block in batched(phantoms(seed, range(FIRST, FIRST + count), site)):
        seen.append(features(assistant, [as_film(phantom) for phantom in block]))
        for phantom in block:
            told.append(
                {f for f, _ in true_findings(phantom) | true_findings(phantom, "uncertain")}
            )
    people = tuple(f"phantom {i}" for i in range(count))
    return LabelledFilms(np.concatenate(seen), labels_of(told, findings), findings, people)
