"""What is measured in phantoms, and fitting it: see `assistant.backbones.probe.measurements`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assistant.backbones.probe.measurements import Measure, Measures, fit_measure

RIDGE = 30.0  # in units of films
FEWEST = 60  # films with a finding, below which nothing is fitted
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


def fit_measures(
    features: np.ndarray,
    measured: Sequence[dict[str, Any]],
    held: np.ndarray,
    held_measured: Sequence[dict[str, Any]],
) -> Measures:
    """Fit on features (N, F) of films with what is `measured` in each, as `measured_in` tells.

    The error is that on the films held out. What too few films have is left out.
    """
    measures, weights, biases = [], [], []
    for name, finding, key, length, limit in WANTED:
        for side in ("right", "left") if finding in SIDED else (None,):
            told = f"{finding}/{side or ''}/{key}"
            at, held_at = (_with(rows, told) for rows in (measured, held_measured))
            if len(at) < FEWEST or not len(held_at):
                continue
            weight, bias, error = fit_measure(
                *(features[at], _truth(measured, told, at)),
                *(held[held_at], _truth(held_measured, told, held_at), RIDGE),
            )
            measures.append(Measure(name, finding, side, length, round(error, 5), limit))
            weights.append(weight)
            biases.append(bias)
    shape = (len(measures), features.shape[1])
    return Measures(measures, np.array(weights).reshape(shape), np.array(biases))


def measured_in(phantom: Any) -> dict[str, float]:
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


def _with(rows: Sequence[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([i for i, row in enumerate(rows) if key in row], int)


def _truth(rows: Sequence[dict[str, Any]], key: str, at: np.ndarray) -> np.ndarray:
    return np.array([rows[i][key] for i in at.tolist()], float)
