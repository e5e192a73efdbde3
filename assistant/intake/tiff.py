"""Reads the TIFF films that Pillow has no mode for: signed bytes, half and double floats, deep
channels.

libtiff undoes the compression all the same: it is given the film as one of bytes, as many times as
wide, and the bytes are taken for what they are afterwards. This module knows tags and sample
formats (TIFF 6.0, sections 14, 18 and 19).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import TiffImagePlugin

from assistant.intake.channels import merged, turned
from assistant.intake.complaints import hear_complaints
from assistant.intake.greys import is_blank, to_unit
from assistant.intake.integrity import check_tiff
from assistant.intake.limits import CUT_SHORT, RefusedFile, check_size

MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two: BigTIFF
_BIG = 43  # the number of BigTIFF, whose header is twice as long
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}  # SampleFormat; 4 is "undefined"
_DEPTHS = {"u": (8, 16, 32, 64), "i": (8, 16, 32, 64), "f": (16, 32, 64)}
# None, LZW, deflate by two numbers, PackBits, LZMA, Zstandard: what knows nothing of samples.
_COMPRESSIONS = (1, 5, 8, 32946, 32773, 34925, 50000)
_STRAIGHT = 2  # ExtraSamples: opacity by which the picture is not yet multiplied


@dataclass(frozen=True, slots=True)
class _Samples:
    """How the samples lie, of the first directory of a file."""

    rows: int
    columns: int
    samples: int
    kind: np.dtype  # of a sample, in the file's order of bytes
    compression: int
    photometric: int
    predictor: int
    planar: bool  # each channel by itself
    extra: tuple[int, ...]
    orientation: int
    tile: tuple[int, int] | None  # (rows, columns); None: strips
    strip_rows: int
    parts: tuple[bytes, ...]  # the strips or tiles, of one channel after another if planar

    @property
    def colours(self) -> int:
        """Channels that are the picture: 1, or 3 for RGB."""
        return 3 if self.photometric == 2 else 1


def read_odd_tiff(data: bytes) -> np.ndarray | None:
    """The film in a TIFF file, float32 (H, W) in [0, 1], air dark; None where Pillow reads it.

    The greys are scaled by the range of their kind, as `to_unit` does: floats by [0, 1].
    Raises `RefusedFile`, and what Pillow raises for a directory that is damaged.
    """
    file = io.BytesIO(data)
    tags = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[2] == _BIG else 8])
    file.seek(tags.next)
    tags.load(file)
    depths = _all_of(tags, 258) or (1,)
    formats, samples = _all_of(tags, 339) or (1,), (*_all_of(tags, 277), 1)[0]
    if _is_for_pillow(depths[0], formats[0], samples):
        return None
    if tags.next:
        raise RefusedFile("holds several pictures: give each film as its own file")
    layout = _layout_of(data, tags, depths, formats, samples)
    values = _decoded(layout)
    if layout.kind.kind == "f" and not np.isfinite(values).all():
        raise RefusedFile("has pixels that are not numbers: export the film again")
    # What is multiplied already lies over black, and a channel of no stated meaning is left out.
    straight = _STRAIGHT in layout.extra
    alpha = layout.colours + layout.extra.index(_STRAIGHT) if straight else None
    grey = turned(merged(values, layout.colours, alpha), layout.orientation)
    if not np.isfinite(grey).all():
        raise RefusedFile("has pixels beyond any grey: export the film again")
    if is_blank(grey):
        return np.zeros(grey.shape, np.float32)
    deep = layout.kind.itemsize > 1
    bottom, top = 0.0, 1.0
    if layout.kind.kind != "f":
        limits = np.iinfo(layout.kind)
        top = float(limits.max)
        # Integers that have a sign and need none, as many programs write them, count from 0.
        bottom = float(limits.min) if not deep or grey.min() < 0 else 0.0
    unit = to_unit(grey, bottom, top, deep=deep)
    return 1.0 - unit if layout.photometric == 0 else unit


def _is_for_pillow(depth: int, sample_format: int, samples: int) -> bool:
    """Whether Pillow reads such samples whole: bytes, and single channels of words or floats."""
    if sample_format in (1, 4):
        return depth <= 8 or (samples == 1 and depth in (12, 16))
    return samples == 1 and (sample_format, depth) == (3, 32)


def _layout_of(
    data: bytes,
    tags: TiffImagePlugin.ImageFileDirectory_v2,
    depths: Sequence[int],
    formats: Sequence[int],
    samples: int,
) -> _Samples:
    """The layout that the tags state; raises `RefusedFile` where it is none of a film's."""

    def number(tag: int, default: int) -> int:
        return int((*_all_of(tags, tag), default)[0])

    rows, columns = number(257, 0), number(256, 0)
    check_size(rows, columns, samples)
    kind = _KINDS.get(formats[0], "")
    if depths[0] not in _DEPTHS.get(kind, ()) or len({*depths}) != 1 or len({*formats}) != 1:
        raise RefusedFile("has pixels of a kind that is not read: export the film with 16 bits")
    photometric, compression = number(262, 1), number(259, 1)
    colours = {0: 1, 1: 1, 2: 3}.get(photometric, 0)
    if not colours or not colours <= samples <= colours + 3:
        raise RefusedFile("is neither grey nor RGB: export the film as a grey picture")
    predictor = number(317, 1)
    if compression not in _COMPRESSIONS or predictor not in ((1,) if kind == "f" else (1, 2)):
        raise RefusedFile("has a compression that is not read: export it uncompressed")
    tile = (number(323, 0), number(322, 0)) if 324 in tags else None
    if tile is not None and not (0 < tile[0] <= rows + 4096 and 0 < tile[1] <= columns + 4096):
        raise RefusedFile(CUT_SHORT)
    offsets, counts = (_all_of(tags, 324 if tile else 273), _all_of(tags, 325 if tile else 279))
    order = "<" if data[:2] == b"II" else ">"
    return _Samples(
        rows=rows,
        columns=columns,
        samples=samples,
        kind=np.dtype(f"{order}{kind}{depths[0] // 8}"),
        compression=compression,
        photometric=photometric,
        predictor=predictor,
        planar=samples > 1 and number(284, 1) == 2,
        extra=_all_of(tags, 338),
        orientation=number(274, 1),
        tile=tile,
        strip_rows=min(number(278, rows), rows),
        parts=tuple(data[at : at + size] for at, size in zip(offsets, counts, strict=True)),
    )


def _all_of(tags: TiffImagePlugin.ImageFileDirectory_v2, tag: int) -> tuple[int, ...]:
    """The whole numbers of a tag; none where it is absent."""
    value = tags.get(tag, ())
    return tuple(int(v) for v in (value if isinstance(value, tuple) else (value,)))


def _decoded(layout: _Samples) -> np.ndarray:
    """The samples (H, W, C) in this machine's order of bytes."""
    planes = layout.samples if layout.planar else 1
    each, rest = divmod(len(layout.parts), planes)
    if rest or not each:
        raise RefusedFile(CUT_SHORT)
    decoded = [
        _decoded_plane(layout, layout.parts[n * each : (n + 1) * each]) for n in range(planes)
    ]
    return decoded[0] if planes == 1 else np.concatenate(decoded, axis=2)


def _decoded_plane(layout: _Samples, parts: Sequence[bytes]) -> np.ndarray:
    """The samples (H, W, C) of one plane: all channels, or one of several planes."""
    channels = 1 if layout.planar else layout.samples
    width = channels * layout.kind.itemsize  # bytes a pixel
    data = _file_of_bytes(layout, parts, width)
    raw = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    with hear_complaints() as complaints, raw:
        check_tiff(data, raw)
        stored = np.array(raw)
        if complaints() or stored.shape != (layout.rows, layout.columns * width):
            raise RefusedFile(CUT_SHORT)
    values = stored.view(layout.kind).reshape(layout.rows, layout.columns, channels)
    values = values.astype(layout.kind.newbyteorder("="))
    if layout.predictor == 2:  # each pixel is stored as its difference to the one on its left
        step = layout.tile[1] if layout.tile else layout.columns
        for start in range(0, layout.columns, step):
            part = values[:, start : start + step]
            np.cumsum(part, axis=1, dtype=values.dtype, out=part)
    return values


def _file_of_bytes(layout: _Samples, parts: Sequence[bytes], width: int) -> bytes:
    """A TIFF file of a grey picture of bytes, `width` of them for each pixel, with these parts."""
    tags: dict[int, Sequence[int]] = {
        256: [layout.columns * width],
        257: [layout.rows],
        258: [8],
        259: [layout.compression],
        262: [1],
        277: [1],
    }
    if layout.tile:
        tags |= {322: [layout.tile[1] * width], 323: [layout.tile[0]], 324: [], 325: []}
    else:
        tags |= {273: [], 278: [layout.strip_rows], 279: []}
    offsets, counts = (324, 325) if layout.tile else (273, 279)
    directory = 8 + 2 + 12 * len(tags) + 4
    tables = directory + (8 * len(parts) if len(parts) > 1 else 0)  # both, of 4 bytes an entry
    sizes = [len(part) for part in parts]
    tags[offsets] = (tables + np.cumsum([0, *sizes[:-1]])).tolist()
    tags[counts] = sizes
    entries, overflow = b"", b""
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}I", *values)
        if len(values) > 1:
            packed, overflow = struct.pack("<I", directory + len(overflow)), overflow + packed
        entries += struct.pack("<HHI", tag, 4, len(values)) + packed
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    return head + entries + bytes(4) + overflow + b"".join(parts)
