"""Checks whether a claim about a film is false, given what is known of the film."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.chest.importance import TRIVIAL
from assistant.chest.phantoms import DEVICES, DISTRACTORS
from assistant.chest.places import sides_agree
from assistant.chest.vocabulary import NORMAL
from assistant.types import Assertion

HARMLESS = frozenset(
    (*DEVICES, *DISTRACTORS, *TRIVIAL)
)  # what a film without acute findings may show
KnownClaims = Sequence[Assertion]


def is_false(claim: Assertion, known_claims: KnownClaims, *, complete: bool) -> bool | None:
    """Return True where a claim is false, False where it is true, None where that is unknown.

    A claim of presence is true of a finding with the side, zone and degree that it names. An
    uncertain finding makes neither a claim nor its denial false. `complete` says that
    `known_claims` is all that the film shows.
    """
    if claim.finding == NORMAL:
        return _is_normal_false(claim, known_claims, complete)
    same_finding = [a for a in known_claims if a.finding == claim.finding]
    present = [a for a in same_finding if a.polarity == "present"]
    uncertain = [a for a in same_finding if a.polarity == "uncertain"]
    absent = [a for a in same_finding if a.polarity == "absent"]
    if claim.polarity == "absent":
        if any(sides_agree(claim.side, a.side) for a in present):
            return True
        return False if not uncertain and (complete or absent) else None
    if _is_shown(claim, present):
        return False
    if any(sides_agree(claim.side, a.side) for a in uncertain):
        return False if claim.polarity == "uncertain" else None
    sure = complete or present or any(sides_agree(claim.side, a.side) for a in absent)
    return True if sure else None


def _is_normal_false(claim: Assertion, known_claims: KnownClaims, complete: bool) -> bool | None:
    """Check "no acute finding": false where anything but a device or an old finding is present.

    A reader who says so of a film on which he also finds something decides it himself.
    """
    if claim.polarity != "present":
        return None
    if any(a.finding == NORMAL and a.polarity == "present" for a in known_claims):
        return False
    other = [a for a in known_claims if a.finding != NORMAL]
    if any(a.polarity == "present" and a.finding not in HARMLESS for a in other):
        return True
    return False if complete and not any(a.polarity == "uncertain" for a in other) else None


def _is_shown(claim: Assertion, present: KnownClaims) -> bool:
    if claim.side != "bilateral":
        return any(_is_claimed(claim, a) for a in present)
    sides = {a.side for a in present if _is_claimed(claim, a)}
    return "bilateral" in sides or None in sides or {"right", "left"} <= sides


def _is_claimed(claim: Assertion, known: Assertion) -> bool:
    """Return whether a known finding is the claimed one; what either leaves out fits any."""
    pairs = ((claim.zone, known.zone), (claim.degree, known.degree))
    return sides_agree(claim.side, known.side) and all(
        None in pair or pair[0] == pair[1] for pair in pairs
    )
