"""The visible mark of a synthetic film: the word SYNTHETIC in its lower left corner.

Text beside the pixels is lost when a picture is saved again; a word within them is not, and a
person can read it. This module draws the word and finds it again. It knows arrays only.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

SQUARE = 128  # the mark is drawn for a film whose shorter edge has so many pixels, and scaled
# Real films and phantoms reach 0.3. Marked ones have 0.6 and more after they were shrunk to 80
# pixels, enlarged, cropped by 2 %, turned by 2 degrees or saved as poor JPEG: docs/painting.md.
ALIKE = 0.5

# Rows of 5 by 7 letters, the smallest that can be read without guessing. Two dark pixels
# around them keep the word apart from the film, and survive a careless crop.
_WORD = (
    ".####.#...#.#...#.#####.#...#.#####.#####.###..####",
    "#.....#...#.##..#...#...#...#.#.......#....#..#....",
    "#......#.#..#.#.#...#...#...#.#.......#....#..#....",
    ".###....#...#.#.#...#...#####.####....#....#..#....",
    "....#...#...#..##...#...#...#.#.......#....#..#....",
    "....#...#...#...#...#...#...#.#.......#....#..#....",
    "####....#...#...#...#...#...#.#####...#...###..####",
)
_SCALES = (0.94, 0.97, 1.0, 1.03, 1.06)  # of the shorter edge, for films that were cropped
_REACH = 4  # pixels of the square that the word may have moved by
_EMPTY = 1e-3  # a corner with less contrast holds no word


@cache
def _template() -> np.ndarray:
    """The mark as it is drawn into a square film: float32 (11, 55), 1 where a letter is."""
    letters = np.array([[c == "#" for c in row] for row in _WORD], np.float32)
    template = np.pad(letters, 2)
    template.flags.writeable = False
    return template


def mark_box(height: int, width: int) -> tuple[int, int]:
    """Rows and columns that the mark takes up in the lower left corner of a film."""
    scale = min(height, width) / SQUARE
    rows, columns = _template().shape
    return max(1, round(rows * scale)), max(1, round(columns * scale))


def draw_mark(pixels: np.ndarray) -> np.ndarray:
    """A copy of a film (H, W) in [0, 1], float32, with the visible mark in its corner."""
    rows, columns = mark_box(*pixels.shape)
    drawn = Image.fromarray(_template()).resize((columns, rows), Image.Resampling.BOX)
    marked = np.array(pixels, np.float32)
    marked[-rows:, :columns] = np.asarray(drawn).clip(0, 1)
    return marked


def mark_likeness(pixels: np.ndarray) -> float:
    """How much a lower corner of a film (H, W) in [0, 1] looks like the mark, in [0, 1].

    The highest normalised cross-correlation (Lewis 1995, "Fast normalized cross-correlation")
    over small changes of size and place, on the film as it is and mirrored. An inverted film
    counts as much. 0 for corners without contrast.
    """
    template = _template()
    wanted = (template - template.mean()).reshape(-1)
    wanted /= np.linalg.norm(wanted)
    best = 0.0
    for oriented in (pixels, pixels[:, ::-1]):
        for scale in _SCALES:
            corner = _corner(oriented, scale * min(pixels.shape) / SQUARE)
            patches = sliding_window_view(corner, template.shape).reshape(-1, template.size)
            squares = np.einsum("ij,ij->i", patches, patches)
            norms = np.sqrt(np.maximum(squares - patches.mean(axis=1) ** 2 * template.size, 0.0))
            usable = norms > _EMPTY * template.size**0.5
            if usable.any():
                # The template's mean is 0, so that a patch's own does not count.
                likeness = np.abs(patches @ wanted)[usable] / norms[usable]
                best = max(best, float(likeness.max()))
    return min(best, 1.0)


def bears_mark(pixels: np.ndarray) -> bool:
    """Whether a lower corner of a film (H, W) in [0, 1] bears the visible mark."""
    return mark_likeness(pixels) >= ALIKE


def _corner(pixels: np.ndarray, scale: float) -> np.ndarray:
    """The lower left corner at the template's size, with room to move it in, float64.

    `scale` is how many pixels of the film are one of the template's.
    """
    rows, columns = (side + _REACH for side in _template().shape)
    height, width = min(rows * scale, pixels.shape[0]), min(columns * scale, pixels.shape[1])
    top = int(pixels.shape[0] - height)
    cut = np.ascontiguousarray(pixels[top:, : int(np.ceil(width))], np.float32)
    box = (0.0, pixels.shape[0] - height - top, width, cut.shape[0])
    small = Image.fromarray(cut).resize((columns, rows), Image.Resampling.BILINEAR, box=box)
    # What was cropped off below and to the left is made up from the edge.
    corner = np.empty((rows + _REACH, columns + _REACH))
    corner[:rows, _REACH:] = np.asarray(small)
    corner[rows:, _REACH:] = corner[rows - 1, _REACH:]
    corner[:, :_REACH] = corner[:, _REACH : _REACH + 1]
    return corner
