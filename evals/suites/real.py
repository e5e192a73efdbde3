"""Real films: is each one read or refused, and does its draft carry the required warning?

`mini` knows phantoms only, so that the right answer of the gate on a patient's film is a
warning. The films come from a folder with a table; none of them is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from assistant import Assistant, WetreadError
from assistant.intake import read_film
from assistant.types import Film
from evals.bootstrap import ratio
from evals.results import PartResult, compute_figure
from retrieval import read_folder

BATCH = 16


def measure(
    assistant: Assistant, *, data: Path, n: int | None, on_progress: Callable[[int, int], None]
) -> PartResult:
    """Draft the first `n` films of a folder, or all if it is None.

    A film that intake refuses counts as unscored, with the error sentence in the cases.
    """
    rows = read_folder(data)[:n]
    warned, empty, patients = [], [], []
    cases: list[dict[str, Any]] = []
    for start in range(0, len(rows), BATCH):
        films: list[Film] = []
        for row in rows[start : start + BATCH]:
            try:
                films.append(read_film(row.image))
            except WetreadError as error:
                cases.append({"refused": str(error)})
                continue
            patients.append(row.patient or films[-1].sha256)
        for film, report in zip(
            films, assistant.draft_many(films, neighbours=0, batch=BATCH), strict=True
        ):
            warned.append([report.gate.answer != "pass", 1])
            empty.append([not report.sentences, 1])
            cases.append(
                {"film": film.sha256, "gate": report.gate.answer, "distance": report.gate.distance}
            )
        on_progress(min(start + BATCH, len(rows)), len(rows))
    missing = len(rows) - len(warned)
    figures = {
        f"{data.name}/drafts that carry the warning": compute_figure(
            np.array(warned), patients, ratio, unscored=missing, bar=0.99
        ),
        f"{data.name}/empty drafts": compute_figure(
            np.array(empty), patients, ratio, unscored=missing
        ),
    }
    return PartResult(figures, cases, {}, f"folder {data.name}, {len(cases)} films")
