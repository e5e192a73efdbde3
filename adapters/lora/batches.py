"""Examples of each task as tokens, for a Janus base.

An example is a function of its number and the seed alone, so that a run that was killed goes on
with the examples it would have had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from adapters.data.cases import TrainingCase
from adapters.data.tasks import Precedents, answer_pairs, drop_reading, painting_prompt, report_pair
from adapters.lora.model import IGNORE
from adapters.pretrain.language_model import weights_of
from assistant.prompts import film_prompt, paint_prompt, render_plain

UNGUIDED = 0.1  # share of paintings trained without their prompt, for guidance
Make = Callable[[int, np.random.Generator], dict[str, Any]]
Collate = Callable[[Sequence[dict[str, Any]]], dict[str, torch.Tensor]]


class Examples(torch.utils.data.Dataset):
    """`count` examples of a task: every case once, then every case again in another order."""

    def __init__(self, make: Make, cases: int, count: int, seed: int) -> None:
        self._make, self._cases, self._count, self._seed = make, cases, count, seed

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> dict[str, Any]:
        turn, at = divmod(number, self._cases)
        case = int(_order(self._cases, self._seed, turn)[at])
        return self._make(case, np.random.default_rng([self._seed, 1, number]))


@lru_cache(maxsize=4)
def _order(cases: int, seed: int, turn: int) -> np.ndarray:
    return np.random.default_rng([seed, 2, turn]).permutation(cases)


class Tokens:
    """Texts to tokens with one tokenizer, and rows of them to a batch."""

    def __init__(self, tokenizer: Any, image_tokens: int) -> None:
        self.tokenizer, self.image_tokens = tokenizer, image_tokens
        self.pad, self.end = int(tokenizer.pad_token_id), int(tokenizer.eos_token_id)
        self.after_film = int(tokenizer.convert_tokens_to_ids(tokenizer.eoi_token))

    def encode(self, text: str) -> list[int]:
        """The tokens of a text; the templates hold the marks of beginning and end."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def turn(self, request: str, answer: str) -> tuple[list[int], list[int]]:
        """Tokens of a request about one film with its answer, and those of the request alone."""
        prompt = self.encode(film_prompt(self.tokenizer, self.image_tokens, request))
        said = self.encode(render_plain(self.tokenizer, answer))
        return [*prompt, *said, self.end], prompt

    def rows(self, rows: Sequence[list[int]], fill: int, *, left: bool = False) -> torch.Tensor:
        """Rows of one length, (B, L)."""
        width = max(len(row) for row in rows)
        gaps = ([fill] * (width - len(row)) for row in rows)
        return torch.tensor(
            [gap + row if left else row + gap for gap, row in zip(gaps, rows, strict=True)]
        )


def next_token_targets(ids: Sequence[int], start: int) -> list[int]:
    """Targets, each where it is to be foretold: the tokens from `start` on, one place earlier."""
    return [IGNORE] * (start - 1) + list(ids[start:]) + [IGNORE]


def report_examples(
    cases: Sequence[TrainingCase],
    near: np.ndarray,
    precedents: Precedents,
    tokens: Tokens,
) -> Make:
    """Reports, the prompt naming similar cases drawn as `adapters.data.tasks` says."""

    def make(index: int, rng: np.random.Generator) -> dict[str, Any]:
        case = drop_reading(cases[index], rng)
        similar = precedents.draw(rng, case.patient, near[index])
        ids, prompt = tokens.turn(*report_pair(case, similar))
        return {"film": index, "ids": ids, "targets": next_token_targets(ids, len(prompt))}

    return make


def answer_examples(cases: Sequence[TrainingCase], tokens: Tokens) -> Make:
    """Several questions about one film: the film once, then every question as if it were alone."""

    def make(index: int, rng: np.random.Generator) -> dict[str, Any]:
        case = drop_reading(cases[index], rng)
        ids: list[int] = []
        row: dict[str, list[int]] = {"targets": [], "branches": [], "places": []}
        for number, pair in enumerate(answer_pairs(case, rng), start=1):
            whole, prompt = tokens.turn(*pair)
            film = prompt.index(tokens.after_film) + 1
            start = film if ids else 0  # the tokens up to the film's end are all questions'
            ids += whole[start:]
            row["targets"] += next_token_targets(whole, len(prompt))[start:]
            row["branches"] += [0] * (film - start) + [number] * (len(whole) - film)
            row["places"] += range(start, len(whole))
        return {"film": index, "ids": ids, **row}

    return make


def image_examples(cases: Sequence[TrainingCase], tokens: Tokens) -> Make:
    """Wishes for a film, one in ten emptied as guidance empties it."""

    def make(index: int, rng: np.random.Generator) -> dict[str, Any]:
        text, site = painting_prompt(cases[index], rng)
        ids = tokens.encode(paint_prompt(tokens.tokenizer, text, site))
        if rng.random() < UNGUIDED:
            keep = {tokens.tokenizer.bos_token_id, ids[-1]}
            ids = [i if i in keep else tokens.pad for i in ids]
        return {"film": index, "ids": ids}

    return make


def collate_text(features: np.ndarray, tokens: Tokens) -> Collate:
    """Batches of reports or answers, padded on the right; features (N, P, W) of all films."""

    def collate(rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch = {
            "features": torch.from_numpy(features[[row["film"] for row in rows]]),
            "ids": tokens.rows([row["ids"] for row in rows], tokens.pad),
            "targets": tokens.rows([row["targets"] for row in rows], IGNORE),
        }
        if "branches" in rows[0]:
            batch["branches"] = tokens.rows([row["branches"] for row in rows], -1)
            batch["places"] = tokens.rows([row["places"] for row in rows], 0)
        return batch

    return collate


def collate_images(codes: np.ndarray, cover: np.ndarray | None, tokens: Tokens) -> Collate:
    """Batches of wishes, padded on the left so that the pictures align.

    `codes` are (N, T); what `cover` (N, T) marks counts for more, where it is known.
    """

    def collate(rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        wishes, films = [row["ids"] for row in rows], [row["film"] for row in rows]
        known = {} if cover is None else {"weights": weights_of(cover[films])}
        return known | {
            "wishes": tokens.rows(wishes, tokens.pad, left=True),
            "wish_mask": tokens.rows([[1] * len(w) for w in wishes], 0, left=True),
            "codes": torch.from_numpy(codes[films].astype(np.int64)),
        }

    return collate
