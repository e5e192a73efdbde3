"""What disease adds to the ray, and where exactly it lies.

Each lesion changes the attenuation of the rays it meets and leaves a mask, from which the
phantom's truth is made. Attenuation is per millimetre; masks are boolean (H, W).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from assistant.chest.phantoms.chest import Chest, ball, smooth_step
from assistant.chest.phantoms.pathology import SIGN, ZONES, Abnormality
from assistant.chest.phantoms.texture import curve, noise_field, stroke

TISSUE = 0.0185  # mm^-1, water at the effective energy of a chest film
LUNG = 0.0042  # aerated lung
BONE = 0.030  # above tissue


@dataclass(frozen=True, slots=True, eq=False)
class Lesion:
    """One visible finding, variant or device of a phantom."""

    finding: str
    side: str | None
    zone: str | None
    degree: str | None  # small, moderate, large; of a tube: too low, in place, too high
    mask: np.ndarray  # bool (H, W): where it shows
    measurements: tuple[tuple[str, float], ...] = ()
    faint: bool = False  # so hard to see that a careful reader hedges


DrawnShape = tuple[
    np.ndarray, np.ndarray, tuple[tuple[str, float], ...]
]  # extra, mask, measurements


def place(rng, chest: Chest, ill: Abnormality, margin: float) -> tuple[float, float] | None:
    """A point in a zone of a lung with enough air on the ray for a lesion to show, in mm."""
    side, zone = str(ill.side), str(ill.zone)
    low = ZONES.index(zone) / 3
    x = chest.grid.x * SIGN[side]
    room = (
        (chest.lung(side) > 55)
        # Away from the border of the zone: what lies astride it has no zone to be named by.
        & (chest.height >= max(low + 0.03, 0.10))
        & (chest.height < min(low + 1 / 3 - 0.03, 0.95))
        & (x > 30)
        & (x < chest.half_width - margin)
        & (chest.heart < 25)
    )
    rows, columns = np.nonzero(room)
    if not len(rows):
        return None
    at = int(rng.random() * len(rows))
    return float(chest.grid.x[rows[at], columns[at]]), float(chest.grid.y[rows[at], columns[at]])


def effusion(chest: Chest, ill: Abnormality) -> DrawnShape:
    """Fluid that fills the pleural space from below, higher at the wall than in the middle."""
    person, lung, height = chest.person, chest.lung(str(ill.side)), ill.size
    sign = SIGN[str(ill.side)]
    # Against the wall the lung ends here, well above the rim of the dome.
    sulcus = person.dome[0 if sign < 0 else 1] + person.dome_height * 0.575
    wall = np.clip(sign * chest.grid.x / np.maximum(chest.half_width, 1), 0, 1)
    surface = sulcus - height + 36 * (1 - wall**2.5)
    depth = chest.grid.y - surface
    share = smooth_step(depth / 16 + 0.2)
    # The organs under the dome already fill part of the ray; fluid takes what is left of it.
    extra = (TISSUE - LUNG) * share * lung
    return extra, (extra > 0.12) & (depth > 0), (("height_mm", round(height, 1)),)


def pneumothorax(chest: Chest, ill: Abnormality) -> tuple[DrawnShape, np.ndarray]:
    """Air outside a collapsed lung, and where vessels are gone."""
    lung, gap = chest.lung(str(ill.side)), ill.size
    x = chest.grid.x * SIGN[str(ill.side)]
    # The collapsed lung is the same shape, drawn down from the apex and in from the wall.
    t = np.clip((chest.grid.y - chest.person.apex - gap) / 240, 0, 1)
    profile = (1 - (1 - t) ** 2.5) ** 0.55
    inset = gap * (0.55 * np.clip(1 - chest.height, 0, 1) + 0.16)
    edge = np.where(t > 0, chest.person.cage_width * profile - inset, -10)
    air = smooth_step((x - edge) / 3) * (lung > 1)
    line = np.exp(-(((x - edge) / 1.5) ** 2)) * (lung > 25) * (t > 0)
    top = np.exp(-(((chest.grid.y - chest.person.apex - gap) / 1.8) ** 2))
    line = np.maximum(line, top * (lung > 25) * (np.abs(x - 30) < edge + 40) * (x < 40) * (t > 0))
    denser = 0.28 * min(gap / 50, 1) * (lung > 1) * (1 - air)
    extra = -0.85 * LUNG * lung * air + LUNG * lung * denser + 0.15 * line
    return (extra, (air > 0.5) & (lung > 12), (("apical_gap_mm", round(gap, 1)),)), air


def consolidation(rng, chest: Chest, ill: Abnormality) -> DrawnShape | None:
    """Air spaces filled over a ragged part of one zone."""
    centre = place(rng, chest, ill, 0.6 * ill.size)
    if centre is None:
        return None
    lung, size = chest.lung(str(ill.side)), chest.grid.x.shape[0]
    stretch = rng.uniform(0.8, 1.25)
    r = np.hypot((chest.grid.x - centre[0]) / stretch, (chest.grid.y - centre[1]) * stretch)
    ragged = r / ill.size + 0.16 * noise_field(rng, size, 10) + 0.07 * noise_field(rng, size, 5)
    share = smooth_step((1.12 - ragged) / 0.5)
    depth = np.minimum(lung, 1.7 * ill.size) * share * ill.density
    patchy = 1 + 0.16 * noise_field(rng, size, 6)
    extra = (TISSUE - LUNG) * depth * np.clip(patchy, 0.3, 1.6) * (lung > 1)
    return extra, (extra > 0.22) & (lung > 8), ()


def _solid(chest: Chest, centre, diameter: float, attenuation: float) -> DrawnShape:
    radius = diameter / 2
    chord = 2 * ball(chest.grid, centre, (radius, radius, radius))
    extra = attenuation * np.clip(gaussian_filter(chord, 0.5), 0, None)
    return extra, chord > 0, (("diameter_mm", round(diameter, 1)),)


def nodule(rng, chest: Chest, ill: Abnormality) -> DrawnShape | None:
    """A solid ball in the lung, under 3 cm."""
    centre = place(rng, chest, ill, ill.size / 2 + 8)
    return None if centre is None else _solid(chest, centre, ill.size, 1.6 * (TISSUE - LUNG))


def mass(rng, chest: Chest, ill: Abnormality) -> DrawnShape | None:
    """A lobulated solid lesion of 3 cm and more, with a sharp border."""
    centre = place(rng, chest, ill, 0.42 * ill.size)
    if centre is None:
        return None
    radius = ill.size / 2
    dx, dy = chest.grid.x - centre[0], chest.grid.y - centre[1]
    turn = np.arctan2(dy, dx)
    waves = rng.uniform(0.02, 0.06, 3)
    lobes = sum(w * np.cos((k + 2) * turn + rng.uniform(0, 6.3)) for k, w in enumerate(waves))
    r = np.hypot(dx, dy) / (radius * (1 + lobes))
    chord = 2 * radius * np.sqrt(np.clip(1 - r**2, 0, None))
    extra = (TISSUE - LUNG) * 1.15 * np.clip(gaussian_filter(chord, 0.7), 0, None)
    extra = extra * (chest.lung(str(ill.side)) > 1)
    return extra, chord > 0, (("diameter_mm", round(ill.size, 1)),)


def atelectasis(rng, chest: Chest, ill: Abnormality) -> DrawnShape | None:
    """Plates of airless lung above a raised dome, nearly level."""
    sign = SIGN[str(ill.side)]
    dome = chest.person.dome[0 if sign < 0 else 1]
    extra = np.zeros_like(chest.body)
    for number in range(int(rng.integers(1, 4))):
        length = ill.size * rng.uniform(0.75, 1.0)
        inner = rng.uniform(38, 52)
        y = dome - rng.uniform(9, 16) - 13 * number
        slope, sag = rng.uniform(-0.18, 0.22), rng.uniform(-5, 5)
        points = [
            (sign * (inner + f * length), y + slope * f * length + sag * f * (1 - f) * 4)
            for f in (0, 0.33, 0.67, 1)
        ]
        band = stroke(chest, curve(points), rng.uniform(4.0, 6.5))
        extra = np.maximum(extra, gaussian_filter(band, 0.6) * rng.uniform(0.42, 0.6))
    extra = extra * np.clip(chest.lung(str(ill.side)) / 25, 0, 1)
    return extra, extra > 0.15, ()


def oedema(rng, chest: Chest, severity: float) -> DrawnShape:
    """Fluid in both lungs, thickest about the hila, with short lines at the bases."""
    lung = chest.lungs[0] + chest.lungs[1]
    size = lung.shape[0]
    hilum = chest.person.apex + 112
    far = np.hypot((np.abs(chest.grid.x) - 45) / 52, (chest.grid.y - hilum) / 66)
    cloud = np.exp(-(far**2)) * (1 + 0.28 * noise_field(rng, size, 9))
    haze = (0.30 + 0.85 * np.clip(cloud, 0, None)) * severity
    lines = np.sin(chest.grid.y * 2 * np.pi / 7.5 + 0.8 * noise_field(rng, size, 24)) > 0.86
    at_base = (np.abs(chest.grid.x) > chest.half_width - 26) & (chest.height > 0.62)
    extra = 0.46 * haze * np.clip(lung / 120, 0, 1) + 0.05 * severity * (lines & at_base)
    extra = extra * (lung > 1)
    return extra, (extra > 0.16) & (lung > 8), (("severity", round(severity, 2)),)


def interstitial(rng, chest: Chest, severity: float) -> DrawnShape:
    """A net of thickened septa, densest at the bases and under the pleura."""
    lung = chest.lungs[0] + chest.lungs[1]
    size = lung.shape[0]
    net = np.zeros_like(lung)
    for cell in (5, 7, 10):  # the zero lines of smooth noise make a mesh
        net += np.exp(-((noise_field(rng, size, cell) / 0.16) ** 2))
    rim = smooth_step((np.abs(chest.grid.x) - 0.35 * chest.half_width) / 40)
    base = smooth_step((chest.height - 0.25) / 0.5)
    share = (0.25 + 0.75 * base) * (0.35 + 0.65 * rim) * np.clip(lung / 50, 0, 1)
    extra = 0.21 * severity * net * share
    mask = (gaussian_filter(extra, 3) > 0.055 * severity) & (lung > 12)
    return extra, mask, (("severity", round(severity, 2)),)
