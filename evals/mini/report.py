"""Drafts of held-out phantoms, scored by what they assert and not by their wording.

A finding so faint that a careful reader hedges is spared: a draft is neither held to it nor
blamed for it. What a draft hedges counts as not said; a figure beside tells what it would be if
it counted. An empty draft has missed all that is there.
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
from evals.data.phantoms import as_film, phantoms
from evals.options import SuiteOptions
from evals.results import Figure, PartResult, figure

FILMS = 1000
BASE_FILMS = 300  # drafted a second time without the adapter
Statistic = Callable[[np.ndarray], float]
BESIDE = (*DISTRACTORS, *DEVICES)  # scored apart from the findings


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One film: what is there, and what a draft says."""

    sure: set[FindingSide]
    faint: set[FindingSide]
    said: set[FindingSide]
    hedged: set[FindingSide]
    written: bool
    warned: bool

    def counts(self, finding: str | None = None) -> list[int]:
        """Of one finding, or of all, inventions among them."""
        said = self.said - restrict_to(self.said, BESIDE)
        if finding is None:
            return count_matches(said, restrict_to(self.sure, FINDINGS), self.faint)
        return count_matches(
            restrict_to(said, (finding,)), restrict_to(self.sure, (finding,)), self.faint
        )


def measure(assistant: Assistant, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    """Draft held-out phantoms with the adapter and some without it, and score what they say."""
    n = options.films(FILMS)
    adapted = "report" in assistant.backbone.tasks
    base_n = min(n, BASE_FILMS) if adapted else 0
    rows: list[ReportRow] = []
    base: list[ReportRow] = []
    own: list[list[int]] = []
    cases: list[dict[str, Any]] = []
    for block in batched(phantoms(options.seed, range(n), options.site)):
        for phantom, report in zip(block, _drafts(assistant, block, adapted), strict=True):
            rows.append(_row(phantom, report))
            own.append(_row(phantom, None).counts())
            cases.append(_case(len(cases), rows[-1], report))
        again = block[: max(0, base_n - len(base))]
        for phantom, report in zip(again, _drafts(assistant, again, False), strict=True):
            base.append(_row(phantom, report))
        on_progress(len(rows) + len(base), n + base_n)
    figures = _figures(rows)
    people = [str(i) for i in range(n)]
    figures["report/the phantoms' own reports, micro-F1"] = figure(np.array(own), people, f1)
    figures |= _against_base(rows, base)
    notes = {
        "report/the phantoms' own reports, micro-F1": "what the reader of reports loses itself"
    }
    if not adapted:
        reason = "this backbone has no report adapter, so that every draft is the base's"
        notes["report/adapter minus base, micro-F1"] = reason
    material = f"{n} phantoms, {base_n} of them without the adapter too"
    return PartResult(figures, cases, notes, material)


def _drafts(assistant: Assistant, block: Sequence[Phantom], use_adapter: bool) -> Iterator[Report]:
    studies = [Study((as_film(phantom),), phantom.indication) for phantom in block]
    return assistant.draft_many(studies, neighbours=0, use_adapter=use_adapter)


def _row(phantom: Phantom, report: Report | None) -> ReportRow:
    """What a draft says of a phantom; without one, what its own report says."""
    there = truth_assertions(phantom)
    if report is None:
        said = list(find_assertions(phantom.report))
    else:
        said = [a for s in report.sentences for a in s.assertions]
    return ReportRow(
        sure=finding_sides(there),
        faint=finding_sides(there, "uncertain"),
        said=finding_sides(said),
        hedged=finding_sides(said, "uncertain"),
        written=report is None or bool(report.sentences),
        warned=report is not None and report.gate.answer != "pass",
    )


def _case(number: int, row: ReportRow, report: Report) -> dict[str, Any]:
    return {
        "part": "report",
        "case": number,
        "truth": as_rows(row.sure),
        "faint": as_rows(row.faint),
        "said": as_rows(row.said),
        "hedged": as_rows(row.hedged),
        "gate": report.gate.answer,
        "draft": " ".join(s.text for s in report.sentences),
    }


def _figures(rows: Sequence[ReportRow]) -> dict[str, Figure]:
    people = [str(i) for i in range(len(rows))]

    def of_rows(counts: Callable[[ReportRow], list[int]], statistic: Statistic) -> Figure:
        return figure(np.array([counts(row) for row in rows]), people, statistic)

    each = [[row.counts(finding) for finding in FINDINGS] for row in rows]
    flat = np.array(each, float).reshape(len(rows), -1)
    figures = {
        "report/present findings with side, micro-F1": of_rows(ReportRow.counts, f1),
        "report/present findings with side, macro-F1": figure(flat, people, macro_f1),
    }
    for at, finding in enumerate(FINDINGS):
        name = f"report/{finding_named(finding).name}, F1"
        figures[name] = figure(flat[:, 3 * at : 3 * at + 3], people, f1)
    figures |= {
        "report/wrong side among correct findings": of_rows(_sides, ratio),
        "report/device recall": of_rows(_devices, recall),
        "report/device precision": of_rows(_devices, precision),
        "report/distractors, micro-F1": of_rows(_distractors, f1),
        "report/hedged findings counted too, micro-F1": of_rows(_generous, f1),
        "report/films with every finding right": of_rows(_exact, ratio),
        "report/empty drafts": of_rows(lambda row: [not row.written, 1], ratio),
        "gate/false warnings on known films": of_rows(lambda row: [row.warned, 1], ratio),
    }
    # What a system gets that does not look: another film's draft.
    others = np.array(
        [
            count_matches(restrict_to(a.said, FINDINGS), restrict_to(b.sure, FINDINGS), b.faint)
            for a, b in zip([*rows[1:], *rows[:1]], rows, strict=True)
        ]
    )
    figures["baseline/another film's draft, micro-F1"] = figure(others, people, f1)
    return figures


def _against_base(rows: Sequence[ReportRow], base: Sequence[ReportRow]) -> dict[str, Figure]:
    """The same films with and without the adapter, in pairs."""
    pairs = [[*a.counts(), *b.counts()] for a, b in zip(rows, base, strict=False)]
    counts = np.array(pairs, float).reshape(len(base), 6)
    people, missing = [str(i) for i in range(len(base))], 0 if base else len(rows)

    def compared(columns: slice, statistic: Statistic) -> Figure:
        return figure(counts[:, columns], people, statistic, unscored=missing)

    return {
        "report/base without the adapter, micro-F1": compared(slice(3, 6), f1),
        "report/adapter on the same films, micro-F1": compared(slice(0, 3), f1),
        "report/adapter minus base, micro-F1": compared(slice(0, 6), f1_gain),
    }


def _sides(row: ReportRow) -> list[int]:
    """Findings said on the wrong side only, and findings said that are there on some side."""
    true = row.sure | row.faint
    both = {f for f, s in restrict_to(row.said, FINDINGS) if s} & {f for f, s in true if s}
    wrong = sum(
        not ({s for f, s in row.said if f == b} & {s for f, s in true if f == b}) for b in both
    )
    return [wrong, len(both)]


def _devices(row: ReportRow) -> list[int]:
    """Devices by their kind; the side of a line or a drain is not scored."""

    def kinds(found: set[FindingSide]) -> set[FindingSide]:
        return {(finding, None) for finding, _ in restrict_to(found, DEVICES)}

    return count_matches(kinds(row.said), kinds(row.sure), kinds(row.faint))


def _distractors(row: ReportRow) -> list[int]:
    return count_matches(
        restrict_to(row.said, DISTRACTORS), restrict_to(row.sure, DISTRACTORS), row.faint
    )


def _exact(row: ReportRow) -> list[int]:
    return [not any(row.counts()[1:]), 1]


def _generous(row: ReportRow) -> list[int]:
    """As if a hedged finding were said, and a faint one had to be."""
    said = (row.said | row.hedged) - restrict_to(row.said | row.hedged, BESIDE)
    return count_matches(said, restrict_to(row.sure | row.faint, FINDINGS))
