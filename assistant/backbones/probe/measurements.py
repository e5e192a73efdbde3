"""Measures a film by linear regression on the encoder's output, each value with its error.

A measurement is a weighted sum of the probe's label logits and the mean patch feature, fitted on
films whose truth is known (ridge regression, Hoerl and Kennard 1970); its error is measured on
other films. The quantity and its finding are stored with the weights.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from assistant.errors import BackboneError
from assistant.types import Measurement, MeasurementTarget

MEASUREMENTS_FILE = "measures.safetensors"
COVERAGE = 0.9  # share of films whose truth lies within the stated error


class MeasurementModel:
    """A linear model of M quantities: weights float32 (M, F) over features (F,)."""

    def __init__(
        self, targets: Sequence[MeasurementTarget], weights: np.ndarray, bias: np.ndarray
    ) -> None:
        self.targets, self._weights, self._bias = tuple(targets), weights, bias

    def measure(self, logits: np.ndarray, mean: np.ndarray) -> tuple[Measurement, ...]:
        """Measure one film by its label logits (L,) and mean patch feature (W,)."""
        values = self._weights @ np.concatenate([logits, mean]) + self._bias
        return tuple(
            Measurement(target, float(value))
            for target, value in zip(self.targets, values, strict=True)
        )

    def save(self, path: Path) -> None:
        """Write one safetensors file."""
        state = {"weights": self._weights.astype(np.float32), "bias": self._bias.astype(np.float32)}
        targets_json = json.dumps([asdict(target) for target in self.targets])
        save_file(state, path, metadata={"measures": targets_json})

    @classmethod
    def load(cls, path: Path) -> MeasurementModel:
        """Read a file of `save`; BackboneError if it is damaged."""
        try:
            with safe_open(str(path), "np") as file:
                rows = json.loads((file.metadata() or {})["measures"])
                weights, bias = file.get_tensor("weights"), file.get_tensor("bias")
            return cls([MeasurementTarget(**row) for row in rows], weights, bias)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise BackboneError(
                f"The measurements of the backbone in {path.parent.name!r} are damaged "
                f"({type(error).__name__}); get its files again."
            ) from None
