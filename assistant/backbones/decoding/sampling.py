"""Generates texts and pictures token by token: chooses each next token and drops finished rows.

This module knows neither films nor words. Every row is sampled with uniform numbers of its own, so
that the result does not depend on what else is in the batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from assistant.backbones.decoding.kv_cache import Prefix
from assistant.backbones.decoding.llama import Decoder, DecodingBatch
from assistant.backbones.threads import one_thread

_MAX_ROWS_LEFT = 0.75  # share of the rows still active, at most, for the others to be dropped


@dataclass(frozen=True, slots=True, eq=False)
class GenerationSettings:
    """How texts or pictures are generated."""

    embed: Callable[[torch.Tensor], torch.Tensor]  # tokens (rows,) to vectors (rows, width)
    head: Callable[[torch.Tensor], torch.Tensor]  # hidden states to logits (rows, tokens)
    max_tokens: int  # of each text; all of them for a picture
    end_token: int = -1  # the token that ends a text; a picture has none
    temperature: float = 0.0  # 0: the most probable token
    least: float = 0.0  # tokens less probable than this share of the most probable are never drawn


@dataclass(slots=True)
class RowText:
    """The text of a row so far: its tokens without the end token, and their log-probabilities."""

    ids: list[int]
    log_probabilities: list[float]  # natural log
    ended: bool = False


def row_uniforms(seed: int, key: str, index: int, count: int) -> np.ndarray:
    """A row's uniform numbers in [0, 1), float64 (count,): the same on every machine.

    `key` is what the row is about, and `index` its number among the rows of the same key.
    """
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest), index]).random(count)


def sample_token(
    logits: torch.Tensor, temperature: float, uniforms: torch.Tensor | None, least: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """The next tokens, int64 (rows,), from logits (rows, tokens), and their log-probabilities.

    Without `uniforms` each is the most probable; else the one whose cumulative probability the
    row's number of `uniforms` (rows,), in [0, 1), falls into. Tokens whose probability is below
    `least` times the highest are left out (Nguyen et al. 2024, "min-p", arXiv:2407.01082).
    """
    if uniforms is None:
        log_probabilities = logits.float().log_softmax(dim=-1)
        best = log_probabilities.max(dim=-1)
        return best.indices, best.values
    log_probabilities = (logits.float() / temperature).log_softmax(dim=-1)
    chances = log_probabilities.double().exp()
    if least:
        chances = chances * (chances >= least * chances.amax(dim=-1, keepdim=True))
    cumulative = chances.cumsum(dim=-1)
    thresholds = uniforms[:, None] * cumulative[:, -1:]
    tokens = torch.searchsorted(cumulative, thresholds, right=True).clamp(max=logits.shape[1] - 1)
    return tokens[:, 0], log_probabilities.gather(1, tokens)[:, 0]


def generate_texts(
    decoder: Decoder,
    prefixes: Sequence[Prefix],
    texts_of_prompt: Sequence[Sequence[int]],
    settings: GenerationSettings,
    uniforms: np.ndarray | None,
    on_step: Callable[[Sequence[int]], None] | None = None,
) -> list[RowText]:
    """Generate texts that continue prompts; `texts_of_prompt` has the numbers of each one's texts.

    `uniforms` (texts, max_tokens) are the numbers that each text is sampled with, None at
    temperature 0. `on_step` receives at every step the tokens of the first text, whichever texts
    are still active.
    """
    rows_per_prompt = max(len(texts) for texts in texts_of_prompt)
    decoding = DecodingBatch(decoder, prefixes, rows_per_prompt, settings.max_tokens)
    texts = [RowText([], []) for numbers in texts_of_prompt for _ in numbers]
    spare = RowText([], [], ended=True)  # fills the rows of a prompt that has fewer texts
    row_numbers = [
        [*numbers, *[-1] * (rows_per_prompt - len(numbers))] for numbers in texts_of_prompt
    ]
    device_uniforms = (
        None if uniforms is None else torch.from_numpy(uniforms).to(decoding.last_hidden.device)
    )
    hidden = decoding.last_hidden
    with one_thread(decoding.is_small):
        for step in range(settings.max_tokens):
            text_numbers = [number for numbers in row_numbers for number in numbers]
            step_uniforms = None if device_uniforms is None else device_uniforms[text_numbers, step]
            tokens, log_probabilities = sample_token(
                settings.head(hidden), settings.temperature, step_uniforms, settings.least
            )
            for number, token, log_probability in zip(
                text_numbers, tokens.tolist(), log_probabilities.tolist(), strict=True
            ):
                text = texts[number] if number >= 0 else spare
                if token == settings.end_token:
                    text.ended = True
                if not text.ended:
                    text.ids.append(token)
                    text.log_probabilities.append(log_probability)
            if on_step is not None:
                on_step(texts[0].ids)
            active = [
                [s for s, n in enumerate(numbers) if n >= 0 and not texts[n].ended]
                for numbers in row_numbers
            ]
            if not any(active) or step + 1 == settings.max_tokens:
                break
            selection = _select_rows(active, rows_per_prompt)
            if selection is not None:
                prompts, samples = selection
                # The chosen tokens of the rows that stay.
                tokens = tokens.view(len(row_numbers), rows_per_prompt)[
                    torch.tensor(prompts)[:, None], torch.tensor(samples)
                ].flatten()
                decoding.keep_rows(prompts, samples)
                row_numbers = [
                    [row_numbers[p][s] for s in own]
                    for p, own in zip(prompts, samples, strict=True)
                ]
                rows_per_prompt = len(samples[0])
            hidden = decoding.step(settings.embed(tokens))
    return texts


def _select_rows(
    active: list[list[int]], rows_per_prompt: int
) -> tuple[list[int], list[list[int]]] | None:
    """The prompts to keep and the samples of each; None where that drops too few rows.

    Prompts and samples keep their places where they can; the others take the places of those that
    are done. A prompt with fewer active samples is filled up with finished ones.
    """
    prompt_count = sum(1 for own in active if own)
    later = (p for p in range(prompt_count, len(active)) if active[p])
    prompts = [p if active[p] else next(later) for p in range(prompt_count)]
    width = max(len(own) for own in active)
    if len(prompts) * width > _MAX_ROWS_LEFT * len(active) * rows_per_prompt:
        return None
    idle = [[s for s in range(rows_per_prompt) if s not in active[p]] for p in prompts]
    samples = [(active[p] + more)[:width] for p, more in zip(prompts, idle, strict=True)]
    return prompts, samples


def generate_pictures(
    decoder: Decoder,
    prompt: Prefix,
    *,
    unguided: Prefix | None,
    settings: GenerationSettings,
    guidance: float,
    uniforms: np.ndarray | None,
    count: int,
    on_step: Callable[[int], None] | None = None,
) -> torch.Tensor:
    """Generate the tokens of `count` pictures, int64 (count, max_tokens), that continue a prompt.

    With `unguided`, the prompt without its words, the logits are extrapolated from those of
    `unguided` by the factor `guidance` (Ho and Salimans, *Classifier-free guidance*, 2022).
    `uniforms` is (count, max_tokens), None at temperature 0. `on_step` receives before each token
    how many tokens each picture has.
    """
    # The prompt is short compared with the picture: a copy for each is cheaper than sharing it.
    prefixes = [prompt] if unguided is None else [prompt, unguided]
    decoding = DecodingBatch(
        decoder, [prefix for prefix in prefixes for _ in range(count)], 1, settings.max_tokens
    )
    device_uniforms = (
        None if uniforms is None else torch.from_numpy(uniforms).to(decoding.last_hidden.device)
    )
    hidden, generated = decoding.last_hidden, []
    with one_thread(decoding.is_small):
        for step in range(settings.max_tokens):
            if on_step is not None:
                on_step(step)
            logits = settings.head(hidden)
            if unguided is not None:
                conditional, unconditional = logits.chunk(2)
                logits = unconditional + (conditional - unconditional) * guidance
            if device_uniforms is None:
                tokens = logits.argmax(dim=-1)
            else:
                tokens, _ = sample_token(logits, settings.temperature, device_uniforms[:, step])
            generated.append(tokens)
            if step + 1 < settings.max_tokens:
                hidden = decoding.step(settings.embed(tokens).repeat(len(prefixes), 1))
    return torch.stack(generated, dim=1)
