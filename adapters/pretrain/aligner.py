"""Teaches a language model that has its words already to see by a new encoder's features.

Only the aligner, which turns features into vectors of the language model, is trained: by captions
of films, in our own wording.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from adapters.pretrain.text_rows import IGNORE
from assistant.prompts import caption_request, film_prompt


class CaptionBatches(torch.utils.data.Dataset):
    """Films' features with their captions; an item is an index, `collate` makes a batch."""

    def __init__(self, features: np.ndarray, captions: Sequence[str], tokenizer: Any) -> None:
        """`features` are float16 (N, T, W)."""
        self.features, self.captions, self.tokenizer = features, tuple(captions), tokenizer
        prompt = film_prompt(tokenizer, features.shape[1], caption_request())
        self.prompt = self._encode(prompt)

    def __len__(self) -> int:
        return len(self.captions)

    def __getitem__(self, index: int) -> int:
        return index

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Features, and tokens and targets padded on the right."""
        end, pad = int(self.tokenizer.eos_token_id), int(self.tokenizer.pad_token_id)
        answers = [[*self._encode(f" {self.captions[i]}"), end] for i in indices]
        width = max(map(len, answers))
        rows = [self.prompt + answer + [pad] * (width - len(answer)) for answer in answers]
        blank = [IGNORE] * len(self.prompt)
        targets = [blank + answer + [IGNORE] * (width - len(answer)) for answer in answers]
        return {
            "features": torch.from_numpy(np.stack([self.features[i] for i in indices])),
            "ids": torch.tensor(rows),
            "targets": torch.tensor(targets),
        }


class AlignerStage(nn.Module):
    """The aligner before a frozen language model, and the loss of captions."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.aligner = model.model.aligner
        # Not a child: it is neither trained nor stored with the stage.
        self.frozen = (model.model.language_model.requires_grad_(False),)
        self.image_token = model.config.image_token_id

    def forward(self, features, ids, targets) -> dict[str, torch.Tensor]:
        """Cross-entropy of the captions' tokens; features (B, T, W), ids and targets (B, L)."""
        (language,) = self.frozen
        embeds = language.embed_tokens(ids)
        is_image = (ids == self.image_token).unsqueeze(-1).expand_as(embeds)
        embeds = embeds.masked_scatter(is_image, self.aligner(features.to(embeds.dtype)))
        hidden = language(inputs_embeds=embeds, use_cache=False).last_hidden_state
        is_target = targets[:, 1:] != IGNORE
        logits = hidden[:, :-1][is_target] @ language.embed_tokens.weight.T
        return {"loss": F.cross_entropy(logits.float(), targets[:, 1:][is_target])}
