"""What a plot shows, from arrays: plain values that go into `results["plots"]`.

Nothing is drawn here and no suite is known; `evals.card.plots` draws what these functions return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assistant.errors import SettingsError

POINTS = 200  # of a curve at most: the eye sees no more
Plot = dict[str, Any]


def reliability(
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

    known, wrong, unscored = _pairs(risks, false)
    if bins < 1 or (len(known) and (known.min() < 0 or known.max() > 1)):
        raise SettingsError("A reliability diagram needs risks between 0 and 1, and a bin or more.")
    member = np.minimum((known * bins).astype(int), bins - 1)
    drawn = []
    for number in range(bins):
        inside = member == number
        if not inside.any():
            continue
        bad, n = int(wrong[inside].sum()), int(inside.sum())
        between = binomtest(bad, n).proportion_ci(method="wilson")
        drawn.append(
            {
                "risk": _number(known[inside].mean()),
                "false": _number(bad / n),
                "n": n,
                "ci_low": _number(between.low),
                "ci_high": _number(between.high),
            }
        )
    return {"kind": "reliability", "title": title, "bins": drawn, "unscored": unscored}


def risk_coverage(
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
    known, wrong, unscored = _pairs(risks, false)
    order = np.argsort(known, kind="stable")
    known, wrong = known[order], wrong[order]
    ends = np.flatnonzero(np.append(known[1:] != known[:-1], True)) if len(known) else known[:0]
    if len(ends) > POINTS:
        ends = ends[np.linspace(0, len(ends) - 1, POINTS).round().astype(int)]
    missed = np.cumsum(wrong)
    points = [
        [_number((end + 1) / len(known)), _number(missed[end] / (end + 1))]
        for end in ends.astype(int)
    ]
    return {"kind": "risk_coverage", "title": title, "points": points, "unscored": unscored}


def histogram(
    values: Sequence[float | None] | np.ndarray,
    bins: int | Sequence[float] = 20,
    *,
    title: str = "Distribution",
    unit: str = "",
) -> Plot:
    """How often values (N,) fall into each bin; None and NaN are counted as unscored.

    `bins` is how many of equal width, or the edges, rising; what lies outside them is counted as
    unscored too. Raises SettingsError for bins that do not hold.
    """
    told = np.asarray(values, float)
    known = told[np.isfinite(told)]
    try:
        # Values too near each other for floats between them get the bins of equal ones.
        near = len(known) > 0 and np.ptp(known) < 1e-9 * max(1.0, float(np.abs(known).max()))
        around = (known.min() - 0.5, known.max() + 0.5) if near else None
        counts, edges = np.histogram(known, bins, around)
    except ValueError:
        raise SettingsError(
            "A histogram needs a number of bins above zero, or rising edges."
        ) from None
    return {
        "kind": "histogram",
        "title": title,
        "unit": unit,
        "edges": [_number(edge) for edge in edges],
        "counts": [int(count) for count in counts],
        "unscored": int(len(told) - counts.sum()),
    }


def bar_plot(title: str, unit: str, figures: Mapping[str, Mapping[str, Any]]) -> Plot:
    """A bar with its interval for each figure by name; one without a value is said to have none."""
    drawn = [
        {"name": name, **{key: found[key] for key in ("value", "ci_low", "ci_high")}}
        for name, found in figures.items()
    ]
    return {"kind": "bars", "title": title, "unit": unit, "bars": drawn}


def _pairs(
    risks: Sequence[float | None] | np.ndarray, false: Sequence[bool] | np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Both as arrays of one length, without what has no risk, and how much that is."""
    known, wrong = np.asarray(risks, float), np.asarray(false, bool)
    if known.ndim != 1 or known.shape != wrong.shape:
        raise SettingsError("Risks and what is false must be two lists of one length.")
    scored = np.isfinite(known)
    return known[scored], wrong[scored], int((~scored).sum())


def _number(value: float) -> float:
    return float(f"{value:.6g}")
