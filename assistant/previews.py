"""A film as a small PNG: for the library, for the chat, for a painting's file.

The PNG is written from pixels alone, so that nothing of the source file but the picture is in it.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

EDGE = 256


def png(pixels: np.ndarray, *, synthetic: bool = False) -> bytes:
    """Encode float32 (H, W) in [0, 1] as an 8-bit grey PNG, marked if it is synthetic."""
    info = PngInfo()
    if synthetic:
        info.add_text("wetread:synthetic", "yes")
    out = io.BytesIO()
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def preview(pixels: np.ndarray) -> bytes:
    """The film shrunk to at most 256 pixels along its longer edge, as PNG."""
    height, width = pixels.shape
    scale = min(1.0, EDGE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return png(pixels)
    small = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
    return png(np.asarray(small).clip(0, 1))
