"""The generator's three networks in diffusers' classes, and their sizes.

The autoencoder is an `AutoencoderKL` on one channel, the flow `PixArtTransformer2DModel` on latents
beside which a second latent lies (zeros where there is none), and `ClaimEncoder` turns the tokens
of a condition into what the flow attends to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.vae import DecoderOutput
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.transformers.pixart_transformer_2d import PixArtTransformer2DModel
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from torch import nn
from torch.nn.functional import pixel_unshuffle

FREQUENCIES = (1.0, 2.0, 4.0, 8.0)  # of a box's coordinates, in half periods a film


class ClaimEncoder(ModelMixin, ConfigMixin):
    """From tokens (B, L, 5) and boxes (B, L, 4) to vectors (B, L, width) and their mask (B, L)."""

    @register_to_config
    def __init__(
        self,
        words: Sequence[str] = ("",),
        polarities: Sequence[str] = ("",),
        sides: Sequence[str] = ("",),
        zones: Sequence[str] = ("",),
        degrees: Sequence[str] = ("",),
        width: int = 288,
    ) -> None:
        super().__init__()
        tables = (words, polarities, sides, zones, degrees)
        self.tables = nn.ModuleList(nn.Embedding(len(table), width) for table in tables)
        self.place = nn.Linear(8 * len(FREQUENCIES) + 1, width, bias=False)
        self.norm = nn.LayerNorm(width)
        self.project = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        for weight in self.tables.parameters():
            nn.init.normal_(weight, std=0.5)

    def forward(
        self, tokens: torch.Tensor, boxes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Embed claims; tokens are whole numbers, and a box of negative numbers is none."""
        embedded = sum(table(tokens[..., i]) for i, table in enumerate(self.tables))
        known = (boxes[..., :1] >= 0).to(self.norm.weight.dtype)
        angles = torch.stack([boxes.float() * f * torch.pi for f in FREQUENCIES], dim=-1).flatten(2)
        waves = torch.cat([angles.sin(), angles.cos()], dim=-1).to(known.dtype) * known
        embedded = embedded + self.place(torch.cat([waves, known], dim=-1))
        return self.project(self.norm(embedded)), (tokens[..., 0] > 0).to(embedded.dtype)


class FilmAutoencoder(AutoencoderKL):
    """`AutoencoderKL` whose latent and film are also joined by one linear step each way.

    The linear step alone is a principal component analysis of square patches; the networks learn
    what it misses. Arguments are those of `AutoencoderKL`.
    """

    @register_to_config
    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        down_block_types: Sequence[str] = ("DownEncoderBlock2D",) * 4,
        up_block_types: Sequence[str] = ("UpDecoderBlock2D",) * 4,
        block_out_channels: Sequence[int] = (32, 64, 128, 192),
        layers_per_block: int = 1,
        act_fn: str = "silu",
        latent_channels: int = 24,
        norm_num_groups: int = 16,
        sample_size: int = 256,
        scaling_factor: float = 1.0,
        shift_factor: float | None = None,
        latents_mean: Sequence[float] | None = None,
        latents_std: Sequence[float] | None = None,
        force_upcast: bool = False,
        use_quant_conv: bool = False,
        use_post_quant_conv: bool = False,
        mid_block_add_attention: bool = False,
    ) -> None:
        settings: dict[str, Any] = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "down_block_types": tuple(down_block_types),
            "up_block_types": tuple(up_block_types),
            "block_out_channels": tuple(block_out_channels),
            "layers_per_block": layers_per_block,
            "act_fn": act_fn,
            "latent_channels": latent_channels,
            "norm_num_groups": norm_num_groups,
            "sample_size": sample_size,
            "scaling_factor": scaling_factor,
            "shift_factor": shift_factor,
            "latents_mean": latents_mean,
            "latents_std": latents_std,
            "force_upcast": force_upcast,
            "use_quant_conv": use_quant_conv,
            "use_post_quant_conv": use_post_quant_conv,
            "mid_block_add_attention": mid_block_add_attention,
        }
        super().__init__(**settings)
        patch = 2 ** (len(block_out_channels) - 1)
        self.analysis = nn.Conv2d(in_channels, latent_channels, patch, stride=patch)
        self.synthesis = nn.ConvTranspose2d(latent_channels, out_channels, patch, stride=patch)

    def moments(self, films: torch.Tensor) -> torch.Tensor:
        """Mean and logarithm of the variance of the latents, (B, 2 C, h, w)."""
        linear = self.analysis(films)
        return self.encoder(films) + torch.cat([linear, torch.zeros_like(linear)], dim=1)

    def films_of(self, latents: torch.Tensor) -> torch.Tensor:
        """Films (B, 1, H, W) of latents."""
        return self.decoder(latents) + self.synthesis(latents)

    def _encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.moments(x)

    def _decode(self, z: torch.Tensor, return_dict: bool = True) -> Any:
        films = self.films_of(z)
        return DecoderOutput(sample=films) if return_dict else (films,)

    @torch.no_grad()
    def begin_linear(self, films: torch.Tensor, log_variance: float = -8.0) -> None:
        """Set the linear step to the principal components of films, and silence the networks."""
        analysis, synthesis, networks = self._linear_parts()
        channels, _, patch, _ = analysis.weight.shape
        pieces = pixel_unshuffle(films, patch).flatten(2).transpose(1, 2).flatten(0, 1)
        mean = pieces.mean(0)
        values, vectors = torch.linalg.eigh(torch.cov((pieces - mean).T))
        spread = values[-channels:].clamp_min(1e-8).sqrt()
        basis = vectors[:, -channels:].T  # (C, patch * patch)
        kernel = (basis / spread[:, None]).view(channels, 1, patch, patch)
        analysis.weight.copy_(kernel)
        analysis.bias.zero_()
        synthesis.weight.copy_((basis * spread[:, None]).view(channels, 1, patch, patch))
        synthesis.bias.fill_(float((mean - basis.T @ (basis @ mean)).mean()))
        for network in networks:
            network.conv_out.weight.mul_(0.05)
            network.conv_out.bias.zero_()
        networks[0].conv_out.bias[channels:] = log_variance

    def _linear_parts(self) -> tuple[Any, Any, tuple[Any, Any]]:
        """The linear steps, and the networks."""
        return self.analysis, self.synthesis, (self.encoder, self.decoder)


def build_autoencoder(
    widths: Sequence[int] = (32, 64, 128, 192), channels: int = 24, size: int = 256
) -> FilmAutoencoder:
    """Build an autoencoder of one-channel films; each width but the first halves the edge."""
    return FilmAutoencoder(
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=tuple(widths),
        latent_channels=channels,
        norm_num_groups=min(16, widths[0]),
        sample_size=size,
        latents_mean=(0.0,) * channels,
        latents_std=(1.0,) * channels,
    )


def build_flow(
    *, channels: int = 24, edge: int = 32, heads: int = 6, layers: int = 6, head: int = 48
) -> PixArtTransformer2DModel:
    """Build the transformer of the flow over latents (channels, edge, edge)."""
    flow = PixArtTransformer2DModel(
        num_attention_heads=heads,
        attention_head_dim=head,
        in_channels=2 * channels,
        out_channels=channels,
        num_layers=layers,
        cross_attention_dim=heads * head,
        sample_size=edge,
        patch_size=2,
        use_additional_conditions=False,
        interpolation_scale=1,
        caption_channels=None,
    )
    nn.init.zeros_(flow.proj_out.weight)
    nn.init.zeros_(flow.proj_out.bias)
    return flow


def build_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Build the scheduler of a straight path: sigma is the share of noise."""
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0)


def latent_scale(autoencoder: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and spread (1, C, 1, 1) of an autoencoder's latents, for the flow's own scale."""
    device = next(autoencoder.parameters()).device
    mean = torch.tensor(autoencoder.config.latents_mean, device=device).view(1, -1, 1, 1)
    std = torch.tensor(autoencoder.config.latents_std, device=device).view(1, -1, 1, 1)
    return mean, std
