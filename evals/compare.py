"""Two runs side by side: what one has more than the other, patient by patient.

A difference is A minus B. Where both runs keep what a figure was counted from, its interval is a
bootstrap of pairs: patients that both have are drawn with the rows of both, so that what makes a
patient hard falls out. What is better, more or less, is not known here; nor is there a p-value.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from assistant.errors import SettingsError
from evals.bootstrap import DRAWS, STATISTICS
from evals.results import SCHEMA, format_value

COMPARISON = "wetread.comparison/1"
ABOUT = ("backbone", "revision", "data", "data_sha256", "seed", "time")
Difference = dict[str, Any]


def compare(a: Mapping[str, Any], b: Mapping[str, Any], *, seed: int = 0) -> dict[str, Any]:
    """The difference of every figure that two results have, A minus B.

    Of each: `a`, `b` and `value`, their difference, over the `n` patients that both have; the
    patients that only one has are `unpaired`; `ci_low` and `ci_high` are the 95 % percentile
    interval over resampled patients (Efron and Tibshirani 1993). Without counts in both, the plain
    difference of the two values with no n and no interval, and why in `notes`. Raises
    SettingsError for another schema, or where no figure is in both.
    """
    for letter, one in (("first", a), ("second", b)):
        if one.get("schema") != SCHEMA:
            raise SettingsError(
                f"The {letter} file has the schema {one.get('schema')!r}, not {SCHEMA!r}; "
                "compare two results of `wetread eval`."
            )
    both = [name for name in a["figures"] if name in b["figures"]]
    if not both:
        raise SettingsError(
            f"The results of the suites {a['suite']} and {b['suite']} have no figure in common; "
            "compare two runs of one suite."
        )
    strangers = _strangers(a["provenance"], b["provenance"])
    differences, notes = {}, {}
    for name in both:
        reason = strangers or _unlike(a.get("counts", {}).get(name), b.get("counts", {}).get(name))
        if reason:
            differences[name] = _plain(a["figures"][name], b["figures"][name])
            notes[name] = reason
        else:
            differences[name] = _paired(a["counts"][name], b["counts"][name], seed)
    return {
        "schema": COMPARISON,
        "a": _about(a),
        "b": _about(b),
        "seed": seed,
        "differences": differences,
        "notes": notes,
        "warnings": _warnings(a, b),
        "only_a": [name for name in a["figures"] if name not in b["figures"]],
        "only_b": [name for name in b["figures"] if name not in a["figures"]],
    }


def lines(comparison: Mapping[str, Any]) -> list[str]:
    """The differences as lines of text, and below them what there is to say about some."""
    differences = comparison["differences"]
    width = max([len(name) for name in differences] + [6])
    told = [f"{letter}: {_named(comparison[letter.lower()])}" for letter in ("A", "B")]
    told.append(
        f"{'figure':<{width}} {'A':>9} {'B':>9} {'A minus B':>9}  {'95 % interval':<21} "
        f"{'n':>5} {'unpaired':>8}"
    )
    for name, d in differences.items():
        values = " ".join(f"{_told(d[key]):>9}" for key in ("a", "b", "value"))
        between = "-"
        if d["ci_low"] is not None and d["ci_high"] is not None:
            between = f"{format_value(d['ci_low'])} to {format_value(d['ci_high'])}"
        counted = " ".join(
            f"{'-' if d[key] is None else d[key]:>{size}}"
            for key, size in (("n", 5), ("unpaired", 8))
        )
        told.append(f"{name:<{width}} {values}  {between:<21} {counted}")
    told += comparison["warnings"]
    told += _reasons(comparison["notes"])
    for letter in ("a", "b"):
        if only := comparison[f"only_{letter}"]:
            told.append(f"Only in {letter.upper()}: {'; '.join(only)}.")
    return told


def _paired(a: Mapping[str, Any], b: Mapping[str, Any], seed: int) -> Difference:
    """The same statistic of both on the patients that both have, and their difference."""
    statistic = STATISTICS[a["statistic"]]
    sums_a, sums_b = _by_patient(a), _by_patient(b)
    people = sorted(sums_a.keys() & sums_b.keys())
    table_a = np.array([sums_a[name] for name in people])
    table_b = np.array([sums_b[name] for name in people])
    weights = _draws(len(people), seed)
    drawn = np.array(
        [
            statistic(row) - statistic(other)
            for row, other in zip(weights @ table_a, weights @ table_b, strict=True)
        ]
    )
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
    of_a, of_b = statistic(table_a.sum(axis=0)), statistic(table_b.sum(axis=0))
    return {
        "a": _number(of_a),
        "b": _number(of_b),
        "value": _number(of_a - of_b),
        "ci_low": _number(low),
        "ci_high": _number(high),
        "n": len(people),
        "unpaired": len(sums_a.keys() ^ sums_b.keys()),
    }


@lru_cache(maxsize=2)
def _draws(people: int, seed: int) -> np.ndarray:
    """How often each patient is drawn (DRAWS, people); most figures have the same patients."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(people, np.full(people, 1 / people), size=DRAWS)


def _by_patient(counted: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The counts (K,) of each patient, summed over the films."""
    sums: dict[str, np.ndarray] = {}
    for name, row in zip(counted["patients"], counted["rows"], strict=True):
        sums[name] = sums.get(name, 0) + np.asarray(row, float)
    return sums


def _plain(a: Mapping[str, Any], b: Mapping[str, Any]) -> Difference:
    """The difference of two values of which no more is known."""
    of_a, of_b = a["value"], b["value"]
    return {
        "a": of_a,
        "b": of_b,
        "value": None if of_a is None or of_b is None else _number(of_a - of_b),
        "ci_low": None,
        "ci_high": None,
        "n": None,
        "unpaired": None,
    }


def _unlike(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> str:
    """Why two figures cannot be paired; empty where they can."""
    if a is None and b is None:
        return "neither keeps what it was counted from"
    if a is None or b is None:
        return f"{'A' if a is None else 'B'} does not keep what it was counted from"
    if a["statistic"] not in STATISTICS or a["statistic"] != b["statistic"]:
        return "the two were computed in different ways"
    if not set(a["patients"]) & set(b["patients"]):
        return "no patient is in both"
    if len(a["rows"][0]) != len(b["rows"][0]):
        return "the two counted different things"
    return ""


def _strangers(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """Why patients of one name are not one patient: phantoms are numbered anew in each seed."""
    same_data = a.get("data_sha256") == b.get("data_sha256")
    if (same_data and a.get("data_sha256")) or a.get("seed") == b.get("seed"):
        return ""
    return "the seeds differ and the data are not known to be the same"


def _warnings(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """What makes the two runs less than a fair pair."""
    told = []
    if a["suite"] != b["suite"]:
        told.append(
            f"The suites differ (A: {a['suite']}, B: {b['suite']}); only what both measure is here."
        )
    of_a, of_b = a["provenance"], b["provenance"]
    hashed = of_a.get("data_sha256") and of_b.get("data_sha256")
    key = "data_sha256" if hashed else "data"
    if of_a.get(key) != of_b.get(key):
        told.append(
            f"The data differ (A: {_data(of_a.get(key))}, B: {_data(of_b.get(key))}); a pair is a "
            "patient of the same name in both, which holds only where it is the same patient."
        )
    return told


def _data(told: Any) -> str:
    """What is recorded of the data: words, or the hash of each folder."""
    if isinstance(told, Mapping):
        return ", ".join(f"{name} {str(digest)[:12]}" for name, digest in told.items())
    return str(told)


def _about(results: Mapping[str, Any]) -> dict[str, Any]:
    known = results["provenance"]
    return {"suite": results["suite"], **{key: known[key] for key in ABOUT if key in known}}


def _named(about: Mapping[str, Any]) -> str:
    backbone = about.get("backbone") or "no backbone"
    revision = f" at {about['revision']}" if about.get("revision") else ""
    when = f", {about['time']}" if about.get("time") else ""
    return f"{backbone}{revision}, suite {about['suite']}{when}"


def _reasons(notes: Mapping[str, str]) -> list[str]:
    """Each reason once, with the figures it holds for."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in notes.items():
        by_reason.setdefault(reason, []).append(name)
    return [
        f"No interval, since {reason}: {'; '.join(names)}." for reason, names in by_reason.items()
    ]


def _told(value: float | None) -> str:
    return "-" if value is None else format_value(value)


def _number(value: float) -> float | None:
    if not np.isfinite(value):
        return None
    return float(f"{value:.6g}") + 0.0  # no minus before a zero
