"""How the gate answers films of a kind: how many it passes, warns of and refuses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evals.bootstrap import ratio
from evals.data.real_films import FilmRecord
from evals.results import Figure, compute_figure

PASSED, REFUSED, WARNED = "passed", "refused", "refused or warned"
OTHERS_BAR = 0.95  # of what is not an adult's frontal chest film, refused or warned


def name_folders(folders: Sequence[Path]) -> dict[str, Path]:
    """Folders by their names, with a number where a name is there before."""
    named: dict[str, Path] = {}
    for number, folder in enumerate(folders, start=1):
        taken = folder.name in named or folder.name in ("", "frontals", "laterals")
        named[f"{folder.name} ({number})" if taken else folder.name] = folder
    return named


def score_gate(
    kind: str,
    records: Sequence[FilmRecord],
    answers: Sequence[tuple[str, str] | None],
    shares: Sequence[str],
) -> dict[str, Figure]:
    """The share of films of a kind with each of some answers, with its interval by patient."""
    accepted = {PASSED: ("pass",), REFUSED: ("refuse",), WARNED: ("refuse", "warn")}
    judged = [(a[1], r.patient) for a, r in zip(answers, records, strict=True) if a is not None]
    figures = {}
    for share in shares:
        rows = np.array([[a in accepted[share], 1] for a, _ in judged], float).reshape(-1, 2)
        figures[f"{kind} {share}"] = compute_figure(
            rows, [patient for _, patient in judged], ratio, unscored=len(records) - len(judged)
        )
    return figures


def cases_of(kind: str, answers: Sequence[tuple[str, str] | None]) -> list[dict[str, str]]:
    """The answer to each film, by its hash."""
    return [
        {"part": kind, "film": answer[0], "gate": answer[1]}
        for answer in answers
        if answer is not None
    ]
