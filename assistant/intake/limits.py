"""What fits through the door, and how an inner reader says no.

This module knows no file format. A reader raises `RefusedFile` with the end of a sentence; only
`read_film_bytes` knows the file's name, and makes the whole sentence of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_BYTES = 200_000_000  # of a file, and of the data set inside a deflated one
# A scanner of 35 x 43 cm films at 67 micrometres makes 33 megapixels, and a digital detector 12.
MAX_PIXELS = 40_000_000
MAX_SAMPLES = 60_000_000  # pixels times channels: a colour picture takes three times the room
_SMALL = 5_000_000  # bytes of a file up to which all get the same time and memory
MIN_SIDE = 64  # pixels; below it nothing of a chest can be seen
MAX_SCANS = 32  # of a JPEG; a decoder walks all pixels for each, and encoders make up to 14
MAX_PARTS = 4096  # segments, chunks, strips or tiles; each costs a decoder its time
CUT_SHORT = "is cut short or damaged: fetch or export it again"


class RefusedFile(Exception):  # noqa: N818 - an answer, made an IntakeError at the door
    """A film is refused; the message follows the file's name and carries no value of the file."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What a reader takes from a file, and nothing else of it."""

    pixels: np.ndarray  # float32 (H, W) in [0, 1], air dark
    view: str | None = None
    laterality: str | None = None
    spacing_mm: tuple[float, float] | None = None  # (row, column)
    synthetic: bool = False
    notes: tuple[str, ...] = ()  # flags of `notes`: what a reader should know of the file
    study: str | None = None  # of `study_marks`, as `Film` has it
    day: int | None = None  # the same


def check_size(rows: int, columns: int, samples: int = 1) -> None:
    """Refuse a picture that is too small or too large: rows x columns pixels of some samples."""
    if min(rows, columns) < MIN_SIDE:
        raise RefusedFile(
            f"is {rows} by {columns} pixels, under {MIN_SIDE} on a side: give the film itself,"
            " not a thumbnail"
        )
    size, give = f"is {rows} by {columns} pixels", "give a smaller copy"
    if rows * columns > MAX_PIXELS:
        raise RefusedFile(f"{size}, over {MAX_PIXELS // 1_000_000} megapixels: {give}")
    if rows * columns * samples > MAX_SAMPLES:
        raise RefusedFile(
            f"{size} of {samples} channels, over {MAX_SAMPLES // 1_000_000} million values:"
            f" {give}, in grey"
        )


def memory_for(size: int) -> int:
    """Bytes that the process which decodes a file of `size` bytes may take up."""
    return 1_000_000_000 + 4 * max(0, size - _SMALL)


def seconds_for(size: int) -> float:
    """Seconds of processor time that decoding a file of `size` bytes may take."""
    return 2.0 + max(0, size - _SMALL) / 1_000_000
