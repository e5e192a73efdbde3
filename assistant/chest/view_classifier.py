"""Classifies whether a film is an upright frontal chest film with bone bright: a small network.

The network gets the film at 64 pixels in two channels: with its contrast stretched, and with its
grey values equalised, so that the exposure matters little. It scores the film as it lies and in
the seven other orientations; the orientation that scores as an upright frontal film gives the
correction. It uses neither the backbone nor its features; `adapters/view_classifier/train.py`
trains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from assistant.errors import BackboneError
from assistant.intake.orientation import CORRECTIONS
from assistant.intake.resize import square
from assistant.types import Film

EDGE = 64
KINDS = ("frontal", "lateral", "none")
FRONTAL, LATERAL, NONE = range(3)
MIN_CERTAINTY = 0.9  # probability from which a correction or a lateral film is named
WEIGHTS = Path(__file__).with_name("view.safetensors")
ViewKind = Literal["frontal", "lateral", "none"]


@dataclass(frozen=True, slots=True)
class View:
    """The view of a film, for the gate."""

    kind: ViewKind
    score: float  # probability, in [0, 1], that it is an upright frontal chest film as it lies
    limit: float  # the score from which it counts as one
    correction: str | None = None  # what makes it an upright frontal film


class ViewNet(nn.Module):
    """Four strided convolutions and two layers: logits of `KINDS`."""

    def __init__(self) -> None:
        super().__init__()
        widths = (2, 12, 24, 32, 40)
        blocks = [
            nn.Sequential(
                nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False), nn.GroupNorm(4, b), nn.GELU()
            )
            for a, b in pairwise(widths)
        ]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(40 * 16, 32), nn.GELU(), nn.Linear(32, len(KINDS))
        )
        self.register_buffer("limit", torch.tensor(0.5))

    limit: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, 3) of prepared films (B, 2, 64, 64)."""
        return self.head(self.blocks(x).flatten(1))


def prepare_picture(squares: np.ndarray) -> np.ndarray:
    """Turn films (B, 64, 64) in [0, 1] into network input: float32 (B, 2, 64, 64) in [-1, 1].

    The first channel is stretched between the 2nd and the 98th percentile; the second is the
    share of the film's pixels that are darker.
    """
    count = len(squares)
    flat = squares.reshape(count, -1)
    low, high = np.percentile(flat, [2, 98], axis=1)[:, :, None]
    stretched = np.clip((flat - low) / np.maximum(high - low, 1e-3), 0, 1)
    level = (stretched * 255).astype(np.int64)
    at = level + 256 * np.arange(count)[:, None]
    histogram = np.bincount(at.ravel(), minlength=256 * count).reshape(count, 256)
    # Equal pixels share the middle of their ranks, so that a flat background stays flat.
    ranks = (histogram.cumsum(axis=1) - histogram / 2) / flat.shape[1]
    equalised = np.take_along_axis(ranks, level, axis=1)
    channels = np.stack([stretched, equalised], axis=1).reshape(count, 2, *squares.shape[1:])
    return (channels * 2 - 1).astype(np.float32)


def orientations(pixels: np.ndarray) -> np.ndarray:
    """Return a film (H, W) as it lies and with each of `CORRECTIONS`, float32 (8, 64, 64)."""
    pictures = []
    for picture in (square(pixels, EDGE), square(1 - pixels, EDGE)):
        pictures += [np.rot90(picture, -quarters) for quarters in range(4)]
    return np.stack(pictures)


@torch.inference_mode()
def classify_view(film: Film) -> View:
    """Classify how a film lies and whether it is a frontal chest film.

    Raises BackboneError if the shipped weights are damaged.
    """
    net = _load_net(WEIGHTS)

    def probabilities_of(squares: np.ndarray) -> np.ndarray:
        return net(torch.from_numpy(prepare_picture(squares))).softmax(dim=1).numpy()

    as_it_lies = probabilities_of(square(film.pixels, EDGE)[None])
    limit, score = float(net.limit), float(as_it_lies[0, FRONTAL])
    if score >= limit:  # as for nearly all films: no need to score the other orientations
        return View("frontal", score, limit)
    probabilities = np.concatenate([as_it_lies, probabilities_of(orientations(film.pixels)[1:])])
    best = int(probabilities[1:, FRONTAL].argmax())
    best_score = float(probabilities[1 + best, FRONTAL])
    lateral_score = float(probabilities[:, LATERAL].max())
    # A lateral film scores as lateral in one of the eight orientations, a frontal one likewise.
    if best_score >= max(MIN_CERTAINTY, lateral_score):
        return View("frontal", score, limit, CORRECTIONS[best])
    return View("lateral" if lateral_score >= MIN_CERTAINTY else "none", score, limit)


@cache
def _load_net(path: Path) -> ViewNet:
    net = ViewNet()
    try:
        net.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    except (OSError, RuntimeError, SafetensorError) as error:
        raise BackboneError(
            f"The weights {path.name!r} cannot be loaded ({type(error).__name__}); "
            "install Wetread again, or train them with `python -m adapters.view_classifier.train`."
        ) from None
    return net.eval()
