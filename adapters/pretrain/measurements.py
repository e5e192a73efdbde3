"""What is measured in phantoms, and fitting it: see `assistant.backbones.probe.measurements`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assistant.backbones.probe.measurements import SHARE, MeasurementModel
from assistant.chest.measured_truth import MEASUREMENTS, SIDED_MEASUREMENTS
from assistant.chest.places import SIDES
from assistant.types import MeasurementTarget

RIDGE = 30.0  # in units of films
FEWEST = 60  # films with a finding, below which nothing is fitted


def fit_measures(
    features: np.ndarray,
    measured: Sequence[dict[str, Any]],
    held: np.ndarray,
    held_measured: Sequence[dict[str, Any]],
) -> MeasurementModel:
    """Fit on features (N, F) of films with what is `measured` in each, as `measured_in` tells.

    The error is that on the films held out. What too few films have is left out.
    """
    measures, weights, biases = [], [], []
    for name, finding, key, length, limit in MEASUREMENTS:
        for side in SIDES if finding in SIDED_MEASUREMENTS else (None,):
            told = f"{finding}/{side or ''}/{key}"
            at, held_at = (_with(rows, told) for rows in (measured, held_measured))
            if len(at) < FEWEST or not len(held_at):
                continue
            weight, bias, error = fit_measure(
                features[at],
                _truth(measured, told, at),
                held_out=held[held_at],
                held_out_truth=_truth(held_measured, told, held_at),
                ridge=RIDGE,
            )
            measures.append(MeasurementTarget(name, finding, side, length, round(error, 5), limit))
            weights.append(weight)
            biases.append(bias)
    shape = (len(measures), features.shape[1])
    return MeasurementModel(measures, np.array(weights).reshape(shape), np.array(biases))


def _with(rows: Sequence[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([i for i, row in enumerate(rows) if key in row], int)


def _truth(rows: Sequence[dict[str, Any]], key: str, at: np.ndarray) -> np.ndarray:
    return np.array([rows[i][key] for i in at.tolist()], float)


def fit_measure(
    features: np.ndarray,
    truth: np.ndarray,
    *,
    held_out: np.ndarray,
    held_out_truth: np.ndarray,
    ridge: float,
) -> tuple[np.ndarray, float, float]:
    """Weights (F,), bias and error of one measurement from features (N, F) and truth (N,)."""
    centre, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    x, y = (features - centre) / scale, truth - truth.mean()
    solved = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)
    weights = solved / scale
    bias = float(truth.mean() - weights @ centre)
    off = np.abs(held_out @ weights + bias - held_out_truth)
    return weights, bias, float(np.quantile(off, SHARE))
