"""Trains a probe on a frozen encoder, on films and their mirror images.

The trained part is small: a few hundred films change it, a few thousand are enough, and it takes
minutes. The probe's patch classifier is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from assistant.backbones.probe.probe import Probe
from assistant.errors import SettingsError

STEPS, BATCH, RATE = 3000, 64, 5e-4
ROUNDS = 60  # epochs at most
BLOCK = 32
FilmViews = Iterable[tuple[torch.Tensor, torch.Tensor, np.ndarray]]


@dataclass(frozen=True, slots=True, eq=False)
class ProbeDataset:
    """The features of films and of their mirror images, with the truth of the labels."""

    features: np.ndarray  # float16 (2, N, P, W): of the films, and of their mirror images
    truth: np.ndarray  # float32 (N, L): 1 true, 0 false, NaN unknown

    def __len__(self) -> int:
        return len(self.truth)


def cache_probe_features(count: int, views: FilmViews, path: Path | None = None) -> ProbeDataset:
    """Collect a data set from `views`, which yields `count` films in blocks.

    A block is the patch features (B, P, W) of films, those of their mirror images, and the truth
    of their labels (B, L). With `path` the features are stored there and not in memory.
    """
    features, truths, start = None, [], 0
    for *blocks, truth in views:
        if features is None:
            shape = (2, count, *blocks[0].shape[1:])
            features = (
                np.empty(shape, np.float16)
                if path is None
                else np.lib.format.open_memmap(path, "w+", np.float16, shape)
            )
        for rows, block in zip(features, blocks, strict=True):
            rows[start : start + len(truth)] = block.numpy()
        truths.append(np.asarray(truth, np.float32))
        start += len(truth)
    if features is None:
        raise SettingsError("There is no film to teach the probe from; name a folder with films.")
    return ProbeDataset(features[:, :start], np.concatenate(truths))


def train_probe(probe: Probe, dataset: ProbeDataset, *, seed: int, steps: int = STEPS) -> None:
    """Train the labels' attention and heads in place; the patch classifier stays as it is.

    A mirror image has the same findings on the other side. Unknown labels have no loss.
    """
    generator = np.random.default_rng(seed)
    steps = min(steps, ROUNDS * max(1, len(dataset) // min(BATCH, len(dataset))))
    probe.requires_grad_(False)
    parameters = [probe.queries.weight, probe.pull, *probe.heads.parameters()]
    for weight in parameters:
        weight.requires_grad_(True)
    optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        size = min(BATCH, len(dataset))
        batch = np.sort(generator.choice(len(dataset), size, replace=False))
        loss = _loss(probe, dataset, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    probe.requires_grad_(False)


@torch.no_grad()
def loss_of(probe: Probe, dataset: ProbeDataset) -> float:
    """The mean cross-entropy of the known labels, on the films and their mirror images."""
    losses = [
        float(_loss(probe, dataset, batch)) * len(batch)
        for batch in np.array_split(np.arange(len(dataset)), -(-len(dataset) // BLOCK))
    ]
    return sum(losses) / len(dataset)


@torch.no_grad()
def logits_of(probe: Probe, dataset: ProbeDataset) -> torch.Tensor:
    """Label logits (N, L), the mean of each film's and its mirror image's."""
    logits = []
    for batch in np.array_split(np.arange(len(dataset)), -(-len(dataset) // BLOCK)):
        plain, mirror = _logits_of_views(probe, dataset, batch)
        logits.append((plain + mirror) / 2)
    return torch.cat(logits)


def _logits_of_views(
    probe: Probe, dataset: ProbeDataset, batch: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """Label logits (B, L) of films, and of their mirror images with the sides swapped back."""
    plain, mirror = (torch.from_numpy(view[batch]).float() for view in dataset.features)
    return probe(plain)[0], probe(mirror)[0][:, probe.mirror_indices]


def _loss(probe: Probe, dataset: ProbeDataset, batch: np.ndarray) -> torch.Tensor:
    truth = torch.from_numpy(dataset.truth[batch])
    is_known = ~truth.isnan()
    losses = [
        F.binary_cross_entropy_with_logits(logits[is_known], truth[is_known])
        for logits in _logits_of_views(probe, dataset, batch)
    ]
    return losses[0] + losses[1] if is_known.any() else losses[0].new_zeros(()).requires_grad_()
