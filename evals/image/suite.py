"""A backbone's pictures in all three tiers: reconstructions and paintings of held-out phantoms.

The prompts are the impressions of phantoms that the painter has never seen. The real films are
phantoms too, downsampled to the size of a painting, so that sharpness does not tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant import Assistant
from assistant.chest.phantoms import FINDINGS, Phantom
from assistant.iterables import batched
from assistant.labeller.labeller import find_assertions
from assistant.painting.copy_check import check_copies
from assistant.types import Film, OnProgress
from evals.counting import FindingSide, count_matches, finding_sides, restrict_to
from evals.data.phantoms import (
    as_film,
    downsample_film,
    film_of,
    make_phantoms,
    probed_findings,
    true_findings,
)
from evals.data.real_films import tables_in
from evals.image import pixel, task
from evals.image.encoders import list_encoders
from evals.image.pixel import PixelScores, pixel_scores
from evals.image.real_transfer import transfer_to_real
from evals.image.task import LabelledFilms
from evals.image.tiers import (
    MAPS,
    SHOWN,
    GeneratedFilm,
    ReferenceSet,
    cases_of,
    compare_features,
    encode_films,
    join_results,
    labels_of,
    map_errors,
)
from evals.results import FigureTable, PartResult

PAINTINGS = 150  # paintings, by default
RECONSTRUCTED = 60  # phantoms, at most
RECONSTRUCTION = "image/reconstruction"
CEILING = "image/findings of held-out phantoms read by the probe, micro-F1"


@dataclass(frozen=True, slots=True, eq=False)
class _PhantomFilm:
    """A held-out phantom in the form that all parts need."""

    prompt: str
    film: Film  # at the size of a painting
    present: set[FindingSide]
    faint: set[FindingSide]


def measure(
    assistant: Assistant,
    *,
    data: Path | None,
    n: int | None,
    seed: int,
    site: str,
    on_progress: OnProgress,
) -> PartResult:
    """Measure `n` paintings of a site against twice as many other phantoms, in all tiers.

    The first third of 3 n phantoms gives the prompts. One classifier is trained on these phantoms
    and one on the paintings; both are tested on the other phantoms, against which the features
    are compared too. `data` is a folder of real films with labels, or one that holds such
    folders: there a classifier trained on phantoms is compared with one trained on half of the
    real films.
    """
    count = PAINTINGS if n is None else n
    steps, encoders = 4 * count, list_encoders(assistant)
    references, reconstruction = _measure_reconstruction(
        assistant, count, seed, site, lambda done: on_progress(done, steps)
    )
    paintings: list[GeneratedFilm] = []
    for number, phantom in enumerate(references[:count]):
        paintings.append(_paint_film(assistant, phantom.prompt, number, site))
        on_progress(3 * count + number + 1, steps)
    painting_features = encode_films(encoders, batched([painting.film for painting in paintings]))
    phantom_features = encode_films(encoders, batched([phantom.film for phantom in references]))
    own_encoder = encoders[0].name
    training = task.train_on_synthetic(
        _labelled_films(
            painting_features[own_encoder], [p.requested | p.hedged for p in paintings], "painting"
        ),
        _labelled_films(
            phantom_features[own_encoder][:count],
            [p.present | p.faint for p in references[:count]],
            "asked",
        ),
        _labelled_films(
            phantom_features[own_encoder][count:],
            [p.present | p.faint for p in references[count:]],
            "other",
        ),
        seed=seed,
    )
    other_features = {name: rows[count:] for name, rows in phantom_features.items()}
    parts = [
        _example_cases(assistant, paintings, references),
        reconstruction,
        compare_features(
            encoders,
            other_features,
            painting_features,
            [str(i) for i in range(len(references) - count)],
            seed=seed,
        ),
        _score_paintings(assistant, paintings, references),
        training,
    ]
    for folder in [] if data is None else tables_in(data):

        def step(done: int, total: int) -> None:
            on_progress(steps + done, steps + total)

        parts.append(transfer_to_real(assistant, folder, n, seed, site, step))
    return join_results(
        parts, f"{count} impressions of held-out phantoms, and {2 * count} other phantoms"
    )


def _measure_reconstruction(
    assistant: Assistant, count: int, seed: int, site: str, on_step: Callable[[int], None]
) -> tuple[list[_PhantomFilm], PartResult]:
    """Make 3 n held-out phantoms, and measure how well the tokeniser reconstructs the first."""
    references: list[_PhantomFilm] = []
    scores: list[PixelScores] = []
    cases: list[dict[str, Any]] = []
    size = 0
    for block in batched(make_phantoms(seed, range(3 * count), site)):
        films = [as_film(phantom) for phantom in block]
        for film, reconstructed in zip(
            films,
            _reconstruct_films(assistant, films, RECONSTRUCTED - len(references)),
            strict=False,
        ):
            size = len(reconstructed)
            original = downsample_film(film.pixels, size)
            scores.append(pixel_scores(original, reconstructed))
            if len(cases) < MAPS:
                cases.append(map_errors(RECONSTRUCTION, len(cases), original, reconstructed))
        references += [_reference_of(phantom, size) for phantom in block]
        on_step(len(references))
    patients = [str(i) for i in range(len(scores))]
    result = pixel.measure(scores, patients, name=RECONSTRUCTION)
    return references, join_results([result, PartResult({}, cases)])


def _reconstruct_films(assistant: Assistant, films: Sequence[Film], limit: int) -> list[np.ndarray]:
    selected = films[: max(0, limit)]
    return assistant.backbone.reconstruct(selected) if selected else []


def _reference_of(phantom: Phantom, size: int) -> _PhantomFilm:
    film = film_of(downsample_film(as_film(phantom).pixels, size))
    return _PhantomFilm(
        phantom.impression, film, true_findings(phantom), true_findings(phantom, "uncertain")
    )


def _paint_film(assistant: Assistant, prompt: str, number: int, site: str) -> GeneratedFilm:
    """One painting, and the findings that the probe reads in it."""
    painting = assistant.paint(prompt, seed=number, site=site, mark=False)[0]
    film, assertions = film_of(painting.pixels), find_assertions(prompt)
    probed = probed_findings(assistant, [film])
    return GeneratedFilm(
        film=film,
        prompt=prompt,
        requested=restrict_to(finding_sides(assertions), FINDINGS),
        hedged=restrict_to(finding_sides(assertions, "uncertain"), FINDINGS),
        probed=None if probed is None else restrict_to(probed[0], FINDINGS),
    )


def _example_cases(
    assistant: Assistant, paintings: Sequence[GeneratedFilm], phantom_films: Sequence[_PhantomFilm]
) -> PartResult:
    references = ReferenceSet(assistant)
    references.add([phantom.film for phantom in phantom_films])
    checks = check_copies(
        assistant.backbone, [references], [painting.film for painting in paintings[:SHOWN]]
    )
    notes = {}
    if "image" not in assistant.backbone.tasks:
        notes["image"] = "this backbone has no image adapter, so that the base has painted"
    return PartResult({}, cases_of(paintings[:SHOWN], checks, references), notes)


def _score_paintings(
    assistant: Assistant, paintings: Sequence[GeneratedFilm], phantom_films: Sequence[_PhantomFilm]
) -> PartResult:
    """Score the findings read back, and how well the probe reads the phantoms themselves."""
    probed = [painting.probed for painting in paintings if painting.probed is not None]
    patients = [str(i) for i in range(len(paintings))]
    read_back = task.score_read_back(
        [painting.requested for painting in paintings],
        [painting.hedged for painting in paintings],
        probed if len(probed) == len(paintings) else None,
        name="image",
        patients=patients,
    )
    tally = FigureTable()
    rows: list[list[int]] = []
    for block in batched(phantom_films):
        for phantom, claims in zip(
            block, probed_findings(assistant, [b.film for b in block]) or (), strict=False
        ):
            rows.append(
                count_matches(restrict_to(claims, FINDINGS), phantom.present, phantom.faint)
            )
    if rows:
        tally.add(CEILING, rows, [str(i) for i in range(len(rows))], "f1")
    return join_results([read_back, PartResult(tally.figures, counts=tally.counts)])


def _labelled_films(
    features: np.ndarray, findings: Sequence[set[FindingSide]], name: str
) -> LabelledFilms:
    """Films as features with the findings they show, faint or not, on any side."""
    labels = labels_of([{finding for finding, _ in claims} for claims in findings], FINDINGS)
    return LabelledFilms(
        features, labels, FINDINGS, tuple(f"{name} {i}" for i in range(len(features)))
    )
