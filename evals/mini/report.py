"""Drafts of held-out phantoms, scored by their assertions and not by their wording.

A finding so faint that a careful reader hedges is not scored: a draft neither has to assert it
nor is it wrong if it does. A hedged finding of a draft counts as not asserted; a further figure
counts it. An empty draft has missed all findings that are present.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant import Assistant
from assistant.chest.phantoms import DEVICES, DISTRACTORS, FINDINGS, Phantom, truth_assertions
from assistant.chest.vocabulary import finding_named
from assistant.iterables import batched
from assistant.labeller.labeller import find_assertions
from assistant.types import OnProgress, Report, Study
from evals.bootstrap import f1, f1_gain, macro_f1, precision, ratio, recall
from evals.counting import FindingSide, as_rows, count_matches, finding_sides, restrict_to
from evals.data.phantoms import as_film, make_phantoms
from evals.options import SuiteOptions
from evals.results import Figure, PartResult, compute_figure

FILMS = 1000
BASE_FILMS = 300  # drafted a second time without the adapter
Statistic = Callable[[np.ndarray], float]
SCORED_APART = (*DISTRACTORS, *DEVICES)  # scored apart from the findings


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One film: the findings that are present, and those that a draft asserts."""

    present: set[FindingSide]
    faint: set[FindingSide]
    claimed: set[FindingSide]
    hedged: set[FindingSide]
    written: bool
    warned: bool

    def counts(self, finding: str | None = None) -> list[int]:
        """Count the matches of one finding, or of all, with invented findings among them."""
        claimed = self.claimed - restrict_to(self.claimed, SCORED_APART)
        if finding is None:
            return count_matches(claimed, restrict_to(self.present, FINDINGS), self.faint)
        return count_matches(
            restrict_to(claimed, (finding,)), restrict_to(self.present, (finding,)), self.faint
        )


def measure(assistant: Assistant, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    """Draft held-out phantoms with the adapter, some also without it, and score the drafts."""
    n = options.film_count(FILMS)
    has_adapter = "report" in assistant.backbone.tasks
    base_n = min(n, BASE_FILMS) if has_adapter else 0
    rows: list[ReportRow] = []
    base_rows: list[ReportRow] = []
    own_report_rows: list[list[int]] = []
    cases: list[dict[str, Any]] = []
    for block in batched(make_phantoms(options.seed, range(n), options.site)):
        for phantom, report in zip(
            block, _draft_phantoms(assistant, block, has_adapter), strict=True
        ):
            rows.append(_row_of(phantom, report))
            own_report_rows.append(_row_of(phantom, None).counts())
            cases.append(_case_of(len(cases), rows[-1], report))
        base_block = block[: max(0, base_n - len(base_rows))]
        for phantom, report in zip(
            base_block, _draft_phantoms(assistant, base_block, False), strict=True
        ):
            base_rows.append(_row_of(phantom, report))
        on_progress(len(rows) + len(base_rows), n + base_n)
    figures = _figures(rows)
    patients = [str(i) for i in range(n)]
    figures["report/the phantoms' own reports, micro-F1"] = compute_figure(
        np.array(own_report_rows), patients, f1
    )
    figures |= _compare_with_base(rows, base_rows)
    notes = {
        "report/the phantoms' own reports, micro-F1": "what the reader of reports loses itself"
    }
    if not has_adapter:
        reason = "this backbone has no report adapter, so that every draft is the base's"
        notes["report/adapter minus base, micro-F1"] = reason
    material = f"{n} phantoms, {base_n} of them without the adapter too"
    return PartResult(figures, cases, notes, material)


def _draft_phantoms(
    assistant: Assistant, block: Sequence[Phantom], use_adapter: bool
) -> Iterator[Report]:
    studies = [Study((as_film(phantom),), phantom.indication) for phantom in block]
    return assistant.draft_many(studies, neighbours=0, use_adapter=use_adapter)


def _row_of(phantom: Phantom, report: Report | None) -> ReportRow:
    """The row of a phantom and its draft; without a draft, of the phantom's own report."""
    truth = truth_assertions(phantom)
    if report is None:
        assertions = list(find_assertions(phantom.report))
    else:
        assertions = [a for s in report.sentences for a in s.assertions]
    return ReportRow(
        present=finding_sides(truth),
        faint=finding_sides(truth, "uncertain"),
        claimed=finding_sides(assertions),
        hedged=finding_sides(assertions, "uncertain"),
        written=report is None or bool(report.sentences),
        warned=report is not None and report.gate.answer != "pass",
    )


def _case_of(number: int, row: ReportRow, report: Report) -> dict[str, Any]:
    return {
        "part": "report",
        "case": number,
        "truth": as_rows(row.present),
        "faint": as_rows(row.faint),
        "said": as_rows(row.claimed),
        "hedged": as_rows(row.hedged),
        "gate": report.gate.answer,
        "draft": " ".join(s.text for s in report.sentences),
    }


def _figures(rows: Sequence[ReportRow]) -> dict[str, Figure]:
    patients = [str(i) for i in range(len(rows))]

    def score_rows(counts: Callable[[ReportRow], list[int]], statistic: Statistic) -> Figure:
        return compute_figure(np.array([counts(row) for row in rows]), patients, statistic)

    counts_by_finding = [[row.counts(finding) for finding in FINDINGS] for row in rows]
    table = np.array(counts_by_finding, float).reshape(len(rows), -1)
    figures = {
        "report/present findings with side, micro-F1": score_rows(ReportRow.counts, f1),
        "report/present findings with side, macro-F1": compute_figure(table, patients, macro_f1),
    }
    for index, finding in enumerate(FINDINGS):
        name = f"report/{finding_named(finding).name}, F1"
        figures[name] = compute_figure(table[:, 3 * index : 3 * index + 3], patients, f1)
    figures |= {
        "report/wrong side among correct findings": score_rows(_count_sides, ratio),
        "report/device recall": score_rows(_count_devices, recall),
        "report/device precision": score_rows(_count_devices, precision),
        "report/distractors, micro-F1": score_rows(_count_distractors, f1),
        "report/hedged findings counted too, micro-F1": score_rows(_count_with_hedged, f1),
        "report/films with every finding right": score_rows(_count_exact, ratio),
        "report/empty drafts": score_rows(lambda row: [not row.written, 1], ratio),
        "gate/false warnings on known films": score_rows(lambda row: [row.warned, 1], ratio),
    }
    # The score of a system that does not look at the film: another film's draft.
    other_drafts = np.array(
        [
            count_matches(
                restrict_to(a.claimed, FINDINGS), restrict_to(b.present, FINDINGS), b.faint
            )
            for a, b in zip([*rows[1:], *rows[:1]], rows, strict=True)
        ]
    )
    figures["baseline/another film's draft, micro-F1"] = compute_figure(other_drafts, patients, f1)
    return figures


def _compare_with_base(
    rows: Sequence[ReportRow], base_rows: Sequence[ReportRow]
) -> dict[str, Figure]:
    """Compare drafts of the same films with and without the adapter, in pairs."""
    pairs = [[*a.counts(), *b.counts()] for a, b in zip(rows, base_rows, strict=False)]
    counts = np.array(pairs, float).reshape(len(base_rows), 6)
    patients, missing = [str(i) for i in range(len(base_rows))], 0 if base_rows else len(rows)

    def score_columns(columns: slice, statistic: Statistic) -> Figure:
        return compute_figure(counts[:, columns], patients, statistic, unscored=missing)

    return {
        "report/base without the adapter, micro-F1": score_columns(slice(3, 6), f1),
        "report/adapter on the same films, micro-F1": score_columns(slice(0, 3), f1),
        "report/adapter minus base, micro-F1": score_columns(slice(0, 6), f1_gain),
    }


def _count_sides(row: ReportRow) -> list[int]:
    """Count the findings asserted on the wrong side only, and all that are present on some side."""
    truth = row.present | row.faint
    shared = {f for f, s in restrict_to(row.claimed, FINDINGS) if s} & {f for f, s in truth if s}
    wrong = sum(
        not ({s for f, s in row.claimed if f == b} & {s for f, s in truth if f == b})
        for b in shared
    )
    return [wrong, len(shared)]


def _count_devices(row: ReportRow) -> list[int]:
    """Count the matches of devices by kind; the side of a line or a drain is not scored."""

    def kinds(found: set[FindingSide]) -> set[FindingSide]:
        return {(finding, None) for finding, _ in restrict_to(found, DEVICES)}

    return count_matches(kinds(row.claimed), kinds(row.present), kinds(row.faint))


def _count_distractors(row: ReportRow) -> list[int]:
    return count_matches(
        restrict_to(row.claimed, DISTRACTORS), restrict_to(row.present, DISTRACTORS), row.faint
    )


def _count_exact(row: ReportRow) -> list[int]:
    return [not any(row.counts()[1:]), 1]


def _count_with_hedged(row: ReportRow) -> list[int]:
    """Count hedged findings as asserted, and faint ones as required."""
    claimed = (row.claimed | row.hedged) - restrict_to(row.claimed | row.hedged, SCORED_APART)
    return count_matches(claimed, restrict_to(row.present | row.faint, FINDINGS))
