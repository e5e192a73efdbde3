"""One clinical score of a report against a reference, in [0, 1], from weighted errors.

It counts what radiologists count. In the ReXVal study (Yu et al. 2023,
doi:10.1016/j.patter.2023.100802) six of them counted, for pairs of reports, six kinds of error:
a false finding, an omitted finding, a wrong place, a wrong severity, a comparison that the
reference does not make, and a change that is left out. The score falls with the weighted sum E
of such errors as 1 / (1 + E / 2). It is a sum and no ratio: a report with four errors is worse
than one with two whether there were five findings to tell or fifty, and that is how errors were
counted. All constants are frozen. They were set by reasoning, which stands beside each, and tried
on made-up pairs of our own; no radiologist's rating was seen, and none was fitted.

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
from evals.report.significance import TIERS, Tier, nearness
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
# kindred findings of other sentences are so in the measure of their nearness.
SAME_STATEMENT, SAME_FAMILY = 0.75, 0.6

OTHER_SIDE = 1.0  # a wrong place is an error of its own; less than an invention and an omission
ONE_OF_TWO_SIDES = 0.5
SIDE_LEFT_OUT, SIDE_ADDED = 0.25, 0.1  # detail that the reference does not give may be right
FAR_ZONE, NEXT_ZONE, ZONE_LEFT_OUT, ZONE_ADDED = 0.6, 0.2, 0.1, 0.05
ONE_DEGREE, TWO_DEGREES = 0.4, 0.8
DEGREE_UNTOLD = (0.1, 0.2, 0.3)  # by the degree that is told on one side only
SIZE, SIZE_MARGIN = 0.4, 0.25  # beyond a quarter (and 3 mm) two sizes are not the same
OPPOSITE_CHANGE, OTHER_CHANGE = 1.0, 0.6
CHANGE_ADDED, CHANGE_LEFT_OUT = 0.5, 0.5
CHANGE_OF_IT = 0.2  # a finding that only one report has, and calls new or changed
STABILITY_ADDED, STABILITY_LEFT_OUT = 0.2, 0.1  # "unchanged" is a comparison, but no change
SAME_DIRECTION = 0.2  # new and larger
MALPOSITION = 1.0  # that a tube lies wrong is what the film was taken for
SILENCE = 1.0  # a candidate without any claim has not said that the film is normal
WORD = 0.05  # a word that only one report has: some twenty make an error

_WORSE, _BETTER = frozenset(("larger", "new")), frozenset(("smaller", "resolved"))


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of a candidate and what it counts."""

    kind: FaultKind
    finding: str  # a key of the vocabulary; empty where it is about none
    weight: float


def composite(reference: str, candidate: str, reader: ReportParser | None = None) -> float:
    """The composite clinical score of a candidate, in [0, 1]; 1 is a report without an error.

    A candidate without a word scores 0 where the reference has one. Never raises.
    """
    if not candidate.strip():
        return 0.0 if reference.strip() else 1.0
    return score(faults(reference, candidate, reader))


def score(found: Iterable[Fault]) -> float:
    """The score in (0, 1] that the errors of a candidate with any word leave."""
    return 1.0 / (1.0 + sum(fault.weight for fault in found) / HALVED_BY)


def faults(reference: str, candidate: str, reader: ReportParser | None = None) -> tuple[Fault, ...]:
    """The errors of a candidate report against a reference, each with its kind and weight."""
    reader = reader or ReportParser()
    return between(summarise(reference, reader), summarise(candidate, reader))


def between(theirs: Summary, ours: Summary) -> tuple[Fault, ...]:
    """The errors of our report against their reference, as `faults`, of what was read already."""
    both = sorted(theirs.seen.keys() & ours.seen.keys())
    found = [fault for f in both for fault in _details(theirs.seen[f], ours.seen[f])]
    found = _once(found, theirs.seen)
    found += _alone(theirs, ours, "omitted finding")
    found += _alone(ours, theirs, "false finding")
    found += _resolved(theirs, ours)
    found += _tones(theirs, ours)
    if theirs.speaks and not theirs.seen and not ours.speaks:
        found.append(Fault("silence", "", SILENCE))
    found.append(Fault("wording", "", WORD * len(theirs.words ^ ours.words)))
    return tuple(fault for fault in found if fault.weight > 0)


def _weight(said: FindingStatement) -> float:
    """What it counts to leave a finding out, or to invent it."""
    extent = 1.0 if said.degree is None else EXTENT[said.degree]
    return WEIGHT[TIERS[said.finding]] * extent * (1.0 if said.sure else SUSPECTED)


def _alone(one: Summary, other: Summary, kind: FaultKind) -> list[Fault]:
    """What only one of two reports claims, less what the other says in other words."""
    made: list[Fault] = []
    for finding, said in one.seen.items():
        if finding in other.seen:
            continue
        covered = max((_likeness(said, near) for near in other.seen.values()), default=0.0)
        if not said.partners.isdisjoint(other.seen):
            covered = max(covered, SAME_STATEMENT)
        weight = _weight(said) * (1 - covered)
        if finding in other.denied and _meet(said.sides, other.denied[finding]):
            weight *= DENIED
        made.append(Fault(kind, finding, weight))
        if said.change not in (None, "unchanged"):
            made.append(Fault("comparison", finding, CHANGE_OF_IT * WEIGHT[TIERS[finding]]))
        if said.faulty:
            made.append(Fault("device position", finding, MALPOSITION))
    return _once(made, one.seen)


def _once(found: Iterable[Fault], seen: Mapping[str, FindingStatement]) -> list[Fault]:
    """Errors of one kind in kindred findings: the gravest whole, of the others what is new."""
    made: list[Fault] = []
    for fault in sorted(found, key=lambda f: (-f.weight, f.finding)):
        again = max(
            (_shared(seen[fault.finding], f.finding) for f in made if f.kind == fault.kind),
            default=0.0,
        )
        made.append(Fault(fault.kind, fault.finding, fault.weight * (1 - again)))
    return made


def _shared(said: FindingStatement, counted: str) -> float:
    """How much of an error in a finding is that in another, counted already."""
    if counted in said.partners:
        return SAME_STATEMENT
    return SAME_FAMILY * nearness(said.finding, counted)


def _likeness(one: FindingStatement, other: FindingStatement) -> float:
    """How far another statement says the same in other words; little of it on another side."""
    near = nearness(one.finding, other.finding)
    return near if _meet(one.sides, other.sides) else near / 3


def _meet(one: frozenset[str], other: frozenset[str]) -> bool:
    return not one or not other or bool(one & other)


def _details(ref: FindingStatement, cand: FindingStatement) -> list[Fault]:
    """The errors in what is said of a finding that both reports claim.

    Together no more than leaving it out and inventing another.
    """
    made = [
        Fault("wrong certainty", ref.finding, 0.0 if ref.sure == cand.sure else CERTAINTY),
        Fault("wrong place", ref.finding, _place(ref, cand)),
        Fault("wrong severity", ref.finding, _severity(ref, cand)),
        Fault("comparison", ref.finding, _change(ref.change, cand.change)),
    ]
    scale = WEIGHT[TIERS[ref.finding]]
    made = [Fault(f.kind, f.finding, f.weight * scale) for f in made]
    total, limit = sum(f.weight for f in made), 2 * scale
    if total > limit:
        made = [Fault(f.kind, f.finding, f.weight * limit / total) for f in made]
    if ref.faulty != cand.faulty:
        made.append(Fault("device position", ref.finding, MALPOSITION))
    return made


def _place(ref: FindingStatement, cand: FindingStatement) -> float:
    if not _meet(ref.sides, cand.sides):
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


def _severity(ref: FindingStatement, cand: FindingStatement) -> float:
    worst = 0.0
    if ref.degree != cand.degree:
        if ref.degree is None or cand.degree is None:
            told = cand.degree if ref.degree is None else ref.degree
            worst = DEGREE_UNTOLD[told or 0]
        else:
            worst = ONE_DEGREE if abs(ref.degree - cand.degree) == 1 else TWO_DEGREES
    if ref.size_mm is not None and cand.size_mm is not None:
        margin = max(3.0, SIZE_MARGIN * ref.size_mm)
        if abs(ref.size_mm - cand.size_mm) > margin:
            worst = max(worst, SIZE)
    return worst


def _change(ref: str | None, cand: str | None) -> float:
    """What it counts to tell another change of a finding, or none, or one too many."""
    if ref == cand:
        return 0.0
    if ref is None:
        return STABILITY_ADDED if cand == "unchanged" else CHANGE_ADDED
    if cand is None:
        return STABILITY_LEFT_OUT if ref == "unchanged" else CHANGE_LEFT_OUT
    both = {ref, cand}
    if both <= _WORSE or both <= _BETTER:
        return SAME_DIRECTION
    return OTHER_CHANGE if "unchanged" in both else OPPOSITE_CHANGE


def _resolved(theirs: Summary, ours: Summary) -> list[Fault]:
    """What one report says is gone and the other does not: a change left out, or added."""
    made = []
    for finding in sorted(theirs.resolved ^ ours.resolved):
        other = ours if finding in theirs.resolved else theirs
        if finding in other.seen:
            continue  # counted as omitted or false already
        told = CHANGE_LEFT_OUT if finding in theirs.resolved else CHANGE_ADDED
        halved = 0.5 if finding in other.denied else 1.0  # the film's state is told alike
        made.append(Fault("comparison", finding, told * halved * WEIGHT[TIERS[finding]]))
    return made


def _tones(theirs: Summary, ours: Summary) -> list[Fault]:
    """Changes told of the film as a whole, where the other report tells no such change of it."""
    made = []
    for tone in sorted(ours.tones):
        if tone not in theirs.tones | _changes(theirs):
            added = STABILITY_ADDED if tone == "unchanged" else CHANGE_ADDED
            made.append(Fault("comparison", "", added))
    for tone in sorted(theirs.tones):
        if tone not in ours.tones | _changes(ours):
            left_out = STABILITY_LEFT_OUT if tone == "unchanged" else CHANGE_LEFT_OUT
            made.append(Fault("comparison", "", left_out))
    return made


def _changes(summary: Summary) -> set[str]:
    told = {said.change for said in summary.seen.values() if said.change}
    told |= {"smaller"} if summary.resolved or "resolved" in told else set()
    return told | ({"larger"} if "new" in told else set())


def by_kind(found: Iterable[Fault]) -> dict[FaultKind, float]:
    """The weighted errors of each kind, in the order of `KINDS`."""
    sums: dict[FaultKind, float] = dict.fromkeys(KINDS, 0.0)
    for fault in found:
        sums[fault.kind] += fault.weight
    return sums
