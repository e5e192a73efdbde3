"""Compares the two reports of one case claim by claim.

The labeller finds the claims. These are pure functions of parsed reports; they make no figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from assistant.chest.places import each_side, sides_agree
from assistant.chest.vocabulary import NORMAL, finding_named
from assistant.labeller.sentences import is_comparison
from assistant.types import Assertion, Polarity
from evals.report.parsed import ParsedReport
from evals.report.significance import DEVICES

Detail = Literal["finding", "side", "zone", "degree"]
# A finding; with detail its side ("" where none), and a zone or a degree.
ClaimDetail = tuple[str, ...]
StatedLength = tuple[str, float]  # unit and number; lengths in mm

_UNIT = r"mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?|%|percent|ml|cc|degrees?|\u00b0"
_NUMBERS = re.compile(
    rf"(?i)(?<![\w.])(\d+(?:\.\d+)?(?:\s*(?:x|by|to|-|\u2013|\u00d7)\s*\d+(?:\.\d+)?){{0,2}})"
    rf"[\s-]*({_UNIT})(?!\w)"
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MM = {"mm": 1.0, "milli": 1.0, "cm": 10.0, "centi": 10.0}


def collect_claims(
    assertions: Iterable[Assertion], polarity: Polarity = "present", detail: Detail = "side"
) -> set[ClaimDetail]:
    """Return the findings claimed with a polarity, each once, in the requested detail.

    `bilateral` counts as one claim a side. A less specific claim is dropped where the same text
    says more about that finding; "no acute finding" is no finding.
    """
    details: set[ClaimDetail] = set()
    for a in assertions:
        if a.polarity != polarity or a.finding == NORMAL:
            continue
        entry = finding_named(a.finding)
        side = (a.side or "") if entry.sided else ""
        extra = {"zone": a.zone if entry.zoned else None, "degree": a.degree}.get(detail) or ""
        for claimed_side in (str(s) for s in each_side(side)):
            if detail == "finding":
                details.add((a.finding,))
            elif detail == "side":
                details.add((a.finding, claimed_side))
            else:
                details.add((a.finding, claimed_side, extra))
    return {
        claim for claim in details if not any(_is_less_specific(claim, other) for other in details)
    }


def _is_less_specific(claim: ClaimDetail, other: ClaimDetail) -> bool:
    """Whether another claim is of the same finding and says something that this one leaves out."""
    return claim != other and all(
        own in ("", more_specific) for own, more_specific in zip(claim, other, strict=True)
    )


def count_claim_matches(claimed: set[ClaimDetail], true: set[ClaimDetail]) -> list[int]:
    """True positives, false positives, false negatives."""
    return [len(claimed & true), len(claimed - true), len(true - claimed)]


def find_unmatched(claims: Sequence[Assertion], others: Sequence[Assertion]) -> list[str]:
    """Return findings that one report claims and the other does not even suspect, sorted.

    With a reference first these are the omissions, with a candidate first the fabrications; a
    suspicion is neither. A finding on the wrong side is in neither list.
    """
    suspected = {a.finding for a in others if a.polarity != "absent"}
    return sorted({f for (f,) in collect_claims(claims, detail="finding")} - suspected)


def find_wrong_sides(
    claims: Sequence[Assertion], others: Sequence[Assertion]
) -> tuple[list[str], int]:
    """Return findings that both reports claim on different sides, and how many both claim."""
    own_sides, other_sides = _sides_by_finding(claims), _sides_by_finding(others)
    shared = own_sides.keys() & other_sides.keys()
    return sorted(f for f in shared if not own_sides[f] & other_sides[f]), len(shared)


def _sides_by_finding(claims: Iterable[Assertion]) -> dict[str, set[str]]:
    sides: dict[str, set[str]] = {}
    for finding, side in collect_claims(claims):
        if side:
            sides.setdefault(finding, set()).add(side)
    return sides


def count_comparisons(report: ParsedReport) -> int:
    """Count the sentences that compare with an earlier film."""
    return sum(is_comparison(sentence.text) for sentence in report.sentences)


def find_measurements(text: str) -> list[StatedLength]:
    """Find every number with a unit, lengths in mm; "12 x 8 mm" gives two."""
    lengths = []
    for numbers, unit in _NUMBERS.findall(text):
        unit = unit.lower()
        factor = next((mm for name, mm in _MM.items() if unit.startswith(name)), None)
        name = "mm" if factor else {"percent": "%", "cc": "ml"}.get(unit, unit[:3])
        lengths += [(name, float(n) * (factor or 1.0)) for n in _NUMBER.findall(numbers)]
    return lengths


def find_invented_measurements(reference: str, candidate: str) -> tuple[list[StatedLength], int]:
    """Return the candidate's measurements that the reference does not state, and its total.

    Lengths agree within half a millimetre.
    """
    known, stated = find_measurements(reference), find_measurements(candidate)
    invented = [
        (unit, number)
        for unit, number in stated
        if not any(unit == u and abs(number - n) <= 0.5 for u, n in known)
    ]
    return invented, len(stated)


def measure_size_errors(claims: Sequence[Assertion], others: Sequence[Assertion]) -> list[float]:
    """The difference in mm for each finding that both reports measure on an agreeing side."""
    errors = []
    measured = [a for a in claims if a.measurement_mm is not None and a.finding not in DEVICES]
    for finding in dict.fromkeys(a.finding for a in measured):
        differences = [
            abs((a.measurement_mm or 0.0) - b.measurement_mm)
            for a in measured
            for b in others
            if a.finding == b.finding == finding
            and b.measurement_mm is not None
            and sides_agree(a.side, b.side)
        ]
        if differences:
            errors.append(min(differences))
    return errors
