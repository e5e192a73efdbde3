"""Grain: what a picture tokeniser smooths away of every film, and how paintings get it back.

Noise tells nothing and costs a tokeniser most of its bits, so that it is not coded: how much there
is at each grey level is kept instead, and drawn anew, as video coders do it (Norkin and Birkbeck
2018, "Film grain synthesis for AV1 video codec"). An encoder that has only seen films with grain
reads paintings better with it.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter

LEVELS = 16  # grey levels between black and white
FINE = 1.2  # pixels: grain is what a Gaussian of this width takes away
# The share of white noise's spread that is left when that Gaussian of it is taken from it.
LEFT = math.sqrt(1 - 3 / (4 * math.pi * FINE**2))
FEWEST = 500  # pixels of a grey level, below which nothing is known of its grain
NORMAL = 1.4826  # standard deviations in a median absolute deviation


def add_grain(pixels: np.ndarray, table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A film float32 (H, W) in [0, 1] with grain drawn by a table of `measure_grain`."""
    middles = (np.arange(LEVELS) + 0.5) / LEVELS
    spread = np.interp(pixels, middles, table)
    return np.clip(pixels + spread * rng.standard_normal(pixels.shape), 0, 1).astype(np.float32)


def _fine(pixels: np.ndarray) -> np.ndarray:
    return pixels - gaussian_filter(pixels, FINE)
