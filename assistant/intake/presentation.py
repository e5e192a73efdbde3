"""Turns the stored values of a DICOM object into greys: look-up tables, windows, padding.

This module knows the grey scale pipeline of DICOM PS3.3 C.11; the arithmetic is in `greys`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydicom import Dataset, uid

from assistant.intake.decode import NATIVE, Layout
from assistant.intake.elements import numbers_of, text_of, value_of
from assistant.intake.greys import Lut, Window, grey_of, is_blank, lut_of, to_unit


def colour_of(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Grey in [0, 1] of RGB values; a colour object has no window, PS3.3 C.11.2."""
    top = float(2**layout.stored - 1)
    # What is coloured is so beside the values that are used: 12 bits in 16 may be all colour.
    grey = grey_of(values, min(top, max(float(values.max()), 255.0)))
    if is_blank(grey):
        return np.zeros(grey.shape, np.float32)
    return to_unit(grey, 0.0, top, deep=layout.stored > 8)


def mono_of(stored: np.ndarray, padding: np.ndarray, layout: Layout, found: Dataset) -> np.ndarray:
    """Greys in [0, 1], air dark, of stored values (H, W); those of `padding` have no say in them.

    Padding is where the picture does not reach: it is shown as air, DICOM PS3.3 C.7.5.1.1.2.
    """
    if not padding.any() or padding.all():
        return _greys(stored, layout, found)
    unit = np.zeros(stored.shape, np.float32)
    unit[~padding] = _greys(stored[~padding], layout, found)
    return unit


def _greys(stored: np.ndarray, layout: Layout, found: Dataset) -> np.ndarray:
    """Greys in [0, 1], air dark, of stored values of any shape."""
    if is_blank(stored):
        return np.zeros(stored.shape, np.float32)
    bits = layout.stored
    bottom = float(-(2 ** (bits - 1)) if layout.signed else 0)
    values, ends = stored.astype(np.float32), np.array([bottom, bottom + 2**bits - 1])
    modality = lut_at(found, "ModalityLUTSequence", values)
    if modality:
        values, ends, bits = modality.apply(values), np.array([0.0, modality.top()]), modality.bits
    else:
        slope, intercept = _rescale(found)
        values, ends = values * np.float32(slope) + np.float32(intercept), ends * slope + intercept
    unit = _windowed(values, found)
    if unit is None:  # a LUT may have made it blank
        if is_blank(values):
            return np.zeros(values.shape, np.float32)
        unit = to_unit(values, float(ends.min()), float(ends.max()), deep=bits > 8)
    # What a presentation LUT puts out is what is shown, PS3.3 C.11.6: no inversion follows it.
    presentation = lut_at(found, "PresentationLUTSequence", None)
    if presentation:
        entries = unit * np.float32(len(presentation.table) - 1) + np.float32(presentation.first)
        return np.minimum(presentation.apply(entries) / np.float32(presentation.top()), 1.0)
    # MONOCHROME1 and INVERSE state the same inversion (PS3.3 C.8.11.3 demands them together):
    # it is done once, whether one of them says so or both do.
    if layout.photometric == "MONOCHROME1" or text_of(found, "PresentationLUTShape") == "INVERSE":
        unit = 1.0 - unit
    return unit


def _windowed(values: np.ndarray, found: Dataset) -> np.ndarray | None:
    """Values in [0, 1] by VOI LUT or window, or None where neither leaves anything to see."""
    lut = lut_at(found, "VOILUTSequence", values)
    if lut:
        unit = np.minimum(lut.apply(values) / np.float32(lut.top()), np.float32(1.0))
        if not is_blank(unit):
            return unit
    function = text_of(found, "VOILUTFunction") or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        return None
    centers, widths = numbers_of(found, "WindowCenter"), numbers_of(found, "WindowWidth")
    for center, width in zip(centers, widths, strict=False):
        window = Window(center, width, function)
        if window.usable():
            # A window beside all values, say one meant for other units, is no window.
            unit = window.apply(values)
            return None if is_blank(unit) else unit
    return None


def padding_of(
    stored: np.ndarray, pixel_data: Any, syntax: uid.UID, layout: Layout, found: Dataset
) -> np.ndarray:
    """Where the padding is, bool (H, W), of PixelPaddingValue and PixelPaddingRangeLimit."""
    stated = (*numbers_of(found, "PixelPaddingValue"), *numbers_of(found, "PixelPaddingRangeLimit"))
    if not stated or not all(map(math.isfinite, stated)):
        return np.zeros(stored.shape, bool)
    # The two elements have the sign of the pixels, and writers give them another.
    span = 2**layout.allocated
    values = [int(v) % span for v in stated]
    if layout.signed:
        values = [v - span if 2 * v >= span else v for v in values]
    bottom = -(2 ** (layout.stored - 1)) if layout.signed else 0
    fits = bottom <= min(values) and max(values) < bottom + 2**layout.stored
    if not fits and syntax in NATIVE:  # the stored bits do not hold it, but the words do
        order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
        kind = f"{order}{'i' if layout.signed else 'u'}{layout.allocated // 8}"
        stored = np.frombuffer(pixel_data, kind, stored.size).reshape(stored.shape)
    return (stored >= min(values)) & (stored <= max(values))


def _rescale(found: Dataset) -> tuple[float, float]:
    """Slope and intercept; (1, 0) where they are absent or would leave nothing."""
    slope = (*numbers_of(found, "RescaleSlope"), 1.0)[0]
    intercept = (*numbers_of(found, "RescaleIntercept"), 0.0)[0]
    usable = 1e-12 < abs(slope) < 1e12 and abs(intercept) < 1e12
    return (slope, intercept) if usable else (1.0, 0.0)


def lut_at(found: Dataset, word: str, values: np.ndarray | None) -> Lut | None:
    """The first whole table of a LUT sequence for `values`, or None where there is none."""
    for item in value_of(found, word) or ():
        data = value_of(item, "LUTData")
        if data is not None and not isinstance(data, bytes):
            data = (np.atleast_1d(np.asarray(data, np.int64)) & 0xFFFF).astype("<u2").tobytes()
            big_endian = False
        else:
            big_endian = not found.original_encoding[1]
        lut = lut_of(numbers_of(item, "LUTDescriptor"), data or b"", big_endian=big_endian)
        if lut:
            return lut if values is None else lut.placed_over(values)
    return None
