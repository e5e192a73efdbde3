"""From a film of any size to the square that an encoder takes; training and drafting share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from assistant.types import Film

_SAME_SHAPE = 0.01  # of the width: what rounding to whole pixels may change
_WIDEST = 8  # widths of a film to its height: a table may say anything


def square(pixels: np.ndarray, size: int) -> np.ndarray:
    """Fit a film into a square without distorting it, the rest dark.

    Takes float32 (H, W) in [0, 1] and gives float32 (size, size) in [0, 1]. Shrinking averages
    over area, so that thin lines fade rather than break up.
    """
    height, width = pixels.shape
    if (height, width) == (size, size):
        return pixels
    scale = size / max(height, width)
    new = (max(1, round(width * scale)), max(1, round(height * scale)))
    fitted = np.asarray(Image.fromarray(pixels).resize(new, Image.Resampling.BILINEAR))
    out = np.zeros((size, size), np.float32)
    top, left = (size - new[1]) // 2, (size - new[0]) // 2
    out[top : top + new[1], left : left + new[0]] = fitted.clip(0, 1)
    return out


def restore_shape(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Undo the squeeze of a film that was saved in another shape than it was taken in.

    Takes float32 (H, W) in [0, 1] and the true (columns, rows), and gives float32 (H, W'), where
    W' / H is columns / rows. A film that has this shape already is given back as it is.
    """
    height, width = pixels.shape
    columns, rows = shape
    true_width = max(1, min(round(height * columns / rows), _WIDEST * height))
    if abs(true_width - width) <= _SAME_SHAPE * width:
        return pixels
    size = (true_width, height)
    restored = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
    return restored.clip(0, 1)


def batch_of(films: Sequence[Film], size: int) -> np.ndarray:
    """Films as one array: float32 (B, 3, size, size) in [-1, 1]."""
    squares = np.stack([square(film.pixels, size) for film in films])
    return np.repeat(squares[:, None] * 2 - 1, 3, axis=1)


def processed(processor: Any, films: Sequence[Film]) -> np.ndarray:
    """Films as a checkpoint's own image processor makes them: float32 (B, 3, H, W).

    Each is made square first, so that a film's margin is dark whatever the processor fills in.
    """
    squares = [square(film.pixels, max(film.pixels.shape)) for film in films]
    pictures = [
        Image.fromarray((pixels * 255).round().astype(np.uint8)).convert("RGB")
        for pixels in squares
    ]
    made = processor(images=pictures, return_tensors="np")
    return np.asarray(made["pixel_values"], np.float32)
