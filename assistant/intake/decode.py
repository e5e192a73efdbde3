"""Turns the pixel data of a DICOM file into an array of stored values.

Every size is checked against the header before a decoder runs: a codestream, a deflated data
set and a run-length code can each claim or unfold to far more than the header says. This module
knows transfer syntaxes and codestreams (DICOM PS3.5 sections 8 and 10, annexes A and G).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydicom import encaps, uid
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder

from assistant.intake.limits import MAX_BYTES, RefusedFile

# What pydicom 3 and the pylibjpeg plugins raise on damaged or contradictory files: pydicom's
# own two; ValueError (which includes UnicodeDecodeError) for lengths and values out of range;
# AttributeError, KeyError, TypeError, IndexError for absent or mistyped elements; RuntimeError
# (which includes NotImplementedError and RecursionError) for what a codec cannot decode;
# MemoryError from openjpeg for a codestream it cannot lay out.
DICOM_ERRORS = (
    InvalidDicomError,
    BytesLengthException,
    ValueError,
    AttributeError,
    KeyError,
    TypeError,
    IndexError,
    RuntimeError,
    OverflowError,
    ArithmeticError,
    MemoryError,
    EOFError,
    OSError,
    struct.error,
    zlib.error,
)
CUT_SHORT = "is cut short or damaged: fetch or export it again"

NATIVE = frozenset(
    (
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    )
)
_JPEG = frozenset(
    (
        uid.JPEGBaseline8Bit,
        uid.JPEGExtended12Bit,
        uid.JPEGLossless,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEGLSNearLossless,
    )
)
_JPEG2000 = frozenset(
    (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2K, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL)
)
SYNTAXES = NATIVE | _JPEG | _JPEG2000 | {uid.RLELossless}


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples lie, DICOM PS3.3 C.7.6.3: checked by whoever makes one."""

    rows: int
    columns: int
    samples: int  # 1, or 3 for colour
    planar: int  # 0: colour by pixel, 1: by plane
    photometric: str
    allocated: int  # bits: 8 or 16
    stored: int  # bits, 2 to `allocated`
    high: int  # the most significant stored bit
    signed: bool

    def nbytes(self) -> int:
        """Bytes of one frame, unpacked."""
        whole = self.rows * self.columns * self.samples * self.allocated // 8
        # Two pixels share their chroma samples, DICOM PS3.3 C.7.6.3.1.2.
        return whole * 2 // 3 if self.photometric == "YBR_FULL_422" else whole


def inflate(deflated: bytes) -> bytes:
    """Unpack a deflated data set (DICOM PS3.5 A.5), or refuse one that unfolds too far."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    data = engine.decompress(deflated, MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RefusedFile(f"unpacks to over {MAX_BYTES // 1_000_000} MB: give a smaller copy")
    if not engine.eof:
        raise RefusedFile(CUT_SHORT)
    return data


def stored_values(data: bytes, syntax: uid.UID, vr: str, layout: Layout) -> np.ndarray:
    """Decode one frame of pixel data.

    Returns (H, W), or (H, W, 3) in RGB for colour; integers, sign-extended from the stored bits
    and with the unused bits cleared. Raises `RefusedFile`, or one of `DICOM_ERRORS`.
    """
    stored, shift = layout.stored, 0
    if syntax == uid.RLELossless:
        frame = encaps.get_frame(data, 0, number_of_frames=1)
        data, vr = unpack_rle(frame, layout), "OB"
        syntax, layout = uid.ExplicitVRLittleEndian, replace(layout, planar=1)
    if syntax in NATIVE:
        if len(data) < layout.nbytes():
            raise RefusedFile(CUT_SHORT)
    else:
        _check_frame(encaps.get_frame(data, 0, number_of_frames=1), syntax, layout)
    if syntax in NATIVE and stored <= layout.high < layout.allocated:
        # Values that do not end at bit 0 (before 2006 the standard allowed it): read the bits
        # below as well, and shift them out.
        shift = layout.high + 1 - stored
    options: dict[str, Any] = {
        "transfer_syntax_uid": syntax,
        "pixel_keyword": "PixelData",
        "pixel_vr": vr,
        "number_of_frames": 1,
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "planar_configuration": layout.planar,
        "photometric_interpretation": layout.photometric,
        "bits_allocated": layout.allocated,
        "bits_stored": stored + shift,
        "pixel_representation": int(layout.signed),
    }
    plugin = "" if syntax in NATIVE else "pylibjpeg"
    values, _ = get_decoder(syntax).as_array(data, index=0, decoding_plugin=plugin, **options)
    return values >> shift if shift else values


def unpack_rle(frame: bytes, layout: Layout) -> bytes:
    """Unpack a run-length coded frame, DICOM PS3.5 annex G, to little endian colour planes.

    The work is done here because pylibjpeg-rle ends damaged frames in a Rust panic, which no
    `except Exception` stops, and pydicom's decoder unfolds a segment however long it gets.
    """
    pixels, width = layout.rows * layout.columns, layout.allocated // 8
    count, *offsets = struct.unpack_from("<16L", frame)
    if count != layout.samples * width:
        raise RefusedFile(CUT_SHORT)
    ends = [*offsets[1:count], len(frame)]
    planes = np.empty((layout.samples, pixels, width), np.uint8)
    for number, (start, end) in enumerate(zip(offsets[:count], ends, strict=True)):
        # A sample's most significant byte comes first.
        sample, byte = divmod(number, width)
        plane = _unpack_bits(frame[start:end], pixels)
        planes[sample, :, width - 1 - byte] = np.frombuffer(plane, np.uint8)
    return planes.tobytes()


def _unpack_bits(segment: bytes, length: int) -> bytes:
    """The first `length` bytes that a PackBits segment unfolds to, and no more."""
    out, at = bytearray(), 0
    while len(out) < length and at < len(segment):
        head = segment[at]
        if head < 128:
            out += segment[at + 1 : at + 2 + head]
            at += 2 + head
        elif head > 128:
            out += segment[at + 1 : at + 2] * (257 - head)
            at += 2
        else:
            at += 1
    if len(out) < length:
        raise RefusedFile(CUT_SHORT)
    return bytes(out[:length])


def _check_frame(frame: bytes, syntax: uid.UID, layout: Layout) -> None:
    """Refuse a compressed frame that is cut short or does not have the size of its header."""
    size = _jpeg2000_size(frame) if syntax in _JPEG2000 else _jpeg_size(frame)
    if size != (layout.rows, layout.columns, layout.samples):
        raise RefusedFile(
            "states one size in its header and another in its compressed picture: export it again"
        )
    # Both families end with FF D9; a padding of zeros may follow. The decoders would fill up
    # what is missing with grey.
    if b"\xff\xd9" not in frame[-16:]:
        raise RefusedFile(CUT_SHORT)


def _jpeg_size(frame: bytes) -> tuple[int, int, int]:
    """(rows, columns, components) of a JPEG or JPEG-LS codestream, ISO 10918-1 B.2.2."""
    at = 2
    while True:
        marker, length = struct.unpack_from(">HH", frame, at)
        if marker == 0xFFFF:  # fill byte
            at += 1
            continue
        # SOF0 to SOF15 without DHT, JPG and DAC, which share the range; SOF55 is JPEG-LS.
        if marker == 0xFFF7 or (0xFFC0 <= marker <= 0xFFCF and marker not in _NOT_FRAMES):
            _, rows, columns, components = struct.unpack_from(">BHHB", frame, at + 4)
            return rows, columns, components
        if marker < 0xFF00 or length < 2:
            raise RefusedFile(CUT_SHORT)
        at += 2 + length


_NOT_FRAMES = (0xFFC4, 0xFFC8, 0xFFCC)


def _jpeg2000_size(frame: bytes) -> tuple[int, int, int]:
    """(rows, columns, components) of a JPEG 2000 codestream, ISO 15444-1 A.5.1."""
    at = frame.find(b"\xff\x4f\xff\x51")  # start of codestream, then SIZ; a JP2 box may precede
    if at < 0:
        raise RefusedFile(CUT_SHORT)
    x1, y1, x0, y0 = struct.unpack_from(">IIII", frame, at + 8)
    (components,) = struct.unpack_from(">H", frame, at + 40)
    return y1 - y0, x1 - x0, components
