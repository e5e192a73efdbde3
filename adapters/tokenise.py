"""Second stage: the picture tokeniser, a film of 128 px as 16 x 16 words of a codebook.

Janus looks its codes up by their direction, so that latents and codes are trained on the unit
sphere (Yu et al. 2022, "Vector-quantized image modeling with improved VQGAN"). Its own forward
pass gives its encoder no gradient; the straight-through step is here.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from transformers import JanusVQVAE, TrainerCallback

from adapters.data import PhantomArrays

REVIVE_EVERY, REVIVE_UNTIL = 50, 0.8  # steps; share of the training


def shrink(films: torch.Tensor, size: int) -> torch.Tensor:
    """Films float32 (B, H, H) in [0, 1] to pixels (B, 3, size, size) in [-1, 1], by area."""
    small = F.adaptive_avg_pool2d(films.unsqueeze(1), size)
    return small.mul(2).sub(1).expand(-1, 3, -1, -1)


class PictureBatches(torch.utils.data.Dataset):
    """Films at the painting's size; an item is an index, `collate` makes the batch."""

    def __init__(self, arrays: PhantomArrays, size: int) -> None:
        self.arrays, self.size = arrays, size

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, index: int) -> int:
        return index

    def collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Pixels float32 (B, 3, size, size) in [-1, 1]."""
        films = torch.from_numpy(self.arrays.films[indices]).float().div_(255)
        return {"pixels": shrink(films, self.size)}


class Tokeniser(nn.Module):
    """The picture tokeniser with the straight-through step that its training needs."""

    used: torch.Tensor  # how often each code was chosen of late, fading

    def __init__(self, vq: JanusVQVAE) -> None:
        super().__init__()
        self.vq = vq
        nn.init.normal_(vq.quantize.embedding.weight)
        self.register_buffer("used", torch.zeros(vq.config.num_embeddings))
        self.recent: torch.Tensor | None = None

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Reconstruction (B, 3, H, W) and the loss: grey values, edges, and commitment."""
        vq = self.vq
        latents = vq.quant_conv(vq.encoder(pixels.contiguous()))
        latents = F.normalize(latents.permute(0, 2, 3, 1), dim=-1)  # (B, 16, 16, code width)
        codes = F.normalize(vq.quantize.embedding.weight, dim=-1)
        flat = latents.reshape(-1, latents.shape[-1])
        nearest = (flat.detach() @ codes.detach().T).argmax(dim=1)
        chosen = codes[nearest].view_as(latents)
        commit = F.mse_loss(latents, chosen.detach()) * 0.25 + F.mse_loss(chosen, latents.detach())
        through = latents + (chosen - latents).detach()
        made = vq.decoder(vq.post_quant_conv(through.permute(0, 3, 1, 2).contiguous()))
        grey = F.l1_loss(made, pixels) + F.mse_loss(made, pixels)
        edges = F.l1_loss(made.diff(dim=-1), pixels.diff(dim=-1)) + F.l1_loss(
            made.diff(dim=-2), pixels.diff(dim=-2)
        )
        if self.training:
            self.used.mul_(0.99).index_add_(
                0, nearest, torch.ones_like(nearest, dtype=self.used.dtype)
            )
            self.recent = flat.detach()
        return {"loss": grey + edges + 4 * commit, "made": made}

    def revive(self) -> None:
        """Put codes that nothing has used of late where latents are."""
        if self.recent is None:
            return
        dead = (self.used < 0.05).nonzero().flatten()[: len(self.recent)]
        picked = torch.randperm(len(self.recent), device=self.recent.device)[: len(dead)]
        with torch.no_grad():
            self.vq.quantize.embedding.weight[dead] = self.recent[picked]
            self.used[dead] = 1.0

    def settle(self) -> None:
        """Leave unit codes behind: then transformers' own nearest-code search is right."""
        weight = self.vq.quantize.embedding.weight
        with torch.no_grad():
            weight.copy_(F.normalize(weight, dim=-1))


class Revive(TrainerCallback):
    """Revives dead codes now and then, but not near the end, where they must settle."""

    def __init__(self, tokeniser: Tokeniser) -> None:
        self.tokeniser = tokeniser

    def on_step_end(self, args, state, control, **kwargs) -> None:
        if (
            state.global_step % REVIVE_EVERY == 0
            and state.global_step < REVIVE_UNTIL * state.max_steps
        ):
            self.tokeniser.revive()
