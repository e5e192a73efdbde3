"""Do similar cases show the same? Precision of the five nearest, and of five drawn at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evals.results import FigureTable, figure_of

K = 5
PRECISION, RANDOM, TIMES = (
    "precision@5 by the same abnormal findings",
    "the same at random",
    "precision@5 over random",
)
NOTE = (
    "a case is relevant if it shares an abnormal finding; films without one, and films that fewer "
    "than five cases can be compared with, are unscored"
)


def nearest_of(
    embeddings: np.ndarray, cases: np.ndarray, allowed: np.ndarray, k: int
) -> np.ndarray:
    """The numbers of the k nearest cases, the nearest first, (N, k); -1 where there are fewer.

    Embeddings (N, D) and cases (M, D) are of unit length; `allowed` (N, M) says which case may be
    compared with which film.
    """
    if not len(cases):
        return np.full((len(embeddings), k), -1)
    similarity = np.where(allowed, embeddings @ cases.T, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    found = np.take_along_axis(similarity, order, axis=1) > -np.inf
    nearest = np.where(found, order, -1)
    return np.pad(nearest, ((0, 0), (0, k - nearest.shape[1])), constant_values=-1)


def score_similar(
    findings: Sequence[frozenset[str]],
    case_findings: Sequence[frozenset[str]],
    nearest: np.ndarray,
    allowed: np.ndarray,
    patients: Sequence[str],
) -> tuple[FigureTable, dict[str, str]]:
    """Score the nearest cases (N, 5) of films by the findings that both show."""
    rows, kept = [], []
    for number, own in enumerate(findings):
        if not own or (nearest[number] < 0).any():
            continue
        relevant = np.array([not own.isdisjoint(case) for case in case_findings])
        usable = allowed[number]
        rows.append([relevant[nearest[number]].sum(), K * relevant[usable].mean(), K])
        kept.append(patients[number])
    tally = FigureTable()
    missing = len(findings) - len(rows)
    table = np.array(rows, float).reshape(-1, 3)
    tally.add(PRECISION, table[:, [0, 2]], kept, "ratio", unscored=missing)
    tally.add(RANDOM, table[:, [1, 2]], kept, "ratio", unscored=missing)
    if not rows:
        tally.figures[TIMES] = figure_of(None, 0, unscored=missing)
        return tally, {PRECISION: NOTE}

    tally.add(TIMES, table[:, [0, 1]], kept, "ratio", unscored=missing)
    return tally, {PRECISION: NOTE}
