"""Training of the flow: a transformer that leads noise to latents along straight paths.

Lipman et al. 2023, "Flow matching for generative modeling"; times are drawn as in Esser et al.
2024, "Scaling rectified flow transformers". Training lasts as long as the clock allows.
"""

from __future__ import annotations

import math
import time
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.transformers.pixart_transformer_2d import PixArtTransformer2DModel
from torch import nn

from adapters.generator.conditions import (
    DEGREE_WORDS,
    POLARITIES,
    SIDE_WORDS,
    WORDS,
    ZONE_WORDS,
)
from adapters.generator.examples import FlowExamples, drop_tokens
from adapters.generator.networks import ClaimEncoder, build_flow
from assistant.errors import SettingsError
from assistant.types import OnMessage


@dataclass(frozen=True, slots=True)
class FlowRecipe:
    """Sizes and rates of the flow's training."""

    heads: int = 6
    head: int = 48
    layers: int = 6
    batch: int = 512
    rate: float = 8e-4
    warm_up: int = 250  # steps
    decay_from: float = 0.5  # share of the time after which the rate falls to nothing
    average: float = 0.999  # of the weights that are kept


TINY_FLOW = FlowRecipe(heads=2, head=16, layers=2, batch=12)


class FlowLoss(nn.Module):
    """The squared error of the velocity, one graph for the compiler."""

    def __init__(self, flow: PixArtTransformer2DModel, claims: ClaimEncoder) -> None:
        super().__init__()
        self.flow, self.claims = flow, claims

    def forward(self, latents, origin, tokens, boxes, noise, sigma) -> torch.Tensor:
        """Error of each example (B,); `sigma` (B,) is the share of noise."""
        share = sigma.view(-1, 1, 1, 1)
        mixed = (1 - share) * latents + share * noise
        embedded, mask = self.claims(tokens, boxes)
        velocity = self.flow(
            torch.cat([mixed, origin], dim=1),
            encoder_hidden_states=embedded,
            encoder_attention_mask=mask,
            timestep=sigma * 1000,
            return_dict=False,
        )[0]
        return ((velocity.float() - (noise - latents)) ** 2).mean((1, 2, 3))


def build_parts(
    recipe: FlowRecipe, channels: int, edge: int
) -> tuple[PixArtTransformer2DModel, ClaimEncoder]:
    """Build the flow and the encoder of its conditions."""
    width = recipe.heads * recipe.head
    flow = build_flow(
        channels=channels, edge=edge, heads=recipe.heads, layers=recipe.layers, head=recipe.head
    )
    claims = ClaimEncoder(
        words=WORDS,
        polarities=POLARITIES,
        sides=SIDE_WORDS,
        zones=ZONE_WORDS,
        degrees=DEGREE_WORDS,
        width=width,
    )
    return flow, claims


def train_flow(
    recipe: FlowRecipe,
    examples: FlowExamples,
    minutes: float,
    on_message: OnMessage,
    begun: tuple[PixArtTransformer2DModel, ClaimEncoder] | None = None,
) -> tuple[PixArtTransformer2DModel, ClaimEncoder]:
    """Train for some minutes; returns the averaged flow and encoder of conditions.

    Goes on with `begun` if that is given. Raises SettingsError for a loss that is not finite.
    """
    device = examples.latents.device
    fast = device.type == "cuda"
    channels, edge = examples.latents.shape[1], examples.latents.shape[-1]
    flow, claims = begun or build_parts(recipe, channels, edge)
    module = FlowLoss(flow, claims).to(device).train()
    kept = deepcopy(module).eval().requires_grad_(False)
    weights: list[Any] = list(module.parameters())
    kept_weights: list[Any] = list(kept.parameters())
    run = torch.compile(module, dynamic=False) if fast else module
    optimiser = torch.optim.AdamW(
        [
            {"params": [w for w in weights if w.ndim > 1], "weight_decay": 0.01},
            {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
        ],
        recipe.rate, betas=(0.9, 0.98), eps=1e-8, fused=fast,
    )  # fmt: skip
    lerp: Any = getattr(torch, "_foreach_lerp_")  # noqa: B009
    examples.plan(recipe.batch)
    start = printed = time.monotonic()
    total, step, mean = minutes * 60, 0, torch.zeros((), device=device)
    while (elapsed := time.monotonic() - start) < total:
        part = elapsed / total
        fall = min(1.0, (1 - part) / (1 - recipe.decay_from))
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * min(1, (step + 1) / recipe.warm_up) * max(fall, 0.01)
        latents, origin, tokens, boxes = examples.draw()
        tokens, boxes, origin = drop_tokens(tokens, boxes, origin)
        latents, origin = latents.float(), origin.float()
        sigma = torch.sigmoid(torch.randn(len(latents), device=device))
        noise = torch.randn_like(latents)
        with torch.autocast(device.type, torch.bfloat16, enabled=fast):
            loss = run(latents, origin, tokens.long(), boxes.float(), noise, sigma).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        step += 1
        decay = min(recipe.average, (1 + step) / (10 + step))
        with torch.no_grad():
            lerp(kept_weights, weights, 1 - decay)
            mean.lerp_(loss.detach(), max(1 / step, 0.02))
        now = time.monotonic()
        if now - printed > 10 or step == 20:
            printed = now
            _check(float(mean), step)
            on_message(f"flow step {step} after {elapsed:.0f} s: loss {float(mean):.4f}")
    on_message(f"flow: {step} steps of {recipe.batch} in {total:.0f} s, loss {float(mean):.4f}")
    return kept.flow, kept.claims


def _check(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise SettingsError(f"The flow's loss is {loss} at step {step}; lower the rate.")
