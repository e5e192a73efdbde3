"""Train a classifier on phantoms, and test it on labelled real films."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assistant import Assistant
from assistant.chest.phantoms import FINDINGS
from assistant.iterables import batched
from assistant.types import OnProgress
from evals.data.phantoms import as_film, make_phantoms, true_findings
from evals.image import task
from evals.image.film_folders import (
    FilmSource,
    list_sources,
    patient_of,
    read_sources,
    sample_by_patient,
)
from evals.image.task import LabelledFilms
from evals.image.tiers import findings_of_labels, labels_of
from evals.mini.kid import features_of
from evals.results import PartResult, figure_of

FILMS_PER_PAINTING = 16  # real films for each painting, where the number of paintings is given
FIRST_PHANTOM = 200_000  # number of the first phantom to learn from: far from those of other parts


def transfer_to_real(
    assistant: Assistant, data: Path, n: int | None, seed: int, site: str, on_progress: OnProgress
) -> PartResult:
    """Measure AUROC on half of a folder's patients, trained on phantoms or on the other half.

    There are as many phantoms as real training films. The features are those of the backbone's
    encoder; the findings are those that phantoms and the folder's labels have in common. A film
    without the label of a finding counts as without it, as in NIH's sets. Films without any label
    are left out.
    """
    name = f"image/{data.name}"
    labelled = [source for source in list_sources(data) if source.labels]
    sources = sample_by_patient(labelled, None if n is None else FILMS_PER_PAINTING * n, seed)
    shared_findings = findings_of_labels(row.labels for row in sources) & set(FINDINGS)
    if not shared_findings:
        mean = f"{name}/{task.SYNTHETIC.format(task.MEAN)}"
        none = figure_of(None, 0, unscored=len(sources))
        reason = "the folder's labels name no finding that phantoms have"
        return PartResult({mean: none}, (), {mean: reason})
    findings = tuple(finding for finding in FINDINGS if finding in shared_findings)
    real = label_films(assistant, sources, findings, on_progress)
    train, test = task.split_by_person(real, seed)
    synthetic = _label_phantoms(assistant, len(train.patients), findings, seed, site)
    missing = len(sources) - len(real.patients)
    result = task.train_on_synthetic(synthetic, train, test, name=name, seed=seed, unscored=missing)
    material = f"phantoms of site {site}, and {len(real.patients)} films of the folder {data.name}"
    return PartResult(result.figures, result.cases, result.notes, material, result.counts)


def label_films(
    assistant: Assistant,
    sources: list[FilmSource],
    findings: tuple[str, ...],
    on_progress: OnProgress,
) -> LabelledFilms:
    """The films of a folder that can be read, as features of the backbone's encoder."""
    film_features: list[np.ndarray] = []
    film_labels: list[tuple[str, ...]] = []
    patients: list[str] = []
    for block in read_sources(sources, on_progress):
        if block:
            film_features.append(features_of(assistant, [film for _, film in block]))
        film_labels += [source.labels for source, _ in block]
        patients += [patient_of(source, film) for source, film in block]
    return LabelledFilms(
        np.concatenate(film_features), labels_of(film_labels, findings), findings, tuple(patients)
    )


def _label_phantoms(
    assistant: Assistant, count: int, findings: tuple[str, ...], seed: int, site: str
) -> LabelledFilms:
    """Phantoms with the findings they show, faint or not."""
    film_features: list[np.ndarray] = []
    film_labels: list[set[str]] = []
    for block in batched(make_phantoms(seed, range(FIRST_PHANTOM, FIRST_PHANTOM + count), site)):
        film_features.append(features_of(assistant, [as_film(phantom) for phantom in block]))
        for phantom in block:
            film_labels.append(
                {f for f, _ in true_findings(phantom) | true_findings(phantom, "uncertain")}
            )
    patients = tuple(f"phantom {i}" for i in range(count))
    return LabelledFilms(
        np.concatenate(film_features), labels_of(film_labels, findings), findings, patients
    )
