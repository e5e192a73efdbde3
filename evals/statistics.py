"""Intervals: bootstrap over patients, because films of one patient are not independent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

DRAWS = 1000


def bootstrap_interval(
    counts: np.ndarray,
    patients: Sequence[str],
    statistic: Callable[[np.ndarray], float],
    *,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic, resampling patients with replacement.

    `counts` is (N, K), a row a film; `statistic` takes the summed counts (K,) of a resample.
    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
    """
    names, member = np.unique(np.asarray(patients), return_inverse=True)
    sums = np.zeros((len(names), counts.shape[1]))
    np.add.at(sums, member, counts)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
    values = [statistic(row) for row in weights @ sums]
    finite = [v for v in values if np.isfinite(v)]
    if not finite:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)


def f1(counts: np.ndarray) -> float:
    """F1 from (true positives, false positives, false negatives); NaN where all are zero."""
    hit, extra, missed = counts[:3]
    total = 2 * hit + extra + missed
    return float(2 * hit / total) if total else float("nan")


def ratio(counts: np.ndarray) -> float:
    """The first count over the second; NaN where the second is zero."""
    return float(counts[0] / counts[1]) if counts[1] else float("nan")
