"""Whether a claim about a film is false, by what is known of the film."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.chest.phantoms import DEVICES, DISTRACTORS
from assistant.chest.places import sides_agree
from assistant.chest.vocabulary import NORMAL
from assistant.types import Assertion

HARMLESS = frozenset((*DEVICES, *DISTRACTORS))  # what a film without findings may hold
Known = Sequence[Assertion]


def is_false(claim: Assertion, known: Known, *, complete: bool) -> bool | None:
    """True where a claim is false, False where it is true, None where nobody can say.

    A claim of presence is true of a finding with the side, zone and degree that it names. What is
    only possible makes neither a claim nor its denial false. `complete` says that `known` is all
    that the film shows.
    """
    if claim.finding == NORMAL:
        return _normal(claim, known, complete)
    same = [a for a in known if a.finding == claim.finding]
    there = [a for a in same if a.polarity == "present"]
    maybe = [a for a in same if a.polarity == "uncertain"]
    denied = [a for a in same if a.polarity == "absent"]
    if claim.polarity == "absent":
        if any(sides_agree(claim.side, a.side) for a in there):
            return True
        return False if not maybe and (complete or denied) else None
    if _shown(claim, there):
        return False
    if any(sides_agree(claim.side, a.side) for a in maybe):
        return False if claim.polarity == "uncertain" else None
    sure = complete or there or any(sides_agree(claim.side, a.side) for a in denied)
    return True if sure else None


def _normal(claim: Assertion, known: Known, complete: bool) -> bool | None:
    """Of "no acute finding": false where anything but a device or what is old is there."""
    if claim.polarity != "present":
        return None
    other = [a for a in known if a.finding != NORMAL]
    if any(a.polarity == "present" and a.finding not in HARMLESS for a in other):
        return True
    return False if complete and not any(a.polarity == "uncertain" for a in other) else None


def _shown(claim: Assertion, there: Known) -> bool:
    if claim.side != "bilateral":
        return any(_fits(claim, a) for a in there)
    sides = {a.side for a in there if _fits(claim, a)}
    return "bilateral" in sides or None in sides or {"right", "left"} <= sides


def _fits(claim: Assertion, known: Assertion) -> bool:
    """Whether what is known is what is claimed; what either does not tell fits."""
    pairs = ((claim.zone, known.zone), (claim.degree, known.degree))
    return sides_agree(claim.side, known.side) and all(
        None in pair or pair[0] == pair[1] for pair in pairs
    )
