"""Second stage: the picture tokeniser, a film of 128 px as 16 x 16 words of a codebook.

Janus looks its codes up by their direction, so that latents and codes are trained on the unit
sphere (Yu et al. 2022, "Vector-quantized image modeling with improved VQGAN"). Its own forward
pass gives its encoder no gradient; the straight-through step is here. The first steps go without
codes, as an autoencoder; the codebook then begins as the centres of the latents (k-means), so
that nearly all of it is used.
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

from assistant.backbones.janus.grain import FEWEST, LEFT, LEVELS, NORMAL, _fine

PLAIN = 0.3  # share of the training without codes
REVIVE_EVERY, REVIVE_UNTIL = 40, 0.85  # steps; share of the training
KEPT = 160  # batches whose latents the codebook begins from
# A lesion is a small part of a film, and what a painting is asked for: it counts for more.
LESIONS = 8.0
GRAIN_FROM = 200  # films of a site
CELL = 8  # pixels along one edge of where texture is compared


def downsample(films: torch.Tensor, size: int) -> torch.Tensor:
    """Films float32 (B, H, H) in [0, 1] to pixels (B, 3, size, size) in [-1, 1], by area."""
    small = F.adaptive_avg_pool2d(films.unsqueeze(1), size)
    return small.mul(2).sub(1).expand(-1, 3, -1, -1)


class PictureBatches(torch.utils.data.Dataset):
    """Films at the painting's size; an item is an index, `collate` makes the batch."""

    def __init__(
        self, films: Sequence[np.ndarray], size: int, cover: np.ndarray | None = None
    ) -> None:
        """`films` are arrays uint8 (N, 256, 256), one a site; all their patches in one `cover`.

        With a cover, bool (M, G * G), only films that show something are taken.
        """
        self.films, self.size, self.cover = films, size, cover
        self.starts = np.cumsum([0, *(len(part) for part in films)])
        total = int(self.starts[-1])
        self.chosen = np.arange(total) if cover is None else np.flatnonzero(cover.any(axis=1))

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> int:
        return int(self.chosen[index])

    def collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Pixels float32 (B, 3, size, size) in [-1, 1], and what is covered (B, 1, size, size)."""
        parts = np.searchsorted(self.starts, indices, side="right") - 1
        picked = [self.films[p][i - self.starts[p]] for p, i in zip(parts, indices, strict=True)]
        films = torch.from_numpy(np.stack(picked)).float().div_(255)
        batch = {"pixels": downsample(films, self.size)}
        if self.cover is not None:
            grid = math.isqrt(self.cover.shape[1])
            cover = torch.from_numpy(self.cover[indices]).float().view(-1, 1, grid, grid)
            batch["cover"] = F.interpolate(cover, size=self.size)
        return batch


def reconstruction_loss(
    made: torch.Tensor, pixels: torch.Tensor, cover: torch.Tensor | None
) -> torch.Tensor:
    """How far pictures (B, C, H, W) are from others: grey values, edges, and lesions' texture."""
    weights = torch.ones_like(pixels[:, :1]) if cover is None else 1 + (LESIONS - 1) * cover
    off = made - pixels
    grey = _mean(off.abs() + 4 * off.square(), weights)
    across, down = (made.diff(dim=d) - pixels.diff(dim=d) for d in (-1, -2))
    edges = _mean(across.abs(), weights[..., 1:]) + _mean(down.abs(), weights[..., 1:, :])
    loss = grey + 0.5 * edges
    if cover is None:
        return loss
    # Which grain a lung has cannot be kept in twelve bits; how much of it there is, can.
    there = F.avg_pool2d(cover, CELL)
    return loss + _mean((_grain(made) - _grain(pixels)).abs(), there)


def _mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The mean of (B, C, H, W) with weights (B, 1, H, W)."""
    return (values * weights).sum() / (weights.sum() * values.shape[1]).clamp(min=1)


def _grain(pixels: torch.Tensor) -> torch.Tensor:
    """The standard deviation of what is finer than three pixels, in each cell."""
    fine = pixels - F.avg_pool2d(pixels, 3, stride=1, padding=1)
    return F.avg_pool2d(fine.square(), CELL).add(1e-5).sqrt()


class Tokeniser(nn.Module):
    """The picture tokeniser with the straight-through step that its training needs."""

    used: torch.Tensor  # how often each code was chosen of late, fading
    coded: torch.Tensor  # whether the codebook is in use yet

    def __init__(self, vq: JanusVQVAE) -> None:
        super().__init__()
        self.vq = vq
        nn.init.normal_(vq.quantize.embedding.weight)
        self.register_buffer("used", torch.zeros(vq.config.num_embeddings))
        self.register_buffer("coded", torch.tensor(0))
        self.recent: deque[torch.Tensor] = deque(maxlen=KEPT)

    def forward(
        self, pixels: torch.Tensor, cover: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Reconstruction (B, 3, H, W) and the loss: grey values, edges, texture, commitment.

        What `cover` (B, 1, H, W), 0 or 1, marks counts for more.
        """
        vq = self.vq
        # A CPU convolves a third faster with the channels last.
        latents = vq.quant_conv(vq.encoder(pixels.contiguous(memory_format=torch.channels_last)))
        latents = F.normalize(latents.permute(0, 2, 3, 1), dim=-1)  # (B, 16, 16, code width)
        through, commit = self._code(latents) if self.coded else (latents, latents.new_zeros(()))
        if self.training:
            self.recent.append(latents.detach().flatten(0, 2))
        # Laid out anew: as a view of the latents, the channels are last already.
        made = vq.decoder(vq.post_quant_conv(through.permute(0, 3, 1, 2)))
        return {"loss": reconstruction_loss(made, pixels, cover) + 2 * commit, "made": made}

    def _code(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The nearest code of every latent, letting gradients through, and the commitment."""
        codes = F.normalize(self.vq.quantize.embedding.weight, dim=-1)
        flat = latents.reshape(-1, latents.shape[-1])
        nearest = (flat.detach() @ codes.detach().T).argmax(dim=1)
        chosen = codes[nearest].view_as(latents)
        commit = F.mse_loss(latents, chosen.detach()) * 0.25 + F.mse_loss(chosen, latents.detach())
        if self.training:
            self.used.mul_(0.995).index_add_(
                0, nearest, torch.ones_like(nearest, dtype=self.used.dtype)
            )
        return latents + (chosen - latents).detach(), commit * latents.shape[-1]

    def begin(self) -> None:
        """Let the codebook begin as the centres of recent latents."""
        points = torch.cat(list(self.recent)).cpu().numpy()
        weight = self.vq.quantize.embedding.weight
        count = min(len(weight), len(points) // 2)
        # k-means++ is not worth its time here: the centres move with the training.
        means = faiss.Kmeans(
            points.shape[1], count, niter=12, spherical=True, seed=1, min_points_per_centroid=1
        )
        means.train(points)
        with torch.no_grad():
            weight[:count] = torch.from_numpy(means.centroids).to(weight)
            self.used.fill_(1.0)
            self.coded.fill_(1)

    def revive(self) -> None:
        """Put codes that nothing has used of late where latents are."""
        if not (self.recent and self.coded):
            return
        recent = self.recent[-1]
        dead = (self.used < 0.05).nonzero().flatten()[: len(recent)]
        picked = torch.randperm(len(recent), device=recent.device)[: len(dead)]
        with torch.no_grad():
            self.vq.quantize.embedding.weight[dead] = recent[picked]
            self.used[dead] = 1.0

    def settle(self) -> None:
        """Leave unit codes behind: then transformers' own nearest-code search is right."""
        weight = self.vq.quantize.embedding.weight
        with torch.no_grad():
            weight.copy_(F.normalize(weight, dim=-1))


@torch.no_grad()
def grain_of(vq: Any, films: np.ndarray, size: int) -> np.ndarray:
    """What the tokeniser loses of the grain of films uint8 (N, H, H): float32 (LEVELS,)."""
    vq.eval()
    whole, remade = [], []
    for start in range(0, min(len(films), GRAIN_FROM), 32):
        batch = (
            torch.from_numpy(np.array(films[start : min(start + 32, GRAIN_FROM)])).float().div(255)
        )
        pixels = downsample(batch, size).contiguous().to(vq.device)
        codes = vq.encode(pixels).image_tokens
        whole += list(_grey(pixels))
        remade += list(_grey(vq.decode(codes.view(len(batch), -1))))
    return measure_grain(whole, remade)


def _grey(pixels: torch.Tensor) -> np.ndarray:
    return pixels.mean(dim=1).add(1).div(2).clamp(0, 1).cpu().numpy()


class Codebook(TrainerCallback):
    """Begins the codebook in time, and revives dead codes, but not near the end."""

    def __init__(self, tokeniser: Tokeniser) -> None:
        self.tokeniser = tokeniser

    def on_step_end(self, args, state, control, **kwargs) -> None:
        """Called by the Trainer."""
        step, total = state.global_step, state.max_steps
        if not self.tokeniser.coded and step >= PLAIN * total:
            self.tokeniser.begin()
        elif step % REVIVE_EVERY == 0 and step < REVIVE_UNTIL * total:
            self.tokeniser.revive()


def measure_grain(films: Sequence[np.ndarray], remade: Sequence[np.ndarray]) -> np.ndarray:
    """Standard deviations float32 (LEVELS,) of what remade films (H, W) in [0, 1] have lost."""
    lost = np.concatenate(
        [(_fine(f) - _fine(r)).ravel() for f, r in zip(films, remade, strict=True)]
    )
    levels = (np.stack(remade).ravel() * LEVELS).astype(int).clip(0, LEVELS - 1)
    table = np.zeros(LEVELS, np.float32)
    for level in range(LEVELS):
        own = lost[levels == level]
        if len(own) >= FEWEST:
            # The median: an edge or a lesion that was lost is no grain.
            table[level] = NORMAL * np.median(np.abs(own)) / LEFT
    return table
