"""What fits through the door, and how an inner reader says no.

This module knows no file format. A reader raises `RefusedFile` with the end of a sentence; only
`read_film_bytes` knows the file's name, and makes the whole sentence of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_BYTES = 200_000_000  # of a file, and of the data set inside a deflated one
MAX_PIXELS = 100_000_000
MIN_SIDE = 64  # pixels; below it nothing of a chest can be seen


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


def check_size(rows: int, columns: int) -> None:
    """Refuse a picture of rows x columns pixels that is too small or too large to be read."""
    if min(rows, columns) < MIN_SIDE:
        raise RefusedFile(
            f"is {rows} by {columns} pixels, under {MIN_SIDE} on a side: give the film itself,"
            " not a thumbnail"
        )
    if rows * columns > MAX_PIXELS:
        raise RefusedFile(
            f"is {rows} by {columns} pixels, over {MAX_PIXELS // 1_000_000} megapixels:"
            " give a smaller copy"
        )
