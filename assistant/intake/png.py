"""A film as a small PNG: for the library, for the chat, for a painting's file.

The PNG is written from pixels alone, so that nothing of the source file but the picture is in it.
A synthetic film is said to be one in a text chunk, or, where no text may be, by the visible mark.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from assistant.intake.synthetic_mark import bears_mark, draw_mark

EDGE = 256


def png(pixels: np.ndarray, *, synthetic: bool = False) -> bytes:
    """Encode float32 (H, W) in [0, 1] as an 8-bit grey PNG, marked if it is synthetic."""
    info = PngInfo()
    if synthetic:
        info.add_text("wetread:synthetic", "yes")
    out = io.BytesIO()
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def preview(pixels: np.ndarray, *, synthetic: bool = False, edge: int = EDGE) -> bytes:
    """The film shrunk to at most `edge` pixels along its longer edge, as PNG without any text.

    A synthetic film bears the visible mark there: the library keeps no text in its pictures,
    and who sees one beside a draft must see what it is.
    """
    height, width = pixels.shape
    scale = min(1.0, edge / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size != (width, height):
        small = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
        pixels = np.asarray(small).clip(0, 1)
    if synthetic and not bears_mark(pixels):
        pixels = draw_mark(pixels)
    return png(pixels)
