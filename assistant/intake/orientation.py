"""What can be put right about how a film lies: turned by quarters, or its grey scale inverted.

A correction is a few fixed words, so that it can pass through JSON and a button. This module
knows no anatomy: which correction a film needs is told elsewhere.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from assistant.errors import SettingsError
from assistant.types import Film

# Quarter turns to the right, that is clockwise, and whether the grey scale is inverted.
_STEPS: dict[str, tuple[int, bool]] = {
    "rotate 90": (1, False),
    "rotate 180": (2, False),
    "rotate 270": (3, False),
    "invert": (0, True),
    "invert and rotate 90": (1, True),
    "invert and rotate 180": (2, True),
    "invert and rotate 270": (3, True),
}
CORRECTIONS = tuple(_STEPS)
_LIES = ("", "turned by 90 degrees to the left", "upside down", "turned by 90 degrees to the right")
_TURN = ("", "turn it by 90 degrees to the right", "turn it by 180 degrees")
_TURNS = (*_TURN, "turn it by 90 degrees to the left")


def correct_film(film: Film, correction: str) -> Film:
    """The film with a correction of `CORRECTIONS` applied: "rotate 90" turns it clockwise.

    Pixels stay float32 in [0, 1], read-only; the spacing turns with them; the hash stays that of
    the source, and the flag "corrected: ..." says what was done. Raises SettingsError for a
    correction that does not exist.
    """
    quarters, invert = _steps(correction)
    pixels = np.ascontiguousarray(np.rot90(1 - film.pixels if invert else film.pixels, -quarters))
    pixels.setflags(write=False)
    spacing = film.spacing_mm
    if spacing is not None and quarters % 2:
        spacing = (spacing[1], spacing[0])
    flags = (*film.flags, f"corrected: {correction}")
    return replace(film, pixels=pixels, spacing_mm=spacing, flags=flags)


def trouble_of(correction: str) -> str:
    """In words, how a film lies that needs a correction: "turned by 90 degrees to the left"."""
    quarters, invert = _steps(correction)
    return " and ".join(["inverted in its greys"] * invert + [_LIES[quarters]] * bool(quarters))


def advice_of(correction: str) -> str:
    """In words, what to do about it: "turn it by 90 degrees to the right"."""
    quarters, invert = _steps(correction)
    return " and ".join(["invert its grey scale"] * invert + [_TURNS[quarters]] * bool(quarters))


def _steps(correction: str) -> tuple[int, bool]:
    if correction not in _STEPS:
        known = ", ".join(CORRECTIONS)
        raise SettingsError(f"There is no correction {correction!r}; there are {known}.")
    return _STEPS[correction]
