"""A Janus as a painter: words to the tokens of a picture, and these to grey levels."""

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
from assistant.prompts import paint_prompt
from assistant.types import OnProgress, PaintRequest

_LOOKED_UP = 16  # vectors made together in the time that one takes alone, at least


class JanusPainter:
    """Paints with a Janus model; one call at a time."""

    def __init__(self, model: Any, tokenizer: Any, adapters: Adapters, decoders: Decoders) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._adapters = adapters
        self._decoders = decoders

    def tokens(self, request: PaintRequest, on_progress: OnProgress | None = None) -> torch.Tensor:
        """The tokens of pictures, int64 (count, tokens); see `JanusBackbone.paint`."""
        model, tokenizer, count = self._model, self._tokenizer, request.count
        most = model.config.vision_config.num_image_tokens
        ids = torch.tensor(
            tokenizer(
                paint_prompt(tokenizer, request.prompt, request.site), add_special_tokens=False
            )["input_ids"]
        ).to(model.device)
        boi = tokenizer.convert_tokens_to_ids(tokenizer.boi_token)
        wordless = ids.masked_fill(
            (ids != tokenizer.bos_token_id) & (ids != boi), tokenizer.pad_token_id
        )
        prompts = [ids, wordless] if request.guidance > 1 else [ids]
        drawn = None
        if request.temperature > 0:
            drawn = np.stack([row_uniforms(request.seed, "picture", i, most) for i in range(count)])
        task = "image" if "image" in self._adapters.tasks else None
        with self._adapters.switched_to(task):
            decoder = self._decoders.decoder_for(task)
            read = decoder.prefill([model.get_input_embeddings()(one) for one in prompts])
            embed = self._embedding(most * count)
            wanted = GenerationSettings(
                embed, model.model.generation_head, most, temperature=request.temperature
            )
            heard = on_progress and (lambda done: on_progress(done * count, most * count))
            painted = generate_pictures(
                decoder,
                read[0],
                unguided=read[1] if request.guidance > 1 else None,
                settings=wanted,
                guidance=request.guidance,
                uniforms=drawn,
                count=count,
                on_step=heard,
            )
        if on_progress is not None:
            on_progress(count * most, count * most)
        return painted

    def films(self, tokens: torch.Tensor) -> list[np.ndarray]:
        """Pictures of their tokens, each float32 (H, W) in [0, 1]."""
        painted = self._model.decode_image_tokens(tokens).float().mean(dim=-1)  # (B, H, W)
        return [p.add(1).div(2).clamp(0, 1).cpu().numpy().astype(np.float32) for p in painted]

    def _embedding(self, painted: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """Tokens to vectors; looked up where all there are cost little beside those painted."""
        embed, codes = self._model.prepare_embeddings_for_image_generation, self._codes
        if codes > _LOOKED_UP * painted:
            return embed
        return embed(torch.arange(codes, device=self._model.device)).__getitem__

    @property
    def _codes(self) -> int:
        return int(self._model.config.vq_config.num_embeddings)
