"""Adds film grain to paintings: the noise that a picture tokeniser smooths away.

Noise carries no information and would cost a tokeniser most of its bits, so it is not coded.
Instead its standard deviation at each grey level is stored, and new noise is drawn from it, as
video codecs do (Norkin and Birkbeck 2018, "Film grain synthesis for AV1 video codec"). An encoder
trained only on films with grain reads paintings better with it.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter

GREY_LEVELS = 16  # grey levels between black and white
FINE_SIGMA = 1.2  # pixels: grain is what a Gaussian filter of this width removes
# Standard deviation that white noise keeps after subtracting that Gaussian filter of it.
HIGH_PASS_SHARE = math.sqrt(1 - 3 / (4 * math.pi * FINE_SIGMA**2))
MIN_PIXELS = 500  # pixels of a grey level that are needed to measure its grain
MAD_TO_STD = 1.4826  # standard deviation of normal noise over its median absolute deviation


def add_grain(pixels: np.ndarray, table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add grain to a film, float32 (H, W) in [0, 1], by a table of `measure_grain`."""
    levels = (np.arange(GREY_LEVELS) + 0.5) / GREY_LEVELS
    spread = np.interp(pixels, levels, table)
    return np.clip(pixels + spread * rng.standard_normal(pixels.shape), 0, 1).astype(np.float32)


def extract_fine_detail(pixels: np.ndarray) -> np.ndarray:
    """A film minus its Gaussian blur."""
    return pixels - gaussian_filter(pixels, FINE_SIGMA)
