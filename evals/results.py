"""The form of results: a versioned dictionary of figures, and the same as lines of text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from assistant.errors import SettingsError
from assistant.parsing import read_json
from evals.bootstrap import STATISTICS, bootstrap_interval, bootstrap_median

SCHEMA = "wetread.results/1"
Figure = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of a figure, film by film, so that two runs can be compared in pairs."""

    statistic: str  # its name in `evals.bootstrap.STATISTICS`
    patients: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]  # one a film


@dataclass(frozen=True, slots=True)
class PartResult:
    """The result of one part of a suite."""

    figures: Mapping[str, Figure]
    cases: Sequence[Mapping[str, Any]] = ()
    notes: Mapping[str, str] = field(default_factory=dict)  # by figure: how, or why not
    material: str = ""  # what it was measured on, in words
    counts: Mapping[str, Counts] = field(default_factory=dict)  # by figure
    plots: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # see `evals.plot_data`


class FigureTable:
    """Collects figures, each with the counts it was computed from."""

    def __init__(self) -> None:
        self.figures: dict[str, Figure] = {}
        self.counts: dict[str, Counts] = {}

    def add(
        self,
        name: str,
        rows: Sequence[Sequence[float]] | np.ndarray,
        patients: Sequence[str],
        statistic: str,
        *,
        unscored: int = 0,
        bar: float | None = None,
    ) -> None:
        """Add a figure from a row of counts a film; `statistic` is a name in `STATISTICS`."""
        table = np.asarray(rows, float)
        if not len(table):  # nothing could be scored, and there is nothing to compare
            self.figures[name] = figure_of(None, 0, unscored=unscored, bar=bar)
            return
        table = table.reshape(len(table), -1)
        self.figures[name] = compute_figure(
            table, patients, STATISTICS[statistic], unscored=unscored, bar=bar
        )
        counted = tuple(tuple(row) for row in table.tolist())
        self.counts[name] = Counts(statistic, tuple(patients), counted)


@dataclass(frozen=True, slots=True)
class Bar:
    """The limit that a figure has to meet."""

    sense: str  # "at least" or "at most"
    limit: float | None = None  # None: the part itself gives the limit

    def is_met(self, value: float | None, limit: float | None) -> bool | None:
        """Whether a value meets a limit; None where either is not known."""
        if value is None or limit is None:
            return None
        return value >= limit if self.sense == "at least" else value <= limit


def compute_figure(
    counts: np.ndarray,
    patients: Sequence[str],
    statistic: Callable[[np.ndarray], float],
    *,
    unscored: int = 0,
    bar: float | None = None,
) -> Figure:
    """Compute a figure over the films that could be scored, with its interval by patient.

    `counts` is (N, K) with a row a film. `unscored` films are counted apart, never as zero.
    """
    value = statistic(counts.sum(axis=0)) if len(counts) else float("nan")
    low, high = bootstrap_interval(counts, patients, statistic) if len(counts) else (value, value)
    return figure_of(value, len(counts), (low, high), unscored=unscored, bar=bar)


def median_of(values: Sequence[float]) -> Figure:
    """The median of independent values as a figure."""
    known = np.asarray(values, float)
    if not len(known):
        return figure_of(None, 0)
    return figure_of(float(np.median(known)), len(known), bootstrap_median(known))


def figure_of(
    value: float | None,
    n: int,
    interval: tuple[float | None, float | None] = (None, None),
    *,
    unscored: int = 0,
    bar: float | None = None,
) -> Figure:
    """Make a figure from a known value and interval; None is not known."""
    return {
        "value": _round_value(value),
        "n": n,
        "unscored": unscored,
        "ci_low": _round_value(interval[0]),
        "ci_high": _round_value(interval[1]),
        "bar": _round_value(bar),
    }


def _round_value(value: float | None) -> float | None:
    if value is None or math.isnan(value):
        return None
    # Six digits: distances between films are small numbers.
    return float(f"{value:.6g}")


def judge_bars(
    figures: Mapping[str, Figure], bars: Mapping[str, Bar]
) -> tuple[dict[str, Figure], dict[str, dict[str, Any]]]:
    """Return the figures with their bars, and the verdict on each bar."""
    with_bars: dict[str, Figure] = {}
    verdicts: dict[str, dict[str, Any]] = {}
    for name, figure in figures.items():
        bar = bars.get(name)
        limit = figure["bar"] if bar is None or bar.limit is None else bar.limit
        with_bars[name] = {**figure, "bar": limit}
        if bar is not None:
            met = bar.is_met(figure["value"], limit)
            verdicts[name] = {"sense": bar.sense, "limit": limit, "met": met}
    return with_bars, verdicts


def format_results(results: dict[str, Any]) -> list[str]:
    """Return the figures as lines of text, with the notes below them."""
    figures, bars = results["figures"], results.get("bars", {})
    width = max([len(name) for name in figures] + [6])
    lines = [
        f"{'figure':<{width}} {'value':>9}  {'95 % interval':<21} {'n':>5} {'unscored':>8}  bar"
    ]
    for name, f in figures.items():
        value = "-" if f["value"] is None else format_value(f["value"])
        interval = "-"
        if f["ci_low"] is not None and f["ci_high"] is not None:
            interval = f"{format_value(f['ci_low'])} to {format_value(f['ci_high'])}"
        line = f"{name:<{width}} {value:>9}  {interval:<21} {f['n']:>5} {f['unscored']:>8}  "
        positives = f"{f['positives']} positive  " if "positives" in f else ""
        lines.append((line + positives + _format_bar(f, bars.get(name))).rstrip())
    lines += [f"{name}: {text}" for name, text in results.get("notes", {}).items()]
    return lines


def format_value(value: float) -> str:
    """A value as tables and the card write it: three decimals, or two digits if it is small."""
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.2g}"


def _format_bar(figure: Figure, verdict: Mapping[str, Any] | None) -> str:
    if figure["bar"] is None:
        return ""
    if verdict is None:
        return format_value(figure["bar"])
    word = {True: "met", False: "missed", None: "not scored"}[verdict["met"]]
    return f"{verdict['sense']} {figure['bar']:.4g}: {word}"


def update_backbone_card(path: Path, results: dict[str, Any]) -> bytes:
    """Return a backbone's card, as JSON bytes, with these figures as its measured quality.

    Raises SettingsError where there is no card, or it is another backbone's.
    """
    card = read_json(path)
    provenance = results["provenance"]
    if not isinstance(card, dict) or card.get("name") != provenance["backbone"]:
        raise SettingsError(
            f"{path} is not the card of {provenance['backbone']}, which was measured."
        )
    card["quality"] = {"measured_on": provenance["data"], "figures": results["figures"]}
    return (json.dumps(card, indent=2) + "\n").encode()
