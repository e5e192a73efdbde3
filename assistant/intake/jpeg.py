"""Tells whether a JPEG or JPEG-LS codestream is whole: its segments, and every coded sample.

JPEG has no checksum. What tells damage is the Huffman code: samples that are missing or left
over, and codes that do not exist. libjpeg warns of them and fills up with grey, and most
libraries that use it keep the warning to themselves; simplejpeg passes it on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import simplejpeg

from assistant.intake.limits import CUT_SHORT, MAX_PARTS, MAX_SAMPLES, MAX_SCANS, RefusedFile

_END, _SCAN = 0xD9, 0xDA
_HUFFMAN, _TABLES_LS, _ARITHMETIC, _LS = 0xC4, 0xC8, 0xCC, 0xF7
# ISO 10918-1 B.1.1.3: start of frame, of each process; ISO 14495-1 C.1.1 for JPEG-LS.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_HUFFMAN, _TABLES_LS, _ARITHMETIC} | {_LS}
_DCT = frozenset((0xC0, 0xC1, 0xC2, 0xC9, 0xCA))  # the others are without loss
_BASELINE = frozenset((0xC0, 0xC1))
_LUMINANCE = 0x10  # class and number of the table of codes for a grey block, B.2.4.2
_END_OF_BLOCK = 0x00  # F.1.2.2.1
_ZEROS = 32  # bytes, of code; 24 are a block of 63 coefficients of -1
_MOST_WORK = 500_000_000  # visits of pixels, half a nanosecond each, to look at every scan's end
_ALONE = frozenset((0x01, *range(0xD0, 0xD8), _END))  # markers without a segment
_WORDS = frozenset((0xFE, *range(0xE0, 0xF0)))  # comments and applications' own segments


@dataclass(frozen=True, slots=True)
class Codestream:
    """What the segments of a whole codestream say."""

    rows: int
    columns: int
    components: int
    bits: int  # of a sample
    process: int  # the marker of the start of the frame, without its FF
    plain: bytes  # the codestream without comments and applications' segments
    scans: tuple[int, ...]  # where in `plain` the coded data of each ends
    ends_block: bool  # whether the code that is all zeros may end a block

    def is_lossy(self) -> bool:
        """Whether the samples are coded by their cosine transform."""
        return self.process in _DCT


def parse_codestream(data: bytes) -> Codestream:
    """Walk the segments of a JPEG or JPEG-LS codestream from its start to its end marker.

    What follows the end is no part of it. Raises `RefusedFile` if a segment or the end is
    missing, if something lies between segments, and for more scans or samples than a film has.
    """
    if data[:2] != b"\xff\xd8":
        raise RefusedFile(CUT_SHORT)
    frames: list[tuple[int, int, int, int, int]] = []
    plain, scans, first = bytearray(data[:2]), [], {}
    for marker, begin, inside, end in _segments(data):
        if marker in _FRAMES:
            bits, rows, columns, components = struct.unpack_from(">BHHB", data, inside)
            frames.append((marker, bits, rows, columns, components))
        if marker == _HUFFMAN:
            first |= _first_symbols(data[inside:end])
        if marker not in _WORDS:
            plain += data[begin:end]
        if marker == _SCAN:
            scans.append(len(plain))
        if len(scans) > MAX_SCANS:
            raise RefusedFile(f"has over {MAX_SCANS} scans: export it again as a plain JPEG")
    if len(frames) != 1 or not scans:
        raise RefusedFile(CUT_SHORT)
    process, bits, rows, columns, components = frames[0]
    if rows * columns * components > MAX_SAMPLES:
        raise RefusedFile("claims a larger picture than is decoded: give a smaller copy")
    if process in _DCT and bits not in (8, 12):
        raise RefusedFile(CUT_SHORT)
    baseline = process in _BASELINE and len(scans) == 1
    return Codestream(
        rows=rows,
        columns=columns,
        components=components,
        bits=bits,
        process=process,
        plain=bytes(plain),
        scans=tuple(scans),
        ends_block=not baseline or first.get(_LUMINANCE, _END_OF_BLOCK) == _END_OF_BLOCK,
    )


def check_codestream(data: bytes) -> Codestream:
    """Refuse an 8-bit JPEG whose coded samples are not exactly those that its frame claims.

    All of the code is read, and of each block of 8 by 8 samples the mean is computed, which takes
    a fifth of the time of decoding. Raises `RefusedFile`.
    """
    stream = parse_codestream(data)
    if stream.bits != 8:
        raise RefusedFile("is a JPEG of other than 8 bits a pixel: export it as DICOM or PNG")
    # Where zeros stand for no end of a block, this many of them are blocks of a single value.
    if not stream.ends_block and bytes(_ZEROS) in stream.plain:
        raise RefusedFile(CUT_SHORT)
    if not _is_enough(stream, stream.plain):
        raise RefusedFile(CUT_SHORT)
    # Without its last byte a whole code is too short. The decoder says nothing of a few bytes
    # too many, which is what a small piece cut out or overwritten leaves.
    work = len(stream.scans) ** 2 * stream.rows * stream.columns
    for end in stream.scans if work < _MOST_WORK else stream.scans[-1:]:
        less = _without_last_byte(stream.plain[:end])
        if less and _is_enough(stream, less):
            raise RefusedFile(CUT_SHORT)
    return stream


def _without_last_byte(code: bytes) -> bytes:
    """A codestream that ends with coded data, without its last byte and with an end marker.

    Empty where the last byte is not plain to see, as after a restart marker.
    """
    if code.endswith(b"\xff\x00"):
        code = code[:-2]
    elif code[-2:-1] != b"\xff":
        code = code[:-1]
    else:
        return b""
    # An FF alone would begin a marker.
    return b"" if code.endswith(b"\xff") else code + b"\xff\xd9"


def _is_enough(stream: Codestream, code: bytes) -> bool:
    """Whether libjpeg finds every coded sample in `code`, and no code that does not exist."""
    # The least picture that it makes of them: what is coded without loss cannot be shrunk.
    edge = int(stream.is_lossy())
    colours = "GRAY" if stream.is_lossy() or stream.components == 1 else "RGB"
    try:
        simplejpeg.decode_jpeg(code, colours, min_height=edge, min_width=edge, strict=True)
    except ValueError:
        return False
    return True


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """The segments up to the end marker: (marker, begin, begin of its parameters, end).

    A scan's segment ends where its coded data does.
    """
    at, stuffed = 2, 0x01
    for _ in range(MAX_PARTS):
        begin = at
        while data[at : at + 1] == b"\xff":  # any number of them, ISO 10918-1 B.1.1.2
            at += 1
        if at == begin or at >= len(data) or not data[at]:
            raise RefusedFile(CUT_SHORT)
        marker, at = data[at], at + 1
        inside = at + 2
        if marker not in _ALONE:
            length = int.from_bytes(data[at:inside], "big")
            at += length
            if length < 2 or at > len(data):
                raise RefusedFile(CUT_SHORT)
        if marker == _LS:
            stuffed = 0x80
        if marker == _SCAN:
            at = _end_of_code(data, at, stuffed)
        yield marker, begin, inside, at
        if marker == _END:
            return
    raise RefusedFile(f"has over {MAX_PARTS} segments: export it again as a plain JPEG")


def _first_symbols(segment: bytes) -> dict[int, int]:
    """Of each table of Huffman codes, by class and number, what the code of zeros stands for."""
    found, at = {}, 0
    while at + 17 < len(segment):
        found[segment[at]] = segment[at + 17]
        at += 17 + sum(segment[at + 1 : at + 17])
    return found


def _end_of_code(data: bytes, at: int, stuffed: int) -> int:
    """Where coded data from `at` on ends: at the first marker in it but a restart.

    A byte under `stuffed` after one of FF is none: Huffman and arithmetic codes put 00 there
    (ISO 10918-1 B.1.1.5), JPEG-LS a bit of 0 (ISO 14495-1 A.1).
    """
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        after = data[at + 1]
        if after >= stuffed and not 0xD0 <= after <= 0xD7 and after != 0xFF:
            return at
        at += 1
    raise RefusedFile(CUT_SHORT)
