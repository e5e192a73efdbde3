"""The data of plots, from arrays: plain values that go into `results["plots"]`.

This module draws nothing and knows no suite; `evals.card.plots` draws what it returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assistant.errors import SettingsError

POINTS = 200  # of a curve at most: the eye sees no more
Plot = dict[str, Any]


def reliability_plot(
    risks: Sequence[float | None] | np.ndarray,
    false: Sequence[bool] | np.ndarray,
    bins: int = 10,
    *,
    title: str = "Predicted risk and the rate of false sentences",
) -> Plot:
    """A reliability diagram: in each bin of risk, the mean risk and the rate of what is false.

    `risks` is (N,) in [0, 1], where None and NaN are unscored; `false` is (N,) booleans. The bins
    are equally wide and the empty ones are left out; a bin's interval is Wilson's at 95 %, which
    takes the sentences as independent. DeGroot and Fienberg 1983; Wilson 1927. Raises SettingsError
    where the arrays do not fit.
    """
    from scipy.stats import binomtest

    known, wrong, unscored = _drop_unscored(risks, false)
    if bins < 1 or (len(known) and (known.min() < 0 or known.max() > 1)):
        raise SettingsError("A reliability diagram needs risks between 0 and 1, and a bin or more.")
    member = np.minimum((known * bins).astype(int), bins - 1)
    entries = []
    for number in range(bins):
        inside = member == number
        if not inside.any():
            continue
        false_count, n = int(wrong[inside].sum()), int(inside.sum())
        interval = binomtest(false_count, n).proportion_ci(method="wilson")
        entries.append(
            {
                "risk": _round_value(known[inside].mean()),
                "false": _round_value(false_count / n),
                "n": n,
                "ci_low": _round_value(interval.low),
                "ci_high": _round_value(interval.high),
            }
        )
    return {"kind": "reliability", "title": title, "bins": entries, "unscored": unscored}


def risk_coverage_plot(
    risks: Sequence[float | None] | np.ndarray,
    false: Sequence[bool] | np.ndarray,
    *,
    title: str = "Error rate among the sentences kept, least risky first",
) -> Plot:
    """A risk-coverage curve: the share kept up to each risk, and the rate of what is false in it.

    `risks` is (N,), where None and NaN are unscored; `false` is (N,) booleans. Sentences of one
    risk are kept or left together. El-Yaniv and Wiener 2010, "On the foundations of noise-free
    selective classification". Raises SettingsError where the arrays do not fit.
    """
    known, wrong, unscored = _drop_unscored(risks, false)
    order = np.argsort(known, kind="stable")
    known, wrong = known[order], wrong[order]
    ends = np.flatnonzero(np.append(known[1:] != known[:-1], True)) if len(known) else known[:0]
    if len(ends) > POINTS:
        ends = ends[np.linspace(0, len(ends) - 1, POINTS).round().astype(int)]
    missed = np.cumsum(wrong)
    points = [
        [_round_value((end + 1) / len(known)), _round_value(missed[end] / (end + 1))]
        for end in ends.astype(int)
    ]
    return {"kind": "risk_coverage", "title": title, "points": points, "unscored": unscored}


def histogram_plot(
    values: Sequence[float | None] | np.ndarray,
    bins: int | Sequence[float] = 20,
    *,
    title: str = "Distribution",
    unit: str = "",
) -> Plot:
    """A histogram: how often values (N,) fall into each bin; None and NaN are unscored.

    `bins` is a number of bins of equal width, or the rising edges; values outside them are
    unscored too. Raises SettingsError for bins that are not valid.
    """
    numbers = np.asarray(values, float)
    known = numbers[np.isfinite(numbers)]
    try:
        # Values that are almost equal get the bins of equal values: floats cannot separate them.
        constant = len(known) > 0 and np.ptp(known) < 1e-9 * max(1.0, float(np.abs(known).max()))
        bounds = (known.min() - 0.5, known.max() + 0.5) if constant else None
        counts, edges = np.histogram(known, bins, bounds)
    except ValueError:
        raise SettingsError(
            "A histogram needs a number of bins above zero, or rising edges."
        ) from None
    return {
        "kind": "histogram",
        "title": title,
        "unit": unit,
        "edges": [_round_value(edge) for edge in edges],
        "counts": [int(count) for count in counts],
        "unscored": int(len(numbers) - counts.sum()),
    }


def bar_plot(title: str, unit: str, figures: Mapping[str, Mapping[str, Any]]) -> Plot:
    """A bar with its interval for each figure by name; the value may be None."""
    bars = [
        {"name": name, **{key: figure[key] for key in ("value", "ci_low", "ci_high")}}
        for name, figure in figures.items()
    ]
    return {"kind": "bars", "title": title, "unit": unit, "bars": bars}


def _drop_unscored(
    risks: Sequence[float | None] | np.ndarray, false: Sequence[bool] | np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return both as arrays of one length without unscored entries, and how many those are."""
    known, wrong = np.asarray(risks, float), np.asarray(false, bool)
    if known.ndim != 1 or known.shape != wrong.shape:
        raise SettingsError("Risks and what is false must be two lists of one length.")
    scored = np.isfinite(known)
    return known[scored], wrong[scored], int((~scored).sum())


def _round_value(value: float) -> float:
    return float(f"{value:.6g}")
