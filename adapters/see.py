"""First stage: the encoder learns where each finding lies.

Reports alone do not teach a small encoder to see an 8 mm nodule, but a phantom knows which
patches of the film its lesions cover. The two heads here exist only for training; what stays
is the encoder.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import JanusVisionModel

from adapters.data import FILM_LABELS, FINDINGS, PhantomArrays

# A nodule covers little of a patch, so that its share counts for more.
PATCH_GAIN = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 3.0])
PATCH_WEIGHT = torch.tensor([1.0, 1.0, 1.0, 2.0, 1.5, 8.0])
FOCUS = torch.tensor([1.0, 1.0, 1.5, 1.0, 1.0, 3.0])  # times that weight, the second time round


class FilmBatches(torch.utils.data.Dataset):
    """Films with their patch and film targets; an item is an index, `collate` makes the batch."""

    def __init__(self, arrays: PhantomArrays, augment: bool) -> None:
        self.arrays, self.augment = arrays, augment

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, index: int) -> int:
        return index

    def collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Pixels float32 (B, 3, 256, 256) in [-1, 1] and the targets in [0, 1]."""
        films = torch.from_numpy(self.arrays.films[indices]).float().div_(255)
        if self.augment:  # exposure differs from film to film; anatomy and sides must not
            gamma = torch.empty(len(indices), 1, 1).uniform_(0.75, 1.33)
            films = films.pow(gamma) * torch.empty(len(indices), 1, 1).uniform_(0.85, 1.0)
        pixels = films.mul_(2).sub_(1).unsqueeze(1).expand(-1, 3, -1, -1)
        cover = torch.from_numpy(self.arrays.patches[indices]).float().div_(255)
        return {
            "pixels": pixels,
            "patches": (cover * PATCH_GAIN).clamp_(max=1),
            "labels": torch.from_numpy(self.arrays.labels[indices]).float(),
        }


def _wave_positions(edge: int, width: int) -> torch.Tensor:
    """Sines and cosines of row and column, (edge^2, width)."""
    place = torch.arange(edge, dtype=torch.float32)
    rates = 1 / 100 ** (torch.arange(width // 4, dtype=torch.float32) / (width // 4))
    waves = torch.cat([(place[:, None] * rates).sin(), (place[:, None] * rates).cos()], dim=1)
    rows = waves[:, None].expand(-1, edge, -1)
    columns = waves[None].expand(edge, -1, -1)
    return torch.cat([rows, columns], dim=-1).reshape(edge * edge, -1)


@torch.no_grad()
def start_well(vision: Any, films: np.ndarray) -> None:
    """Give the encoder a start from which a few thousand films suffice.

    Raw patches are nearly all brightness, and a small encoder spends its youth undoing that:
    the first layer starts as the whitening of real patches, positions start as waves one can
    see (Beyer et al. 2022, "Better plain ViT baselines for ImageNet-1k"), and the other layers
    with the spread that keeps their signal.
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


class Seer(nn.Module):
    """The encoder with a head for patches and one for the film."""

    patch_weight: torch.Tensor

    def __init__(self, vision: JanusVisionModel) -> None:
        super().__init__()
        width = vision.config.hidden_size
        self.vision = vision
        self.register_buffer("patch_weight", PATCH_WEIGHT.clone(), persistent=False)
        self.patch_head = nn.Linear(width, len(FINDINGS))
        self.queries = nn.Linear(width, len(FILM_LABELS), bias=False)
        self.film_head = nn.Linear(width, len(FILM_LABELS))

    def forward(self, pixels, patches=None, labels=None) -> dict[str, torch.Tensor]:
        """Film logits (B, 18) and patch logits (B, 256, 6), with the loss where targets are."""
        hidden = self.vision(pixel_values=pixels).last_hidden_state
        patch_logits = self.patch_head(hidden)
        # Each label looks at the patches it chooses: a query a label, softmax over patches.
        share = self.queries(hidden).softmax(dim=1)
        pooled = torch.einsum("bnk,bnd->bkd", share, hidden)
        film_logits = (pooled * self.film_head.weight).sum(-1) + self.film_head.bias
        out = {"logits": film_logits, "patch_logits": patch_logits}
        if labels is not None and patches is not None:
            dense = F.binary_cross_entropy_with_logits(
                patch_logits, patches, pos_weight=self.patch_weight
            )
            film = F.binary_cross_entropy_with_logits(film_logits, labels)
            out["loss"] = film + 2 * dense
        return out

    def focus(self) -> None:
        """Weigh small findings more from here on."""
        self.patch_weight.mul_(FOCUS.to(self.patch_weight))
