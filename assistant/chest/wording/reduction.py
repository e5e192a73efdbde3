"""Reduces what a report asserts to one claim for each finding and place, without contradictions.

Reports repeat themselves in less detail, and an impression may deny what the findings leave open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from assistant.chest.hierarchy import BROADER
from assistant.chest.places import BOTH, DEGREES, SIDES, each_side, sides_agree
from assistant.chest.vocabulary import FINDINGS, TUBE, finding_named
from assistant.chest.wording.sentences import TUBE_POSITIONS, WORDINGS
from assistant.types import Assertion, Polarity

_ORDER = {finding.key: number for number, finding in enumerate(FINDINGS)}
_DEGREES = (*DEGREES, *TUBE_POSITIONS)  # the largest of a place counts
_POLARITIES: tuple[Polarity, ...] = ("present", "uncertain", "absent")
# Of two findings that no lung has at once, the first.
_OPPOSED = ("hyperinflation", "low_lung_volumes")


def reduce_claims(claims: Iterable[Assertion]) -> tuple[Assertion, ...]:
    """Return claims without repetitions and contradictions, in the order of the vocabulary.

    The most specific claim of each place is kept, at its largest degree; what is present beats
    what is uncertain, and that what is absent; a narrower finding stands for a broader one at the
    same place; right and left make bilateral. Sides, zones and degrees that a finding cannot have
    are dropped, and so are unknown findings, sizes, spans and changes.
    """
    plain = [_plain(claim) for claim in claims if claim.finding in WORDINGS]
    kept: dict[Polarity, list[Assertion]] = {
        polarity: _most_specific(claim for claim in plain if claim.polarity == polarity)
        for polarity in _POLARITIES
    }
    present = _drop_opposed(_drop_broader(kept["present"], kept["present"]))
    uncertain = [
        claim
        for claim in _drop_broader(kept["uncertain"], [*present, *kept["uncertain"]])
        if not any(_may_be_same(claim, other) for other in present)
    ]
    stated = {claim.finding for claim in (*present, *uncertain)}
    stated |= {broader for finding in stated for broader in BROADER.get(finding, ())}
    absent = [
        claim for claim in kept["absent"] if claim.finding not in stated and claim.degree is None
    ]
    reduced = [*_merge_sides(present), *_merge_sides(uncertain), *_merge_sides(absent)]
    return tuple(sorted(reduced, key=_sort_key))


def _plain(claim: Assertion) -> Assertion:
    """Return a claim with what its finding can have: side, zone, degree."""
    finding = finding_named(claim.finding)
    graded = WORDINGS[claim.finding].scale is not None and claim.degree in DEGREES
    absent = claim.polarity == "absent"  # on both sides is anywhere
    is_tube = claim.finding == TUBE and claim.polarity == "present"
    positioned = is_tube and claim.degree in TUBE_POSITIONS
    return Assertion(
        claim.finding,
        claim.polarity,
        claim.side if finding.sided and not (absent and claim.side == BOTH) else None,
        claim.zone if finding.zoned else None,
        claim.degree if graded or positioned else None,
    )


def _most_specific(claims: Iterable[Assertion]) -> list[Assertion]:
    """Return one claim for each place, sides apart: the fullest place, the largest degree."""
    by_place: dict[tuple[str, str | None, str | None], Assertion] = {}
    for claim in claims:
        for side in each_side(claim.side):
            sided = replace(claim, side=side)
            key = (claim.finding, side, claim.zone)
            by_place[key] = max(by_place.get(key, sided), sided, key=_degree_rank)
    kept = []
    for (finding, side, zone), claim in by_place.items():
        fuller = [
            key
            for key in by_place
            if key != (finding, side, zone)
            and key[0] == finding
            and side in (None, key[1])
            and zone in (None, key[2])
        ]
        if not fuller:
            vaguer = [
                other
                for (f, s, z), other in by_place.items()
                if f == finding and s in (None, side) and z in (None, zone)
            ]
            degree = claim.degree or max(vaguer, key=_degree_rank).degree
            kept.append(replace(claim, degree=degree))
    return kept


def _degree_rank(claim: Assertion) -> int:
    return _DEGREES.index(claim.degree) if claim.degree else -1


def _drop_broader(claims: Sequence[Assertion], others: Sequence[Assertion]) -> list[Assertion]:
    """Return the claims that no narrower finding at the same or a fuller place implies."""
    return [
        claim
        for claim in claims
        if not any(
            claim.finding in BROADER.get(other.finding, ())
            and claim.side in (None, other.side)
            and claim.zone in (None, other.zone)
            for other in others
        )
    ]


def _drop_opposed(claims: Sequence[Assertion]) -> list[Assertion]:
    both = {claim.finding for claim in claims} >= set(_OPPOSED)
    return [claim for claim in claims if not (both and claim.finding == _OPPOSED[1])]


def _may_be_same(claim: Assertion, other: Assertion) -> bool:
    return (
        claim.finding == other.finding
        and sides_agree(claim.side, other.side)
        and (None in (claim.zone, other.zone) or claim.zone == other.zone)
    )


def _merge_sides(claims: Sequence[Assertion]) -> list[Assertion]:
    """Return claims with right and left of the same zone and degree as one about both sides."""
    merged: list[Assertion] = []
    for claim in claims:
        if claim.side not in SIDES:
            merged.append(claim)
            continue
        pair = [replace(claim, side=side) for side in SIDES]
        if all(other in claims for other in pair):
            side = None if claim.polarity == "absent" else BOTH  # absent anywhere
            merged += [replace(claim, side=side)] if claim == pair[0] else []
        else:
            merged.append(claim)
    return merged


def _sort_key(claim: Assertion) -> tuple[int, int, list[str]]:
    places = [word or "" for word in (claim.side, claim.zone, claim.degree)]
    return _ORDER[claim.finding], _POLARITIES.index(claim.polarity), places
