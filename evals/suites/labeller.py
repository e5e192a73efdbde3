"""The labeller on real reports: right against their annotators, fast, and better than keywords?

A report counts as naming a finding where one sentence asserts it as present; hedges and denials
count as not. The reports are the Open-i collection's; nothing of them is kept but their ids.
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
from evals.results import Bar, Figure, PartResult, figure, figure_of, median
from evals.suites import negex

BARS = {
    "labeller/micro-F1": Bar("at least", 0.90),
    "labeller/reports a second on one core": Bar("at least", 2000.0),
}
PASSES = 5
_HALVES = ("held-out half", "development half")
_SEEN = (
    "in-sample: earlier development looked at the labels of all reports; the held-out half "
    "(by hash of the id) was not read while mending since"
)
_SPEED = f"single thread, seconds of processor time, median of {PASSES} passes"


def measure(*, data: Path, n: int | None, on_progress: Callable[[int, int], None]) -> PartResult:
    """Label the first `n` reports of the Open-i folder, or all, with the labeller and keywords.

    Figures are micro-averages over the columns that name a report at all, and F1 for each, with
    intervals by report; a report without text or not in the archive is unscored. Speed is in
    reports a second. The cases name the reports on which labeller and annotators differ, for
    reading, by id and half. Raises SettingsError where the folder has no such reports.
    """
    found = openi.read_openi(data)
    chosen = found.reports[:n]
    scored = [report for report in chosen if report.text]
    blank = [report for report in chosen if not report.text]
    missing = len(blank) + (found.missing if n is None else 0)
    ours, hedged, speeds = _labelled(scored, on_progress)
    figures: dict[str, Figure] = _quality("labeller", found, scored, ours, blank, missing)
    for column, key in found.labels:
        counts = _counts(scored, ours, (key,))
        names = [report.name for report in scored]
        figures[f"labeller/F1 {column}"] = figure(counts, names, f1, unscored=missing)
    known = frozenset(key for _, key in found.labels)
    figures["labeller/findings only hedged that the gold labels count as present"] = figure(
        np.array(
            [(len(h & r.findings), len(h & known)) for r, h in zip(scored, hedged, strict=True)]
        ),
        [report.name for report in scored],
        ratio,
        unscored=missing,
    )
    figures["labeller/reports a second on one core"] = median(speeds)
    notes = {"labeller/micro-F1": _SEEN, "labeller/reports a second on one core": _SPEED}
    for column in found.empty:
        figures[f"labeller/F1 {column}"] = figure_of(None, 0, unscored=len(chosen))
        notes[f"labeller/F1 {column}"] = "unscored: the gold column names no report"
    figures |= _baseline(found, scored, ours, blank, missing, notes)
    cases = _differing(scored, ours, known)
    return PartResult(
        figures, cases, notes, f"Open-i reports with gold labels, {len(scored)} scored"
    )


def _labelled(
    reports: Sequence[LabelledReport], on_progress: Callable[[int, int], None]
) -> tuple[list[frozenset[str]], list[frozenset[str]], list[float]]:
    """The findings present in every report, those only hedged, and the speed of every pass."""
    found: list[frozenset[str]] = []
    hedged: list[frozenset[str]] = []
    speeds = []
    for done in range(PASSES):
        start = time.process_time()
        claims = [find_assertions(report.text) for report in reports]
        taken = time.process_time() - start
        if reports and taken > 0:
            speeds.append(len(reports) / taken)
        found = [frozenset(c.finding for c in some if c.polarity == "present") for some in claims]
        hedged = [
            frozenset(c.finding for c in some if c.polarity == "uncertain") - sure
            for some, sure in zip(claims, found, strict=True)
        ]
        on_progress(done + 1, PASSES)
    return found, hedged, speeds


def _differing(
    reports: Sequence[LabelledReport], said: Sequence[frozenset[str]], known: frozenset[str]
) -> list[dict[str, Any]]:
    """The reports to read: what was said there against the labels, and what was missed."""
    return [
        {
            "report": r.name,
            "half": _HALVES[0] if r.held_out else _HALVES[1],
            "extra": sorted((s - r.findings) & known),
            "missed": sorted(r.findings - s),
        }
        for r, s in zip(reports, said, strict=True)
        if s & known != r.findings
    ]


def _quality(
    who: str,
    found: Collection,
    reports: Sequence[LabelledReport],
    said: Sequence[frozenset[str]],
    blank: Sequence[LabelledReport],
    missing: int,
) -> dict[str, Figure]:
    """Micro-F1, precision and recall over all reports, and micro-F1 of both halves."""
    counts = _counts(reports, said, [key for _, key in found.labels])
    names = [report.name for report in reports]
    figures = {
        f"{who}/micro-{name}": figure(counts, names, statistic, unscored=missing)
        for name, statistic in (("F1", f1), ("precision", precision), ("recall", recall))
    }
    for half in _HALVES:
        held_out = half == _HALVES[0]
        mine = [i for i, r in enumerate(reports) if r.held_out == held_out]
        figures[f"{who}/micro-F1, {half}"] = figure(
            counts[mine],
            [names[i] for i in mine],
            f1,
            unscored=sum(r.held_out == held_out for r in blank),
        )
    return figures


def _counts(
    reports: Sequence[LabelledReport], said: Sequence[frozenset[str]], keys: Sequence[str]
) -> np.ndarray:
    """(N, 3): findings of each report that were said rightly, said wrongly, and missed."""
    known = frozenset(keys)
    rows = [
        (len(s & r.findings & known), len((s - r.findings) & known), len((r.findings - s) & known))
        for r, s in zip(reports, said, strict=True)
    ]
    return np.array(rows, int).reshape(-1, 3)


def _baseline(
    found: Collection,
    reports: Sequence[LabelledReport],
    ours: Sequence[frozenset[str]],
    blank: Sequence[LabelledReport],
    missing: int,
    notes: dict[str, str],
) -> dict[str, Figure]:
    """The figures of keywords with negspacy, and how far the labeller is above them."""
    who, gain = "keywords and negspacy", "labeller/micro-F1 above keywords and negspacy"
    if not negex.available():
        names = [f"{who}/micro-F1", gain]
        notes.update(dict.fromkeys(names, f"unscored, {negex.UNAVAILABLE}"))
        return {name: figure_of(None, 0, unscored=len(reports) + missing) for name in names}
    theirs = negex.findings_in([report.text for report in reports])
    keys = [key for _, key in found.labels]
    both = np.hstack([_counts(reports, ours, keys), _counts(reports, theirs, keys)])
    names = [report.name for report in reports]
    return _quality(who, found, reports, theirs, blank, missing) | {
        gain: figure(both, names, f1_gain, unscored=missing)
    }
