"""The detector: from attenuation along the ray to the grey values of a film.

A site is a machine with its habits: dose, scatter, sharpness, processing, markers. Site A is
the reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from assistant.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Site:
    """How one hospital's machine makes a film."""

    name: str
    view: str  # DICOM view position
    scatter: float  # scattered / primary photons behind the thickest part
    noise: float  # of the logarithm of the signal behind the middle of the lung
    blur: float  # detector and focus, in pixels
    sharpen: float  # strength of the unsharp mask
    contrast: float  # slope of the grey scale
    marker: float  # how often a side marker lies on the film


SITES = {"A": Site("A", "PA", 0.012, 0.016, 0.55, 0.45, 1.0, 0.7)}


def site_named(name: str) -> Site:
    """The site of a letter; SettingsError names those that exist."""
    if name not in SITES:
        raise SettingsError(f"There is no site {name!r}; the sites are {', '.join(sorted(SITES))}.")
    return SITES[name]


def expose(rng: np.random.Generator, attenuation: np.ndarray, site: Site) -> np.ndarray:
    """Turn attenuation (H, W), in nepers, into a film: uint8 (H, W), air dark.

    Primary photons follow Beer and Lambert; scatter is a wide blur of them; the noise is that
    of counting photons; the grey scale follows the logarithm of the signal as a computed
    radiography plate does.
    """
    primary = np.exp(-attenuation)
    dose = float(rng.uniform(0.7, 1.3))
    scatter = _wide_blur(primary, 18) * np.float32(0.10) + np.float32(site.scatter * dose)
    signal = gaussian_filter(primary, site.blur) + scatter
    density = -np.log(signal)
    grain = gaussian_filter(rng.standard_normal(density.shape, dtype=np.float32), 0.5)
    density += grain * np.sqrt(np.float32(0.16) / signal) * np.float32(site.noise / dose)
    density += site.sharpen * (density - gaussian_filter(density, 2.0))
    density += np.float32(0.55 * site.sharpen) * (density - _wide_blur(density, 14))
    # The grey scale is set on the trunk: the air round a body must not decide how it looks.
    middle = density[density.shape[0] // 5 : -8, density.shape[1] // 5 : -density.shape[1] // 5]
    low, high = np.percentile(middle[::2, ::2], [2.0, 97.0])
    grey = (density - low) / max(float(high - low), 1e-6)
    slope = site.contrast * rng.uniform(2.6, 3.6)
    middle_grey = rng.uniform(0.36, 0.50)
    grey = 1 / (1 + np.exp(-slope * (grey - middle_grey)))
    floor = 1 / (1 + np.exp(slope * (middle_grey + 0.22)))
    ceiling = 1 / (1 + np.exp(-slope * (1.10 - middle_grey)))
    grey = (grey - floor) / (ceiling - floor)
    return (np.clip(grey, 0, 1) * 250 + 2).astype(np.uint8)


def _wide_blur(field: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian blur too wide to need every pixel: done on a quarter of the resolution."""
    height, width = field.shape
    small = field.reshape(height // 4, 4, width // 4, 4).mean(axis=(1, 3))
    wide = Image.fromarray(gaussian_filter(small, sigma / 4))
    return np.asarray(wide.resize((width, height), Image.Resampling.BILINEAR))


def mark(rng: np.random.Generator, film: np.ndarray, site: Site) -> np.ndarray:
    """Lay the technician's L at the patient's left shoulder, as often as the site does."""
    if rng.random() >= site.marker:
        return film
    picture = Image.fromarray(film)
    size = film.shape[0]
    at = (size * rng.uniform(0.90, 0.95), size * rng.uniform(0.03, 0.14))
    font = ImageFont.load_default(size * rng.uniform(0.045, 0.065))
    ImageDraw.Draw(picture).text(at, "L", fill=int(rng.integers(225, 253)), font=font)
    return np.asarray(picture)
