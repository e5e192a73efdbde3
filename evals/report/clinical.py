"""Figures of what a report claims against its reference: findings, places, degrees, inventions.

The claims are the labeller's (`docs/labeller.md` says what it cannot read); how two reports are
held together is in `evals.report.claims`. A candidate without a word has missed all that the
reference claims; a pair without a candidate never comes here.
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
    comparing,
    counted,
    finding_sides_claimed,
    invented_measurements,
    one_only,
    size_errors,
    wrong_sides,
)
from evals.report.entailment import entailed
from evals.report.pairs import Pair
from evals.report.parsed import ParsedReport
from evals.report.significance import HARM, TIERS, Tier
from evals.results import FigureTable, figure, figure_of

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
class Scored:
    """A pair that can be scored, with both texts read."""

    pair: Pair
    reference: ParsedReport
    candidate: ParsedReport


@dataclass(frozen=True, slots=True)
class PairClaims:
    """A pair with its claims held against each other, so that no figure does it again."""

    scored: Scored
    counts: Mapping[str, Sequence[int]]  # by what is counted, of `_COUNTED`
    said: Mapping[Polarity, set[ClaimDetail]]  # the candidate's findings
    true: Mapping[Polarity, set[ClaimDetail]]  # the reference's
    omissions: tuple[str, ...]  # claimed by the reference, not even suspected by the candidate
    fabrications: tuple[str, ...]  # the other way round
    wrong_side: tuple[str, ...]  # never on the same side
    sided: int  # findings that both claim with a side
    invented: tuple[StatedLength, ...]  # that the reference does not state
    measured: int  # measurements of the candidate, in all


def hold_against(one: Scored) -> PairClaims:
    """Hold the claims of a candidate against its reference's."""
    theirs, ours = one.reference.claims, one.candidate.claims
    said: dict[Polarity, set[ClaimDetail]] = {
        p: finding_sides_claimed(ours, p, "finding") for p in POLARITIES
    }
    true: dict[Polarity, set[ClaimDetail]] = {
        p: finding_sides_claimed(theirs, p, "finding") for p in POLARITIES
    }
    wrong, sided = wrong_sides(theirs, ours)
    invented, measured = invented_measurements(one.reference.text, one.candidate.text)
    return PairClaims(
        scored=one,
        counts={
            name: counted(said[polarity], true[polarity])
            if detail == "finding"
            else counted(
                finding_sides_claimed(ours, polarity, detail),
                finding_sides_claimed(theirs, polarity, detail),
            )
            for name, (polarity, detail) in _COUNTED.items()
        },
        said=said,
        true=true,
        omissions=tuple(one_only(theirs, ours)),
        fabrications=tuple(one_only(ours, theirs)),
        wrong_side=tuple(wrong),
        sided=sided,
        invented=tuple(invented),
        measured=measured,
    )


def present_with_side(one: Scored) -> list[int]:
    """True positives, false positives and false negatives among the findings with their side."""
    return counted(
        finding_sides_claimed(one.candidate.claims), finding_sides_claimed(one.reference.claims)
    )


def clinical_figures(
    tally: FigureTable, held: Sequence[PairClaims], patients: Sequence[str], unscored: int
) -> None:
    """Add the clinical figures of all pairs."""
    for name in _COUNTED:
        for statistic, shown in (("precision", "precision"), ("recall", "recall"), ("f1", "F1")):
            rows = [one.counts[name] for one in held]
            tally.add(
                f"clinical/{name}, micro-{shown}", rows, patients, statistic, unscored=unscored
            )
    for polarity in POLARITIES:
        _per_finding(tally, held, polarity, patients, unscored)
    _errors(tally, held, patients, unscored)
    _inventions(tally, held, patients, unscored)
    _logical(tally, held, patients, unscored)


def _per_finding(
    tally: FigureTable,
    held: Sequence[PairClaims],
    polarity: Polarity,
    patients: Sequence[str],
    unscored: int,
) -> None:
    """F1 of every finding that either report names, of present ones precision and recall too."""
    said = np.array([[(k,) in one.said[polarity] for k in _KEYS] for one in held], float)
    true = np.array([[(k,) in one.true[polarity] for k in _KEYS] for one in held], float)
    table = np.stack([said * true, said * (1 - true), true * (1 - said)], axis=2)
    used = np.flatnonzero(table.sum(axis=(0, 2)))
    flat = table[:, used].reshape(len(held), -1)
    # Without its counts: every finding's are kept below.
    tally.figures[f"clinical/{polarity}, macro-F1"] = figure(
        flat, patients, STATISTICS["macro_f1"], unscored=unscored
    )
    for number in used:
        name = finding_named(_KEYS[number]).name
        name = f"clinical/{name}" if polarity == "present" else f"clinical/{name}, {polarity}"
        rows = table[:, number]
        tally.add(f"{name}, F1", rows, patients, "f1", unscored=unscored)
        if polarity == "present":
            for statistic in ("precision", "recall"):
                tally.figures[f"{name}, {statistic}"] = figure(
                    rows, patients, STATISTICS[statistic], unscored=unscored
                )


def _errors(
    tally: FigureTable, held: Sequence[PairClaims], patients: Sequence[str], unscored: int
) -> None:
    """Omissions and fabrications apart, as they are and by what they may do, and wrong sides."""
    lists = {
        "omissions": [one.omissions for one in held],
        "fabrications": [one.fabrications for one in held],
    }
    for name, found in lists.items():
        plain = [[len(findings), 1] for findings in found]
        harm = [[sum(HARM[TIERS[f]] for f in findings), 1] for findings in found]
        tally.add(f"clinical/{name} a report", plain, patients, "mean", unscored=unscored)
        tally.add(f"clinical/{name} a report, weighted", harm, patients, "mean", unscored=unscored)
    for tier in _TIERS:
        rows = [
            [
                sum(TIERS[f] == tier for f in one.omissions),
                sum(TIERS[f] == tier for (f,) in one.true["present"]),
            ]
            for one in held
        ]
        tally.add(f"clinical/{tier} findings omitted", rows, patients, "ratio", unscored=unscored)
    sides = [[len(one.wrong_side), one.sided] for one in held]
    tally.add("clinical/wrong side", sides, patients, "ratio", unscored=unscored)


def _inventions(
    tally: FigureTable, held: Sequence[PairClaims], patients: Sequence[str], unscored: int
) -> None:
    """Comparisons without a prior, measurements from nowhere, and how far sizes are off."""
    alone = [
        (comparing(one.scored.candidate), patient)
        for one, patient in zip(held, patients, strict=True)
        if not one.scored.pair.prior.strip()
    ]
    people, missing = [patient for _, patient in alone], unscored + len(held) - len(alone)
    for name, rows in (
        ("sentences that compare without a prior, a report", [[n, 1] for n, _ in alone]),
        ("reports that compare without a prior", [[n > 0, 1] for n, _ in alone]),
    ):
        if rows:
            tally.add(f"clinical/{name}", rows, people, "mean", unscored=missing)
        else:
            tally.figures[f"clinical/{name}"] = figure_of(None, 0, unscored=missing)
    sizes = [size_errors(o.scored.reference.claims, o.scored.candidate.claims) for o in held]
    for name, rows, statistic in (
        ("measurements invented", [[len(o.invented), o.measured] for o in held], "ratio"),
        ("reports with an invented measurement", [[bool(o.invented), 1] for o in held], "mean"),
        ("measurement error, mm", [[sum(off), len(off)] for off in sizes], "ratio"),
    ):
        tally.add(f"clinical/{name}", rows, patients, statistic, unscored=unscored)


def _logical(
    tally: FigureTable, held: Sequence[PairClaims], patients: Sequence[str], unscored: int
) -> None:
    """Logical precision and recall over all claims; see `evals.report.entailment`."""
    both = [(one.scored.reference.claims, one.scored.candidate.claims) for one in held]
    precise = [[entailed(ours, theirs), len(ours)] for theirs, ours in both]
    complete = [[entailed(theirs, ours), len(theirs)] for theirs, ours in both]
    tally.add("logical/precision", precise, patients, "ratio", unscored=unscored)
    tally.add("logical/recall", complete, patients, "ratio", unscored=unscored)
