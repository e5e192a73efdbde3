"""Where a finding lies and how large it is: the closed sets of sides, zones and degrees.

Data and the arithmetic of sides alone. Everything outside `assistant/chest/` takes these words from
here, so that another body part may bring its own.
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
    """The sides that a word covers: right and left for "bilateral", else the word itself."""
    return SIDES if side == BOTH else (side,)


def sides_agree(side: str | None, other: str | None) -> bool:
    """Whether two sides may be the same; None, which names none, and "bilateral" fit any."""
    return None in (side, other) or BOTH in (side, other) or side == other
