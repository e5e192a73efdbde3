"""Compares two runs figure by figure, paired by patient.

A difference is A minus B. Where both runs keep the counts of a figure, its interval is a paired
bootstrap: patients that both have are drawn with the rows of both, so that how hard a patient is
cancels out. This module does not know whether more or less is better, and gives no p-value.
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
    """Return the difference, A minus B, of every figure that two results have.

    Each has `a`, `b` and `value`, their difference, over the `n` patients that both have; the
    patients that only one has are `unpaired`; `ci_low` and `ci_high` are the 95 % percentile
    interval over resampled patients (Efron and Tibshirani 1993). Without counts in both, the plain
    difference of the two values with no n and no interval, and why in `notes`. Raises
    SettingsError for another schema, or where no figure is in both.
    """
    for letter, results in (("first", a), ("second", b)):
        if results.get("schema") != SCHEMA:
            raise SettingsError(
                f"The {letter} file has the schema {results.get('schema')!r}, not {SCHEMA!r}; "
                "compare two results of `wetread eval`."
            )
    shared = [name for name in a["figures"] if name in b["figures"]]
    if not shared:
        raise SettingsError(
            f"The results of the suites {a['suite']} and {b['suite']} have no figure in common; "
            "compare two runs of one suite."
        )
    other_patients = _why_other_patients(a["provenance"], b["provenance"])
    differences, notes = {}, {}
    for name in shared:
        reason = other_patients or _why_not_paired(
            a.get("counts", {}).get(name), b.get("counts", {}).get(name)
        )
        if reason:
            differences[name] = _unpaired_difference(a["figures"][name], b["figures"][name])
            notes[name] = reason
        else:
            differences[name] = _paired_difference(a["counts"][name], b["counts"][name], seed)
    return {
        "schema": COMPARISON,
        "a": _select_provenance(a),
        "b": _select_provenance(b),
        "seed": seed,
        "differences": differences,
        "notes": notes,
        "warnings": _find_warnings(a, b),
        "only_a": [name for name in a["figures"] if name not in b["figures"]],
        "only_b": [name for name in b["figures"] if name not in a["figures"]],
    }


def format_comparison(comparison: Mapping[str, Any]) -> list[str]:
    """Return the differences as lines of text, then the warnings and the notes."""
    differences = comparison["differences"]
    width = max([len(name) for name in differences] + [6])
    text = [f"{letter}: {_format_run(comparison[letter.lower()])}" for letter in ("A", "B")]
    text.append(
        f"{'figure':<{width}} {'A':>9} {'B':>9} {'A minus B':>9}  {'95 % interval':<21} "
        f"{'n':>5} {'unpaired':>8}"
    )
    for name, d in differences.items():
        values = " ".join(f"{_format_optional(d[key]):>9}" for key in ("a", "b", "value"))
        interval = "-"
        if d["ci_low"] is not None and d["ci_high"] is not None:
            interval = f"{format_value(d['ci_low'])} to {format_value(d['ci_high'])}"
        counts = " ".join(
            f"{'-' if d[key] is None else d[key]:>{size}}"
            for key, size in (("n", 5), ("unpaired", 8))
        )
        text.append(f"{name:<{width}} {values}  {interval:<21} {counts}")
    text += comparison["warnings"]
    text += _group_by_reason(comparison["notes"])
    for letter in ("a", "b"):
        if only := comparison[f"only_{letter}"]:
            text.append(f"Only in {letter.upper()}: {'; '.join(only)}.")
    return text


def _paired_difference(a: Mapping[str, Any], b: Mapping[str, Any], seed: int) -> Difference:
    """The statistic of A and of B on the patients that both have, and the difference."""
    statistic = STATISTICS[a["statistic"]]
    sums_a, sums_b = _sum_by_patient(a), _sum_by_patient(b)
    patients = sorted(sums_a.keys() & sums_b.keys())
    table_a = np.array([sums_a[name] for name in patients])
    table_b = np.array([sums_b[name] for name in patients])
    weights = _draw_patients(len(patients), seed)
    differences = np.array(
        [
            statistic(row) - statistic(other)
            for row, other in zip(weights @ table_a, weights @ table_b, strict=True)
        ]
    )
    differences = differences[np.isfinite(differences)]
    low, high = np.quantile(differences, [0.025, 0.975]) if len(differences) else (np.nan, np.nan)
    value_a, value_b = statistic(table_a.sum(axis=0)), statistic(table_b.sum(axis=0))
    return {
        "a": _round_value(value_a),
        "b": _round_value(value_b),
        "value": _round_value(value_a - value_b),
        "ci_low": _round_value(low),
        "ci_high": _round_value(high),
        "n": len(patients),
        "unpaired": len(sums_a.keys() ^ sums_b.keys()),
    }


@lru_cache(maxsize=2)
def _draw_patients(patients: int, seed: int) -> np.ndarray:
    """How often each patient is drawn (DRAWS, patients); most figures have the same patients."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(patients, np.full(patients, 1 / patients), size=DRAWS)


def _sum_by_patient(counts: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The counts (K,) of each patient, summed over the patient's films."""
    sums: dict[str, np.ndarray] = {}
    for name, row in zip(counts["patients"], counts["rows"], strict=True):
        sums[name] = sums.get(name, 0) + np.asarray(row, float)
    return sums


def _unpaired_difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> Difference:
    """The difference of two values whose counts are not known."""
    value_a, value_b = a["value"], b["value"]
    return {
        "a": value_a,
        "b": value_b,
        "value": None if value_a is None or value_b is None else _round_value(value_a - value_b),
        "ci_low": None,
        "ci_high": None,
        "n": None,
        "unpaired": None,
    }


def _why_not_paired(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> str:
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


def _why_other_patients(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """Why one name may mean two patients: each seed numbers its phantoms anew; empty if not."""
    same_data = a.get("data_sha256") == b.get("data_sha256")
    if (same_data and a.get("data_sha256")) or a.get("seed") == b.get("seed"):
        return ""
    return "the seeds differ and the data are not known to be the same"


def _find_warnings(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Warnings about what makes the comparison unfair."""
    warnings = []
    if a["suite"] != b["suite"]:
        warnings.append(
            f"The suites differ (A: {a['suite']}, B: {b['suite']}); only what both measure is here."
        )
    provenance_a, provenance_b = a["provenance"], b["provenance"]
    hashed = provenance_a.get("data_sha256") and provenance_b.get("data_sha256")
    key = "data_sha256" if hashed else "data"
    if provenance_a.get(key) != provenance_b.get(key):
        warnings.append(
            f"The data differ (A: {_format_data(provenance_a.get(key))}, "
            f"B: {_format_data(provenance_b.get(key))}); a pair is a "
            "patient of the same name in both, which holds only where it is the same patient."
        )
    return warnings


def _format_data(data: Any) -> str:
    """Format what is recorded of the data: text, or the hash of each folder."""
    if isinstance(data, Mapping):
        return ", ".join(f"{name} {str(digest)[:12]}" for name, digest in data.items())
    return str(data)


def _select_provenance(results: Mapping[str, Any]) -> dict[str, Any]:
    provenance = results["provenance"]
    return {
        "suite": results["suite"],
        **{key: provenance[key] for key in ABOUT if key in provenance},
    }


def _format_run(run: Mapping[str, Any]) -> str:
    backbone = run.get("backbone") or "no backbone"
    revision = f" at {run['revision']}" if run.get("revision") else ""
    time = f", {run['time']}" if run.get("time") else ""
    return f"{backbone}{revision}, suite {run['suite']}{time}"


def _group_by_reason(notes: Mapping[str, str]) -> list[str]:
    """One line for each reason, with the figures it holds for."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in notes.items():
        by_reason.setdefault(reason, []).append(name)
    return [
        f"No interval, since {reason}: {'; '.join(names)}." for reason, names in by_reason.items()
    ]


def _format_optional(value: float | None) -> str:
    return "-" if value is None else format_value(value)


def _round_value(value: float) -> float | None:
    if not np.isfinite(value):
        return None
    return float(f"{value:.6g}") + 0.0  # no minus before a zero
