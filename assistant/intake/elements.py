"""The attributes of a DICOM file that are read, and their values where they hold.

All others, names and numbers of people among them, are skipped unread.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence
from typing import Any

from pydicom import Dataset
from pydicom.tag import BaseTag

from assistant.intake.decode import DICOM_ERRORS
from assistant.intake.limits import RefusedFile

_SYNTHETIC = 0x0008001C  # SyntheticData; by number, as pydicom 3.0 has no keyword for it
WANTED = {
    "SOPClassUID": 0x00080016,
    "SyntheticData": _SYNTHETIC,
    "StudyDate": 0x00080020,
    "Modality": 0x00080060,
    "SeriesDescription": 0x0008103E,
    "ProtocolName": 0x00181030,
    "EstimatedRadiographicMagnificationFactor": 0x00181114,
    "ImagerPixelSpacing": 0x00181164,
    "NominalScannedPixelSpacing": 0x00182010,
    "ViewPosition": 0x00185101,
    "StudyInstanceUID": 0x0020000D,
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
    "PixelPaddingValue": 0x00280120,
    "PixelPaddingRangeLimit": 0x00280121,
    "BurnedInAnnotation": 0x00280301,
    "RecognizableVisualFeatures": 0x00280302,
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
    "PresentationLUTSequence": 0x20500010,
    "PresentationLUTShape": 0x20500020,
    "PixelData": 0x7FE00010,
}
# Without what stands inside a sequence, where pydicom parses every element.
TOP_LEVEL: list[BaseTag | int] = [
    tag for word, tag in WANTED.items() if word not in ("LUTDescriptor", "LUTData", "CodeValue")
]


def value_of(found: Dataset, word: str) -> Any:
    """The value of an element, or None where it is absent or cannot be converted."""
    try:
        element = found.get(WANTED[word])
        return None if element is None else element.value
    except DICOM_ERRORS:  # values are converted when asked for
        return None


def text_of(found: Dataset, word: str) -> str:
    """A value as a short upper-case string; empty where there is none."""
    value = value_of(found, word)
    if isinstance(value, bytes):  # an element that pydicom has no VR for, in implicit VR
        value = value.decode("ascii", "replace")
    return str(value if value is not None else "").strip(" \0").upper()[:64]


def numbers_of(found: Dataset, word: str) -> tuple[float, ...]:
    """The values of a numeric element; empty where one of them is no number."""
    value = value_of(found, word)
    if value is None or value == "":
        return ()
    several = value if isinstance(value, MutableSequence) else [value]
    try:
        return tuple(float(v) for v in several)
    except (TypeError, ValueError, OverflowError):
        return ()


def whole_of(found: Dataset, word: str, default: int | None = None) -> int:
    """A whole number; `default` stands for an absent one, a missing default refuses it."""
    numbers = numbers_of(found, word)
    if len(numbers) == 1 and math.isfinite(numbers[0]):
        return int(numbers[0])
    if default is None:
        raise RefusedFile("lacks what is needed to lay out its pixels: export it again")
    return default
