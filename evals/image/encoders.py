"""The encoders whose features compare sets of films, by name, and why one may be missing.

A distance between sets of films is a distance for one encoder: its name belongs to the figure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from assistant import Assistant
from assistant.intake.resize import batch_of
from assistant.iterables import batched
from assistant.types import Film
from evals.mini.kid import features_of

XRV_WEIGHTS = "densenet121-res224-all"
XRV_EDGE, XRV_RANGE = 224, 1024.0  # pixels a side; grey values from -1024 to 1024


@dataclass(frozen=True, slots=True)
class NamedEncoder:
    """An encoder, and the name that stands in brackets in its figures."""

    name: str
    features: Callable[[list[Film]], np.ndarray] | None  # to float32 (N, P); None: not available
    missing: str = ""  # why it is not available


def list_encoders(assistant: Assistant) -> tuple[NamedEncoder, ...]:
    """The backbone's own encoder, and that of TorchXRayVision where it is on this machine."""
    own = NamedEncoder(assistant.backbone.identity.name, partial(features_of, assistant))
    return own, load_xrv()


def load_xrv() -> NamedEncoder:
    """The DenseNet of TorchXRayVision (Cohen et al. 2022), trained on real films of seven sets.

    Nothing is downloaded: the package, torchvision and the weights must be installed already.
    """

    def unavailable(reason: str) -> NamedEncoder:
        return NamedEncoder("xrv", None, f"unavailable: {reason}")

    for package in ("torchxrayvision", "torchvision"):
        if find_spec(package) is None:
            return unavailable(f"the package {package} is not installed")
    try:
        models = import_module("torchxrayvision.models")
    except (ImportError, RuntimeError, OSError) as error:  # a torchvision of another torch
        return unavailable(f"torchxrayvision cannot be imported ({error})")
    file = Path(models.model_urls[XRV_WEIGHTS]["weights_url"]).name
    if not (Path.home() / ".torchxrayvision" / "models_data" / file).is_file():
        return unavailable(f"its weights {file} are not in ~/.torchxrayvision/models_data")
    model = models.DenseNet(weights=XRV_WEIGHTS).eval()
    return NamedEncoder("xrv", partial(_xrv_features, model))


def _xrv_features(model: Any, films: list[Film]) -> np.ndarray:
    import torch

    features = []
    with torch.inference_mode():
        for batch in batched(films):
            grey = torch.from_numpy(batch_of(batch, XRV_EDGE)[:, :1] * XRV_RANGE)
            features.append(model.features2(grey).numpy())
    return np.concatenate(features)
