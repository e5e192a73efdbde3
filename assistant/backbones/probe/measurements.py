"""Measurements of a film by a straight line from what the encoder sees, each with its error.

A measurement is a weighted sum of the probe's label logits and the mean patch feature, fitted on
films whose truth is known (ridge regression, Hoerl and Kennard 1970); its error is that on films it
was not fitted on. What is measured, and of which finding it speaks, travels with the weights.
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

FILE = "measures.safetensors"
SHARE = 0.9  # of films whose truth lies within the error that is stated


class MeasurementModel:
    """Fitted measurements: weights float32 (M, F) over features (F,), and what they measure."""

    def __init__(
        self, measures: Sequence[MeasurementTarget], weights: np.ndarray, bias: np.ndarray
    ) -> None:
        self.measures, self._weights, self._bias = tuple(measures), weights, bias

    def measure(self, logits: np.ndarray, mean: np.ndarray) -> tuple[Measurement, ...]:
        """Measure one film by its label logits (L,) and mean patch feature (W,)."""
        values = self._weights @ np.concatenate([logits, mean]) + self._bias
        return tuple(
            Measurement(one, float(value)) for one, value in zip(self.measures, values, strict=True)
        )

    def save(self, path: Path) -> None:
        """Write one safetensors file."""
        state = {"weights": self._weights.astype(np.float32), "bias": self._bias.astype(np.float32)}
        told = json.dumps([asdict(one) for one in self.measures])
        save_file(state, path, metadata={"measures": told})

    @classmethod
    def load(cls, path: Path) -> MeasurementModel:
        """Read what `save` wrote; BackboneError for a file that is damaged."""
        try:
            with safe_open(str(path), "np") as file:
                told = json.loads((file.metadata() or {})["measures"])
                weights, bias = file.get_tensor("weights"), file.get_tensor("bias")
            return cls([MeasurementTarget(**row) for row in told], weights, bias)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise BackboneError(
                f"The measurements of the backbone in {path.parent.name!r} are damaged "
                f"({type(error).__name__}); get its files again."
            ) from None
