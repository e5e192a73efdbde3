"""The detector: from attenuation along the ray to the grey values of a film.

A site is a hospital with its machine and its habits: dose, scatter, sharpness, processing,
collimation, markers, and the people who come to it. Site A is the reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from assistant.chest.phantoms.person import REFERENCE, Population
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
    contrast: tuple[float, float]  # slope of the grey scale
    middle: tuple[float, float]  # where the grey scale has its middle
    marker: float  # how often a side marker lies on the film
    spacing: tuple[float, float] = (1.34, 1.52)  # mm a pixel
    bone: float = 1.0  # attenuation of bone: less at a higher tube voltage
    devices: float = 1.0  # how often people come with tubes and lines
    collimation: float = 0.0  # how often the borders of the field are on the film
    texts: tuple[str, ...] = ("L",)
    people: Population = REFERENCE


SITES = {
    "A": Site("A", "PA", 0.012, 0.016, 0.55, 0.45, (2.6, 3.6), (0.36, 0.50), 0.7),
    # A flat-panel detector at a high voltage with edge-enhancing, hard processing.
    "B": Site(
        "B", "PA", 0.030, 0.008, 0.35, 1.25, (4.2, 5.4), (0.44, 0.58), 0.9,
        spacing=(1.24, 1.38), bone=0.72, texts=("L", "LEFT"),
    ),
    # Portable films from the ward: lying, breathing out, turned, grainy, full of lines.
    "C": Site(
        "C", "AP", 0.050, 0.038, 0.95, 0.15, (2.0, 2.8), (0.30, 0.42), 0.8,
        spacing=(1.36, 1.58), devices=2.6, texts=("L", "AP", "PORTABLE"),
        people=Population(fat=1.35, breath=(0.72, 0.92), rotation=9.0),
    ),
    # Slight people, a narrow field with its borders on the film, and much burned into it.
    "D": Site(
        "D", "PA", 0.008, 0.024, 0.80, 0.30, (3.0, 4.4), (0.28, 0.40), 1.0,
        spacing=(1.14, 1.30), bone=1.2, collimation=0.9, texts=("L", "PA ERECT", "MON 2"),
        people=Population(scale=0.88, fat=0.6),
    ),
}  # fmt: skip


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
    slope = rng.uniform(*site.contrast)
    middle_grey = rng.uniform(*site.middle)
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
    """Collimate the film and burn its markers in, as often as the site does."""
    size = film.shape[0]
    if rng.random() < site.collimation:
        film = _collimate(rng, film)
    if rng.random() >= site.marker:
        return film
    picture = Image.fromarray(film)
    pen = ImageDraw.Draw(picture)
    # The technician's L lies at the patient's left shoulder; other texts in the other corners.
    corners = [
        (rng.uniform(0.90, 0.95), rng.uniform(0.03, 0.14)),
        (rng.uniform(0.02, 0.05), rng.uniform(0.02, 0.06)),
        (rng.uniform(0.02, 0.05), rng.uniform(0.90, 0.94)),
    ]
    first = site.texts[0] if len(site.texts) != 2 else str(rng.choice(site.texts))
    for text, (x, y) in zip((first, *site.texts[1:3]), corners, strict=False):
        if text is not first and (len(site.texts) < 3 or rng.random() < 0.3):
            continue
        x = min(x, 0.97 - 0.035 * len(text))
        font = ImageFont.load_default(size * rng.uniform(0.045, 0.065))
        pen.text((size * x, size * y), text, fill=int(rng.integers(225, 253)), font=font)
    return np.asarray(picture)


def _collimate(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """Black out what lies outside a slightly turned rectangle."""
    size = film.shape[0]
    edge = [size * rng.uniform(0.01, 0.055) for _ in range(4)]
    turn = rng.uniform(-0.02, 0.02) * size
    field = [
        (edge[0] + turn, edge[1]),
        (size - edge[2], edge[1] + turn),
        (size - edge[2] - turn, size - edge[3]),
        (edge[0], size - edge[3] - turn),
    ]
    canvas = Image.new("L", (size * 2, size * 2))
    ImageDraw.Draw(canvas).polygon([(2 * x, 2 * y) for x, y in field], fill=255)
    share = np.asarray(canvas.reduce(2), dtype=np.float32) / 255
    return (film * (0.04 + 0.96 * share)).astype(np.uint8)
