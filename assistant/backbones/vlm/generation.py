"""Texts that `generate` of transformers writes, each prompt read once for all that go on from it.

Which token comes next is chosen here, as everywhere in Wetread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from assistant.backbones.decoding.sampling import RowText, sample_token

_LOOKS_AGAIN = "cross_attention_mask"  # an input of models whose layers look at the films


class TokenChooser(LogitsProcessor):
    """Chooses every row's next token itself, and leaves `generate` that one only.

    So that every row is drawn with numbers of its own, and no table of scores is kept.
    """

    def __init__(
        self,
        rows: int,
        temperature: float,
        drawn: np.ndarray | None,
        ends: set[int],
        heard: Callable[[Sequence[int]], None],
    ) -> None:
        self.texts = [RowText([], []) for _ in range(rows)]
        self._temperature = temperature
        self._drawn = None if drawn is None else torch.from_numpy(drawn)
        self._ends = ends
        self._heard = heard
        self._at = 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (rows, tokens) that leave one token of each row."""
        tokens = self.choose(scores)
        return torch.full_like(scores, float("-inf")).scatter_(1, tokens[:, None], 0.0)

    def choose(self, scores: torch.Tensor) -> torch.Tensor:
        """The next token of each row, int64 (rows,), of scores (rows, tokens)."""
        drawn = None if self._drawn is None else self._drawn[:, self._at].to(scores.device)
        tokens, logs = sample_token(scores, self._temperature, drawn)
        for text, token, log in zip(self.texts, tokens.tolist(), logs.tolist(), strict=True):
            text.ended = text.ended or token in self._ends
            if not text.ended:
                text.ids.append(token)
                text.logs.append(log)
        self._heard(self.texts[0].ids)
        self._at += 1
        if self._ends:  # a row that has ended says so until all have
            ended = torch.tensor([text.ended for text in self.texts], device=tokens.device)
            tokens = tokens.masked_fill(ended, min(self._ends))
        return tokens


def generate(
    model: Any,
    inputs: Mapping[str, torch.Tensor],
    of_row: Sequence[int],
    settings: GenerationConfig,
    choosing: TokenChooser,
) -> None:
    """Write a text for each row into `choosing.texts`; row i goes on from prompt `of_row[i]`.

    `inputs` are those of the prompts, padded on the left.
    """
    if len(of_row) == len(inputs["input_ids"]):
        _generate(model, settings, choosing, **inputs)
        return
    rows = torch.tensor(of_row, device=model.device)
    if _LOOKS_AGAIN in inputs:  # at every token: what goes on needs all that the prompt had
        _generate(model, settings, choosing, **{key: value[rows] for key, value in inputs.items()})
        return
    read = copy(settings)
    read.update(max_new_tokens=1, return_dict_in_generate=True, output_logits=True)
    prompts = model.generate(**inputs, generation_config=read)
    chosen = choosing.choose(prompts.logits[0][rows])[:, None]
    if settings.max_new_tokens == 1 or all(text.ended for text in choosing.texts):
        return
    prompts.past_key_values.batch_select_indices(rows)
    # Qwen's models keep there by how much a row's places differ from its tokens' numbers.
    inner = getattr(model, "model", model)
    if getattr(inner, "rope_deltas", None) is not None:
        inner.rope_deltas = inner.rope_deltas[rows]
    rest = copy(settings)
    rest.update(max_new_tokens=settings.max_new_tokens - 1)
    _generate(
        model,
        rest,
        choosing,
        input_ids=torch.cat([inputs["input_ids"][rows], chosen], dim=1),
        attention_mask=torch.cat([inputs["attention_mask"][rows], torch.ones_like(chosen)], dim=1),
        past_key_values=prompts.past_key_values,
    )


def _generate(
    model: Any, settings: GenerationConfig, choosing: TokenChooser, **inputs: Any
) -> None:
    processors = LogitsProcessorList([choosing])
    model.generate(**inputs, generation_config=settings, logits_processor=processors)
