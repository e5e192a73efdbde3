"""Tells whether a PNG, JPEG or TIFF file is whole, before Pillow decodes it.

Pillow heeds neither the checksums of a PNG's picture, nor what libjpeg and libtiff warn of, nor
the checksum that ends deflated data. This module knows the containers; the codes of JPEG are
`jpeg`'s.
"""

from __future__ import annotations

import struct
import zlib

from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, TiffTags

from assistant.intake.jpeg import check_codestream
from assistant.intake.limits import CUT_SHORT, RefusedFile, check_size

_FIRST_CHUNK = 8  # bytes of a PNG's signature
_MOST_CHUNKS = 1 << 16  # encoders write 8 KB into each
_TAGS = {tag.name: number for number, tag in TiffTags.TAGS_V2.items()}
_RAW, _JPEG, _DEFLATE, _PACKBITS = 1, 7, (8, 32946), 32773
_SEPARATE = 2  # PlanarConfiguration
_YCBCR = 6  # PhotometricInterpretation
_SPARE = 10_000_000  # pixels that tiles may reach over the edges in all


def check_whole(data: bytes, opened: Image.Image) -> None:
    """Refuse a picture that is damaged or claims more than can be decoded.

    `opened` is the file as Pillow has opened it, nothing decoded yet. Raises `RefusedFile`, or
    what Pillow raises on tags that it cannot read.
    """
    samples = len(opened.getbands())
    if opened.mode == "P":
        samples = 3  # Pillow makes colours of it
    check_size(opened.height, opened.width, samples + ("transparency" in opened.info))
    if isinstance(opened, JpegImagePlugin.JpegImageFile):
        check_codestream(data)
    elif isinstance(opened, PngImagePlugin.PngImageFile):
        _check_png(data)
    elif isinstance(opened, TiffImagePlugin.TiffImageFile):
        check_tiff(data, opened)


def _check_png(data: bytes) -> None:
    """Refuse a PNG without its end, or with a chunk whose checksum (W3C PNG, 5.3) is another."""
    at, view = _FIRST_CHUNK, memoryview(data)
    for _ in range(_MOST_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(view[at + 4 : end]) != checksum:
            raise RefusedFile(CUT_SHORT)
        if kind == b"IEND":
            return
        at = end + 4
    raise RefusedFile("has too many chunks: export it again")


def check_tiff(data: bytes, opened: TiffImagePlugin.TiffImageFile) -> None:
    """Refuse a TIFF with a strip or tile that is absent, cut short or damaged."""
    tags = opened.tag_v2
    compression = int(tags.get(_TAGS["Compression"], _RAW))
    tables = tags.get(_TAGS["JPEGTables"], b"")
    sizes = _part_sizes(opened)
    tiled = _TAGS["TileOffsets"] in tags
    starts = _numbers(tags, "TileOffsets" if tiled else "StripOffsets")
    lengths = _numbers(tags, "TileByteCounts" if tiled else "StripByteCounts")
    if compression == _RAW and not lengths:  # some old programs leave them out
        lengths = sizes
    if len(starts) != len(sizes) or len(lengths) != len(sizes) or sum(lengths) > len(data):
        raise RefusedFile(CUT_SHORT)
    for start, length, size in zip(starts, lengths, sizes, strict=True):
        part = data[start : start + length]
        if len(part) < length or not length:
            raise RefusedFile(CUT_SHORT)
        if compression == _RAW:
            whole = length >= size
        elif compression in _DEFLATE:
            whole = _is_inflated(part, size, max(sizes))
        elif compression == _PACKBITS:
            whole = _is_unpacked(part, size)
        else:
            whole = True
        if not whole:
            raise RefusedFile(CUT_SHORT)
        if compression == _JPEG:  # TIFF Technical Note 2: tables for all parts come first
            check_codestream(b"\xff\xd8" + tables[2:-2] + part[2:])


def _part_sizes(opened: TiffImagePlugin.TiffImageFile) -> list[int]:
    """Bytes that each strip or tile unpacks to, in their order."""
    tags = opened.tag_v2  # its size, as `opened.size` is that of the film once it is turned
    width, height = int(tags[_TAGS["ImageWidth"]]), int(tags[_TAGS["ImageLength"]])
    bits = _numbers(tags, "BitsPerSample") or [1]
    if len(bits) == 1:
        bits *= int(tags.get(_TAGS["SamplesPerPixel"], 1))
    separate = tags.get(_TAGS["PlanarConfiguration"], 1) == _SEPARATE
    planes, depth = (len(bits), max(bits)) if separate else (1, sum(bits))
    if _TAGS["TileOffsets"] in tags:
        columns, rows = int(tags[_TAGS["TileWidth"]]), int(tags[_TAGS["TileLength"]])
        across, down = -(-width // columns), -(-height // rows)
        # The decoder makes room for whole tiles, also for those that reach over the edge.
        if rows * down * columns * across > 2 * width * height + _SPARE:
            raise RefusedFile("has tiles that are larger than its picture: export it again")
        return [rows * -(-columns * depth // 8)] * (across * down * planes)
    rows = min(int(tags.get(_TAGS["RowsPerStrip"], height)), height)
    strips = [min(rows, height - top) for top in range(0, height, rows)]
    if tags.get(_TAGS["PhotometricInterpretation"]) == _YCBCR and not separate:
        # TIFF 6.0, section 21: the pixels of a block share their colour.
        wide, high = _numbers(tags, "YCbCrSubSampling") or (2, 2)
        block, per_row = (wide * high + 2) * bits[0] // 8, -(-width // wide)
        return [-(-count // high) * per_row * block for count in strips]
    return [count * -(-width * depth // 8) for count in strips] * planes


def _numbers(tags: TiffImagePlugin.ImageFileDirectory_v2, word: str) -> list[int]:
    """The values of a tag as whole numbers."""
    value = tags.get(_TAGS[word], ())
    return [int(v) for v in (value if isinstance(value, tuple) else (value,))]


def _is_inflated(part: bytes, size: int, most: int) -> bool:
    """Whether a deflated part unfolds to `size` bytes, or up to `most`, and has their checksum."""
    engine = zlib.decompressobj()  # RFC 1950: the checksum is the last that it reads
    return len(engine.decompress(part, most + 1)) >= size and engine.eof


def _is_unpacked(part: bytes, size: int) -> bool:
    """Whether PackBits (TIFF 6.0, section 9) unfolds to exactly `size` bytes."""
    at = done = 0
    while at < len(part) and done < size:
        head = part[at]
        if head < 128:
            done, at = done + head + 1, at + head + 2
        elif head > 128:
            done, at = done + 257 - head, at + 2
        else:
            at += 1
    return done == size and at <= len(part) and part[at:].strip(b"\0\x80") == b""
