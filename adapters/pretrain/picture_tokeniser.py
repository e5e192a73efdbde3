"""Second stage: trains the picture tokeniser, which encodes a film of 128 px as 16 x 16 codes.

Janus looks up codes by their direction, so latents and codes are trained on the unit sphere (Yu et
al. 2022, "Vector-quantized image modeling with improved VQGAN"). Its own forward pass gives the
encoder no gradient, so the straight-through estimator is here. The first steps train an autoencoder
without codes; the codebook then starts as the centres of the latents (k-means), so that nearly all
codes are used.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import faiss
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import JanusVQVAE, TrainerCallback

from assistant.backbones.janus.grain import (
    GREY_LEVELS,
    HIGH_PASS_SHARE,
    MAD_TO_STD,
    MIN_PIXELS,
    extract_fine_detail,
)

UNQUANTISED_SHARE = 0.3  # of the steps, without codes
REVIVE_EVERY, REVIVE_UNTIL = 40, 0.85  # steps; share of the steps
RECENT_BATCHES = 160  # batches whose latents start the codebook
# A lesion is a small part of a film, but what a painting is about: it weighs more.
COVERED_WEIGHT = 8.0
GRAIN_FILMS = 200  # films of a site
CELL = 8  # pixels along one edge of the cells in which texture is compared


def downsample(films: torch.Tensor, size: int) -> torch.Tensor:
    """Downsample films float32 (B, H, H) in [0, 1] to pixels (B, 3, size, size) in [-1, 1]."""
    small = F.adaptive_avg_pool2d(films.unsqueeze(1), size)
    return small.mul(2).sub(1).expand(-1, 3, -1, -1)


class PictureBatches(torch.utils.data.Dataset):
    """Films at the painting's size; an item is an index, `collate` makes a batch."""

    def __init__(
        self, films: Sequence[np.ndarray], size: int, cover: np.ndarray | None = None
    ) -> None:
        """`films` are arrays uint8 (N, 256, 256), one for each site; `cover` is that of them all.

        With a cover, bool (M, G * G), only films with a covered patch are taken.
        """
        self.films, self.size, self.cover = films, size, cover
        self.starts = np.cumsum([0, *(len(part) for part in films)])
        total = int(self.starts[-1])
        self.indices = np.arange(total) if cover is None else np.flatnonzero(cover.any(axis=1))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> int:
        return int(self.indices[index])

    def collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Pixels float32 (B, 3, size, size) in [-1, 1], and their cover (B, 1, size, size)."""
        parts = np.searchsorted(self.starts, indices, side="right") - 1
        pictures = [self.films[p][i - self.starts[p]] for p, i in zip(parts, indices, strict=True)]
        films = torch.from_numpy(np.stack(pictures)).float().div_(255)
        batch = {"pixels": downsample(films, self.size)}
        if self.cover is not None:
            grid = math.isqrt(self.cover.shape[1])
            cover = torch.from_numpy(self.cover[indices]).float().view(-1, 1, grid, grid)
            batch["cover"] = F.interpolate(cover, size=self.size)
        return batch


def reconstruction_loss(
    reconstruction: torch.Tensor, pixels: torch.Tensor, cover: torch.Tensor | None
) -> torch.Tensor:
    """The loss between pictures (B, C, H, W): grey values, edges, and texture under the cover."""
    weights = torch.ones_like(pixels[:, :1]) if cover is None else 1 + (COVERED_WEIGHT - 1) * cover
    error = reconstruction - pixels
    grey = _weighted_mean(error.abs() + 4 * error.square(), weights)
    across, down = (reconstruction.diff(dim=d) - pixels.diff(dim=d) for d in (-1, -2))
    edges = _weighted_mean(across.abs(), weights[..., 1:]) + _weighted_mean(
        down.abs(), weights[..., 1:, :]
    )
    loss = grey + 0.5 * edges
    if cover is None:
        return loss
    # The codes cannot hold the exact grain of a lung, but they can hold its amount.
    cell_cover = F.avg_pool2d(cover, CELL)
    return loss + _weighted_mean(
        (_local_grain(reconstruction) - _local_grain(pixels)).abs(), cell_cover
    )


def _weighted_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The mean of (B, C, H, W) with weights (B, 1, H, W)."""
    return (values * weights).sum() / (weights.sum() * values.shape[1]).clamp(min=1)


def _local_grain(pixels: torch.Tensor) -> torch.Tensor:
    """The standard deviation of detail finer than three pixels, in each cell."""
    fine = pixels - F.avg_pool2d(pixels, 3, stride=1, padding=1)
    return F.avg_pool2d(fine.square(), CELL).add(1e-5).sqrt()


class Tokeniser(nn.Module):
    """The picture tokeniser with the straight-through estimator that its training needs."""

    used: torch.Tensor  # how often each code was chosen recently, with exponential decay
    coded: torch.Tensor  # whether the codebook is in use

    def __init__(self, vq: JanusVQVAE) -> None:
        super().__init__()
        self.vq = vq
        nn.init.normal_(vq.quantize.embedding.weight)
        self.register_buffer("used", torch.zeros(vq.config.num_embeddings))
        self.register_buffer("coded", torch.tensor(0))
        self.recent: deque[torch.Tensor] = deque(maxlen=RECENT_BATCHES)

    def forward(
        self, pixels: torch.Tensor, cover: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """The reconstruction (B, 3, H, W), and the loss with the codes' commitment.

        Pixels that `cover` (B, 1, H, W), 0 or 1, marks weigh more.
        """
        vq = self.vq
        # On a CPU convolutions are a third faster with the channels last.
        latents = vq.quant_conv(vq.encoder(pixels.contiguous(memory_format=torch.channels_last)))
        latents = F.normalize(latents.permute(0, 2, 3, 1), dim=-1)  # (B, 16, 16, code width)
        quantised, commitment = (
            self._quantise(latents) if self.coded else (latents, latents.new_zeros(()))
        )
        if self.training:
            self.recent.append(latents.detach().flatten(0, 2))
        # The permuted latents are in the channels-last layout already.
        reconstruction = vq.decoder(vq.post_quant_conv(quantised.permute(0, 3, 1, 2)))
        loss = reconstruction_loss(reconstruction, pixels, cover) + 2 * commitment
        return {"loss": loss, "reconstruction": reconstruction}

    def _quantise(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The nearest code of every latent, straight-through, and the commitment loss."""
        codes = F.normalize(self.vq.quantize.embedding.weight, dim=-1)
        flat = latents.reshape(-1, latents.shape[-1])
        nearest = (flat.detach() @ codes.detach().T).argmax(dim=1)
        quantised = codes[nearest].view_as(latents)
        commitment = F.mse_loss(latents, quantised.detach()) * 0.25 + F.mse_loss(
            quantised, latents.detach()
        )
        if self.training:
            self.used.mul_(0.995).index_add_(
                0, nearest, torch.ones_like(nearest, dtype=self.used.dtype)
            )
        return latents + (quantised - latents).detach(), commitment * latents.shape[-1]

    def start_codebook(self) -> None:
        """Set the codes to the centres of recent latents, and start to use them."""
        points = torch.cat(list(self.recent)).cpu().numpy()
        weight = self.vq.quantize.embedding.weight
        count = min(len(weight), len(points) // 2)
        # Without k-means++, which takes long: the centres move in training anyway.
        means = faiss.Kmeans(
            points.shape[1], count, niter=12, spherical=True, seed=1, min_points_per_centroid=1
        )
        means.train(points)
        with torch.no_grad():
            weight[:count] = torch.from_numpy(means.centroids).to(weight)
            self.used.fill_(1.0)
            self.coded.fill_(1)

    def revive_codes(self) -> None:
        """Move codes that have not been used recently to random recent latents."""
        if not (self.recent and self.coded):
            return
        recent = self.recent[-1]
        dead = (self.used < 0.05).nonzero().flatten()[: len(recent)]
        rows = torch.randperm(len(recent), device=recent.device)[: len(dead)]
        with torch.no_grad():
            self.vq.quantize.embedding.weight[dead] = recent[rows]
            self.used[dead] = 1.0

    def normalise_codes(self) -> None:
        """Scale the codes to unit length, for which transformers' nearest-code search is right."""
        weight = self.vq.quantize.embedding.weight
        with torch.no_grad():
            weight.copy_(F.normalize(weight, dim=-1))


@torch.no_grad()
def grain_of(vq: Any, films: np.ndarray, size: int) -> np.ndarray:
    """The grain that the tokeniser loses of films uint8 (N, H, H), float32 (LEVELS,)."""
    vq.eval()
    originals, remade = [], []
    for start in range(0, min(len(films), GRAIN_FILMS), 32):
        batch = (
            torch.from_numpy(np.array(films[start : min(start + 32, GRAIN_FILMS)])).float().div(255)
        )
        pixels = downsample(batch, size).contiguous().to(vq.device)
        codes = vq.encode(pixels).image_tokens
        originals += list(_grey_images(pixels))
        remade += list(_grey_images(vq.decode(codes.view(len(batch), -1))))
    return measure_grain(originals, remade)


def _grey_images(pixels: torch.Tensor) -> np.ndarray:
    return pixels.mean(dim=1).add(1).div(2).clamp(0, 1).cpu().numpy()


class CodebookCallback(TrainerCallback):
    """Starts the codebook in time, and revives dead codes, but not near the end."""

    def __init__(self, tokeniser: Tokeniser) -> None:
        self.tokeniser = tokeniser

    def on_step_end(self, args, state, control, **kwargs) -> None:
        """Start the codebook or revive codes, at their steps."""
        step, total = state.global_step, state.max_steps
        if not self.tokeniser.coded and step >= UNQUANTISED_SHARE * total:
            self.tokeniser.start_codebook()
        elif step % REVIVE_EVERY == 0 and step < REVIVE_UNTIL * total:
            self.tokeniser.revive_codes()


def measure_grain(originals: Sequence[np.ndarray], remade: Sequence[np.ndarray]) -> np.ndarray:
    """Measure the standard deviation float32 (LEVELS,) of detail that remade films have lost.

    Films are (H, W) in [0, 1].
    """
    lost = np.concatenate(
        [
            (extract_fine_detail(f) - extract_fine_detail(r)).ravel()
            for f, r in zip(originals, remade, strict=True)
        ]
    )
    levels = (np.stack(remade).ravel() * GREY_LEVELS).astype(int).clip(0, GREY_LEVELS - 1)
    table = np.zeros(GREY_LEVELS, np.float32)
    for level in range(GREY_LEVELS):
        losses = lost[levels == level]
        if len(losses) >= MIN_PIXELS:
            # The median, as lost edges and lesions are no grain.
            table[level] = MAD_TO_STD * np.median(np.abs(losses)) / HIGH_PASS_SHARE
    return table
