"""The risk of sentences against the radiologist's report: which are false, and is the risk right?

A claim is false if the report does not assert it: what a report leaves out counts as not there.
What the report leaves open is unscored, as are sentences that claim nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from assistant.chest.hierarchy import BROADER
from assistant.chest.truth_check import is_false
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion
from evals.bootstrap import auroc, bootstrap_rows, calibration_error, ratio
from evals.data.real_films import FilmRecord
from evals.films.readings import FilmReading
from evals.plot_data import reliability_plot, risk_coverage_plot
from evals.results import Figure, compute_figure, figure_of

ALLOWED = 0.10  # share of false sentences among those kept
AUROC, ECE = "AUROC", "expected calibration error"
KEPT, FALSE_KEPT, FALSE = "share kept", "false among the kept", "false sentences"
COVERAGE = "share that could be kept with one in ten false, the threshold set on these films"
_NOTE = (
    "false: a present claim that the report does not assert as present, on the side that it names; "
    "a denial of what it asserts; 'no acute finding' where it asserts one of weight"
)


@dataclass(frozen=True, slots=True)
class ScoredSentence:
    """One sentence of a draft against the report."""

    patient: str
    film: str
    risk: float
    kept: bool
    false: bool


@dataclass(frozen=True, slots=True)
class SentenceScores:
    """Figures, notes, plots, and a row of counts for each film."""

    figures: dict[str, Figure]
    notes: dict[str, str]
    plots: Mapping[str, Mapping[str, Any]]
    cases: list[dict[str, Any]] = field(default_factory=list)


def is_contradicted(claims: Sequence[Assertion], report: Sequence[Assertion]) -> bool | None:
    """Whether a sentence with these claims is false by a report's claims; None where unscored.

    It is false if one of its claims is; of zone and degree nothing is asked.
    """
    verdicts = [_is_claim_false(claim, report) for claim in claims]
    known = [verdict for verdict in verdicts if verdict is not None]
    if any(known):
        return True
    return False if known and len(known) == len(verdicts) else None


def score_sentences(
    records: Sequence[FilmRecord], readings: Sequence[FilmReading | None]
) -> SentenceScores:
    """Score the sentences of all drafts of films that have a report."""
    scored: list[ScoredSentence] = []
    unscored, cases = 0, []
    for record, reading in zip(records, readings, strict=True):
        if reading is None or reading.sentences is None or not record.report.strip():
            continue
        report = find_assertions(record.report)
        rows = [
            ScoredSentence(
                record.patient, reading.film, sentence.risk, sentence.action == "keep", false
            )
            for sentence in reading.sentences
            if sentence.risk is not None
            and (false := is_contradicted(sentence.claims, report)) is not None
        ]
        unscored += len(reading.sentences) - len(rows)
        scored += rows
        cases.append({"film": reading.film, "sentences": len(reading.sentences),
                      "scored": len(rows), "false": sum(row.false for row in rows),
                      "kept": sum(row.kept for row in rows),
                      "false and kept": sum(row.false and row.kept for row in rows)})  # fmt: skip
    figures = _figures_of(scored, unscored)
    risks, false = [row.risk for row in scored], [row.false for row in scored]
    plots = {
        "reliability": reliability_plot(risks, false, title="Risk and share of false sentences"),
        "risk and coverage": risk_coverage_plot(risks, false),
    }
    notes = {FALSE: _NOTE}
    if not scored:
        notes[AUROC] = "no sentence could be scored: no reports, or the backbone has no risk model"
    return SentenceScores(figures, notes, plots, cases)


def _is_claim_false(claim: Assertion, report: Sequence[Assertion]) -> bool | None:
    plain = replace(claim, zone=None, degree=None)
    known = [replace(c, zone=None, degree=None) for c in report]
    broader = [
        replace(c, finding=wider)
        for c in known
        if c.polarity == "present"
        for wider in BROADER.get(c.finding, ())
    ]
    return is_false(plain, [*known, *broader], complete=True)


def _figures_of(scored: Sequence[ScoredSentence], unscored: int) -> dict[str, Figure]:
    patients = [row.patient for row in scored]
    table = np.array([[row.risk, row.false] for row in scored], float).reshape(-1, 2)

    def of_table(statistic: Any) -> Figure:
        if not len(table):
            return figure_of(None, 0, unscored=unscored)
        interval = bootstrap_rows(table, patients, statistic)
        return figure_of(statistic(table), len(table), interval, unscored=unscored)

    def of_counts(counts: list[list[bool]]) -> Figure:
        rows = np.array(counts, float).reshape(-1, 2)
        return compute_figure(rows, patients, ratio, unscored=unscored)

    return {
        AUROC: of_table(auroc),
        ECE: of_table(calibration_error),
        FALSE: of_counts([[row.false, True] for row in scored]),
        KEPT: of_counts([[row.kept, True] for row in scored]),
        FALSE_KEPT: of_counts([[row.false and row.kept, row.kept] for row in scored]),
        COVERAGE: of_table(coverage_at_allowed),
    }


def coverage_at_allowed(rows: np.ndarray, allowed: float = ALLOWED) -> float:
    """The largest share that can be kept, least risky first, with at most so many false in it.

    Rows (N, 2): risk, false. Sentences of one risk are kept or left together.
    """
    order = np.argsort(rows[:, 0], kind="stable")
    risks, false = rows[order, 0], rows[order, 1]
    ends = np.flatnonzero(np.append(risks[1:] != risks[:-1], True))
    rates = np.cumsum(false)[ends] / (ends + 1)
    fit = ends[rates <= allowed + 1e-12]
    return float((fit[-1] + 1) / len(rows)) if len(fit) else 0.0
