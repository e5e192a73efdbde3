"""The closed sets of sides, zones and degrees: where a finding lies and how large it is.

Data, and the arithmetic of sides. Everything outside `assistant/chest/` imports these words from
here, so that another body part may define its own.
"""

from __future__ import annotations

RIGHT, LEFT, BOTH = "right", "left", "bilateral"  # the patient's; the film shows them mirrored
SIDES = (RIGHT, LEFT)
OTHER_SIDE = {RIGHT: LEFT, LEFT: RIGHT}
UPPER, MID, LOWER = "upper", "mid", "lower"
ZONES = (UPPER, MID, LOWER)
SMALL, MODERATE, LARGE = "small", "moderate", "large"
DEGREES = (SMALL, MODERATE, LARGE)  # the least first


def each_side(side: str | None) -> tuple[str | None, ...]:
    """Return the sides that a word covers: right and left for "bilateral", else the word."""
    return SIDES if side == BOTH else (side,)


def sides_agree(side: str | None, other: str | None) -> bool:
    """Return whether two sides may be the same; None (no side given) and "bilateral" fit any."""
    return None in (side, other) or BOTH in (side, other) or side == other
