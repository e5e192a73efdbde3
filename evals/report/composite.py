"""One clinical score of a report against a reference, in [0, 1], from weighted errors.

It counts what radiologists count. In the ReXVal study (Yu et al. 2023,
doi:10.1016/j.patter.2023.100802) six of them counted, for pairs of reports, six kinds of error:
a false finding, an omitted finding, a wrong place, a wrong severity, a comparison that the
reference does not make, and a change that is left out. The score falls with the weighted sum E
of such errors as 1 / (1 + E / 2). It is a sum and no ratio: a report with four errors is worse
than one with two whether there were five findings to report or fifty, and that is how errors were
counted. All constants are frozen. They were set by reasoning, which stands beside each, and tried
on made-up pairs of our own; no radiologist's rating was used, and none was fitted.

What is right by design:

- A denial that is left out is no error, and absent equals not mentioned: nobody is harmed, and
  radiologists count findings. Denying what is there is one error, not two.
- A finding is counted once, however often a report repeats it, and a sign with what it is taken
  for ("opacity, likely atelectasis") is little more than one statement.
- Names for nearly the same thing earn part of the credit (`evals.report.significance`).
- Every error has its kind, so that a score can be explained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from assistant.chest.places import MID
from evals.report.parsed import ReportParser
from evals.report.significance import TIERS, Tier, finding_similarity
from evals.report.summary import FindingStatement, Summary, summarise

FaultKind = Literal[
    "false finding", "omitted finding", "wrong place", "wrong severity", "wrong certainty",
    "comparison", "device position", "silence", "wording",
]  # fmt: skip
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

HALVED_BY = 2.0  # weighted errors that halve the score

# What leaving out or inventing a finding counts. Nearly level, because a count of errors takes
# each as one; a minor one is often passed over by the counter, a device in place more often.
WEIGHT: Mapping[Tier, float] = MappingProxyType(
    {"urgent": 1.2, "significant": 1.0, "minor": 0.65, "device": 0.5}
)
SUSPECTED = 0.6  # a suspicion weighs about half a claim, with either sign
CERTAINTY = 0.4  # claimed here and only suspected there
EXTENT = (0.8, 1.0, 1.15)  # small, moderate, large: a trace is missed without much harm
DENIED = 1.1  # said to be absent outright: worse than silence, but one error
# A sign and what it is taken for are one statement, and an error in it is little more than one;
# related findings of other sentences are so in the measure of their similarity.
SAME_STATEMENT, SAME_FAMILY = 0.75, 0.6

OTHER_SIDE = 1.0  # a wrong place is an error of its own; less than an invention and an omission
ONE_OF_TWO_SIDES = 0.5
SIDE_LEFT_OUT, SIDE_ADDED = 0.25, 0.1  # detail that the reference does not give may be right
FAR_ZONE, NEXT_ZONE, ZONE_LEFT_OUT, ZONE_ADDED = 0.6, 0.2, 0.1, 0.05
ONE_DEGREE, TWO_DEGREES = 0.4, 0.8
DEGREE_ON_ONE_SIDE = (0.1, 0.2, 0.3)  # by the degree that only one report gives
SIZE, SIZE_MARGIN = 0.4, 0.25  # beyond a quarter (and 3 mm) two sizes are not the same
OPPOSITE_CHANGE, OTHER_CHANGE = 1.0, 0.6
CHANGE_ADDED, CHANGE_LEFT_OUT = 0.5, 0.5
CHANGE_OF_IT = 0.2  # a finding that only one report has, and calls new or changed
STABILITY_ADDED, STABILITY_LEFT_OUT = 0.2, 0.1  # "unchanged" is a comparison, but no change
SAME_DIRECTION = 0.2  # new and larger
MALPOSITION = 1.0  # that a tube lies wrong is what the film was taken for
SILENCE = 1.0  # a candidate without any claim does not say that the film is normal
WORD = 0.05  # a word that only one report has: some twenty make an error

_WORSE, _BETTER = frozenset(("larger", "new")), frozenset(("smaller", "resolved"))


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of a candidate and what it counts."""

    kind: FaultKind
    finding: str  # a key of the vocabulary; empty where it is about none
    weight: float


def composite_score(reference: str, candidate: str, parser: ReportParser | None = None) -> float:
    """The composite clinical score of a candidate, in [0, 1]; 1 is a report without an error.

    A candidate without a word scores 0 where the reference has one. Never raises.
    """
    if not candidate.strip():
        return 0.0 if reference.strip() else 1.0
    return score_faults(find_faults(reference, candidate, parser))


def score_faults(faults: Iterable[Fault]) -> float:
    """The score in (0, 1] that the errors of a candidate with any word leave."""
    return 1.0 / (1.0 + sum(fault.weight for fault in faults) / HALVED_BY)


def find_faults(
    reference: str, candidate: str, parser: ReportParser | None = None
) -> tuple[Fault, ...]:
    """Return the errors of a candidate against a reference, each with its kind and weight."""
    parser = parser or ReportParser()
    return compare_summaries(summarise(reference, parser), summarise(candidate, parser))


def compare_summaries(reference: Summary, candidate: Summary) -> tuple[Fault, ...]:
    """Return the errors of a candidate against a reference, as `find_faults`, from summaries."""
    shared = sorted(reference.statements.keys() & candidate.statements.keys())
    faults = [
        fault
        for f in shared
        for fault in _find_detail_faults(reference.statements[f], candidate.statements[f])
    ]
    faults = _discount_overlaps(faults, reference.statements)
    faults += _find_unmatched(reference, candidate, "omitted finding")
    faults += _find_unmatched(candidate, reference, "false finding")
    faults += _find_resolution_faults(reference, candidate)
    faults += _find_global_change_faults(reference, candidate)
    if reference.has_claims and not reference.statements and not candidate.has_claims:
        faults.append(Fault("silence", "", SILENCE))
    faults.append(Fault("wording", "", WORD * len(reference.words ^ candidate.words)))
    return tuple(fault for fault in faults if fault.weight > 0)


def _finding_weight_of(statement: FindingStatement) -> float:
    """The weight of leaving a finding out, or of inventing it."""
    extent = 1.0 if statement.degree is None else EXTENT[statement.degree]
    return WEIGHT[TIERS[statement.finding]] * extent * (1.0 if statement.certain else SUSPECTED)


def _find_unmatched(claiming: Summary, other: Summary, kind: FaultKind) -> list[Fault]:
    """Find what only one report claims, less what the other says in other words."""
    faults: list[Fault] = []
    for finding, statement in claiming.statements.items():
        if finding in other.statements:
            continue
        similarity = max(
            (_similarity_of(statement, neighbour) for neighbour in other.statements.values()),
            default=0.0,
        )
        if not statement.partners.isdisjoint(other.statements):
            similarity = max(similarity, SAME_STATEMENT)
        weight = _finding_weight_of(statement) * (1 - similarity)
        if finding in other.denied and _do_sides_meet(statement.sides, other.denied[finding]):
            weight *= DENIED
        faults.append(Fault(kind, finding, weight))
        if statement.change not in (None, "unchanged"):
            faults.append(Fault("comparison", finding, CHANGE_OF_IT * WEIGHT[TIERS[finding]]))
        if statement.malpositioned:
            faults.append(Fault("device position", finding, MALPOSITION))
    return _discount_overlaps(faults, claiming.statements)


def _discount_overlaps(
    faults: Iterable[Fault], statements: Mapping[str, FindingStatement]
) -> list[Fault]:
    """Discount errors of one kind in related findings: only the gravest counts in full."""
    discounted: list[Fault] = []
    for fault in sorted(faults, key=lambda f: (-f.weight, f.finding)):
        overlap = max(
            (
                _overlap_of(statements[fault.finding], f.finding)
                for f in discounted
                if f.kind == fault.kind
            ),
            default=0.0,
        )
        discounted.append(Fault(fault.kind, fault.finding, fault.weight * (1 - overlap)))
    return discounted


def _overlap_of(statement: FindingStatement, counted_finding: str) -> float:
    """The share of an error that an error in another finding has counted already."""
    if counted_finding in statement.partners:
        return SAME_STATEMENT
    return SAME_FAMILY * finding_similarity(statement.finding, counted_finding)


def _similarity_of(first: FindingStatement, second: FindingStatement) -> float:
    """How far two statements say the same, in [0, 1]; a third of it on another side."""
    similarity = finding_similarity(first.finding, second.finding)
    return similarity if _do_sides_meet(first.sides, second.sides) else similarity / 3


def _do_sides_meet(first: frozenset[str], second: frozenset[str]) -> bool:
    return not first or not second or bool(first & second)


def _find_detail_faults(ref: FindingStatement, cand: FindingStatement) -> list[Fault]:
    """Find the errors in the details of a finding that both reports claim.

    Together they weigh no more than leaving it out and inventing another.
    """
    faults = [
        Fault("wrong certainty", ref.finding, 0.0 if ref.certain == cand.certain else CERTAINTY),
        Fault("wrong place", ref.finding, _weigh_place(ref, cand)),
        Fault("wrong severity", ref.finding, _weigh_severity(ref, cand)),
        Fault("comparison", ref.finding, _weigh_change(ref.change, cand.change)),
    ]
    scale = WEIGHT[TIERS[ref.finding]]
    faults = [Fault(f.kind, f.finding, f.weight * scale) for f in faults]
    total, limit = sum(f.weight for f in faults), 2 * scale
    if total > limit:
        faults = [Fault(f.kind, f.finding, f.weight * limit / total) for f in faults]
    if ref.malpositioned != cand.malpositioned:
        faults.append(Fault("device position", ref.finding, MALPOSITION))
    return faults


def _weigh_place(ref: FindingStatement, cand: FindingStatement) -> float:
    if not _do_sides_meet(ref.sides, cand.sides):
        return OTHER_SIDE
    side = 0.0
    if not cand.sides:
        side = SIDE_LEFT_OUT if ref.sides else 0.0
    elif ref.sides != cand.sides:
        side = ONE_OF_TWO_SIDES if ref.sides else SIDE_ADDED
    if ref.zones == cand.zones:
        return side
    if not ref.zones or not cand.zones:
        return side + (ZONE_LEFT_OUT if ref.zones else ZONE_ADDED)
    apart = not ref.zones & cand.zones and MID not in ref.zones | cand.zones
    return side + (FAR_ZONE if apart else NEXT_ZONE)


def _weigh_severity(ref: FindingStatement, cand: FindingStatement) -> float:
    worst = 0.0
    if ref.degree != cand.degree:
        if ref.degree is None or cand.degree is None:
            degree = cand.degree if ref.degree is None else ref.degree
            worst = DEGREE_ON_ONE_SIDE[degree or 0]
        else:
            worst = ONE_DEGREE if abs(ref.degree - cand.degree) == 1 else TWO_DEGREES
    if ref.size_mm is not None and cand.size_mm is not None:
        margin = max(3.0, SIZE_MARGIN * ref.size_mm)
        if abs(ref.size_mm - cand.size_mm) > margin:
            worst = max(worst, SIZE)
    return worst


def _weigh_change(ref: str | None, cand: str | None) -> float:
    """The weight of a change that differs, is left out or is added."""
    if ref == cand:
        return 0.0
    if ref is None:
        return STABILITY_ADDED if cand == "unchanged" else CHANGE_ADDED
    if cand is None:
        return STABILITY_LEFT_OUT if ref == "unchanged" else CHANGE_LEFT_OUT
    changes = {ref, cand}
    if changes <= _WORSE or changes <= _BETTER:
        return SAME_DIRECTION
    return OTHER_CHANGE if "unchanged" in changes else OPPOSITE_CHANGE


def _find_resolution_faults(reference: Summary, candidate: Summary) -> list[Fault]:
    """Find what only one report says has resolved: a change left out, or added."""
    faults = []
    for finding in sorted(reference.resolved ^ candidate.resolved):
        other = candidate if finding in reference.resolved else reference
        if finding in other.statements:
            continue  # counted as omitted or false already
        weight = CHANGE_LEFT_OUT if finding in reference.resolved else CHANGE_ADDED
        factor = 0.5 if finding in other.denied else 1.0  # both agree on the current state
        faults.append(Fault("comparison", finding, weight * factor * WEIGHT[TIERS[finding]]))
    return faults


def _find_global_change_faults(reference: Summary, candidate: Summary) -> list[Fault]:
    """Find changes of the film as a whole that only one report states."""
    faults = []
    for change in sorted(candidate.global_changes):
        if change not in reference.global_changes | _changes_of(reference):
            added = STABILITY_ADDED if change == "unchanged" else CHANGE_ADDED
            faults.append(Fault("comparison", "", added))
    for change in sorted(reference.global_changes):
        if change not in candidate.global_changes | _changes_of(candidate):
            left_out = STABILITY_LEFT_OUT if change == "unchanged" else CHANGE_LEFT_OUT
            faults.append(Fault("comparison", "", left_out))
    return faults


def _changes_of(summary: Summary) -> set[str]:
    changes = {statement.change for statement in summary.statements.values() if statement.change}
    changes |= {"smaller"} if summary.resolved or "resolved" in changes else set()
    return changes | ({"larger"} if "new" in changes else set())


def sum_by_kind(faults: Iterable[Fault]) -> dict[FaultKind, float]:
    """Sum the weighted errors of each kind, in the order of `KINDS`."""
    sums: dict[FaultKind, float] = dict.fromkeys(KINDS, 0.0)
    for fault in faults:
        sums[fault.kind] += fault.weight
    return sums
