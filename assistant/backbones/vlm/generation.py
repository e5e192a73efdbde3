"""Writes texts with transformers' `generate`, with one prefill for all rows of a prompt.

The next token is chosen here, not by transformers, as everywhere in Wetread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from assistant.backbones.decoding.sampling import RowText, sample_token

_CROSS_ATTENTION = (
    "cross_attention_mask"  # an input of models that attend to the films in every layer
)


class TokenChooser(LogitsProcessor):
    """Chooses every row's next token itself and masks all others for `generate`.

    So every row is sampled with uniform numbers of its own, and no table of scores is stored.
    """

    def __init__(
        self,
        rows: int,
        temperature: float,
        uniforms: np.ndarray | None,
        end_tokens: set[int],
        on_step: Callable[[Sequence[int]], None],
    ) -> None:
        self.texts = [RowText([], []) for _ in range(rows)]
        self._temperature = temperature
        self._uniforms = None if uniforms is None else torch.from_numpy(uniforms)
        self._end_tokens = end_tokens
        self._on_step = on_step
        self._step = 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (rows, tokens) that are -inf for all but the chosen token of each row."""
        tokens = self.choose(scores)
        return torch.full_like(scores, float("-inf")).scatter_(1, tokens[:, None], 0.0)

    def choose(self, scores: torch.Tensor) -> torch.Tensor:
        """Choose the next token of each row, int64 (rows,), from scores (rows, tokens)."""
        uniforms = (
            None if self._uniforms is None else self._uniforms[:, self._step].to(scores.device)
        )
        tokens, log_probabilities = sample_token(scores, self._temperature, uniforms)
        for text, token, log_probability in zip(
            self.texts, tokens.tolist(), log_probabilities.tolist(), strict=True
        ):
            text.ended = text.ended or token in self._end_tokens
            if not text.ended:
                text.ids.append(token)
                text.log_probabilities.append(log_probability)
        self._on_step(self.texts[0].ids)
        self._step += 1
        if self._end_tokens:  # a row that has ended repeats its end token until all have ended
            ended = torch.tensor([text.ended for text in self.texts], device=tokens.device)
            tokens = tokens.masked_fill(ended, min(self._end_tokens))
        return tokens


def generate(
    model: Any,
    inputs: Mapping[str, torch.Tensor],
    prompt_of_row: Sequence[int],
    settings: GenerationConfig,
    chooser: TokenChooser,
) -> None:
    """Write a text for each row into `chooser.texts`; row i continues `prompt_of_row[i]`.

    `inputs` are those of the prompts, padded on the left.
    """
    if len(prompt_of_row) == len(inputs["input_ids"]):
        _generate_with(model, settings, chooser, **inputs)
        return
    rows = torch.tensor(prompt_of_row, device=model.device)
    if _CROSS_ATTENTION in inputs:  # used at every token: each row needs all of its prompt's inputs
        row_inputs = {key: value[rows] for key, value in inputs.items()}
        _generate_with(model, settings, chooser, **row_inputs)
        return
    prefill_settings = copy(settings)
    prefill_settings.update(max_new_tokens=1, return_dict_in_generate=True, output_logits=True)
    prefill = model.generate(**inputs, generation_config=prefill_settings)
    first_tokens = chooser.choose(prefill.logits[0][rows])[:, None]
    if settings.max_new_tokens == 1 or all(text.ended for text in chooser.texts):
        return
    prefill.past_key_values.batch_select_indices(rows)
    # Qwen's models store there the offset of a row's positions from its token numbers.
    inner = getattr(model, "model", model)
    if getattr(inner, "rope_deltas", None) is not None:
        inner.rope_deltas = inner.rope_deltas[rows]
    remaining_settings = copy(settings)
    remaining_settings.update(max_new_tokens=settings.max_new_tokens - 1)
    _generate_with(
        model,
        remaining_settings,
        chooser,
        input_ids=torch.cat([inputs["input_ids"][rows], first_tokens], dim=1),
        attention_mask=torch.cat(
            [inputs["attention_mask"][rows], torch.ones_like(first_tokens)], dim=1
        ),
        past_key_values=prefill.past_key_values,
    )


def _generate_with(
    model: Any, settings: GenerationConfig, chooser: TokenChooser, **inputs: Any
) -> None:
    processors = LogitsProcessorList([chooser])
    model.generate(**inputs, generation_config=settings, logits_processor=processors)
