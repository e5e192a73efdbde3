"""Texts and pictures token by token: which token comes next, which rows are done.

It knows neither films nor words. Every row is drawn with numbers of its own, so that what is
written or painted does not depend on what else is in the batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from assistant.backbones.decoding.kv_cache import Prefix
from assistant.backbones.decoding.llama import Decoder, DecodingBatch

_WORTH = 0.75  # of the rows still go on, at most, when the others are let go


@dataclass(frozen=True, slots=True, eq=False)
class GenerationSettings:
    """How texts are written, or pictures painted."""

    embed: Callable[[torch.Tensor], torch.Tensor]  # tokens (rows,) to vectors (rows, width)
    head: Callable[[torch.Tensor], torch.Tensor]  # vectors to scores (rows, tokens)
    most: int  # tokens of each, at most
    end: int = -1  # the token that ends one; a picture has none
    temperature: float = 0.0  # 0: the likeliest token


@dataclass(slots=True)
class RowText:
    """A text as it grows: its tokens without the end, and the natural log of their chance."""

    ids: list[int]
    logs: list[float]
    ended: bool = False


def row_uniforms(seed: int, what: str, which: int, count: int) -> np.ndarray:
    """The numbers in [0, 1), float64 (count,), that a row is drawn with: the same everywhere."""
    digest = hashlib.blake2b(what.encode(), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest), which]).random(count)


def sample_token(
    scores: torch.Tensor, temperature: float, drawn: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The next tokens, int64 (rows,), of scores (rows, tokens), and the log of each one's chance.

    The likeliest at temperature 0, else where `drawn` (rows,), in [0, 1), falls.
    """
    if drawn is None:
        logs = scores.float().log_softmax(dim=-1)
        best = logs.max(dim=-1)
        return best.indices, best.values
    logs = (scores.float() / temperature).log_softmax(dim=-1)
    up_to = logs.double().exp().cumsum(dim=-1)
    at = drawn[:, None] * up_to[:, -1:]
    tokens = torch.searchsorted(up_to, at, right=True).clamp(max=scores.shape[1] - 1)
    return tokens[:, 0], logs.gather(1, tokens)[:, 0]


def generate_texts(
    decoder: Decoder,
    prefixes: Sequence[Prefix],
    of_prompt: Sequence[Sequence[int]],
    wanted: GenerationSettings,
    drawn: np.ndarray | None,
    heard: Callable[[Sequence[int]], None] | None = None,
) -> list[RowText]:
    """Write texts that go on from prompts: `of_prompt` are the numbers of each one's texts.

    `drawn` (texts, most) are the numbers that each is drawn with, None at temperature 0. `heard`
    hears at every token what the first text has, whichever texts still go on.
    """
    draws = max(len(texts) for texts in of_prompt)
    rows = DecodingBatch(decoder, prefixes, draws, wanted.most)
    texts = [RowText([], []) for numbered in of_prompt for _ in numbered]
    spare = RowText([], [], ended=True)  # fills up the rows of a prompt that has fewer texts
    grid = [[*numbered, *[-1] * (draws - len(numbered))] for numbered in of_prompt]
    chances = None if drawn is None else torch.from_numpy(drawn).to(rows.last.device)
    hidden = rows.last
    for at in range(wanted.most):
        flat = [number for line in grid for number in line]
        chosen = None if chances is None else chances[flat, at]
        tokens, logs = sample_token(wanted.head(hidden), wanted.temperature, chosen)
        for number, token, log in zip(flat, tokens.tolist(), logs.tolist(), strict=True):
            text = texts[number] if number >= 0 else spare
            if token == wanted.end:
                text.ended = True
            if not text.ended:
                text.ids.append(token)
                text.logs.append(log)
        if heard is not None:
            heard(texts[0].ids)
        going = [[d for d, n in enumerate(line) if n >= 0 and not texts[n].ended] for line in grid]
        if not any(going) or at + 1 == wanted.most:
            break
        kept = _fewer(going, draws)
        if kept is not None:
            prompts, some = kept
            # The vectors of the tokens that were chosen, of the rows that go on.
            tokens = tokens.view(len(grid), draws)[
                torch.tensor(prompts)[:, None], torch.tensor(some)
            ].flatten()
            rows.keep_rows(prompts, some)
            grid = [[grid[p][d] for d in line] for p, line in zip(prompts, some, strict=True)]
            draws = len(some[0])
        hidden = rows.step(wanted.embed(tokens))
    return texts


def _fewer(going: list[list[int]], draws: int) -> tuple[list[int], list[list[int]]] | None:
    """The prompts to go on with and the draws of each, where that is well fewer rows than now.

    Those that can keep their places do, the others take the places of those that are done.
    """
    left = sum(1 for some in going if some)
    behind = (p for p in range(left, len(going)) if going[p])
    prompts = [p if going[p] else next(behind) for p in range(left)]
    most = max(len(some) for some in going)
    if len(prompts) * most > _WORTH * len(going) * draws:
        return None
    rest = [[d for d in range(draws) if d not in going[p]] for p in prompts]
    some = [(going[p] + more)[:most] for p, more in zip(prompts, rest, strict=True)]
    return prompts, some


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
    """The tokens of `count` pictures, int64 (count, most), that go on from a prompt.

    Where `unguided` is given, the prompt without its words, the scores are moved away from what
    it would give, `guidance` times as far (Ho and Salimans, *Classifier-free guidance*, 2022).
    `uniforms` is (count, most), None at temperature 0. `on_step` hears before each token how many
    each picture has.
    """
    # The prompt is short beside the picture: a copy for each is cheaper than to share it.
    both = [prompt] if unguided is None else [prompt, unguided]
    rows = DecodingBatch(
        decoder, [prefix for prefix in both for _ in range(count)], 1, settings.most
    )
    chances = None if uniforms is None else torch.from_numpy(uniforms).to(rows.last.device)
    hidden, painted = rows.last, []
    for at in range(settings.most):
        if on_step is not None:
            on_step(at)
        scores = settings.head(hidden)
        if unguided is not None:
            guided, free = scores.chunk(2)
            scores = free + (guided - free) * guidance
        if chances is None:
            tokens = scores.argmax(dim=-1)
        else:
            tokens, _ = sample_token(scores, settings.temperature, chances[:, at])
        painted.append(tokens)
        if at + 1 < settings.most:
            hidden = rows.step(settings.embed(tokens).repeat(len(both), 1))
    return torch.stack(painted, dim=1)
