"""Training of the autoencoder, as long as the clock allows.

The loss is the absolute difference and SSIM, heavier where a small lesion lies, the divergence of
the latents, and from midway a critic's opinion and features, held to a share of the gradient.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import interpolate

from adapters.generator.blocks import Blocks, to_unit, wait_for_blocks
from adapters.generator.conditions import ENHANCE
from adapters.generator.degradations import jitter, spoil
from adapters.generator.losses import (
    Critic,
    critic_loss,
    decibels,
    feature_distance,
    similarity_map,
)
from adapters.generator.networks import FilmAutoencoder, build_autoencoder, latent_scale
from assistant.errors import SettingsError
from assistant.types import OnMessage


@dataclass(frozen=True, slots=True)
class AutoencoderRecipe:
    """Sizes and rates of the autoencoder's training."""

    widths: tuple[int, ...] = (32, 64, 128, 192)
    channels: int = 24
    batch: int = 64
    rate: float = 6e-4
    warm_up: int = 100  # steps
    divergence: float = 3e-3  # weight of the nats a pixel
    structure: float = 0.12  # weight of 1 - SSIM
    lesion: float = 3.0  # added weight of pixels of small lesions
    critic_from: float = 0.55  # share of the time after which the critic takes part
    critic_share: float = 0.1  # its gradient's norm against that of the reconstruction
    real: float = 0.5  # share of real films in a batch
    spoilt: float = 0.12
    least: int = 1500  # films of phantoms to begin with


VISIBILITY = 0.4  # power of a channel's share in the film that its weight follows
TINY = AutoencoderRecipe(widths=(16, 16, 16, 16), batch=8, least=64)


class _Pass(nn.Module):
    """Encode, draw a latent, decode: one graph for the compiler."""

    def __init__(self, model: FilmAutoencoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, films: torch.Tensor, noise: torch.Tensor):
        """Decoded films, and the divergence in nats a pixel."""
        mean, log_variance = self.model.moments(films).float().chunk(2, dim=1)
        log_variance = log_variance.clamp(-20, 10)
        latents = mean + noise * (0.5 * log_variance).exp()
        nats = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum()
        return self.model.films_of(latents), nats / films.numel()


class FilmSampler:
    """Batches of films of every origin, with a weight for every pixel."""

    def __init__(self, blocks: Blocks, real: torch.Tensor, recipe: AutoencoderRecipe) -> None:
        self.blocks, self.real, self.recipe = blocks, real, recipe

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Films (B, 1, 256, 256) in [-1, 1] and weights alike."""
        recipe, device = self.recipe, self.real.device
        count = round(recipe.batch * recipe.real)
        real = to_unit(self.real[torch.randint(len(self.real), (count,), device=device)])
        half = count // 2
        real = torch.cat([jitter(real[:half]), real[half:]])
        at = torch.randint(len(self.blocks), (recipe.batch - count,), device=device)
        phantoms = to_unit(self.blocks.arrays["films"][at])
        small = self.blocks.arrays["cover"][at].float() / 255
        small = interpolate(small, scale_factor=4.0, mode="nearest")
        films = torch.cat([real, phantoms])
        weights = torch.cat([torch.ones_like(real), 1 + recipe.lesion * small])
        order = torch.randperm(recipe.batch, device=device)
        films, weights = films[order], weights[order]
        spoilt = max(1, round(recipe.batch * recipe.spoilt))
        task = ENHANCE[int(torch.randint(len(ENHANCE), ()))]
        films[:spoilt] = spoil(films[:spoilt], task)
        return films.contiguous(), weights


def restoration_loss(decoded, films, weights, recipe: AutoencoderRecipe) -> torch.Tensor:
    """Weighted absolute difference and structure."""
    difference = ((decoded - films).abs() * weights).mean()
    return difference + recipe.structure * (1 - similarity_map(decoded, films).mean())


def train_autoencoder(
    recipe: AutoencoderRecipe,
    real: torch.Tensor,
    blocks: Blocks,
    minutes: float,
    on_message: OnMessage,
    begun: FilmAutoencoder | None = None,
) -> FilmAutoencoder:
    """Train for some minutes and return the autoencoder; `real` is uint8 (N, 1, 256, 256).

    Goes on with `begun` if that is given. Runs where `real` lies. Raises SettingsError for data
    that is empty and losses that are not finite.
    """
    if not len(real):
        raise SettingsError("There is no real film to learn from; pack some first.")
    device = real.device
    wait_for_blocks(blocks, recipe.least)
    sampler = FilmSampler(blocks, real, recipe)
    model: Any = begun or build_autoencoder(recipe.widths, recipe.channels)
    model.to(device)
    if begun is None:
        model.begin_linear(torch.cat([sampler.draw()[0] for _ in range(8)]))
    model.train()
    critic = Critic(recipe.widths[1]).to(device)
    fast = device.type == "cuda"
    run: Any = _Pass(model)
    if fast:
        run.to(memory_format=torch.channels_last)
        run = torch.compile(run, dynamic=False)
    optimiser = torch.optim.AdamW(
        model.parameters(), recipe.rate, betas=(0.9, 0.95), weight_decay=1e-4, fused=fast
    )
    critic_optimiser = torch.optim.Adam(critic.parameters(), 3e-4, betas=(0.5, 0.9), fused=fast)
    start = polled = printed = time.monotonic()
    step, total = 0, minutes * 60
    edge = 256 // 2 ** (len(recipe.widths) - 1)
    while (elapsed := time.monotonic() - start) < total:
        part = elapsed / total
        rate = recipe.rate * min(1, (step + 1) / recipe.warm_up)
        optimiser.param_groups[0]["lr"] = rate * (0.02 + 0.98 * (1 + math.cos(math.pi * part)) / 2)
        films, weights = sampler.draw()
        noise = torch.randn(len(films), recipe.channels, edge, edge, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=fast):
            decoded, nats = run(films, noise)
        leaf = decoded.detach().float().requires_grad_()
        loss = restoration_loss(leaf, films, weights, recipe)
        gradient = torch.autograd.grad(loss, leaf)[0]
        if part > recipe.critic_from - 0.04:
            opinion = _criticise(critic, critic_optimiser, films, leaf, fast=fast)
            if part > recipe.critic_from:
                size = recipe.critic_share * gradient.norm() / opinion.norm().clamp_min(1e-12)
                gradient = gradient + size * opinion
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(
            [decoded, recipe.divergence * nats], [gradient.to(decoded.dtype), None]
        )
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimiser.step()
        step += 1
        now = time.monotonic()
        if now - printed > 10 or step == 20:
            printed = now
            _report(step, elapsed, films, leaf, loss, nats, len(blocks), on_message)
        if now - polled > 12 and part < 0.9:
            polled = now
            blocks.poll()
    on_message(f"autoencoder: {step} steps of {recipe.batch} films in {total:.0f} s")
    return model


def _criticise(critic, optimiser, films, leaf, *, fast: bool) -> torch.Tensor:
    """One step of the critic; returns the gradient of its opinion to the decoded films."""
    with torch.autocast(films.device.type, torch.bfloat16, enabled=fast):
        score_real, _ = critic(films)
        score_decoded, _ = critic(leaf.detach())
    loss = critic_loss(score_real.float(), score_decoded.float())
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    with torch.autocast(films.device.type, torch.bfloat16, enabled=fast):
        with torch.no_grad():
            _, features_real = critic(films)
        score, features = critic(leaf)
    opinion = -score.float().mean() + 4 * feature_distance(features, features_real).float()
    return torch.autograd.grad(opinion, leaf)[0]


def _report(step, elapsed, films, decoded, loss, nats, known: int, on_message: OnMessage) -> None:
    value = float(loss.detach())
    if not math.isfinite(value):
        raise SettingsError(f"The autoencoder's loss is {value} at step {step}; lower the rate.")
    with torch.no_grad():
        psnr = decibels(decoded, films).mean()
        ssim = similarity_map(decoded.detach(), films).mean()
    on_message(
        f"autoencoder step {step} after {elapsed:.0f} s: loss {value:.4f}, PSNR {psnr:.2f} dB, "
        f"SSIM {ssim:.4f}, {float(nats.detach()):.3f} nats a pixel, {known} films of phantoms"
    )


class LatentEncoder:
    """Encodes films to latents on the flow's scale, in bfloat16; compiled on a GPU.

    Every call of the network has the same shape, so that it is compiled once.
    """

    def __init__(self, model: Any, batch: int = 256) -> None:
        self.mean, self.std = latent_scale(model)
        self.batch, self.fast = batch, self.mean.is_cuda
        self.network: Any = model.moments
        if self.fast:
            model.to(memory_format=torch.channels_last)
            self.network = torch.compile(model.moments, dynamic=False)

    @torch.no_grad()
    def __call__(self, films: torch.Tensor) -> torch.Tensor:
        """Mean latents (N, C, h, w) of films (N, 1, H, W), uint8 or in [-1, 1]."""
        out = []
        for part in films.split(self.batch):
            count = len(part)
            part = to_unit(part) if part.dtype == torch.uint8 else part
            if self.fast:
                part = torch.cat([part, part.new_zeros(self.batch - count, *part.shape[1:])])
                part = part.contiguous(memory_format=torch.channels_last)
            with torch.autocast(part.device.type, torch.bfloat16, enabled=self.fast):
                mean = self.network(part)[:count].float().chunk(2, dim=1)[0]
            out.append(((mean - self.mean) / self.std).to(torch.bfloat16).contiguous())
        return torch.cat(out)


@torch.no_grad()
def set_latent_scale(model: FilmAutoencoder, films: torch.Tensor) -> None:
    """Write mean and spread of the latents of some films into the autoencoder's configuration.

    The spread is divided by the channel's weight: what shows more in a film is larger on the
    flow's scale, so that it counts more in the flow's loss and rises from the noise first.
    """
    with torch.autocast(films.device.type, torch.bfloat16, enabled=films.is_cuda):
        moments = torch.cat([model.moments(to_unit(part)).float() for part in films.split(64)])
    mean, log_variance = moments.chunk(2, dim=1)
    spread = (mean.var((0, 2, 3)) + log_variance.clamp(-20, 10).exp().mean((0, 2, 3))).sqrt()
    few = mean[:16]
    decoded = model.films_of(few)
    shows = []
    for channel, size in enumerate(spread.tolist()):
        moved = few.clone()
        moved[:, channel] += size * torch.randn_like(moved[:, channel])
        shows.append((model.films_of(moved) - decoded).square().mean().sqrt())
    visible = torch.stack(shows).clamp_min(1e-6).log()
    weight = (VISIBILITY * (visible - visible.mean())).exp().clamp(0.5, 2.5)
    weight = weight / weight.square().mean().sqrt()
    model.register_to_config(
        latents_mean=[round(x, 5) for x in mean.mean((0, 2, 3)).tolist()],
        latents_std=[round(x, 5) for x in (spread / weight).tolist()],
    )


@torch.no_grad()
def restoration_figures(model: FilmAutoencoder, films: torch.Tensor) -> tuple[float, float]:
    """Mean PSNR and SSIM of films uint8 (N, 1, H, W) after encoding and decoding."""
    psnr, ssim = [], []
    for part in films.split(32):
        unit = to_unit(part)
        with torch.autocast(films.device.type, torch.bfloat16, enabled=films.is_cuda):
            decoded = model.films_of(model.moments(unit).chunk(2, dim=1)[0])
        decoded = decoded.float().clamp(-1, 1)
        psnr.append(decibels(decoded, unit))
        ssim.append(similarity_map(decoded, unit).mean((1, 2, 3)))
    return float(torch.cat(psnr).mean()), float(torch.cat(ssim).mean())


def load_autoencoder(folder: Path, device: torch.device) -> FilmAutoencoder:
    """Load what `save_pretrained` wrote."""
    model: Any = FilmAutoencoder.from_pretrained(folder, local_files_only=True)
    return model.to(device).eval()
