"""Paints with a Janus model: from words to picture tokens, and from these to grey levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from assistant.backbones.adapters import Adapters
from assistant.backbones.decoding.llama import Decoders
from assistant.backbones.decoding.sampling import (
    GenerationSettings,
    generate_pictures,
    row_uniforms,
)
from assistant.backbones.janus.writer import MISMATCH
from assistant.backbones.vlm.processor import template_limits
from assistant.backbones.whole import Refusal
from assistant.prompts import paint_prompt
from assistant.types import OnProgress, PaintRequest

_TABLE_SPEEDUP = 16  # embeddings computed in one batch in the time of a single one, at least


class JanusPainter:
    """Paints with a Janus model; one call at a time."""

    def __init__(self, model: Any, tokenizer: Any, adapters: Adapters, decoders: Decoders) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._adapters = adapters
        self._decoders = decoders

    def generate_tokens(
        self, request: PaintRequest, on_progress: OnProgress | None = None
    ) -> torch.Tensor:
        """Generate the tokens of pictures, int64 (count, tokens); see `JanusBackbone.paint`."""
        model, tokenizer, count = self._model, self._tokenizer, request.count
        token_count = model.config.vision_config.num_image_tokens
        with template_limits():
            text = paint_prompt(tokenizer, request.prompt, request.site)
        ids = torch.tensor(tokenizer(text, add_special_tokens=False)["input_ids"])
        ids = ids.to(model.device)
        boi = tokenizer.convert_tokens_to_ids(tokenizer.boi_token)
        unguided_ids = ids.masked_fill(
            (ids != tokenizer.bos_token_id) & (ids != boi), tokenizer.pad_token_id
        )
        prompts = [ids, unguided_ids] if request.guidance > 1 else [ids]
        uniforms = None
        if request.temperature > 0:
            uniforms = np.stack(
                [row_uniforms(request.seed, "picture", i, token_count) for i in range(count)]
            )
        task = "image" if "image" in self._adapters.tasks else None
        with self._adapters.switched_to(task):
            decoder = self._decoders.decoder_for(task)
            with Refusal(MISMATCH):
                embedded = [model.get_input_embeddings()(prompt) for prompt in prompts]
            prefixes = decoder.prefill(embedded)
            embed = self._make_embedding(token_count * count)
            settings = GenerationSettings(
                embed, model.model.generation_head, token_count, temperature=request.temperature
            )
            on_step = on_progress and (lambda done: on_progress(done * count, token_count * count))
            generated = generate_pictures(
                decoder,
                prefixes[0],
                unguided=prefixes[1] if request.guidance > 1 else None,
                settings=settings,
                guidance=request.guidance,
                uniforms=uniforms,
                count=count,
                on_step=on_step,
            )
        if on_progress is not None:
            on_progress(count * token_count, count * token_count)
        return generated

    def decode_films(self, tokens: torch.Tensor) -> list[np.ndarray]:
        """Decode pictures from their tokens, each float32 (H, W) in [0, 1]."""
        pictures = self._model.decode_image_tokens(tokens).float().mean(dim=-1)  # (B, H, W)
        return [p.add(1).div(2).clamp(0, 1).cpu().numpy().astype(np.float32) for p in pictures]

    def _make_embedding(self, token_count: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """The function from tokens to vectors, to be called for `token_count` tokens in all.

        It is a table where computing the vectors of all codes costs less than one by one.
        """
        embed, codes = self._model.prepare_embeddings_for_image_generation, self._code_count
        if codes > _TABLE_SPEEDUP * token_count:
            return embed
        return embed(torch.arange(codes, device=self._model.device)).__getitem__

    @property
    def _code_count(self) -> int:
        return int(self._model.config.vq_config.num_embeddings)
