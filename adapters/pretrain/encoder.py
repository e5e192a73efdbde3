"""First stage: trains the encoder and its probe to localise findings.

Reports alone do not teach a small encoder to detect an 8 mm nodule. So the targets are the patches
of the film that a phantom's lesions cover.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import JanusVisionModel

from adapters.data.phantom_arrays import CHANNELS, FILM_LABELS, PhantomArrays
from assistant.backbones.probe.probe import Probe
from assistant.chest.phantoms import DEVICES

# Findings that cover little of a patch weigh more: (factor of the share, factor of the loss).
SMALL = {
    "nodule": (3.0, 8.0),
    "granuloma": (12.0, 10.0),
    "mass": (1.5, 2.0),
    "consolidation": (1.0, 1.5),
    "pneumothorax": (1.0, 2.0),
    "atelectasis": (3.0, 3.0),
    "fracture": (4.0, 6.0),
    **dict.fromkeys(DEVICES, (6.0, 2.0)),
}
# In the second round: (factor of the patches' weight, factor of the film labels' weight).
FOCUS = {
    "nodule": (2.5, 4.0),
    "mass": (2.0, 3.0),
    "consolidation": (2.0, 3.0),
    "granuloma": (1.5, 2.0),
    "fracture": (2.0, 2.0),
    "endotracheal_tube": (1.5, 3.0),
}
PATCH_GAIN = torch.tensor([SMALL.get(channel, (1.0, 1.0))[0] for channel in CHANNELS])
PATCH_WEIGHT = torch.tensor([SMALL.get(channel, (1.0, 1.0))[1] for channel in CHANNELS])


BLURRED_SHARE = 0.25  # of films at a painting's resolution, so that the probe reads paintings too


def _halve_resolution(films: torch.Tensor) -> torch.Tensor:
    """Films (B, H, H) at half the resolution, in the same size."""
    half = F.avg_pool2d(films.unsqueeze(1), 2)
    return F.interpolate(half, scale_factor=2, mode="bilinear").squeeze(1)


def _move_randomly(films: torch.Tensor, cover: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Films (B, H, H) and the cover of their patches (B, N, C), shifted, turned and scaled alike.

    Without this the encoder overfits to small lesions in a few thousand films.
    """
    count, edge = len(films), round(cover.shape[1] ** 0.5)
    turn = torch.empty(count).uniform_(-0.06, 0.06)
    size = torch.empty(count).uniform_(0.93, 1.08)
    shift = torch.empty(count, 2).uniform_(-0.09, 0.09)
    cos, sin = turn.cos() * size, turn.sin() * size
    rows = (torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1))
    transforms = torch.stack(rows, dim=1)

    def move(maps: torch.Tensor) -> torch.Tensor:
        grid = F.affine_grid(transforms, list(maps.shape), align_corners=False)
        return F.grid_sample(maps, grid, align_corners=False)

    maps = cover.transpose(1, 2).reshape(count, -1, edge, edge)
    return move(films.unsqueeze(1)).squeeze(1), move(maps).flatten(2).transpose(1, 2)


class FilmBatches(torch.utils.data.Dataset):
    """Films with their patch and film targets; an item is an index, `collate` makes a batch."""

    def __init__(self, arrays: PhantomArrays, augment: bool) -> None:
        self.arrays, self.augment = arrays, augment

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, index: int) -> int:
        return index

    def collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Pixels float32 (B, 3, 256, 256) in [-1, 1] and the targets in [0, 1]."""
        films = torch.from_numpy(self.arrays.films[indices]).float().div_(255)
        cover = torch.from_numpy(self.arrays.patches[indices]).float().div_(255)
        if self.augment:  # exposure and position vary; no flip, as the sides must stay
            gamma = torch.empty(len(indices), 1, 1).uniform_(0.75, 1.33)
            films = films.pow(gamma) * torch.empty(len(indices), 1, 1).uniform_(0.85, 1.0)
            films, cover = _move_randomly(films, cover)
            films[: round(BLURRED_SHARE * len(films))] = _halve_resolution(
                films[: round(BLURRED_SHARE * len(films))]
            )
        pixels = films.mul(2).sub_(1).unsqueeze(1).expand(-1, 3, -1, -1)
        return {
            "pixels": pixels,
            "patches": (cover * PATCH_GAIN).clamp_(max=1),
            "labels": torch.from_numpy(self.arrays.labels[indices]).float(),
        }


def _wave_positions(edge: int, width: int) -> torch.Tensor:
    """Sines and cosines of row and column, (edge^2, width)."""
    index = torch.arange(edge, dtype=torch.float32)
    rates = 1 / 100 ** (torch.arange(width // 4, dtype=torch.float32) / (width // 4))
    waves = torch.cat([(index[:, None] * rates).sin(), (index[:, None] * rates).cos()], dim=1)
    rows = waves[:, None].expand(-1, edge, -1)
    columns = waves[None].expand(edge, -1, -1)
    return torch.cat([rows, columns], dim=-1).reshape(edge * edge, -1)


@torch.no_grad()
def initialise_encoder(vision: Any, films: np.ndarray) -> None:
    """Initialise the encoder so that a few thousand films suffice.

    The variance of raw patches is nearly all brightness, which a small encoder takes long to
    unlearn: so the first layer starts as the whitening of real patches. Positions start as sines
    and cosines (Beyer et al. 2022, "Better plain ViT baselines for ImageNet-1k"), and the linear
    layers with Xavier's uniform initialisation.
    """
    config = vision.config
    size, width = int(config.patch_size), config.hidden_size
    sample = torch.from_numpy(films[:400].astype(np.float32) / 255) * 2 - 1
    patches = sample.unfold(1, size, size).unfold(2, size, size).reshape(-1, size * size)
    mean = patches.mean(dim=0)
    spread, axes = torch.linalg.eigh(torch.cov(patches.T))
    order = spread.argsort(descending=True)[:width]
    filters = axes[:, order].T / (spread[order, None] + 1e-4).sqrt()
    conv = vision.embeddings.patch_embedding
    conv.weight[: len(filters)] = filters.view(-1, 1, size, size).expand(-1, 3, -1, -1) / 3
    conv.bias[: len(filters)] = -filters @ mean
    edge = round(vision.embeddings.num_patches**0.5)
    vision.embeddings.position_embedding.weight.copy_(_wave_positions(edge, width))
    for layer in vision.encoder.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)


class EncoderStage(nn.Module):
    """The encoder with its probe, and the loss of both."""

    patch_weight: torch.Tensor
    label_weight: torch.Tensor

    def __init__(self, vision: JanusVisionModel) -> None:
        super().__init__()
        self.vision = vision
        self.probe = Probe(vision.config.hidden_size, FILM_LABELS, CHANNELS)
        self.probe.embedder.requires_grad_(False)  # trained later, on the final features
        self.register_buffer("patch_weight", PATCH_WEIGHT.clone(), persistent=False)
        self.register_buffer("label_weight", torch.ones(len(FILM_LABELS)), persistent=False)

    def forward(self, pixels, patches=None, labels=None) -> dict[str, torch.Tensor]:
        """Film logits (B, L) and patch logits (B, 256, C), with the loss if targets are given."""
        logits, patch_logits = self.probe(self.vision(pixel_values=pixels).last_hidden_state)
        out = {"logits": logits, "patch_logits": patch_logits}
        if labels is not None and patches is not None:
            dense = F.binary_cross_entropy_with_logits(
                patch_logits, patches, pos_weight=self.patch_weight
            )
            film = F.binary_cross_entropy_with_logits(logits, labels, self.label_weight)
            out["loss"] = 2 * film + 2 * dense
        return out

    def focus(self) -> None:
        """Increase the weights of small findings for the second round."""
        for index, channel in enumerate(CHANNELS):
            self.patch_weight[index] *= FOCUS.get(channel, (1.0, 1.0))[0]
        for index, label in enumerate(FILM_LABELS):
            self.label_weight[index] *= FOCUS.get(label.finding, (1.0, 1.0))[1]
