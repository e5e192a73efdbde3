"""The form of results: a versioned dictionary of figures, and the same as lines of text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assistant.errors import SettingsError
from evals.statistics import bootstrap_interval

SCHEMA = "wetread.results/1"


def figure(
    counts: np.ndarray,
    patients: Sequence[str],
    statistic: Callable[[np.ndarray], float],
    *,
    unscored: int = 0,
    bar: float | None = None,
) -> dict[str, Any]:
    """One figure over the films that could be scored, with its interval by patient.

    `counts` is (N, K) with a row a film. `unscored` films are counted beside, never as zero.
    """
    value = statistic(counts.sum(axis=0)) if len(counts) else float("nan")
    low, high = bootstrap_interval(counts, patients, statistic) if len(counts) else (value, value)
    return {
        "value": _number(value),
        "n": len(counts),
        "unscored": unscored,
        "ci_low": _number(low),
        "ci_high": _number(high),
        "bar": bar,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def table(results: dict[str, Any]) -> list[str]:
    """The figures as lines of text."""
    lines = [f"{'figure':<52} {'value':>7}  {'95 % interval':<17} {'n':>5} {'unscored':>8}  bar"]
    for name, f in results["figures"].items():
        if f["value"] is None:
            value, interval = "-", "-"
        else:
            value, interval = f"{f['value']:.3f}", f"{f['ci_low']:.3f} to {f['ci_high']:.3f}"
        bar = "" if f["bar"] is None else f"{f['bar']:g}"
        lines.append(f"{name:<52} {value:>7}  {interval:<17} {f['n']:>5} {f['unscored']:>8}  {bar}")
    return lines


def on_card(path: Path, results: dict[str, Any]) -> bytes:
    """The text of a backbone's card with these figures as its measured quality.

    Raises SettingsError where there is no card, or it is another backbone's.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise SettingsError(f"{path} is no backbone's card; name its card.json.") from None
    measured = results["provenance"]
    if not isinstance(card, dict) or card.get("name") != measured["backbone"]:
        raise SettingsError(
            f"{path} is not the card of {measured['backbone']}, which was measured."
        )
    card["quality"] = {"measured_on": measured["data"], "figures": results["figures"]}
    return (json.dumps(card, indent=2) + "\n").encode()
