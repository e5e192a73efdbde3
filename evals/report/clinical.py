"""Clinical figures of reports against references: findings, places, degrees, inventions.

The labeller finds the claims (`docs/labeller.md` says what it cannot read), and
`evals.report.claims` compares them. An empty candidate has missed all that the reference claims;
a pair without a candidate never comes here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.chest.vocabulary import FINDINGS, NORMAL, finding_named
from assistant.types import Polarity
from evals.bootstrap import STATISTICS
from evals.report.claims import (
    ClaimDetail,
    Detail,
    StatedLength,
    collect_claims,
    count_claim_matches,
    count_comparisons,
    find_invented_measurements,
    find_unmatched,
    find_wrong_sides,
    measure_size_errors,
)
from evals.report.entailment import count_entailed
from evals.report.pairs import Pair
from evals.report.parsed import ParsedReport
from evals.report.significance import HARM, TIERS, Tier
from evals.results import FigureTable, compute_figure, figure_of

WITH_SIDE = "clinical/present with side, micro-F1"
POLARITIES: tuple[Polarity, ...] = ("present", "absent", "uncertain")
# What is counted over all findings, and in which detail.
_COUNTED: Mapping[str, tuple[Polarity, Detail]] = {
    "present": ("present", "finding"),
    "present with side": ("present", "side"),
    "present with side and zone": ("present", "zone"),
    "present with side and degree": ("present", "degree"),
    "absent": ("absent", "finding"),
    "uncertain": ("uncertain", "finding"),
}
_TIERS: tuple[Tier, ...] = ("urgent", "significant", "minor", "device")
_KEYS = tuple(finding.key for finding in FINDINGS if finding.key != NORMAL)
NOTES = {
    "clinical/omissions a report": "findings that the reference claims, not even suspected",
    "clinical/fabrications a report": "findings claimed that the reference does not even suspect",
    "clinical/omissions a report, weighted": (
        "urgent 4, significant 2, minor or device 1; see evals/report/significance.py"
    ),
    "clinical/wrong side": "of findings that both reports claim with a side",
    "clinical/sentences that compare without a prior, a report": (
        "of cases without a prior; the reference may have had one"
    ),
    "clinical/measurements invented": "numbers with a unit that the reference does not state",
}


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """A pair that can be scored, with both texts parsed."""

    pair: Pair
    reference: ParsedReport
    candidate: ParsedReport


@dataclass(frozen=True, slots=True)
class PairClaims:
    """The claims of a pair, compared once for all figures."""

    scored: ScoredPair
    counts: Mapping[str, Sequence[int]]  # by what is counted, of `_COUNTED`
    candidate_findings: Mapping[Polarity, set[ClaimDetail]]  # by polarity
    reference_findings: Mapping[Polarity, set[ClaimDetail]]  # by polarity
    omissions: tuple[str, ...]  # claimed by the reference, not even suspected by the candidate
    fabrications: tuple[str, ...]  # the other way round
    wrong_sides: tuple[str, ...]  # claimed by both, never on the same side
    sided_count: int  # findings that both claim with a side
    invented_measurements: tuple[StatedLength, ...]  # that the reference does not state
    measurement_count: int  # measurements of the candidate, in all


def compare_claims(pair: ScoredPair) -> PairClaims:
    """Compare the claims of a candidate with those of its reference."""
    reference, candidate = pair.reference.claims, pair.candidate.claims
    candidate_findings: dict[Polarity, set[ClaimDetail]] = {
        p: collect_claims(candidate, p, "finding") for p in POLARITIES
    }
    reference_findings: dict[Polarity, set[ClaimDetail]] = {
        p: collect_claims(reference, p, "finding") for p in POLARITIES
    }
    wrong, sided = find_wrong_sides(reference, candidate)
    invented, measured = find_invented_measurements(pair.reference.text, pair.candidate.text)
    return PairClaims(
        scored=pair,
        counts={
            name: count_claim_matches(candidate_findings[polarity], reference_findings[polarity])
            if detail == "finding"
            else count_claim_matches(
                collect_claims(candidate, polarity, detail),
                collect_claims(reference, polarity, detail),
            )
            for name, (polarity, detail) in _COUNTED.items()
        },
        candidate_findings=candidate_findings,
        reference_findings=reference_findings,
        omissions=tuple(find_unmatched(reference, candidate)),
        fabrications=tuple(find_unmatched(candidate, reference)),
        wrong_sides=tuple(wrong),
        sided_count=sided,
        invented_measurements=tuple(invented),
        measurement_count=measured,
    )


def count_present_with_side(pair: ScoredPair) -> list[int]:
    """True positives, false positives and false negatives of present findings with their side."""
    return count_claim_matches(
        collect_claims(pair.candidate.claims), collect_claims(pair.reference.claims)
    )


def add_clinical_figures(
    tally: FigureTable, compared: Sequence[PairClaims], patients: Sequence[str], unscored: int
) -> None:
    """Add the clinical figures of all pairs."""
    for name in _COUNTED:
        for statistic, label in (("precision", "precision"), ("recall", "recall"), ("f1", "F1")):
            rows = [pair.counts[name] for pair in compared]
            tally.add(
                f"clinical/{name}, micro-{label}", rows, patients, statistic, unscored=unscored
            )
    for polarity in POLARITIES:
        _add_figures_by_finding(tally, compared, polarity, patients, unscored)
    _add_error_figures(tally, compared, patients, unscored)
    _add_invention_figures(tally, compared, patients, unscored)
    _add_logical_figures(tally, compared, patients, unscored)


def _add_figures_by_finding(
    tally: FigureTable,
    compared: Sequence[PairClaims],
    polarity: Polarity,
    patients: Sequence[str],
    unscored: int,
) -> None:
    """Add F1 of every finding that either report names; precision and recall of present ones."""
    candidate = np.array(
        [[(k,) in pair.candidate_findings[polarity] for k in _KEYS] for pair in compared], float
    )
    reference = np.array(
        [[(k,) in pair.reference_findings[polarity] for k in _KEYS] for pair in compared], float
    )
    table = np.stack(
        [candidate * reference, candidate * (1 - reference), reference * (1 - candidate)], axis=2
    )
    used = np.flatnonzero(table.sum(axis=(0, 2)))
    flat = table[:, used].reshape(len(compared), -1)
    # Without its counts: every finding's are kept below.
    tally.figures[f"clinical/{polarity}, macro-F1"] = compute_figure(
        flat, patients, STATISTICS["macro_f1"], unscored=unscored
    )
    for number in used:
        name = finding_named(_KEYS[number]).name
        name = f"clinical/{name}" if polarity == "present" else f"clinical/{name}, {polarity}"
        rows = table[:, number]
        tally.add(f"{name}, F1", rows, patients, "f1", unscored=unscored)
        if polarity == "present":
            for statistic in ("precision", "recall"):
                tally.figures[f"{name}, {statistic}"] = compute_figure(
                    rows, patients, STATISTICS[statistic], unscored=unscored
                )


def _add_error_figures(
    tally: FigureTable, compared: Sequence[PairClaims], patients: Sequence[str], unscored: int
) -> None:
    """Add omissions and fabrications, plain and weighted by harm, and wrong sides."""
    lists = {
        "omissions": [pair.omissions for pair in compared],
        "fabrications": [pair.fabrications for pair in compared],
    }
    for name, findings_of_pairs in lists.items():
        plain = [[len(findings), 1] for findings in findings_of_pairs]
        harm = [[sum(HARM[TIERS[f]] for f in findings), 1] for findings in findings_of_pairs]
        tally.add(f"clinical/{name} a report", plain, patients, "mean", unscored=unscored)
        tally.add(f"clinical/{name} a report, weighted", harm, patients, "mean", unscored=unscored)
    for tier in _TIERS:
        rows = [
            [
                sum(TIERS[f] == tier for f in pair.omissions),
                sum(TIERS[f] == tier for (f,) in pair.reference_findings["present"]),
            ]
            for pair in compared
        ]
        tally.add(f"clinical/{tier} findings omitted", rows, patients, "ratio", unscored=unscored)
    sides = [[len(pair.wrong_sides), pair.sided_count] for pair in compared]
    tally.add("clinical/wrong side", sides, patients, "ratio", unscored=unscored)


def _add_invention_figures(
    tally: FigureTable, compared: Sequence[PairClaims], patients: Sequence[str], unscored: int
) -> None:
    """Add comparisons without a prior, invented measurements and size errors."""
    without_prior = [
        (count_comparisons(pair.scored.candidate), patient)
        for pair, patient in zip(compared, patients, strict=True)
        if not pair.scored.pair.prior.strip()
    ]
    kept_patients = [patient for _, patient in without_prior]
    missing = unscored + len(compared) - len(without_prior)
    for name, rows in (
        ("sentences that compare without a prior, a report", [[n, 1] for n, _ in without_prior]),
        ("reports that compare without a prior", [[n > 0, 1] for n, _ in without_prior]),
    ):
        if rows:
            tally.add(f"clinical/{name}", rows, kept_patients, "mean", unscored=missing)
        else:
            tally.figures[f"clinical/{name}"] = figure_of(None, 0, unscored=missing)
    sizes = [
        measure_size_errors(pair.scored.reference.claims, pair.scored.candidate.claims)
        for pair in compared
    ]
    for name, rows, statistic in (
        (
            "measurements invented",
            [[len(pair.invented_measurements), pair.measurement_count] for pair in compared],
            "ratio",
        ),
        (
            "reports with an invented measurement",
            [[bool(pair.invented_measurements), 1] for pair in compared],
            "mean",
        ),
        ("measurement error, mm", [[sum(errors), len(errors)] for errors in sizes], "ratio"),
    ):
        tally.add(f"clinical/{name}", rows, patients, statistic, unscored=unscored)


def _add_logical_figures(
    tally: FigureTable, compared: Sequence[PairClaims], patients: Sequence[str], unscored: int
) -> None:
    """Add logical precision and recall over all claims; see `evals.report.entailment`."""
    claims = [(pair.scored.reference.claims, pair.scored.candidate.claims) for pair in compared]
    precision = [
        [count_entailed(candidate, reference), len(candidate)] for reference, candidate in claims
    ]
    recall = [
        [count_entailed(reference, candidate), len(reference)] for reference, candidate in claims
    ]
    tally.add("logical/precision", precision, patients, "ratio", unscored=unscored)
    tally.add("logical/recall", recall, patients, "ratio", unscored=unscored)
