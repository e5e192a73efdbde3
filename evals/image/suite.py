"""A backbone's own pictures in all three tiers: reconstructions and paintings of held-out phantoms.

What is asked of the painter are the impressions of phantoms that it has never seen; the real
films are phantoms too, reduced to the size of a painting, so that sharpness does not tell.
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
    phantoms,
    probed_findings,
    true_findings,
)
from evals.data.real_films import tables_in
from evals.image import pixel, task
from evals.image.encoders import encoders
from evals.image.pixel import PixelScores, pixel_scores
from evals.image.real_transfer import transfer_to_real
from evals.image.task import LabelledFilms
from evals.image.tiers import (
    MAPS,
    SHOWN,
    GeneratedFilms,
    ReferenceSet,
    encode_films,
    features_compared,
    join_results,
    labels_of,
    map_errors,
    shown_cases,
)
from evals.results import FigureTable, PartResult

PAINTED = 150  # paintings, unless told
RECONSTRUCTED = 60  # phantoms, at most
RECONSTRUCTION = "image/reconstruction"
CEILING = "image/findings of held-out phantoms read by the probe, micro-F1"


@dataclass(frozen=True, slots=True, eq=False)
class _Real:
    """A held-out phantom, as all parts need it."""

    prompt: str
    film: Film  # at the size of a painting
    there: set[FindingSide]
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

    The first third of 3 n phantoms gives the prompts, and is what a classifier learns from that
    is compared with one that learnt from the paintings; both are tested on the others, against
    which features are compared too. With `data`, a folder of real films with labels or one that
    holds such folders, a classifier that learnt from phantoms is compared on them with one that
    learnt from half of them.
    """
    count = PAINTED if n is None else n
    steps, eyes = 4 * count, encoders(assistant)
    real, pixels = _phantoms(assistant, count, seed, site, lambda done: on_progress(done, steps))
    made: list[GeneratedFilms] = []
    for number, phantom in enumerate(real[:count]):
        made.append(_painted(assistant, phantom.prompt, number, site))
        on_progress(3 * count + number + 1, steps)
    ours = encode_films(eyes, batched([one.film for one in made]))
    theirs = encode_films(eyes, batched([one.film for one in real]))
    own = eyes[0].name
    learnt = task.train_on_synthetic(
        _labelled(ours[own], [one.asked | one.hedged for one in made], "painting"),
        _labelled(theirs[own][:count], [one.there | one.faint for one in real[:count]], "asked"),
        _labelled(theirs[own][count:], [one.there | one.faint for one in real[count:]], "other"),
        seed=seed,
    )
    others = {name: rows[count:] for name, rows in theirs.items()}
    parts = [
        _cases(assistant, made, real),
        pixels,
        features_compared(
            eyes, others, ours, [str(i) for i in range(len(real) - count)], seed=seed
        ),
        _read(assistant, made, real),
        learnt,
    ]
    for folder in [] if data is None else tables_in(data):

        def step(done: int, of_all: int) -> None:
            on_progress(steps + done, steps + of_all)

        parts.append(transfer_to_real(assistant, folder, n, seed, site, step))
    return join_results(
        parts, f"{count} impressions of held-out phantoms, and {2 * count} other phantoms"
    )


def _phantoms(
    assistant: Assistant, count: int, seed: int, site: str, step: Callable[[int], None]
) -> tuple[list[_Real], PartResult]:
    """3 n held-out phantoms, and how well the tokeniser gives the first of them back."""
    real: list[_Real] = []
    found: list[PixelScores] = []
    cases: list[dict[str, Any]] = []
    size = 0
    for block in batched(phantoms(seed, range(3 * count), site)):
        films = [as_film(phantom) for phantom in block]
        for film, back in zip(
            films, _reconstructed(assistant, films, RECONSTRUCTED - len(real)), strict=False
        ):
            size = len(back)
            same = downsample_film(film.pixels, size)
            found.append(pixel_scores(same, back))
            if len(cases) < MAPS:
                cases.append(map_errors(RECONSTRUCTION, len(cases), same, back))
        real += [_as_real(phantom, size) for phantom in block]
        step(len(real))
    people = [str(i) for i in range(len(found))]
    measured = pixel.measure(found, people, name=RECONSTRUCTION)
    return real, join_results([measured, PartResult({}, cases)])


def _reconstructed(assistant: Assistant, films: Sequence[Film], most: int) -> list[np.ndarray]:
    few = films[: max(0, most)]
    return assistant.backbone.reconstruct(few) if few else []


def _as_real(phantom: Phantom, size: int) -> _Real:
    small = film_of(downsample_film(as_film(phantom).pixels, size))
    return _Real(
        phantom.impression, small, true_findings(phantom), true_findings(phantom, "uncertain")
    )


def _painted(assistant: Assistant, prompt: str, number: int, site: str) -> GeneratedFilms:
    """One painting, and what the probe sees in it."""
    painting = assistant.paint(prompt, seed=number, site=site, mark=False)[0]
    film, said = film_of(painting.pixels), find_assertions(prompt)
    seen = probed_findings(assistant, [film])
    return GeneratedFilms(
        film=film,
        prompt=prompt,
        asked=restrict_to(finding_sides(said), FINDINGS),
        hedged=restrict_to(finding_sides(said, "uncertain"), FINDINGS),
        read=None if seen is None else restrict_to(seen[0], FINDINGS),
    )


def _cases(
    assistant: Assistant, made: Sequence[GeneratedFilms], real: Sequence[_Real]
) -> PartResult:
    shelf = ReferenceSet(assistant)
    shelf.add([one.film for one in real])
    checks = check_copies(assistant.backbone, [shelf], [one.film for one in made[:SHOWN]])
    notes = {}
    if "image" not in assistant.backbone.tasks:
        notes["image"] = "this backbone has no image adapter, so that the base has painted"
    return PartResult({}, shown_cases(made[:SHOWN], checks, shelf), notes)


def _read(
    assistant: Assistant, made: Sequence[GeneratedFilms], real: Sequence[_Real]
) -> PartResult:
    """What is read back, beside how well the probe reads films that surely show it."""
    read = [one.read for one in made if one.read is not None]
    people = [str(i) for i in range(len(made))]
    back = task.read_back(
        [one.asked for one in made],
        [one.hedged for one in made],
        read if len(read) == len(made) else None,
        name="image",
        patients=people,
    )
    tally = FigureTable()
    rows: list[list[int]] = []
    for block in batched(real):
        for one, seen in zip(
            block, probed_findings(assistant, [b.film for b in block]) or (), strict=False
        ):
            rows.append(count_matches(restrict_to(seen, FINDINGS), one.there, one.faint))
    if rows:
        tally.add(CEILING, rows, [str(i) for i in range(len(rows))], "f1")
    return join_results([back, PartResult(tally.figures, counts=tally.counts)])


def _labelled(rows: np.ndarray, shown: Sequence[set[FindingSide]], name: str) -> LabelledFilms:
    """Films as features with what they show, faint or not, whatever the side."""
    labels = labels_of([{finding for finding, _ in claims} for claims in shown], FINDINGS)
    return LabelledFilms(rows, labels, FINDINGS, tuple(f"{name} {i}" for i in range(len(rows))))
