"""The algebra of claims: what a set of assertions asserts, denies and covers, and their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from assistant.chest.places import BOTH, each_side, sides_agree
from assistant.chest.vocabulary import FINDINGS, NORMAL, finding_named
from assistant.chest.wording.sentences import SHORT_NAMES
from assistant.types import Assertion

ClaimKey = tuple[str, str | None, str | None, str | None]  # finding, side, zone, degree
FindingSide = tuple[str, str | None]  # finding, side
_ORDER = {finding.key: number for number, finding in enumerate(FINDINGS)}


def is_same_place(claim: Assertion, side: str | None, zone: str | None) -> bool:
    """Return whether a place may be the one claimed; a side or zone that is not given fits any."""
    sides = (None, BOTH, side) if side else (claim.side,)
    return claim.side in sides and (None in (claim.zone, zone) or claim.zone == zone)


def asserts(claims: Sequence[Assertion], claim: Assertion) -> bool:
    """Return whether a text's claims include a claim; a side or zone that is not given fits any."""
    return any(
        c.polarity == claim.polarity and sides_agree(claim.side, c.side) and _zones_agree(claim, c)
        for c in claims
        if c.finding == claim.finding
    )


def denies(claims: Sequence[Assertion], claim: Assertion) -> bool:
    """Return whether a text's claims state the opposite of a claim."""
    opposite = "present" if claim.polarity == "absent" else "absent"
    return not asserts(claims, claim) and any(
        c.polarity == opposite and sides_agree(claim.side, c.side)
        for c in claims
        if c.finding == claim.finding
    )


def _zones_agree(claim: Assertion, other: Assertion) -> bool:
    return None in (claim.zone, other.zone) or claim.zone == other.zone


def split_sides(claim: Assertion) -> tuple[Assertion, ...]:
    """Split a claim about both sides into one about each; any other claim stays as it is."""
    return tuple(replace(claim, side=side) for side in each_side(claim.side))


def name_of(claim: Assertion) -> str:
    """Return a claim in a few words: "no right pleural effusion", "large nodule"."""
    zone = f"{claim.zone} zone" if claim.zone else None
    name = SHORT_NAMES.get(claim.finding, finding_named(claim.finding).name)
    parts = (claim.degree, claim.side, zone, name)
    words = " ".join(part for part in parts if part)
    prefix = {"absent": "no ", "uncertain": "possible "}.get(claim.polarity, "")
    return prefix + words


def keep_most_specific(assertions: Iterable[Assertion]) -> tuple[Assertion, ...]:
    """Return the findings asserted as present, each in its most specific form.

    With finding, side, zone and degree only, in the order of the vocabulary.
    """
    claims = {
        (a.finding, a.side, a.zone, a.degree)
        for a in assertions
        if a.polarity == "present" and a.finding in _ORDER and a.finding != NORMAL
    }
    # The impression repeats, in less detail, what the findings say.
    most_specific = (c for c in claims if not any(o != c and covers(o, c) for o in claims))
    return tuple(
        Assertion(finding, side=side, zone=zone, degree=degree)
        for finding, side, zone, degree in sorted(most_specific, key=_sort_key)
    )


def _sort_key(claim: ClaimKey) -> tuple[int, list[str]]:
    return _ORDER[claim[0]], [word or "" for word in claim[1:]]


def covers(fuller: Sequence[str | None], vaguer: Sequence[str | None]) -> bool:
    """Return whether one claim's words say all that another's say, or more; None says nothing."""
    return all(word in (None, full) for word, full in zip(vaguer, fuller, strict=True))


def is_among(claim: Assertion, others: Sequence[Assertion]) -> bool:
    """Return whether others assert a claim, at the same degree where both have one."""
    return any(
        asserts((other,), claim)
        and (None in (claim.degree, other.degree) or claim.degree == other.degree)
        for other in others
    )
