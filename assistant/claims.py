"""The algebra of claims: what a set of assertions says, denies and covers, and how one is named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from assistant.chest.places import BOTH, each_side, sides_agree
from assistant.chest.vocabulary import FINDINGS, NORMAL, finding_named
from assistant.types import Assertion

ClaimKey = tuple[str, str | None, str | None, str | None]  # finding, side, zone, degree
_ORDER = {finding.key: number for number, finding in enumerate(FINDINGS)}


def same_place(claim: Assertion, side: str | None, zone: str | None) -> bool:
    """Whether a place may be the one that is claimed; what is not told fits any."""
    sides = (None, BOTH, side) if side else (claim.side,)
    return claim.side in sides and (None in (claim.zone, zone) or claim.zone == zone)


def says(claims: Sequence[Assertion], claim: Assertion) -> bool:
    """Whether a text's claims hold one of ours: what is not told of side or zone fits any."""
    return any(
        c.polarity == claim.polarity and sides_agree(claim.side, c.side) and _zones_agree(claim, c)
        for c in claims
        if c.finding == claim.finding
    )


def denies(claims: Sequence[Assertion], claim: Assertion) -> bool:
    """Whether a text's claims say the opposite of one of ours."""
    opposite = "present" if claim.polarity == "absent" else "absent"
    return not says(claims, claim) and any(
        c.polarity == opposite and sides_agree(claim.side, c.side)
        for c in claims
        if c.finding == claim.finding
    )


def _zones_agree(one: Assertion, other: Assertion) -> bool:
    return None in (one.zone, other.zone) or one.zone == other.zone


def one_sided(claim: Assertion) -> tuple[Assertion, ...]:
    """A claim about both sides as one about each."""
    return tuple(replace(claim, side=side) for side in each_side(claim.side))


def name_of(claim: Assertion) -> str:
    """A claim in the vocabulary's words: "no right pleural effusion"."""
    zone = f"{claim.zone} zone" if claim.zone else None
    parts = (claim.degree, claim.side, zone, finding_named(claim.finding).name)
    words = " ".join(part for part in parts if part)
    prefix = {"absent": "no ", "uncertain": "possible "}.get(claim.polarity, "")
    return prefix + words


def fullest(found: Iterable[Assertion]) -> tuple[Assertion, ...]:
    """The findings that are asserted as present, each where it is said most fully.

    Finding, side, zone and degree alone, in the order of the vocabulary.
    """
    claims = {
        (a.finding, a.side, a.zone, a.degree)
        for a in found
        if a.polarity == "present" and a.finding in _ORDER and a.finding != NORMAL
    }
    # The impression says again what the findings say more fully.
    full = (c for c in claims if not any(o != c and _covers(o, c) for o in claims))
    return tuple(
        Assertion(finding, side=side, zone=zone, degree=degree)
        for finding, side, zone, degree in sorted(full, key=_place)
    )


def _place(claim: ClaimKey) -> tuple[int, list[str]]:
    return _ORDER[claim[0]], [word or "" for word in claim[1:]]


def _covers(other: ClaimKey, claim: ClaimKey) -> bool:
    """Whether another claim says the same, or the same and more."""
    return all(ours in (None, theirs) for ours, theirs in zip(claim, other, strict=True))


def is_among(claim: Assertion, others: Sequence[Assertion]) -> bool:
    """Whether a claim is made among others, at the same degree where both tell one."""
    return any(
        says((other,), claim)
        and (None in (claim.degree, other.degree) or claim.degree == other.degree)
        for other in others
    )
