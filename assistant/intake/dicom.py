"""Reads DICOM films: which objects are films, and how their data set is laid out.

The data set lives and dies within `read_dicom`. This module knows no codestream (`decode` does)
and no greys (`presentation` does).
"""

from __future__ import annotations

import io

from pydicom import Dataset, uid
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from assistant.intake import kinds
from assistant.intake.acquisition import patient_spacing, view_of
from assistant.intake.decode import (
    CUT_SHORT,
    DICOM_ERRORS,
    NATIVE,
    SYNTAXES,
    Layout,
    inflate,
    stored_values,
)
from assistant.intake.elements import TOP_LEVEL, WANTED, numbers_of, text_of, value_of, whole_of
from assistant.intake.limits import Picture, RefusedFile, check_size
from assistant.intake.notes import BURNED_IN, RECOGNIZABLE, UNREAD_LUT
from assistant.intake.presentation import colour_of, lut_at, mono_of, padding_of
from assistant.intake.study_marks import day_of, digest_of

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
        found, syntax = _parse(data)
        _check_kind(found)
        layout = _layout(found)
        if syntax not in SYNTAXES:
            raise RefusedFile(kinds.unreadable_syntax(syntax))
        pixel_data = found[WANTED["PixelData"]]
        notes = _notes(found)
        values = stored_values(pixel_data.value, syntax, pixel_data.VR, layout)
        if layout.samples == 3:
            pixels = colour_of(values, layout)
        else:
            padding = padding_of(values, pixel_data.value, syntax, layout, found)
            pixels = mono_of(values, padding, layout, found)
        return Picture(
            pixels=pixels,
            view=_view(found),
            laterality=kinds.laterality(
                text_of(found, "ImageLaterality") or text_of(found, "Laterality")
            ),
            spacing_mm=_spacing(found),
            synthetic=text_of(found, "SyntheticData") == "YES",
            notes=notes,
            study=digest_of(text_of(found, "StudyInstanceUID")),
            day=day_of(text_of(found, "StudyDate")),
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
    found = read_dataset(io.BytesIO(rest), implicit, little, specific_tags=TOP_LEVEL)
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
    trouble = kinds.not_a_film(text_of(found, "SOPClassUID"), text_of(found, "Modality"))
    if trouble:
        raise RefusedFile(trouble)
    if not found.get(WANTED["PixelData"]):
        if "Rows" in found and "Columns" in found:
            raise RefusedFile(CUT_SHORT)
        raise RefusedFile("holds no picture: give a DICOM file with pixel data")
    frames = numbers_of(found, "NumberOfFrames")
    if frames and frames[0] > 1:
        raise RefusedFile("holds several frames: give each film as its own file")


def _layout(found: Dataset) -> Layout:
    """The layout of the samples, complete and consistent; raises `RefusedFile`."""
    rows, columns = whole_of(found, "Rows"), whole_of(found, "Columns")
    check_size(rows, columns)
    photometric = text_of(found, "PhotometricInterpretation")
    samples = whole_of(found, "SamplesPerPixel", 1)
    if kinds.PHOTOMETRICS.get(photometric) != samples:
        raise RefusedFile(kinds.unknown_photometric(photometric))
    allocated = whole_of(found, "BitsAllocated")
    stored = whole_of(found, "BitsStored", allocated)
    if allocated not in (8, 16) or not 2 <= stored <= allocated:
        raise RefusedFile("does not have 8 to 16 bits a pixel: export the film so")
    return Layout(
        rows=rows,
        columns=columns,
        samples=samples,
        planar=whole_of(found, "PlanarConfiguration", 0),
        photometric=photometric,
        allocated=allocated,
        stored=stored,
        high=whole_of(found, "HighBit", stored - 1),
        signed=whole_of(found, "PixelRepresentation", 0) == 1,
    )


def _notes(found: Dataset) -> tuple[str, ...]:
    """What a reader of the film should know, as flags; RefusedFile for unreadable stored values."""
    unread = [
        word
        for word in ("ModalityLUTSequence", "VOILUTSequence", "PresentationLUTSequence")
        if value_of(found, word) and not lut_at(found, word, None)
    ]
    if "ModalityLUTSequence" in unread:  # without it the values mean nothing
        raise RefusedFile("has a modality look-up table that contradicts itself: export it again")
    notes = [UNREAD_LUT] if unread else []
    if text_of(found, "BurnedInAnnotation") == "YES":
        notes.append(BURNED_IN)
    if text_of(found, "RecognizableVisualFeatures") == "YES":
        notes.append(RECOGNIZABLE)
    return tuple(notes)


def _view(found: Dataset) -> str | None:
    """The view by position and code, else by what the series and the protocol are called."""
    codes = value_of(found, "ViewCodeSequence")
    code = text_of(codes[0], "CodeValue") if codes else ""
    descriptions = (text_of(found, "SeriesDescription"), text_of(found, "ProtocolName"))
    return view_of(text_of(found, "ViewPosition"), code, descriptions)


def _spacing(found: Dataset) -> tuple[float, float] | None:
    """Millimetres a pixel in the patient, (row, column)."""
    return patient_spacing(
        numbers_of(found, "PixelSpacing"),
        numbers_of(found, "ImagerPixelSpacing"),
        numbers_of(found, "EstimatedRadiographicMagnificationFactor"),
        numbers_of(found, "NominalScannedPixelSpacing"),
    )
