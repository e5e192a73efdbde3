"""Are paintings near copies of training films more often than new films are?

Both are compared with training phantoms by the check that every painting goes through.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from assistant import Assistant
from assistant.intake.png import preview
from assistant.iterables import batched
from assistant.painting.copy_check import LIMIT, LibraryFilms, check_copies
from assistant.types import Film, OnProgress
from evals.bootstrap import ratio
from evals.data.phantoms import as_film, make_phantoms
from evals.options import SuiteOptions
from evals.results import Figure, PartResult, compute_figure, figure_of
from retrieval import Library, NewCase

KNOWN = 1000  # training films to compare with
CASES_PER_FILM = 10  # of them for each painting, where the number of paintings is given
COPIES = "painting/near copies of training films"
RATE = "painting/held-out phantoms that are near copies of training films"


def measure(
    assistant: Assistant,
    options: SuiteOptions,
    painted: Sequence[Film],
    held_out: Sequence[Film],
    on_progress: OnProgress,
) -> PartResult:
    """Measure the share of near copies among paintings, and among held-out phantoms."""
    training_data = assistant.backbone.card.get("recipe", {}).get("data", {})
    count = KNOWN if options.n is None else min(KNOWN, CASES_PER_FILM * options.n)
    seed, training_count = training_data.get("seed"), min(count, int(training_data.get("train", 0)))
    if not isinstance(seed, int) or not training_count:
        none = figure_of(None, 0, unscored=len(painted))
        reason = "the backbone's card does not say on which phantoms it was trained"
        return PartResult({COPIES: none, RATE: none}, (), {COPIES: reason})
    with (
        tempfile.TemporaryDirectory() as folder,
        Library.open(
            Path(folder) / "library",
            encoder=assistant.backbone.encoder_id,
            dim=assistant.backbone.dim,
        ) as library,
    ):
        _add_training_films(assistant, library, options, seed, training_count, on_progress)
        reference = LibraryFilms(library)
        held_out_copies, painted_copies = (
            [c.verdict == "copy" for c in check_copies(assistant.backbone, [reference], films)]
            for films in (held_out, painted)
        )
    rate = _copy_rate(held_out_copies)
    note = (
        f"against {training_count} films of the training data, seed {seed}, at a structural "
        f"similarity of {LIMIT}"
    )
    return PartResult(
        {COPIES: _copy_rate(painted_copies, rate["value"]), RATE: rate}, (), {COPIES: note}
    )


def _add_training_films(
    assistant: Assistant,
    library: Library,
    options: SuiteOptions,
    seed: int,
    training_count: int,
    on_progress: OnProgress,
) -> None:
    done = 0
    for block in batched(make_phantoms(seed, range(training_count), options.site, "train")):
        films = [as_film(phantom) for phantom in block]
        cases = [
            NewCase(film.sha256, preview(film.pixels), code.embedding)
            for film, code in zip(films, assistant.backbone.encode(films), strict=True)
        ]
        done += sum(1 for _ in library.add_many(cases))
        on_progress(done, training_count)


def _copy_rate(copies: Sequence[bool], bar: float | None = None) -> Figure:
    counts = np.array([[copy, 1] for copy in copies], float).reshape(len(copies), 2)
    return compute_figure(counts, [str(i) for i in range(len(copies))], ratio, bar=bar)
