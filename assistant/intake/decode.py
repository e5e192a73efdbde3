"""Turns the pixel data of a DICOM file into an array of stored values.

Every size is checked against the header before a decoder runs: a codestream, a deflated data
set and a run-length code can each claim or unfold to far more than the header says. This module
knows transfer syntaxes and codestreams (DICOM PS3.5 sections 8 and 10, annexes A and G).
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydicom import encaps, uid
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import data_element_generator
from pydicom.pixels.decoders.base import get_decoder

from assistant.intake import codecs
from assistant.intake.jpeg import check_codestream, parse_codestream
from assistant.intake.limits import CUT_SHORT, MAX_BYTES, MAX_PARTS, RefusedFile, check_size

# What pydicom 3 and its plugins raise on damaged or contradictory files: pydicom's
# own two; ValueError (which includes UnicodeDecodeError) for lengths and values out of range;
# AttributeError, KeyError, TypeError, IndexError for absent or mistyped elements; RuntimeError
# (which includes NotImplementedError and RecursionError) for what a codec cannot decode.
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
    EOFError,
    OSError,
    struct.error,
    zlib.error,
)
NATIVE = frozenset(
    (
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    )
)
_JPEG = frozenset(codecs.DECODER_DEPENDENCIES)
_JPEG_LS = frozenset((uid.JPEGLSLossless, uid.JPEGLSNearLossless))
_JPEG2000 = frozenset(
    (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2K, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL)
)
SYNTAXES = NATIVE | _JPEG | _JPEG_LS | _JPEG2000 | {uid.RLELossless}
# Who decodes what, in pydicom's names: GDCM, CharLS and OpenJPEG.
PLUGINS = {
    **dict.fromkeys(_JPEG, codecs.NAME),
    **dict.fromkeys(_JPEG_LS, "pyjpegls"),
    **dict.fromkeys(_JPEG2000, "pylibjpeg"),
}
_MOST_LAYERS = 100  # of quality; encoders write up to 20
_UNDEFINED = 0xFFFFFFFF  # a length
_PRECINCTS, _BYPASS, _HIGH_THROUGHPUT = 0x01, 0x01, 0x40  # bits of COD's styles
_ZEROS = 16  # bytes of 0 that arithmetic code never has in a row


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
    # What follows is a zero that makes the length even (A.5), or a checksum as gzip ends with.
    rest, checksum = engine.unused_data, struct.pack("<II", zlib.crc32(data), len(data))
    if not engine.eof or rest.removeprefix(checksum).strip(b"\0") or not _is_chain(data):
        raise RefusedFile(CUT_SHORT)
    return data


def _is_chain(data: bytes) -> bool:
    """Whether a data set, explicit little endian, is elements in order to its very end.

    Deflated data have no checksum, but what is damaged in them unpacks to another length.
    """
    file, last = io.BytesIO(data), -1
    for element in data_element_generator(file, False, True):
        stated = getattr(element, "length", _UNDEFINED)
        if element.tag <= last or stated not in (_UNDEFINED, len(element.value or b"")):
            return False
        last = element.tag
    return file.tell() == len(data)


def stored_values(data: bytes, syntax: uid.UID, vr: str, layout: Layout) -> np.ndarray:
    """Decode one frame of pixel data.

    Returns (H, W), or (H, W, 3) in RGB for colour; integers, sign-extended from the stored bits
    and with the unused bits cleared. Raises `RefusedFile`, or one of `DICOM_ERRORS`.
    """
    check_size(layout.rows, layout.columns, layout.samples)
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
    decoder, plugin = get_decoder(syntax), PLUGINS.get(syntax, "")
    if plugin == codecs.NAME:
        codecs.register()
    values, _ = decoder.as_array(data, index=0, decoding_plugin=plugin, **options)
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
    # Zeros may fill up a segment or the frame, PS3.5 G.3.2.
    if len(out) != length or segment[at:].strip(b"\0\x80"):
        raise RefusedFile(CUT_SHORT)
    return bytes(out)


def _check_frame(frame: bytes, syntax: uid.UID, layout: Layout) -> None:
    """Refuse a compressed frame that is damaged or does not have the size of its header."""
    stream = None if syntax in _JPEG2000 else parse_codestream(frame)
    size = (stream.rows, stream.columns, stream.components) if stream else _jpeg2000_size(frame)
    if size != (layout.rows, layout.columns, layout.samples):
        raise RefusedFile(
            "states one size in its header and another in its compressed picture: export it again"
        )
    if stream is None:
        _check_jpeg2000(frame)
    elif syntax in _JPEG and stream.bits == 8 and stream.is_lossy():
        check_codestream(frame)


def _jpeg2000_size(frame: bytes) -> tuple[int, int, int]:
    """(rows, columns, components) of a JPEG 2000 codestream, ISO 15444-1 A.5.1."""
    x1, y1, x0, y0 = struct.unpack_from(">IIII", frame, _jpeg2000_start(frame) + 8)
    (components,) = struct.unpack_from(">H", frame, _jpeg2000_start(frame) + 40)
    return y1 - y0, x1 - x0, components


def _jpeg2000_start(frame: bytes) -> int:
    """Where the codestream starts, with the segment SIZ; a JP2 box may precede."""
    at = frame.find(b"\xff\x4f\xff\x51")
    if at < 0:
        raise RefusedFile(CUT_SHORT)
    return at


def _check_jpeg2000(frame: bytes) -> None:
    """Refuse a JPEG 2000 codestream without its end, with zeros in it, or laid out to cost time.

    OpenJPEG refuses code that is too short. Code has no checksum, and what is overwritten in it
    decodes to something; but arithmetic code looks random, and a row of zeros is none of it.
    """
    start = _jpeg2000_start(frame)
    x1, y1, _, _, width, height, left, top = struct.unpack_from(">8I", frame, start + 8)
    tiles = -(-(x1 - left) // width) * -(-(y1 - top) // height)
    # COD, A.6.1: style, progression, layers, transform of components, levels of wavelets, width,
    # height and style of code blocks.
    at = frame.find(b"\xff\x52", start)
    style, _, layers, _, levels, _, _, blocks = struct.unpack_from(">BBHBBBBB", frame, at + 4)
    if at < 0 or b"\xff\xd9" not in frame[-16:]:
        raise RefusedFile(CUT_SHORT)
    if tiles > MAX_PARTS or layers > _MOST_LAYERS:
        raise RefusedFile("is JPEG 2000 of too many tiles or layers: export it again")
    # A packet without code, B.10.3, is a byte of 0, and a tile has one for each of these.
    packets = layers * (levels + 1) * 3
    end = frame.rfind(b"\xff\xd9")
    plain = not style & _PRECINCTS and not blocks & (_BYPASS | _HIGH_THROUGHPUT)
    if plain and bytes(packets + _ZEROS) in frame[at:end]:
        raise RefusedFile(CUT_SHORT)
