"""Greys of pictures with several channels of more than 8 bits, which Pillow cuts down to 8.

This module knows arrays, and how Pillow unpacks a PNG of 16 bits.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from assistant.intake.greys import grey_of

# EXIF 2.3, 4.6.4: how stored rows and columns lie; each as flips after a transposition.
_TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def turned(values: np.ndarray, orientation: int) -> np.ndarray:
    """Values (H, W) as an EXIF or TIFF orientation, 1 to 8, says that they are to be shown."""
    transposed, upside_down, mirrored = _TURNS.get(orientation, (False, False, False))
    values = values.T if transposed else values
    return values[:: -1 if upside_down else 1, :: -1 if mirrored else 1]


def merged(channels: np.ndarray, colours: int, alpha: int | None) -> np.ndarray:
    """The grey picture (H, W) of channels (H, W, C), float32, transparency laid over black.

    The first `colours` channels, 1 or 3, are the picture; `alpha` is the number of the channel that
    is its opacity, None if there is none. Raises `RefusedFile` for real colour.
    """
    if colours == 1:
        grey = channels[..., 0].astype(np.float32)
    else:
        grey = grey_of(channels[..., :3], max(float(channels[..., :3].max()), 1e-12))
    if alpha is None:
        return grey
    opacity = channels[..., alpha].astype(np.float32)
    # Opaque is the largest value that is used: a film of 12 bits has an alpha of 12 bits.
    return grey * (opacity / max(float(opacity.max()), 1e-12))


def is_deep_png(data: bytes) -> bool:
    """Whether a PNG has several channels of 16 bits; the header is always at the same place."""
    return data.startswith(b"\x89PNG") and data[24:25] == b"\x10" and data[25:26] in b"\2\4\6"


def deep_png_greys(data: bytes) -> np.ndarray:
    """The greys (H, W) of a PNG for which `is_deep_png` holds, float32 in [0, 65535].

    Raises `RefusedFile` for real colour, and what Pillow raises.
    """
    if data[25] == 4:  # grey and alpha, high bytes first: what RGBA of 8 bits looks like
        halves = _unpacked(data, "RGBA").astype(np.uint16)
        channels = halves[..., 0::2] << 8 | halves[..., 1::2]
        return merged(channels, 1, 1)
    word = "RGB" if data[25] == 2 else "RGBA"
    # Pillow keeps the first byte of a channel, or the second where the file is little-endian.
    high, low = (_unpacked(data, f"{word};16{order}") for order in "BL")
    channels = high.astype(np.uint16) << 8 | low
    return merged(channels, 3, 3 if word == "RGBA" else None)


def _unpacked(data: bytes, raw_mode: str) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as opened:
        opened.tile = [tile._replace(args=raw_mode) for tile in opened.tile]
        return np.asarray(opened)
