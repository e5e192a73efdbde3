"""Fits the measurement model on phantoms: see `assistant.backbones.probe.measurements`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assistant.backbones.probe.measurements import COVERAGE, MeasurementModel
from assistant.chest.measured_truth import MEASUREMENTS, SIDED_MEASUREMENTS
from assistant.chest.places import SIDES
from assistant.types import MeasurementTarget

RIDGE = 30.0  # in units of films
FEWEST = 60  # films with a measurement, below which it is not fitted


def fit_measurements(
    features: np.ndarray,
    truth: Sequence[dict[str, Any]],
    held_out: np.ndarray,
    held_out_truth: Sequence[dict[str, Any]],
) -> MeasurementModel:
    """Fit on features (N, F) of films and their true measurements, by `measurements_of`.

    The errors are on the held-out films. Measurements of too few films are left out.
    """
    targets, weights, biases = [], [], []
    for name, finding, key, length, limit in MEASUREMENTS:
        for side in SIDES if finding in SIDED_MEASUREMENTS else (None,):
            measurement = f"{finding}/{side or ''}/{key}"
            rows = _rows_with(truth, measurement)
            held_out_rows = _rows_with(held_out_truth, measurement)
            if len(rows) < FEWEST or not len(held_out_rows):
                continue
            weight, bias, error = fit_measurement(
                features[rows],
                _values_of(truth, measurement, rows),
                held_out=held_out[held_out_rows],
                held_out_truth=_values_of(held_out_truth, measurement, held_out_rows),
                ridge=RIDGE,
            )
            targets.append(MeasurementTarget(name, finding, side, length, round(error, 5), limit))
            weights.append(weight)
            biases.append(bias)
    shape = (len(targets), features.shape[1])
    return MeasurementModel(targets, np.array(weights).reshape(shape), np.array(biases))


def _rows_with(truth: Sequence[dict[str, Any]], measurement: str) -> np.ndarray:
    return np.array([i for i, row in enumerate(truth) if measurement in row], int)


def _values_of(truth: Sequence[dict[str, Any]], measurement: str, rows: np.ndarray) -> np.ndarray:
    return np.array([truth[i][measurement] for i in rows.tolist()], float)


def fit_measurement(
    features: np.ndarray,
    truth: np.ndarray,
    *,
    held_out: np.ndarray,
    held_out_truth: np.ndarray,
    ridge: float,
) -> tuple[np.ndarray, float, float]:
    """Fit weights (F,), bias and error of one measurement from features (N, F) and truth (N,)."""
    centre, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    x, y = (features - centre) / scale, truth - truth.mean()
    coefficients = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)
    weights = coefficients / scale
    bias = float(truth.mean() - weights @ centre)
    errors = np.abs(held_out @ weights + bias - held_out_truth)
    return weights, bias, float(np.quantile(errors, COVERAGE))
