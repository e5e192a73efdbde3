"""Measurements of a film by a straight line from what the encoder sees, each with its error.

A measurement is a weighted sum of the probe's label logits and the mean patch feature, fitted on
films whose truth is known (ridge regression, Hoerl and Kennard 1970); its error is that on films it
was not fitted on. What is measured, and of which finding it speaks, travels with the weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from assistant.errors import BackboneError

FILE = "measures.safetensors"
SHARE = 0.9  # of films whose truth lies within the error that is stated
SPREADS = 1.645  # standard deviations that hold so many, where errors are normal


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that can be measured, and the finding that it speaks of."""

    name: str  # "cardiothoracic ratio"
    finding: str
    side: str | None
    length: bool  # in parts of the square's edge, to be given in mm; else a ratio
    error: float  # nine in ten lie within it, in the same unit
    limit: float = 0.0  # from which on it speaks for the finding


@dataclass(frozen=True, slots=True)
class Measured:
    """What a film measures."""

    measure: Measure
    value: float

    @property
    def beyond(self) -> float:
        """The probability, in (0, 1), that the true value lies over the measure's limit."""
        off = (self.value - self.measure.limit) * SPREADS / max(self.measure.error, 1e-6)
        return 0.5 * (1 + math.erf(off / math.sqrt(2)))


class Measures:
    """Fitted measurements: weights float32 (M, F) over features (F,), and what they measure."""

    def __init__(self, measures: Sequence[Measure], weights: np.ndarray, bias: np.ndarray) -> None:
        self.measures, self._weights, self._bias = tuple(measures), weights, bias

    def take(self, logits: np.ndarray, mean: np.ndarray) -> tuple[Measured, ...]:
        """Measure one film by its label logits (L,) and mean patch feature (W,)."""
        values = self._weights @ np.concatenate([logits, mean]) + self._bias
        return tuple(
            Measured(one, float(value)) for one, value in zip(self.measures, values, strict=True)
        )

    def save(self, path: Path) -> None:
        """Write one safetensors file."""
        state = {"weights": self._weights.astype(np.float32), "bias": self._bias.astype(np.float32)}
        told = json.dumps([asdict(one) for one in self.measures])
        save_file(state, path, metadata={"measures": told})

    @classmethod
    def load(cls, path: Path) -> Measures:
        """Read what `save` wrote; BackboneError for a file that is damaged."""
        try:
            with safe_open(str(path), "np") as file:
                told = json.loads((file.metadata() or {})["measures"])
                weights, bias = file.get_tensor("weights"), file.get_tensor("bias")
            return cls([Measure(**row) for row in told], weights, bias)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise BackboneError(
                f"The measurements of the backbone in {path.parent.name!r} are damaged "
                f"({type(error).__name__}); get its files again."
            ) from None


def fit_measure(
    features: np.ndarray, truth: np.ndarray, held: np.ndarray, held_truth: np.ndarray, ridge: float
) -> tuple[np.ndarray, float, float]:
    """Weights (F,), bias and error of one measurement from features (N, F) and truth (N,)."""
    centre, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    x, y = (features - centre) / scale, truth - truth.mean()
    solved = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)
    weights = solved / scale
    bias = float(truth.mean() - weights @ centre)
    off = np.abs(held @ weights + bias - held_truth)
    return weights, bias, float(np.quantile(off, SHARE))
