"""The labeller on real reports: does it agree with annotators, is it fast, does it beat keywords?

A report names a finding if one sentence asserts it as present; hedges and denials do not count.
The reports are those of the Open-i collection; only their ids are kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assistant.labeller.labeller import find_assertions
from evals.bootstrap import f1, f1_gain, precision, ratio, recall
from evals.data import openi
from evals.data.openi import Collection, LabelledReport
from evals.results import Bar, Figure, PartResult, compute_figure, figure_of, median_of
from evals.suites import negex

BARS = {
    "labeller/micro-F1": Bar("at least", 0.90),
    "labeller/reports a second on one core": Bar("at least", 2000.0),
}
PASSES = 5
_HALVES = ("held-out half", "development half")
_IN_SAMPLE = (
    "in-sample: earlier development looked at the labels of all reports; the held-out half "
    "(by hash of the id) was read since only where a change of wording changed its labels"
)
_SPEED = f"single thread, seconds of processor time, median of {PASSES} passes"


def measure(*, data: Path, n: int | None, on_progress: Callable[[int, int], None]) -> PartResult:
    """Label the first `n` reports of the Open-i folder, or all, with the labeller and keywords.

    Figures are micro-averages over the columns that name a report at all, and F1 for each, with
    intervals by report, over all and for each split of `cases.csv`; a report without text or not
    in the archive is unscored. Speed is in reports a second. The cases name the reports on which
    labeller and annotators differ, for reading, by id and half. Raises SettingsError where the
    folder has no such reports.
    """
    collection = openi.read_openi(data)
    chosen = collection.reports[:n]
    scored = [report for report in chosen if report.text]
    empty = [report for report in chosen if not report.text]
    missing = len(empty) + (collection.missing if n is None else 0)
    present, hedged, speeds = _label_reports(scored, on_progress)
    figures: dict[str, Figure] = _quality_figures(
        "labeller", collection, scored, present, empty, missing
    )
    for column, key in collection.labels:
        counts = _count_reports(scored, present, (key,))
        names = [report.name for report in scored]
        figures[f"labeller/F1 {column}"] = compute_figure(counts, names, f1, unscored=missing)
    known = frozenset(key for _, key in collection.labels)
    figures["labeller/findings only hedged that the gold labels count as present"] = compute_figure(
        np.array(
            [(len(h & r.findings), len(h & known)) for r, h in zip(scored, hedged, strict=True)]
        ),
        [report.name for report in scored],
        ratio,
        unscored=missing,
    )
    figures |= _split_figures(data, collection, scored, present)
    figures["labeller/reports a second on one core"] = median_of(speeds)
    notes = {"labeller/micro-F1": _IN_SAMPLE, "labeller/reports a second on one core": _SPEED}
    for column in collection.empty:
        figures[f"labeller/F1 {column}"] = figure_of(None, 0, unscored=len(chosen))
        notes[f"labeller/F1 {column}"] = "unscored: the gold column names no report"
    figures |= _compare_with_keywords(collection, scored, present, empty, missing, notes)
    cases = _list_disagreements(scored, present, known)
    return PartResult(
        figures, cases, notes, f"Open-i reports with gold labels, {len(scored)} scored"
    )


def _split_figures(
    data: Path,
    collection: Collection,
    reports: Sequence[LabelledReport],
    present: Sequence[frozenset[str]],
) -> dict[str, Figure]:
    """Micro-F1 on each split of `cases.csv`; empty where the folder has no such file."""
    splits = {report.name: report.split for report in openi.read_coded(data)}
    counts = _count_reports(reports, present, [key for _, key in collection.labels])
    figures = {}
    for split in sorted(set(splits.values())):
        rows = [i for i, r in enumerate(reports) if splits.get(r.name) == split]
        figures[f"labeller/micro-F1, split {split}"] = compute_figure(
            counts[rows], [reports[i].name for i in rows], f1
        )
    return figures


def _label_reports(
    reports: Sequence[LabelledReport], on_progress: Callable[[int, int], None]
) -> tuple[list[frozenset[str]], list[frozenset[str]], list[float]]:
    """Label every report: findings present, findings only hedged, and the speed of every pass."""
    present: list[frozenset[str]] = []
    hedged: list[frozenset[str]] = []
    speeds = []
    for done in range(PASSES):
        start = time.process_time()
        claims = [find_assertions(report.text) for report in reports]
        elapsed = time.process_time() - start
        if reports and elapsed > 0:
            speeds.append(len(reports) / elapsed)
        present = [
            frozenset(c.finding for c in group if c.polarity == "present") for group in claims
        ]
        hedged = [
            frozenset(c.finding for c in group if c.polarity == "uncertain") - sure
            for group, sure in zip(claims, present, strict=True)
        ]
        on_progress(done + 1, PASSES)
    return present, hedged, speeds


def _list_disagreements(
    reports: Sequence[LabelledReport], present: Sequence[frozenset[str]], known: frozenset[str]
) -> list[dict[str, Any]]:
    """List the reports with findings that the labels do not have, or that were missed."""
    return [
        {
            "report": r.name,
            "half": _HALVES[0] if r.held_out else _HALVES[1],
            "extra": sorted((s - r.findings) & known),
            "missed": sorted(r.findings - s),
        }
        for r, s in zip(reports, present, strict=True)
        if s & known != r.findings
    ]


def _quality_figures(
    system: str,
    collection: Collection,
    reports: Sequence[LabelledReport],
    present: Sequence[frozenset[str]],
    empty: Sequence[LabelledReport],
    missing: int,
) -> dict[str, Figure]:
    """Micro-F1, precision and recall over all reports, and micro-F1 of both halves."""
    counts = _count_reports(reports, present, [key for _, key in collection.labels])
    names = [report.name for report in reports]
    figures = {
        f"{system}/micro-{name}": compute_figure(counts, names, statistic, unscored=missing)
        for name, statistic in (("F1", f1), ("precision", precision), ("recall", recall))
    }
    for half in _HALVES:
        held_out = half == _HALVES[0]
        rows = [i for i, r in enumerate(reports) if r.held_out == held_out]
        figures[f"{system}/micro-F1, {half}"] = compute_figure(
            counts[rows],
            [names[i] for i in rows],
            f1,
            unscored=sum(r.held_out == held_out for r in empty),
        )
    return figures


def _count_reports(
    reports: Sequence[LabelledReport], present: Sequence[frozenset[str]], keys: Sequence[str]
) -> np.ndarray:
    """Count true positives, false positives and misses of each report, (N, 3)."""
    known = frozenset(keys)
    rows = [
        (len(s & r.findings & known), len((s - r.findings) & known), len((r.findings - s) & known))
        for r, s in zip(reports, present, strict=True)
    ]
    return np.array(rows, int).reshape(-1, 3)


def _compare_with_keywords(
    collection: Collection,
    reports: Sequence[LabelledReport],
    present: Sequence[frozenset[str]],
    empty: Sequence[LabelledReport],
    missing: int,
    notes: dict[str, str],
) -> dict[str, Figure]:
    """The figures of keywords with negspacy, and how far the labeller is above them."""
    system, gain = "keywords and negspacy", "labeller/micro-F1 above keywords and negspacy"
    if not negex.is_available():
        names = [f"{system}/micro-F1", gain]
        notes.update(dict.fromkeys(names, f"unscored, {negex.UNAVAILABLE}"))
        return {name: figure_of(None, 0, unscored=len(reports) + missing) for name in names}
    baseline = negex.findings_in([report.text for report in reports])
    keys = [key for _, key in collection.labels]
    paired_counts = np.hstack(
        [_count_reports(reports, present, keys), _count_reports(reports, baseline, keys)]
    )
    names = [report.name for report in reports]
    return _quality_figures(system, collection, reports, baseline, empty, missing) | {
        gain: compute_figure(paired_counts, names, f1_gain, unscored=missing)
    }
