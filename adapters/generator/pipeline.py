"""The generator as a diffusers pipeline: conditions, and perhaps a film, to films."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from diffusers.models.transformers.pixart_transformer_2d import PixArtTransformer2DModel
from diffusers.pipelines.pipeline_utils import DiffusionPipeline, ImagePipelineOutput
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from PIL import Image

from adapters.generator.conditions import (
    FIRST_STYLE,
    Condition,
    encode,
    without_repeats,
)
from adapters.generator.networks import ClaimEncoder, FilmAutoencoder, latent_scale


def condition_of(prompt: str, style: str | None = None) -> Condition:
    """The condition of a film that a text describes."""
    # Training paints without any text.
    from assistant.labeller.sentences import parse_sentences

    claims = [a for sentence in parse_sentences(prompt) for a in sentence.assertions]
    return Condition(style=style, claims=without_repeats(claims))


class FilmPipeline(DiffusionPipeline):
    """Paints films of conditions, and changes films."""

    model_cpu_offload_seq = "claims->transformer->vae"

    def __init__(
        self,
        vae: FilmAutoencoder,
        transformer: PixArtTransformer2DModel,
        claims: ClaimEncoder,
        scheduler: FlowMatchEulerDiscreteScheduler,
    ) -> None:
        super().__init__()
        self.register_modules(vae=vae, transformer=transformer, claims=claims, scheduler=scheduler)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str] | Sequence[Condition] = "",
        image: torch.Tensor | None = None,
        num_inference_steps: int = 10,
        guidance_scale: float = 2.0,
        num_images_per_prompt: int = 1,
        generator: torch.Generator | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: Callable[..., dict[str, Any]] | None = None,
    ) -> Any:
        """Paint a film for each prompt or condition.

        `image`, (B, 1, H, W) in [0, 1], is the film to start from. Output "np" is float32
        (B, H, W) in [0, 1], "pt" a tensor (B, 1, H, W), "pil" greyscale pictures.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        wanted = [condition_of(p) if isinstance(p, str) else p for p in prompts]
        wanted = [c for c in wanted for _ in range(num_images_per_prompt)]
        latents = self.latents_of(
            wanted, image, num_inference_steps, guidance_scale, generator, callback_on_step_end
        )
        films = self.decode(latents)
        if output_type == "np":
            images: Any = films[:, 0].float().cpu().numpy()
        elif output_type == "pil":
            greys = (films[:, 0].float().cpu().numpy() * 255).round().astype(np.uint8)
            images = [Image.fromarray(grey) for grey in greys]
        else:
            images = films
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def encode(self, films: torch.Tensor) -> torch.Tensor:
        """Latents of films (B, 1, H, W) in [0, 1], on the flow's scale."""
        mean, std = latent_scale(self.vae)
        films = films.to(self.vae.device, self.vae.dtype) * 2 - 1
        return (self.vae.encode(films).latent_dist.mean.float() - mean) / std

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Films (B, 1, H, W) in [0, 1] of latents, one film at a time."""
        mean, std = latent_scale(self.vae)
        latents = (latents.float() * std + mean).to(self.vae.dtype)
        films = [self.vae.decode(part).sample for part in latents.split(1)]
        return ((torch.cat(films).float() + 1) / 2).clamp(0, 1)

    def latents_of(
        self,
        conditions: Sequence[Condition],
        image: torch.Tensor | None,
        steps: int,
        guidance: float,
        generator: torch.Generator | None = None,
        callback: Callable[..., dict[str, Any]] | None = None,
    ) -> torch.Tensor:
        """Solve the flow from noise to latents of the conditions."""
        device, dtype = self.transformer.device, self.transformer.dtype
        words = tuple(self.claims.config.words)
        encoded = [encode(condition, words) for condition in conditions]
        tokens = torch.from_numpy(np.stack([t for t, _ in encoded])).long().to(device)
        boxes = torch.from_numpy(np.stack([b for _, b in encoded])).float().to(device)
        guided = guidance != 1.0
        if guided:
            empty = torch.where(tokens[..., :1] < FIRST_STYLE, tokens, 0)
            tokens = torch.cat([tokens, empty])
            boxes = torch.cat([boxes, torch.full_like(boxes, -1.0)])
        embedded, mask = self.claims(tokens, boxes)
        edge = self.transformer.config.sample_size
        shape = (len(conditions), self.transformer.config.out_channels, edge, edge)
        latents = torch.randn(shape, generator=generator).to(device)
        origin = torch.zeros_like(latents) if image is None else self.encode(image)
        # The scheduler's own times end at no noise, which would waste the last step.
        self.scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), device=device)
        bar: Any = self.progress_bar
        for number, at in enumerate(bar(self.scheduler.timesteps)):
            given = torch.cat([latents, origin], dim=1).to(dtype)
            given = torch.cat([given, given]) if guided else given
            velocity = self.transformer(
                given,
                encoder_hidden_states=embedded,
                encoder_attention_mask=mask,
                timestep=at.expand(len(given)),
                return_dict=False,
            )[0].float()
            if guided:
                asked, free = velocity.chunk(2)
                velocity = free + guidance * (asked - free)
            latents = self.scheduler.step(velocity, at, latents, return_dict=False)[0]
            if callback is not None:
                callback(self, number, at, {"latents": latents})
        return latents
