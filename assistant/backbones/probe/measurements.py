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
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from assistant.backbones.whole import Refusal, check_arrays, check_safetensors
from assistant.types import Measurement, MeasurementTarget

MEASUREMENTS_FILE = "measures.safetensors"
COVERAGE = 0.9  # share of films whose truth lies within the stated error


class MeasurementModel:
    """A linear model of M quantities: weights float32 (M, F) over features (F,)."""

    def __init__(
        self, targets: Sequence[MeasurementTarget], weights: np.ndarray, bias: np.ndarray
    ) -> None:
        self.targets, self._weights, self._bias = tuple(targets), weights, bias

    @property
    def inputs(self) -> int:
        """Number of its inputs: label logits and the width of a patch feature."""
        return self._weights.shape[1]

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
        """Read a file of `save`; BackboneError if it is damaged or lacks a weight."""
        shown = f"the measurements of the backbone in {path.parent.name!r}"
        check_safetensors(path)
        with Refusal(f"The{shown[3:]} are damaged ({{}}); get its files again."):
            state = load_file(path)
            with safe_open(str(path), "np") as file:
                rows = json.loads((file.metadata() or {})["measures"])
            targets = [MeasurementTarget(**row) for row in rows]
        check_arrays(shown, state, {"weights": (len(targets), None), "bias": (len(targets),)})
        return cls(targets, state["weights"], state["bias"])
