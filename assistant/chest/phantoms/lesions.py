"""What disease and blood vessels add to the ray, and where exactly they lie.

Each lesion changes the attenuation of the rays it meets and leaves a mask, from which the
phantom's truth is made. Attenuation is per millimetre; masks are boolean (H, W).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from assistant.chest.phantoms.chest import Chest, ball, smooth_step
from assistant.chest.phantoms.person import (
    SIDES,
    SIGN,
    ZONES,
    Consolidation,
    Effusion,
    Nodule,
    Pathology,
    Pneumothorax,
)

TISSUE = 0.0185  # mm^-1, water at the effective energy of a chest film
LUNG = 0.0042  # aerated lung
BONE = 0.030  # above tissue
VISIBLE_PIXELS = 16  # a lesion that shows on fewer is left out of film and truth alike


@dataclass(frozen=True, slots=True, eq=False)
class Lesion:
    """One visible finding of a phantom."""

    finding: str
    side: str | None
    zone: str | None
    degree: str | None
    mask: np.ndarray  # bool (H, W): where it shows
    measurements: tuple[tuple[str, float], ...] = ()


def noise_field(rng: np.random.Generator, size: int, cell: int) -> np.ndarray:
    """Smooth noise of zero mean and unit spread, with structures of about `cell` pixels."""
    coarse = rng.standard_normal((size // cell + 3, size // cell + 3), dtype=np.float32)
    edge = coarse.shape[0] * cell
    field = Image.fromarray(coarse).resize((edge, edge), Image.Resampling.BICUBIC)
    field = np.asarray(field)[:size, :size]
    return field / max(float(field.std()), 1e-6)


def vessels(rng: np.random.Generator, chest: Chest, fullness: float) -> np.ndarray:
    """Thickness of the blood vessels, branching from the hila into both lungs, in mm.

    `fullness` 1 is normal; oedema widens the vessels, most of all towards the apices.
    """
    person, grid = chest.person, chest.grid
    size = grid.x.shape[0]
    canvas = Image.new("L", (size * 2, size * 2))
    pen = ImageDraw.Draw(canvas)
    for _, sign in SIDES:
        # Nine arteries leave each hilum like a fan; those that run down are the wider ones.
        heading = np.linspace(-1.35, 1.45, 9) + rng.normal(0, 0.12, 9)
        width = rng.uniform(3.0, 4.6, 9) * fullness * np.where(heading > 0, 1.1, 0.8 * fullness)
        start = np.tile((24 + 5 * rng.random(), person.apex + 104 - 8 * (sign > 0)), (9, 1))
        for generation in range(7):
            length = rng.uniform(13, 24, len(width)) * 0.93**generation
            step = np.stack([np.cos(heading), np.sin(heading)], axis=1) * length[:, None]
            end = start + step
            _draw(pen, start, end, width, (sign, person, size, grid.spacing))
            start, heading, width = _fork(rng, end, heading, width)
    drawn = np.asarray(canvas.resize((size, size), Image.Resampling.BOX), dtype=np.float32)
    lung = np.clip((chest.lungs[0] + chest.lungs[1]) / 60, 0, 1)
    return gaussian_filter(drawn / 255 * 9.0, 0.6) * lung


def _fork(rng: np.random.Generator, end, heading, width):
    """The daughters of every vessel, two each, without those too thin to show."""
    turn = rng.normal((-0.32, 0.32), 0.16, (len(width), 2))
    narrow = width[:, None] * rng.uniform(0.62, 0.84, (len(width), 2))
    keep = narrow.ravel() >= 0.6
    return (
        np.repeat(end, 2, axis=0)[keep],
        (heading[:, None] + turn).ravel()[keep],
        narrow.ravel()[keep],
    )


def _draw(pen, start, end, width, frame) -> None:
    sign, person, size, spacing = frame
    scale = 2 / spacing
    middle = (size + person.shift[0] * scale, size + person.shift[1] * scale)
    lines = np.concatenate([start, end], axis=1) * (sign * scale, scale, sign * scale, scale)
    lines += (*middle, *middle)
    tones = np.clip(50 * width, 22, 255).astype(int).tolist()
    thick = np.maximum(1, np.round(width * scale * 0.8)).astype(int).tolist()
    for line, tone, wide in zip(lines.tolist(), tones, thick, strict=True):
        pen.line(line, fill=tone, width=wide)


def _zone_mask(chest: Chest, zone: str) -> np.ndarray:
    low = ZONES.index(zone) / 3
    return (chest.height >= max(low, 0.08)) & (chest.height < min(low + 1 / 3, 0.97))


def _place(rng, chest: Chest, side: str, zone: str, margin: float) -> tuple[float, float] | None:
    """A point in a zone of a lung with enough air on the ray for a lesion to show, in mm."""
    x = chest.grid.x * SIGN[side]
    room = (
        (chest.lung(side) > 55)
        & _zone_mask(chest, zone)
        & (x > 30)
        & (x < chest.half_width - margin)
        & (chest.heart < 25)
    )
    rows, columns = np.nonzero(room)
    if not len(rows):
        return None
    at = rng.integers(len(rows))
    return float(chest.grid.x[rows[at], columns[at]]), float(chest.grid.y[rows[at], columns[at]])


def effusion(chest: Chest, found: Effusion) -> tuple[np.ndarray, Lesion]:
    """Fluid that fills the pleural space from below, higher at the wall than in the middle."""
    person, lung = chest.person, chest.lung(found.side)
    sign = SIGN[found.side]
    # Against the wall the lung ends here, well above the rim of the dome.
    sulcus = person.dome[0 if sign < 0 else 1] + person.dome_height * 0.575
    wall = np.clip(sign * chest.grid.x / np.maximum(chest.half_width, 1), 0, 1)
    surface = sulcus - found.height + 36 * (1 - wall**2.5)
    depth = chest.grid.y - surface
    share = smooth_step(depth / 16 + 0.2)
    # The organs under the dome already fill part of the ray; fluid takes what is left of it.
    fluid = share * lung
    extra = (TISSUE - LUNG) * fluid
    mask = (extra > 0.12) & (depth > 0)
    lesion = Lesion(
        "pleural_effusion",
        found.side,
        None,
        found.degree,
        mask,
        (("height_mm", round(found.height, 1)),),
    )
    return extra.astype(np.float32), lesion


def pneumothorax(chest: Chest, found: Pneumothorax) -> tuple[np.ndarray, np.ndarray, Lesion]:
    """Air outside a collapsed lung: attenuation, where vessels are gone, and the lesion."""
    lung = chest.lung(found.side)
    x = chest.grid.x * SIGN[found.side]
    # The collapsed lung is the same shape, drawn down from the apex and in from the wall.
    t = np.clip((chest.grid.y - chest.person.apex - found.gap) / 240, 0, 1)
    profile = (1 - (1 - t) ** 2.5) ** 0.55
    inset = found.gap * (0.55 * np.clip(1 - chest.height, 0, 1) + 0.16)
    edge = np.where(t > 0, chest.person.cage_width * profile - inset, -10)
    air = smooth_step((x - edge) / 3) * (lung > 1)
    line = np.exp(-(((x - edge) / 1.5) ** 2)) * (lung > 25) * (t > 0)
    top = np.exp(-(((chest.grid.y - chest.person.apex - found.gap) / 1.8) ** 2))
    line = np.maximum(line, top * (lung > 25) * (np.abs(x - 30) < edge + 40) * (x < 40) * (t > 0))
    denser = 0.28 * min(found.gap / 50, 1) * (lung > 1) * (1 - air)
    extra = -0.85 * LUNG * lung * air + LUNG * lung * denser + 0.15 * line
    mask = (air > 0.5) & (lung > 12)
    lesion = Lesion(
        "pneumothorax",
        found.side,
        None,
        found.degree,
        mask,
        (("apical_gap_mm", round(found.gap, 1)),),
    )
    return extra.astype(np.float32), air, lesion


def consolidation(rng, chest: Chest, found: Consolidation) -> tuple[np.ndarray, Lesion] | None:
    """Air spaces filled over a ragged part of one zone."""
    centre = _place(rng, chest, found.side, found.zone, 0.6 * found.radius)
    if centre is None:
        return None
    lung, size = chest.lung(found.side), chest.grid.x.shape[0]
    stretch = rng.uniform(0.8, 1.25)
    r = np.hypot((chest.grid.x - centre[0]) / stretch, (chest.grid.y - centre[1]) * stretch)
    ragged = r / found.radius + 0.16 * noise_field(rng, size, 10) + 0.07 * noise_field(rng, size, 5)
    share = smooth_step((1.12 - ragged) / 0.5)
    depth = np.minimum(lung, 1.7 * found.radius) * share * found.density
    patchy = 1 + 0.16 * noise_field(rng, size, 6)
    extra = (TISSUE - LUNG) * depth * np.clip(patchy, 0.3, 1.6) * (lung > 1)
    mask = (extra > 0.22) & (lung > 8)
    lesion = Lesion("consolidation", found.side, found.zone, None, mask)
    return extra.astype(np.float32), lesion


def nodule(rng, chest: Chest, found: Nodule) -> tuple[np.ndarray, Lesion] | None:
    """A solid ball in the lung."""
    radius = found.diameter / 2
    centre = _place(rng, chest, found.side, found.zone, radius + 8)
    if centre is None:
        return None
    chord = 2 * ball(chest.grid, centre, (radius, radius, radius))
    extra = 1.6 * (TISSUE - LUNG) * np.clip(gaussian_filter(chord, 0.5), 0, None)
    lesion = Lesion(
        "nodule",
        found.side,
        found.zone,
        None,
        chord > 0,
        (("diameter_mm", round(found.diameter, 1)),),
    )
    return extra.astype(np.float32), lesion


def oedema(rng, chest: Chest, severity: float) -> tuple[np.ndarray, Lesion]:
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
    return extra.astype(np.float32), Lesion("oedema", None, None, None, (extra > 0.16) & (lung > 8))


def add_lesions(rng, chest: Chest, pathology: Pathology):
    """Everything that is not the healthy chest.

    Returns the added attenuation (H, W), a map in [0, 1] of where vessels are left, and the
    lesions. A lesion that finds no room is left out, and so is not in the truth either.
    """
    extra = np.zeros_like(chest.body)
    marked = np.ones_like(chest.body)
    lesions: list[Lesion] = []
    if pathology.cardiomegaly:
        heart = chest.heart > 15
        ratio = round(chest.person.cardiothoracic_ratio, 3)
        measured = (("cardiothoracic_ratio", ratio),)
        degree = pathology.cardiomegaly
        lesions.append(Lesion("cardiomegaly", None, None, degree, heart, measured))
    found = [oedema(rng, chest, pathology.oedema)] if pathology.oedema else []
    found += [consolidation(rng, chest, c) for c in pathology.consolidations]
    found += [nodule(rng, chest, n) for n in pathology.nodules]
    found += [effusion(chest, e) for e in pathology.effusions]
    for result in found:
        if result is not None and result[1].mask.sum() >= VISIBLE_PIXELS:
            extra += result[0]
            lesions.append(result[1])
    if pathology.pneumothorax:
        added, air, lesion = pneumothorax(chest, pathology.pneumothorax)
        if lesion.mask.sum() >= VISIBLE_PIXELS:
            extra += added
            marked *= 1 - 0.97 * air
            lesions.append(lesion)
    return extra, marked, lesions
