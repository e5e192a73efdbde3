"""Reads what lies beside the weights of a backbone that `wetread train` has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from assistant.backbones.hashes import CARD
from assistant.backbones.janus.grain import GREY_LEVELS
from assistant.backbones.probe.measurements import MeasurementModel
from assistant.backbones.probe.probe import Probe
from assistant.backbones.whole import Refusal, check_arrays, check_safetensors
from assistant.errors import BackboneError
from assistant.parsing import read_json


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card of a backbone that `wetread train` has written; BackboneError if damaged."""
    shown = f"The card of {folder.name!r}"
    card = read_json(folder / CARD, shown, most=8_000_000, error=BackboneError)
    if not isinstance(card, dict) or not all(
        isinstance(card.get(key), str) for key in ("name", "licence")
    ):
        raise BackboneError(f"{shown} does not name it and its licence; get its files again.")
    return card


def read_reference(folder: Path, width: int) -> dict[str, np.ndarray]:
    """The tables of the gate for profiles of `width` numbers; BackboneError if one is damaged."""
    path = folder / "reference.safetensors"
    check_safetensors(path)
    with Refusal(f"The reference of {folder.name!r} is damaged ({{}}); get its files again."):
        tables = load_file(path)
    kind: dict[str, tuple[int | None, ...]] = {
        "pool_mean": (width,), "pool_scale": (width,), "components": (None, width),
        "rest": (1,), "limit": (1,),
    }  # fmt: skip
    shapes = dict(kind)
    # Older references have one kind of films and no head for children.
    if any(key.startswith("real.") for key in tables):
        shapes |= {f"real.{name}": shape for name, shape in kind.items()}
    if any(key.startswith("child.") for key in tables):
        shapes |= {"child.weights": (width,), "child.bias": (1,)}
    grain = {key: (GREY_LEVELS,) for key in tables if key.startswith("grain.")}
    check_arrays(f"the reference of {folder.name!r}", tables, shapes | grain)
    return tables


def load_probe(
    probe_file: Path, measurement_file: Path, width: int
) -> tuple[Probe | None, MeasurementModel | None]:
    """The probe and the measurements where there are any, for patch features of `width` numbers.

    Raises BackboneError for those of another encoder.
    """
    probe = Probe.load(probe_file) if probe_file.is_file() else None
    measurements = MeasurementModel.load(measurement_file) if measurement_file.is_file() else None
    of_other = probe is not None and probe.patches.in_features != width
    if measurements is not None:
        labels = len(probe.labels) if probe else 0
        of_other = of_other or not labels or measurements.inputs != labels + width
    if of_other:
        raise BackboneError(
            f"The probe or the measurements of {probe_file.parent.name!r} are of another encoder; "
            "get its files again."
        )
    return probe, measurements
