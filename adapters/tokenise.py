"""Second stage: the picture tokeniser, a film of 128 px as 16 x 16 words of a codebook.

Janus looks its codes up by their direction, so that latents and codes are trained on the unit
sphere (Yu et al. 2022, "Vector-quantized image modeling with improved VQGAN"). Its own forward
pass gives its encoder no gradient; the straight-through step is here. The first steps go without
codes, as an autoencoder; the codebook then begins as the centres of the latents (k-means), so
that nearly all of it is used.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import faiss
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import JanusVQVAE, TrainerCallback

PLAIN = 0.3  # share of the training without codes
REVIVE_EVERY, REVIVE_UNTIL = 40, 0.85  # steps; share of the training
KEPT = 160  # batches whose latents the codebook begins from


def shrink(films: torch.Tensor, size: int) -> torch.Tensor:
    """Films float32 (B, H, H) in [0, 1] to pixels (B, 3, size, size) in [-1, 1], by area."""
    small = F.adaptive_avg_pool2d(films.unsqueeze(1), size)
    return small.mul(2).sub(1).expand(-1, 3, -1, -1)


class PictureBatches(torch.utils.data.Dataset):
    """Films at the painting's size; an item is an index, `collate` makes the batch."""

    def __init__(self, films: Sequence[np.ndarray], size: int) -> None:
        """`films` are arrays uint8 (N, 256, 256), one a site."""
        self.films, self.size = films, size
        self.starts = np.cumsum([0, *(len(part) for part in films)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, index: int) -> int:
        return index

    def collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Pixels float32 (B, 3, size, size) in [-1, 1]."""
        parts = np.searchsorted(self.starts, indices, side="right") - 1
        picked = [self.films[p][i - self.starts[p]] for p, i in zip(parts, indices, strict=True)]
        films = torch.from_numpy(np.stack(picked)).float().div_(255)
        return {"pixels": shrink(films, self.size)}


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

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Reconstruction (B, 3, H, W) and the loss: grey values, edges, and commitment."""
        vq = self.vq
        latents = vq.quant_conv(vq.encoder(pixels.contiguous()))
        latents = F.normalize(latents.permute(0, 2, 3, 1), dim=-1)  # (B, 16, 16, code width)
        through, commit = self._code(latents) if self.coded else (latents, latents.new_zeros(()))
        if self.training:
            self.recent.append(latents.detach().flatten(0, 2))
        made = vq.decoder(vq.post_quant_conv(through.permute(0, 3, 1, 2).contiguous()))
        grey = F.l1_loss(made, pixels) + 4 * F.mse_loss(made, pixels)
        edges = F.l1_loss(made.diff(dim=-1), pixels.diff(dim=-1)) + F.l1_loss(
            made.diff(dim=-2), pixels.diff(dim=-2)
        )
        return {"loss": grey + 0.5 * edges + 2 * commit, "made": made}

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
