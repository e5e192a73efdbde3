"""What is measured in a phantom: lengths and ratios of its exact truth."""

from __future__ import annotations

from typing import Any

import numpy as np

# (name, finding, key in the truth, a length, from where on it speaks for the finding)
WANTED = (
    ("cardiothoracic ratio", "cardiomegaly", "cardiothoracic_ratio", False, 0.5),
    ("height", "pleural_effusion", "height_mm", True, 0.0),
    ("apical gap", "pneumothorax", "apical_gap_mm", True, 0.0),
    ("largest diameter", "nodule", "diameter_mm", True, 0.0),
    ("largest diameter", "mass", "diameter_mm", True, 0.0),
    ("distance of the tip from the carina", "endotracheal_tube", "tip_to_carina_mm", True, 0.0),
)
SIDED = ("pleural_effusion", "pneumothorax")


def measurements_of(phantom: Any) -> dict[str, float]:
    """What a phantom measures, lengths in parts of the film's edge; of several the largest."""
    edge = phantom.film.shape[0] * phantom.spacing_mm
    found = {"cardiomegaly//cardiothoracic_ratio": float(phantom.cardiothoracic_ratio)}
    for lesion in (*phantom.lesions, *phantom.devices):
        side = lesion.side if lesion.finding in SIDED else None
        for key, value in lesion.measurements:
            if key.endswith("_mm"):
                name = f"{lesion.finding}/{side or ''}/{key}"
                found[name] = max(found.get(name, -np.inf), value / edge)
    return found
