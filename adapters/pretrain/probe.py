"""The probe taught anew on an encoder that stays as it is, with every film in a mirror as well.

What a probe asks of an encoder's patches is a few thousand numbers, which a few hundred films
move and a few thousand settle, in minutes. Where each finding's patches lie is left as it is.
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
ROUNDS = 60  # times that each film is seen at most
BLOCK = 32
FilmViews = Iterable[tuple[torch.Tensor, torch.Tensor, np.ndarray]]


@dataclass(frozen=True, slots=True, eq=False)
class ProbeDataset:
    """What the encoder sees in films and their mirror images, and what is true of them."""

    features: np.ndarray  # float16 (2, N, P, W): the films, and the same mirrored
    truth: np.ndarray  # float32 (N, L): 1 true, 0 false, NaN not known

    def __len__(self) -> int:
        return len(self.truth)


def cache_probe_features(count: int, shown: FilmViews, path: Path | None = None) -> ProbeDataset:
    """Lessons from `shown`, `count` films in all, a block at a time.

    A block is the patch features (B, P, W) of films and of their mirror images, and what is true
    of them (B, L). With `path` the features are kept there and not in memory.
    """
    features, truths, at = None, [], 0
    for *sides, truth in shown:
        if features is None:
            shape = (2, count, *sides[0].shape[1:])
            features = (
                np.empty(shape, np.float16)
                if path is None
                else np.lib.format.open_memmap(path, "w+", np.float16, shape)
            )
        for row, told in zip(features, sides, strict=True):
            row[at : at + len(truth)] = told.numpy()
        truths.append(np.asarray(truth, np.float32))
        at += len(truth)
    if features is None:
        raise SettingsError("There is no film to teach the probe from; name a folder with films.")
    return ProbeDataset(features[:, :at], np.concatenate(truths))


def train_probe(probe: Probe, lessons: ProbeDataset, *, seed: int, steps: int = STEPS) -> None:
    """Train in place where each label looks and what it answers; its patches stay.

    A mirrored film teaches the same of the other side. What is not known teaches nothing.
    """
    generator = np.random.default_rng(seed)
    steps = min(steps, ROUNDS * max(1, len(lessons) // min(BATCH, len(lessons))))
    probe.requires_grad_(False)
    trained = [probe.queries.weight, probe.pull, *probe.heads.parameters()]
    for weight in trained:
        weight.requires_grad_(True)
    optimiser = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        size = min(BATCH, len(lessons))
        picked = np.sort(generator.choice(len(lessons), size, replace=False))
        loss = _loss(probe, lessons, picked)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        plan.step()
    probe.requires_grad_(False)


@torch.no_grad()
def loss_of(probe: Probe, lessons: ProbeDataset) -> float:
    """The mean cross-entropy of all that is known, of the films and their mirror images."""
    found = [
        float(_loss(probe, lessons, picked)) * len(picked)
        for picked in np.array_split(np.arange(len(lessons)), -(-len(lessons) // BLOCK))
    ]
    return sum(found) / len(lessons)


@torch.no_grad()
def logits_of(probe: Probe, lessons: ProbeDataset) -> torch.Tensor:
    """Label logits (N, L), the mean of what is said of each film and of its mirror image."""
    found = []
    for picked in np.array_split(np.arange(len(lessons)), -(-len(lessons) // BLOCK)):
        plain, mirror = _told(probe, lessons, picked)
        found.append((plain + mirror) / 2)
    return torch.cat(found)


def _told(
    probe: Probe, lessons: ProbeDataset, picked: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """Label logits (B, L) of films, and of their mirror images told as of the films."""
    plain, mirror = (torch.from_numpy(side[picked]).float() for side in lessons.features)
    return probe(plain)[0], probe(mirror)[0][:, probe.mirrored]


def _loss(probe: Probe, lessons: ProbeDataset, picked: np.ndarray) -> torch.Tensor:
    truth = torch.from_numpy(lessons.truth[picked])
    known = ~truth.isnan()
    losses = [
        F.binary_cross_entropy_with_logits(told[known], truth[known])
        for told in _told(probe, lessons, picked)
    ]
    return losses[0] + losses[1] if known.any() else losses[0].new_zeros(()).requires_grad_()
