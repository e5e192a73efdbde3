"""What two reports have in common and what not, claim by claim, of one case.

Claims are those of the labeller. Pure functions of what was read; no figures are made here.
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
ClaimDetail = tuple[
    str, ...
]  # a finding; with detail its side ("" where none), and a zone or a degree
StatedLength = tuple[str, float]  # unit and number; lengths in mm

_UNIT = r"mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?|%|percent|ml|cc|degrees?|\u00b0"
_NUMBERS = re.compile(
    rf"(?i)(?<![\w.])(\d+(?:\.\d+)?(?:\s*(?:x|by|to|-|\u2013|\u00d7)\s*\d+(?:\.\d+)?){{0,2}})"
    rf"[\s-]*({_UNIT})(?!\w)"
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MM = {"mm": 1.0, "milli": 1.0, "cm": 10.0, "centi": 10.0}


def finding_sides_claimed(
    assertions: Iterable[Assertion], polarity: Polarity = "present", detail: Detail = "side"
) -> set[ClaimDetail]:
    """The findings that are claimed with a polarity, each once, in the detail that is asked for.

    `bilateral` counts as one claim a side. A claim that tells less is dropped where the same text
    tells more of that finding; "no acute finding" is no finding.
    """
    found: set[ClaimDetail] = set()
    for a in assertions:
        if a.polarity != polarity or a.finding == NORMAL:
            continue
        kind = finding_named(a.finding)
        side = (a.side or "") if kind.sided else ""
        more = {"zone": a.zone if kind.zoned else None, "degree": a.degree}.get(detail) or ""
        for one in (str(s) for s in each_side(side)):
            if detail == "finding":
                found.add((a.finding,))
            elif detail == "side":
                found.add((a.finding, one))
            else:
                found.add((a.finding, one, more))
    return {claim for claim in found if not any(_less(claim, other) for other in found)}


def _less(claim: ClaimDetail, other: ClaimDetail) -> bool:
    """Whether another claim is of the same finding and tells something that this one leaves out."""
    return claim != other and all(
        mine in ("", theirs) for mine, theirs in zip(claim, other, strict=True)
    )


def counted(said: set[ClaimDetail], true: set[ClaimDetail]) -> list[int]:
    """True positives, false positives, false negatives."""
    return [len(said & true), len(said - true), len(true - said)]


def one_only(claims: Sequence[Assertion], others: Sequence[Assertion]) -> list[str]:
    """Findings that one report claims and the other does not even suspect, in a fixed order.

    With a reference first these are the omissions, with a candidate first the fabrications; a
    suspicion is neither. A finding on the wrong side is in neither list.
    """
    suspected = {a.finding for a in others if a.polarity != "absent"}
    return sorted({f for (f,) in finding_sides_claimed(claims, detail="finding")} - suspected)


def wrong_sides(claims: Sequence[Assertion], others: Sequence[Assertion]) -> tuple[list[str], int]:
    """Findings that both reports claim with a side and never the same one; of how many."""
    mine, theirs = _by_side(claims), _by_side(others)
    both = mine.keys() & theirs.keys()
    return sorted(f for f in both if not mine[f] & theirs[f]), len(both)


def _by_side(claims: Iterable[Assertion]) -> dict[str, set[str]]:
    sides: dict[str, set[str]] = {}
    for finding, side in finding_sides_claimed(claims):
        if side:
            sides.setdefault(finding, set()).add(side)
    return sides


def comparing(reading: ParsedReport) -> int:
    """How many sentences compare with an earlier film."""
    return sum(is_comparison(sentence.text) for sentence in reading.sentences)


def measurements(text: str) -> list[StatedLength]:
    """Every number with a unit of measurement, lengths in mm; of "12 x 8 mm" both."""
    found = []
    for numbers, unit in _NUMBERS.findall(text):
        unit = unit.lower()
        factor = next((mm for name, mm in _MM.items() if unit.startswith(name)), None)
        name = "mm" if factor else {"percent": "%", "cc": "ml"}.get(unit, unit[:3])
        found += [(name, float(n) * (factor or 1.0)) for n in _NUMBER.findall(numbers)]
    return found


def invented_measurements(reference: str, candidate: str) -> tuple[list[StatedLength], int]:
    """The candidate's measurements that the reference does not state, and how many it has in all.

    Lengths agree within half a millimetre.
    """
    known, told = measurements(reference), measurements(candidate)
    invented = [
        (unit, number)
        for unit, number in told
        if not any(unit == u and abs(number - n) <= 0.5 for u, n in known)
    ]
    return invented, len(told)


def size_errors(claims: Sequence[Assertion], others: Sequence[Assertion]) -> list[float]:
    """By how many mm the sizes differ of findings that both reports measure, on a fitting side."""
    made = []
    sized = [a for a in claims if a.measurement_mm is not None and a.finding not in DEVICES]
    for finding in dict.fromkeys(a.finding for a in sized):
        gaps = [
            abs((a.measurement_mm or 0.0) - b.measurement_mm)
            for a in sized
            for b in others
            if a.finding == b.finding == finding
            and b.measurement_mm is not None
            and sides_agree(a.side, b.side)
        ]
        if gaps:
            made.append(min(gaps))
    return made
