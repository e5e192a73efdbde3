"""The measurements of a phantom: lengths and ratios from its exact truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from assistant.chest.measured_truth import SIDED_MEASUREMENTS
from assistant.chest.vocabulary import CARDIOMEGALY


def measurements_of(phantom: Any) -> dict[str, float]:
    """A phantom's measurements by name, lengths in parts of the film's edge.

    The largest counts when several lesions have the same name.
    """
    edge = phantom.film.shape[0] * phantom.spacing_mm
    measurements = {f"{CARDIOMEGALY}//cardiothoracic_ratio": float(phantom.cardiothoracic_ratio)}
    for lesion in (*phantom.lesions, *phantom.devices):
        side = lesion.side if lesion.finding in SIDED_MEASUREMENTS else None
        for key, value in lesion.measurements:
            if key.endswith("_mm"):
                name = f"{lesion.finding}/{side or ''}/{key}"
                measurements[name] = max(measurements.get(name, -np.inf), value / edge)
    return measurements
