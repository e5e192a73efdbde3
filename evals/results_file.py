"""Reads and checks results on disk, and writes them with their card.

This module does not know what a suite measures.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assistant.atomic import write_file
from assistant.errors import SettingsError
from assistant.parsing import is_folder, read_json
from evals.results import SCHEMA

RESULTS, CARD = "results.json", "card.html"
NUMBERS = ("value", "ci_low", "ci_high", "bar")


def read_results(path: Path) -> dict[str, Any]:
    """Read the results in a file, or in the `results.json` of a folder.

    Raises SettingsError where there is no such file, or it is not results of this schema.
    """
    path = path / RESULTS if is_folder(path) else path
    results = read_json(path)
    if not isinstance(results, dict) or "schema" not in results:
        raise SettingsError(f"{path} is no results file; name a {RESULTS} of `wetread eval`.")
    if results["schema"] != SCHEMA:
        raise SettingsError(
            f"{path} has the schema {results['schema']!r}, and this version of Wetread reads "
            f"{SCHEMA!r}; measure again."
        )
    if fault := _find_fault(results):
        raise SettingsError(f"{path} is a damaged results file: {fault}; measure again.")
    return results


def write_results(results: Mapping[str, Any], folder: Path) -> Path:
    """Write `results.json` and `card.html` into a folder and return the card's path.

    Each is written to a temporary file and renamed, so that the old one stays until then. A number
    that is not finite is written as null. Raises SettingsError where the folder cannot be written.
    """
    from evals.card.render import render_card

    finite = _replace_non_finite(results)
    write_file(folder / RESULTS, _format_json(finite).encode())
    write_file(folder / CARD, render_card(finite).encode())
    return folder / CARD


def _find_fault(results: Mapping[str, Any]) -> str:
    """Return what is wrong with results of the right schema; empty where nothing is."""
    required = {"figures": dict, "provenance": dict, "suite": str}
    optional = {"bars": dict, "notes": dict, "counts": dict, "plots": dict, "cases": list}
    for key, kind in (required | optional).items():
        if key in results and not isinstance(results[key], kind):
            return f"its {key!r} is of the wrong kind"
        if key in required and key not in results:
            return f"it has no {key!r}"
    for name, figure in results["figures"].items():
        if not isinstance(figure, dict) or not {"n", "unscored", *NUMBERS} <= figure.keys():
            return f"the figure {name!r} is not whole"
        if not all(_is_number(figure[key]) for key in NUMBERS):
            return f"the figure {name!r} has a value that is no number"
        if not all(isinstance(figure[key], int) for key in ("n", "unscored")):
            return f"the figure {name!r} is not counted"
    for name, counts in results.get("counts", {}).items():
        if not _has_valid_counts(counts):
            return f"the counts of {name!r} do not fit together"
    for key in ("bars", "plots"):
        for name, entry in results.get(key, {}).items():
            if not isinstance(entry, dict) or entry.get("met") not in (True, False, None):
                return f"{name!r} among its {key!r} is of the wrong kind"
    if not all(isinstance(case, dict) for case in results.get("cases", [])):
        return "a case is of the wrong kind"
    return ""


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _has_valid_counts(counts: Any) -> bool:
    """Whether counts have one row for each patient, all of one length and all numbers."""
    if not isinstance(counts, dict) or not isinstance(counts.get("statistic"), str):
        return False
    patients, rows = counts.get("patients"), counts.get("rows")
    if not isinstance(patients, list) or not isinstance(rows, list) or len(patients) != len(rows):
        return False
    if not all(isinstance(name, str) for name in patients):
        return False
    if not all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows):
        return False
    return all(value is not None and _is_number(value) for row in rows for value in row)


def _replace_non_finite(value: Any) -> Any:
    """Return a copy with None for numbers that are not finite, and lists for tuples."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _replace_non_finite(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_replace_non_finite(inner) for inner in value]
    return value


def _format_json(results: Mapping[str, Any]) -> str:
    """Format results as JSON with one line for each entry, so that people can read it."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    parts = []
    for key, value in results.items():
        text = line(value)
        if value and isinstance(value, dict):
            inner = [f"    {line(name)}: {line(entry)}" for name, entry in value.items()]
            text = "{\n" + ",\n".join(inner) + "\n  }"
        elif value and isinstance(value, list):
            text = "[\n" + ",\n".join(f"    {line(entry)}" for entry in value) + "\n  ]"
        parts.append(f"  {line(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
