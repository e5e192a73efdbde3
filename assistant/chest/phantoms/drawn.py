"""From a pathology to attenuation and lesions: each `Abnormality` drawn by its own function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation

from assistant.chest.phantoms import devices, lesions
from assistant.chest.phantoms.chest import Chest
from assistant.chest.phantoms.lesions import DrawnShape, Lesion
from assistant.chest.phantoms.pathology import DEVICES, FINDINGS, Abnormality, Pathology

VISIBLE_PIXELS = 16  # a lesion that shows on fewer is left out of film and truth alike
SMALLEST = {"granuloma": 4, "sternotomy_wires": 8}  # what shows on fewer by its brightness
FAINT = {"nodule": 0.50, "consolidation": 0.57}  # contrast to the shadows around, below which it is

Draw = Callable[[np.random.Generator, Chest, Abnormality], DrawnShape | None]
DRAW: dict[str, Draw] = {
    "oedema": lambda rng, chest, ill: lesions.oedema(rng, chest, ill.size),
    "interstitial_pattern": lambda rng, chest, ill: lesions.interstitial(rng, chest, ill.size),
    "consolidation": lesions.consolidation,
    "nodule": lesions.nodule,
    "mass": lesions.mass,
    "atelectasis": lesions.atelectasis,
    "pleural_effusion": lambda rng, chest, ill: lesions.effusion(chest, ill),
    "hyperinflation": lambda rng, chest, ill: _shape(
        (chest.lungs[0] + chest.lungs[1]) > 8, "severity", ill.size
    ),
    "cardiomegaly": lambda rng, chest, ill: _shape(
        chest.heart > 15, "cardiothoracic_ratio", ill.size
    ),
    "granuloma": devices.granuloma,
    "fracture": devices.fracture,
    "scoliosis": lambda rng, chest, ill: devices.scoliosis(chest),
    "endotracheal_tube": devices.endotracheal_tube,
    "central_line": devices.central_line,
    "pacemaker": devices.pacemaker,
    "sternotomy_wires": devices.sternotomy_wires,
    "chest_drain": devices.chest_drain,
}


@dataclass(frozen=True, slots=True, eq=False)
class PathologyEffect:
    """What a pathology adds to the healthy chest."""

    extra: np.ndarray  # attenuation (H, W)
    marked: np.ndarray  # in [0, 1] (H, W): where vessels are left
    lesions: tuple[Lesion, ...]
    distractors: tuple[Lesion, ...]
    devices: tuple[Lesion, ...]


def _shape(mask: np.ndarray, name: str, value: float) -> DrawnShape:
    """A finding that is the body's own shape: nothing is added to the ray."""
    return np.zeros(mask.shape, np.float32), mask, ((name, round(value, 3)),)


def _faint(ill: Abnormality, extra: np.ndarray, mask: np.ndarray, around: np.ndarray) -> bool:
    """Whether a lesion hardly stands out from the shadows around it (`around`: their sum)."""
    limit = FAINT.get(ill.finding)
    if limit is None:
        return False
    rows, columns = np.nonzero(mask)
    box = np.s_[
        max(rows.min() - 12, 0) : rows.max() + 13, max(columns.min() - 12, 0) : columns.max() + 13
    ]
    inside = mask[box]
    ring = binary_dilation(inside, iterations=8) & ~inside
    if not ring.any():
        return False
    return float(extra[box][inside].mean() / max(around[box][ring].std(), 1e-3)) < limit


def add_pathology(chest: Chest, pathology: Pathology, healthy: np.ndarray) -> PathologyEffect:
    """Draw everything that is not the healthy chest.

    `healthy` is the attenuation (H, W) of the chest alone. What finds no room, or shows on too
    few pixels, is left out, and so is not in the truth either.
    """
    extra = np.zeros_like(chest.body)
    marked = np.ones_like(chest.body)
    made: list[Lesion] = []
    for ill in pathology.ills:
        rng = np.random.default_rng(ill.seed)
        if ill.finding == "pneumothorax":
            drawn, air = lesions.pneumothorax(chest, ill)
        else:
            drawn, air = DRAW[ill.finding](rng, chest, ill), None
        if drawn is None:
            continue
        added, mask, measured = drawn
        if mask.sum() < SMALLEST.get(ill.finding, VISIBLE_PIXELS):
            continue
        faint = _faint(ill, added, mask, healthy)
        zone = None if ill.finding == "chest_drain" else ill.zone  # there it is the drain's aim
        made.append(Lesion(ill.finding, ill.side, zone, ill.degree, mask, measured, faint))
        extra += added.astype(np.float32)
        if air is not None:
            marked *= 1 - 0.97 * air
    return PathologyEffect(
        extra,
        marked,
        tuple(x for x in made if x.finding in FINDINGS),
        tuple(x for x in made if x.finding not in (*FINDINGS, *DEVICES)),
        tuple(x for x in made if x.finding in DEVICES),
    )
