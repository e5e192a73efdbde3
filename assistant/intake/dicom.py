"""Reads DICOM films: which objects are films, and how stored values become greys.

Only the attributes in `_WANTED` are parsed; all others, names and numbers of people among
them, are skipped unread. The data set lives and dies within `read_dicom`. This module knows no
codestream: `decode` does.
"""

from __future__ import annotations

import io
import math
from collections.abc import MutableSequence
from typing import Any

import numpy as np
from pydicom import Dataset, uid
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from assistant.intake import kinds
from assistant.intake.decode import (
    CUT_SHORT,
    DICOM_ERRORS,
    NATIVE,
    SYNTAXES,
    Layout,
    inflate,
    stored_values,
)
from assistant.intake.greys import Lut, Window, grey_of, is_blank, to_unit
from assistant.intake.limits import Picture, RefusedFile, check_size
from assistant.intake.quiet import quiet

_SYNTHETIC = 0x0008001C  # SyntheticData; by number, as pydicom 3.0 has no keyword for it
_WANTED = {
    "SOPClassUID": 0x00080016,
    "SyntheticData": _SYNTHETIC,
    "Modality": 0x00080060,
    "EstimatedRadiographicMagnificationFactor": 0x00181114,
    "ImagerPixelSpacing": 0x00181164,
    "ViewPosition": 0x00185101,
    "Laterality": 0x00200060,
    "ImageLaterality": 0x00200062,
    "SamplesPerPixel": 0x00280002,
    "PhotometricInterpretation": 0x00280004,
    "PlanarConfiguration": 0x00280006,
    "NumberOfFrames": 0x00280008,
    "Rows": 0x00280010,
    "Columns": 0x00280011,
    "PixelSpacing": 0x00280030,
    "BitsAllocated": 0x00280100,
    "BitsStored": 0x00280101,
    "HighBit": 0x00280102,
    "PixelRepresentation": 0x00280103,
    "WindowCenter": 0x00281050,
    "WindowWidth": 0x00281051,
    "RescaleIntercept": 0x00281052,
    "RescaleSlope": 0x00281053,
    "VOILUTFunction": 0x00281056,
    "ModalityLUTSequence": 0x00283000,
    "VOILUTSequence": 0x00283010,
    "LUTDescriptor": 0x00283002,
    "LUTData": 0x00283006,
    "ViewCodeSequence": 0x00540220,
    "CodeValue": 0x00080100,
    "PresentationLUTShape": 0x20500020,
    "PixelData": 0x7FE00010,
}
# Of the above, what stands inside a sequence, where pydicom parses every element.
_TOP_LEVEL: list[BaseTag | int] = [
    tag for word, tag in _WANTED.items() if word not in ("LUTDescriptor", "LUTData", "CodeValue")
]
_META: list[BaseTag | int] = [0x00020010]  # TransferSyntaxUID
_LAST_ITEM = b"\xfe\xff\xdd\xe0\0\0\0\0"  # ends compressed pixel data, PS3.5 A.4


def looks_like_dicom(data: bytes) -> bool:
    """Whether data begins like a DICOM file, with its preamble (PS3.10, 7.1) or without."""
    if data[128:132] == b"DICM":
        return True
    head = data[:8]
    if len(head) < 8:
        return False
    # Without a preamble the first element is of group 2 or 8, and has a known VR, or (implicit)
    # a length that a first element can have.
    little = head[0:2] in (b"\x02\x00", b"\x08\x00") and head[3] in (0, 1)
    big = head[0:2] in (b"\x00\x02", b"\x00\x08") and head[2] in (0, 1)
    explicit = head[4:6] in (b"UL", b"UI", b"CS", b"SH", b"LO", b"OB", b"DA", b"TM", b"ST")
    short = int.from_bytes(head[4:8], "little") <= min(len(data) - 8, 1024)
    return (little and (explicit or short)) or (big and explicit)


def read_dicom(data: bytes) -> Picture:
    """Read one frame of a CR, DX or secondary capture object.

    Returns a `Picture` with pixels float32 (H, W) in [0, 1] after modality LUT or rescale
    (DICOM PS3.3 C.11.1), VOI LUT or the first usable window (C.11.2), and inversion for
    MONOCHROME1 or PresentationLUTShape INVERSE (C.7.6.3.1.2, C.8.11.3). Raises `RefusedFile`.
    """
    try:
        with quiet():
            found, syntax = _parse(data)
            _check_kind(found)
            layout = _layout(found)
            if syntax not in SYNTAXES:
                raise RefusedFile(kinds.unreadable_syntax(syntax))
            pixel_data = found[_WANTED["PixelData"]]
            values = stored_values(pixel_data.value, syntax, pixel_data.VR, layout)
            pixels = (
                _colour(values, layout) if layout.samples == 3 else _mono(values, layout, found)
            )
            return Picture(
                pixels=pixels,
                view=_view(found),
                laterality=kinds.laterality(
                    _text(found, "ImageLaterality") or _text(found, "Laterality")
                ),
                spacing_mm=_spacing(found),
                synthetic=_text(found, "SyntheticData") == "YES",
            )
    except DICOM_ERRORS:
        raise RefusedFile(CUT_SHORT) from None


def _parse(data: bytes) -> tuple[Dataset, uid.UID]:
    """The wanted elements and the transfer syntax, guessed where the file does not state it."""
    file = io.BytesIO(data)
    file.seek(132 if data[128:132] == b"DICM" else 0)
    # Group 2 is explicit little endian in every file, PS3.10, 7.1; the rest may not be.
    stated = read_dataset(
        file, False, True, stop_when=lambda tag, _vr, _n: tag.group != 2, specific_tags=_META
    )
    syntax = uid.UID(str(stated.get("TransferSyntaxUID") or ""))
    rest = data[file.tell() :]
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        rest = inflate(rest)
    if not syntax:
        syntax = _guess(rest)
    if syntax in SYNTAXES - NATIVE and _LAST_ITEM not in rest:
        raise RefusedFile(CUT_SHORT)
    little = syntax != uid.ExplicitVRBigEndian
    implicit = syntax == uid.ImplicitVRLittleEndian
    found = read_dataset(io.BytesIO(rest), implicit, little, specific_tags=_TOP_LEVEL)
    found.set_original_encoding(implicit, little)
    return found, syntax


def _guess(rest: bytes) -> uid.UID:
    """The native syntax that the first element of a data set speaks."""
    if not (rest[4:6].isalpha() and rest[4:6].isupper()):
        return uid.ImplicitVRLittleEndian
    # Group 8 reads 00 08 in big endian.
    return uid.ExplicitVRBigEndian if rest[:1] == b"\0" else uid.ExplicitVRLittleEndian


def _check_kind(found: Dataset) -> None:
    """Refuse what is no single radiograph, by class, modality, frames and pixel data."""
    trouble = kinds.not_a_film(_text(found, "SOPClassUID"), _text(found, "Modality"))
    if trouble:
        raise RefusedFile(trouble)
    if not found.get(_WANTED["PixelData"]):
        if "Rows" in found and "Columns" in found:
            raise RefusedFile(CUT_SHORT)
        raise RefusedFile("holds no picture: give a DICOM file with pixel data")
    frames = _numbers(found, "NumberOfFrames")
    if frames and frames[0] > 1:
        raise RefusedFile("holds several frames: give each film as its own file")


def _layout(found: Dataset) -> Layout:
    """The layout of the samples, complete and consistent; raises `RefusedFile`."""
    rows, columns = _whole(found, "Rows"), _whole(found, "Columns")
    check_size(rows, columns)
    photometric = _text(found, "PhotometricInterpretation")
    samples = _whole(found, "SamplesPerPixel", 1)
    if kinds.PHOTOMETRICS.get(photometric) != samples:
        raise RefusedFile(kinds.unknown_photometric(photometric))
    allocated = _whole(found, "BitsAllocated")
    stored = _whole(found, "BitsStored", allocated)
    if allocated not in (8, 16) or not 2 <= stored <= allocated:
        raise RefusedFile("does not have 8 to 16 bits a pixel: export the film so")
    return Layout(
        rows=rows,
        columns=columns,
        samples=samples,
        planar=_whole(found, "PlanarConfiguration", 0),
        photometric=photometric,
        allocated=allocated,
        stored=stored,
        high=_whole(found, "HighBit", stored - 1),
        signed=_whole(found, "PixelRepresentation", 0) == 1,
    )


def _colour(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Grey in [0, 1] of RGB values; a colour object has no window, PS3.3 C.11.2."""
    top = float(2**layout.stored - 1)
    grey = grey_of(values, top)
    if is_blank(grey):
        return np.zeros(grey.shape, np.float32)
    return to_unit(grey, 0.0, top, deep=layout.stored > 8)


def _mono(stored: np.ndarray, layout: Layout, found: Dataset) -> np.ndarray:
    """Greys in [0, 1], air dark, of stored values (H, W)."""
    if is_blank(stored):
        return np.zeros(stored.shape, np.float32)
    bits = layout.stored
    bottom = float(-(2 ** (bits - 1)) if layout.signed else 0)
    values, ends = stored.astype(np.float32), np.array([bottom, bottom + 2**bits - 1])
    modality = _lut(found, "ModalityLUTSequence")
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
    # MONOCHROME1 and INVERSE state the same inversion (PS3.3 C.8.11.3 demands them together):
    # it is done once, whether one of them says so or both do.
    if layout.photometric == "MONOCHROME1" or _text(found, "PresentationLUTShape") == "INVERSE":
        unit = 1.0 - unit
    return unit


def _windowed(values: np.ndarray, found: Dataset) -> np.ndarray | None:
    """Values in [0, 1] by VOI LUT or window, or None where neither leaves anything to see."""
    lut = _lut(found, "VOILUTSequence")
    if lut:
        unit = np.minimum(lut.apply(values) / np.float32(lut.top()), np.float32(1.0))
        if not is_blank(unit):
            return unit
    function = _text(found, "VOILUTFunction") or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        return None
    centers, widths = _numbers(found, "WindowCenter"), _numbers(found, "WindowWidth")
    for center, width in zip(centers, widths, strict=False):
        window = Window(center, width, function)
        if window.usable():
            # A window beside all values, say one meant for other units, is no window.
            unit = window.apply(values)
            return None if is_blank(unit) else unit
    return None


def _rescale(found: Dataset) -> tuple[float, float]:
    """Slope and intercept; (1, 0) where they are absent or would leave nothing."""
    slope = (*_numbers(found, "RescaleSlope"), 1.0)[0]
    intercept = (*_numbers(found, "RescaleIntercept"), 0.0)[0]
    usable = 1e-12 < abs(slope) < 1e12 and abs(intercept) < 1e12
    return (slope, intercept) if usable else (1.0, 0.0)


def _lut(found: Dataset, word: str) -> Lut | None:
    """The first table of a LUT sequence, or None where there is no whole one."""
    items = _value(found, word)
    if not items:
        return None
    descriptor, data = _numbers(items[0], "LUTDescriptor"), _value(items[0], "LUTData")
    if len(descriptor) != 3 or not data:
        return None
    # 0 stands for 65536; a signed descriptor shows large counts as negative.
    entries, bits = int(descriptor[0]) & 0xFFFF or 65536, int(descriptor[2])
    if isinstance(data, bytes):
        order = "<" if found.original_encoding[1] else ">"
        table = np.frombuffer(data, np.uint8 if len(data) < 2 * entries else f"{order}u2")
    else:
        table = np.atleast_1d(np.asarray(data, dtype=np.int64) & 0xFFFF)
    if not 8 <= bits <= 16 or len(table) < entries:
        return None
    return Lut(descriptor[1], table[:entries], bits)


def _view(found: Dataset) -> str | None:
    """The view position, else what the view code says, from a closed set of terms."""
    view = kinds.view(_text(found, "ViewPosition"))
    codes = _value(found, "ViewCodeSequence")
    return view or (kinds.view_of_code(_text(codes[0], "CodeValue")) if codes else None)


def _spacing(found: Dataset) -> tuple[float, float] | None:
    """Millimetres a pixel in the patient, (row, column), PS3.3 10.7.1.3 and C.8.11.7."""
    if "PixelSpacing" in found:
        spacing, factor = _numbers(found, "PixelSpacing"), 1.0
    else:  # on the detector: larger than in the patient by the magnification
        spacing = _numbers(found, "ImagerPixelSpacing")
        factor = (*_numbers(found, "EstimatedRadiographicMagnificationFactor"), 1.0)[0]
    if len(spacing) != 2 or not all(math.isfinite(v) and v > 0 for v in (*spacing, factor)):
        return None
    return spacing[0] / factor, spacing[1] / factor


def _value(found: Dataset, word: str) -> Any:
    """The value of an element, or None where it is absent or cannot be converted."""
    try:
        element = found.get(_WANTED[word])
        return None if element is None else element.value
    except DICOM_ERRORS:  # values are converted when asked for
        return None


def _text(found: Dataset, word: str) -> str:
    """A value as a short upper-case string; empty where there is none."""
    value = _value(found, word)
    if isinstance(value, bytes):  # an element that pydicom has no VR for, in implicit VR
        value = value.decode("ascii", "replace")
    return str(value if value is not None else "").strip(" \0").upper()[:64]


def _numbers(found: Dataset, word: str) -> tuple[float, ...]:
    """The values of a numeric element; empty where one of them is no number."""
    value = _value(found, word)
    if value is None or value == "":
        return ()
    several = value if isinstance(value, MutableSequence) else [value]
    try:
        return tuple(float(v) for v in several)
    except (TypeError, ValueError, OverflowError):
        return ()


def _whole(found: Dataset, word: str, default: int | None = None) -> int:
    """A whole number; `default` stands for an absent one, a missing default refuses it."""
    numbers = _numbers(found, word)
    if len(numbers) == 1 and math.isfinite(numbers[0]):
        return int(numbers[0])
    if default is None:
        raise RefusedFile("lacks what is needed to lay out its pixels: export it again")
    return default
