"""Grey scale arithmetic: look-up tables, windows, ranges, and whether a picture is grey at all.

This module knows arrays and the formulae of DICOM PS3.3 C.11; it opens no file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assistant.intake.limits import RefusedFile

# A grey picture saved as colour JPEG has chroma noise of a few levels; a coloured arrow or
# label covers little of a film. A photograph or a stained scan exceeds one of the two.
MEAN_SPREAD = 0.02  # mean over pixels of (largest - smallest channel) / full scale
TINTED = 0.10  # the same spread for one pixel, beyond which the pixel counts as coloured
TINTED_SHARE = 0.01  # of all pixels

ROBUST = (0.5, 99.5)  # percentiles: a lead marker or a dead column must not set the range
_SAMPLE = 1_000_000  # pixels that are enough to know the percentiles
_TOLERANCE = 256  # a LUT may lack or have too much of one entry in so many


@dataclass(frozen=True, slots=True, eq=False)
class Lut:
    """A modality or VOI look-up table, DICOM PS3.3 C.11.1.1 and C.11.2.1.1."""

    first: float  # the input value that maps to the first entry
    table: np.ndarray  # (entries,) unsigned integers
    bits: int  # of an entry, as the file states them

    def top(self) -> float:
        """The output that stands for white: the stated depth, or less where little is used."""
        stated, used = float(2**self.bits - 1), float(self.table.max())
        # Some devices state 16 bits for entries of 12: the film would come out black.
        return stated if 2 * used >= stated else max(used, 1.0)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Map values (H, W) to table entries, float32; what lies outside takes the end entries."""
        index = np.clip(np.rint(values - np.float32(self.first)), 0, len(self.table) - 1)
        return self.table[index.astype(np.int32)].astype(np.float32)

    def placed_over(self, values: np.ndarray) -> Lut:
        """The table, its signed or unsigned first value read so that it covers most of `values`.

        The sign of a first value is that of its element, which writers state wrongly.
        """
        low, high = float(values.min()), float(values.max())
        wrapped = self.first % 65536
        starts = (self.first, wrapped, wrapped - 65536)
        end = len(self.table) - 1
        first = max(starts, key=lambda start: min(high, start + end) - max(low, start))
        return replace(self, first=first)


def lut_of(descriptor: Sequence[float], data: bytes, *, big_endian: bool) -> Lut | None:
    """The table of a LUT descriptor and its data; None where the two do not fit together.

    The standard stores entries of 8 bits in bytes and others in words; files also have 8 bits in
    words, and one entry less or more than they state: a missing last one repeats the one before.
    """
    if len(descriptor) != 3 or not all(map(math.isfinite, descriptor)):
        return None
    # 0 stands for 65536; a signed descriptor shows large counts as negative.
    entries, bits = int(descriptor[0]) & 0xFFFF or 65536, int(descriptor[2]) & 0xFFFF
    lacking = max(1, entries // _TOLERANCE)
    if bits <= 8 and entries - lacking <= len(data) <= entries + lacking:
        table = np.frombuffer(data[: len(data) // 2 * 2], np.uint8)
        if big_endian:  # two entries in a word, the first of them in its lower half
            table = table.reshape(-1, 2)[:, ::-1].reshape(-1)
    elif len(data) // 2 >= entries - lacking:
        table = np.frombuffer(data[: len(data) // 2 * 2], ">u2" if big_endian else "<u2")
    else:
        return None
    if len(table) < entries:
        table = np.pad(table, (0, entries - len(table)), "edge")
    table = table[:entries].astype(np.uint16)
    used = int(table.max()).bit_length()  # more than is stated where the descriptor is wrong
    return Lut(descriptor[1], table, max(used, bits) if 8 <= bits <= 16 else max(used, 8))


@dataclass(frozen=True, slots=True)
class Window:
    """One window, DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3."""

    center: float
    width: float
    function: str = "LINEAR"  # or LINEAR_EXACT, SIGMOID

    def usable(self) -> bool:
        """Whether the window leaves more than two greys: finite, and wider than its minimum."""
        least = 1.0 if self.function == "LINEAR" else 0.0
        return math.isfinite(self.center) and math.isfinite(self.width) and self.width > least

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Map values (H, W) to float32 in [0, 1], the window's own output range."""
        if self.function == "SIGMOID":
            slope = -4.0 * (values - np.float32(self.center)) / np.float32(self.width)
            return 1.0 / (1.0 + np.exp(np.clip(slope, -80.0, 80.0)))
        # LINEAR counts its width from the middle of the first to the middle of the last grey.
        half = 0.5 if self.function == "LINEAR" else 0.0
        center, width = np.float32(self.center - half), np.float32(self.width - 2 * half)
        return np.clip((values - center) / width + np.float32(0.5), 0.0, 1.0)


def robust_range(values: np.ndarray) -> tuple[float, float]:
    """The 0.5th and 99.5th percentile of values (H, W), or the extremes where those agree."""
    flat = values.reshape(-1)
    low, high = np.percentile(flat[:: max(1, flat.size // _SAMPLE)], ROBUST)
    if low == high:
        low, high = values.min(), values.max()
    return float(low), float(high)


def to_unit(values: np.ndarray, bottom: float, top: float, *, deep: bool) -> np.ndarray:
    """Scale values (H, W) to float32 in [0, 1] where no window says how.

    `bottom` and `top` are the ends of the range the file's bits allow. A picture of 8 bits, and
    a deep one that uses at least half of its range, is scaled by that range, so what was stored
    in [0, 1] comes back unchanged. So is a deep one of fewer bits than its file's (12 in 16). Any
    other is scaled by `robust_range`, or it would come out black.
    """
    if deep:
        low, high = robust_range(values)
        if bottom == 0 <= values.min():
            top = min(top, float(2 ** max(8, int(values.max()).bit_length()) - 1))
        if low < bottom or high > top or 2 * (high - low) < top - bottom:
            bottom, top = low, high
    scale = np.float32(top - bottom)
    return np.clip((values.astype(np.float32) - np.float32(bottom)) / scale, 0.0, 1.0)


def is_blank(values: np.ndarray) -> bool:
    """Whether all values are the same; such a film is read as zeros, whatever its grey was."""
    return bool(values.min() == values.max())


def grey_of(colour: np.ndarray, top: float) -> np.ndarray:
    """The grey picture (H, W), float32, in a colour array (H, W, 3) with values in [0, top].

    Raises `RefusedFile` for real colour: see `MEAN_SPREAD`, `TINTED`, `TINTED_SHARE`.
    """
    red, green, blue = colour[..., 0], colour[..., 1], colour[..., 2]
    # By channel: numpy takes ten times as long over an axis of three.
    spread = np.maximum(np.maximum(red, green), blue)
    spread -= np.minimum(np.minimum(red, green), blue)
    if spread.mean() > MEAN_SPREAD * top or (spread > TINTED * top).mean() > TINTED_SHARE:
        raise RefusedFile("is a colour picture, and a radiograph is grey: give the film itself")
    grey = red.astype(np.float32)
    grey += green
    grey += blue
    grey /= np.float32(3.0)
    return grey
