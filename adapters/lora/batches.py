"""The examples of each task as tokens, for a Janus base.

An example depends on its number and the seed alone, so that a resumed run gets the same examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from adapters.data.cases import TrainingCase
from adapters.data.tasks import (
    Precedents,
    answer_pairs_of,
    draw_painting_prompt,
    drop_reading,
    report_pair_of,
)
from adapters.lora.model import IGNORE
from adapters.pretrain.language_model import weights_of
from assistant.prompts import film_prompt, paint_prompt, render_plain, text_prompt

SORTED = 128  # cases of an epoch that are sorted by size; more would make it less random
NO_PROMPT_SHARE = 0.1  # of paintings trained without their prompt, for classifier-free guidance
MakeExample = Callable[[int, np.random.Generator], dict[str, Any]]
Collate = Callable[[Sequence[dict[str, Any]]], dict[str, torch.Tensor]]


class Examples(torch.utils.data.Dataset):
    """`count` examples of a task: each epoch takes every case once, in another order.

    Cases of about the same of `sizes` are neighbours, so that a batch has little padding. Where
    `is_early` holds for an example's number, the example of `early` stands in its place.
    """

    def __init__(
        self,
        make: MakeExample,
        cases: int,
        count: int,
        seed: int,
        *,
        sizes: Sequence[int] = (),
        early: Examples | None = None,
        is_early: Callable[[int], bool] = lambda number: False,
    ) -> None:
        self._make, self._cases, self._count, self._seed = make, cases, count, seed
        self._sizes, self._early, self._is_early = tuple(sizes), early, is_early

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> dict[str, Any]:
        if self._early is not None and self._is_early(number):
            return self._early[number]
        epoch, position = divmod(number, self._cases)
        case = int(_epoch_order(self._cases, self._seed, epoch, self._sizes)[position])
        return self._make(case, np.random.default_rng([self._seed, 1, number]))


@lru_cache(maxsize=4)
def _epoch_order(cases: int, seed: int, epoch: int, sizes: tuple[int, ...]) -> np.ndarray:
    order = np.random.default_rng([seed, 2, epoch]).permutation(cases)
    if sizes:
        for start in range(0, cases, SORTED):
            part = order[start : start + SORTED]
            order[start : start + SORTED] = sorted(part, key=lambda case: sizes[case])
    return order


class Tokens:
    """Encodes texts with one tokenizer, and pads rows of tokens to a batch."""

    def __init__(self, tokenizer: Any, image_tokens: int) -> None:
        self.tokenizer, self.image_tokens = tokenizer, image_tokens
        self.pad_id, self.eos_id = int(tokenizer.pad_token_id), int(tokenizer.eos_token_id)
        self.film_end_id = int(tokenizer.convert_tokens_to_ids(tokenizer.eoi_token))

    def encode(self, text: str) -> list[int]:
        """Encode a text; beginning and end marks are in the templates."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def encode_turn(
        self, request: str, answer: str, *, with_film: bool = True
    ) -> tuple[list[int], list[int]]:
        """Encode a request about one film with its answer, and the request alone."""
        prompt = self.encode(
            film_prompt(self.tokenizer, self.image_tokens, request)
            if with_film
            else text_prompt(self.tokenizer, request)
        )
        answer_ids = self.encode(render_plain(self.tokenizer, answer))
        return [*prompt, *answer_ids, self.eos_id], prompt

    def pad_rows(self, rows: Sequence[list[int]], fill: int, *, left: bool = False) -> torch.Tensor:
        """Pad rows to one length, (B, L), on the right or the left."""
        width = max(len(row) for row in rows)
        paddings = ([fill] * (width - len(row)) for row in rows)
        return torch.tensor(
            [
                padding + row if left else row + padding
                for padding, row in zip(paddings, rows, strict=True)
            ]
        )


def next_token_targets(ids: Sequence[int], start: int) -> list[int]:
    """Targets for next-token prediction: the tokens from `start` on, each one position earlier."""
    return [IGNORE] * (start - 1) + list(ids[start:]) + [IGNORE]


def make_report_examples(
    cases: Sequence[TrainingCase],
    neighbours: np.ndarray,
    precedents: Precedents,
    tokens: Tokens,
    *,
    with_films: bool = True,
) -> MakeExample:
    """Make examples of reports; prompts hold similar cases, drawn by `Precedents.draw`."""

    def make_example(index: int, rng: np.random.Generator) -> dict[str, Any]:
        case = drop_reading(cases[index], rng)
        similar = precedents.draw(rng, case.patient, neighbours[index])
        ids, prompt = tokens.encode_turn(*report_pair_of(case, similar), with_film=with_films)
        film = {"film": index} if with_films else {}
        return film | {"ids": ids, "targets": next_token_targets(ids, len(prompt))}

    return make_example


def make_answer_examples(
    cases: Sequence[TrainingCase], tokens: Tokens, *, with_films: bool = True
) -> MakeExample:
    """Make examples of several questions about one film, each in a branch of its own.

    The film comes once, in branch 0; the questions do not attend to each other.
    """

    def make_example(index: int, rng: np.random.Generator) -> dict[str, Any]:
        case = drop_reading(cases[index], rng)
        ids: list[int] = []
        row: dict[str, list[int]] = {"targets": [], "branches": [], "positions": []}
        for number, pair in enumerate(answer_pairs_of(case, rng), start=1):
            turn, prompt = tokens.encode_turn(*pair, with_film=with_films)
            film_end = prompt.index(tokens.film_end_id) + 1 if with_films else 1
            start = film_end if ids else 0  # all questions share the tokens up to the film's end
            ids += turn[start:]
            row["targets"] += next_token_targets(turn, len(prompt))[start:]
            row["branches"] += [0] * (film_end - start) + [number] * (len(turn) - film_end)
            row["positions"] += range(start, len(turn))
        return ({"film": index} if with_films else {}) | {"ids": ids, **row}

    return make_example


def make_image_examples(cases: Sequence[TrainingCase], tokens: Tokens) -> MakeExample:
    """Make examples of prompts to paint from; one in ten is padding, as in guidance."""

    def make_example(index: int, rng: np.random.Generator) -> dict[str, Any]:
        text, site = draw_painting_prompt(cases[index], rng)
        ids = tokens.encode(paint_prompt(tokens.tokenizer, text, site))
        if rng.random() < NO_PROMPT_SHARE:
            keep = {tokens.tokenizer.bos_token_id, ids[-1]}
            ids = [i if i in keep else tokens.pad_id for i in ids]
        return {"film": index, "ids": ids}

    return make_example


def collate_text(features: np.ndarray, tokens: Tokens) -> Collate:
    """Collate reports or answers, padded on the right; features (N, P, W) of all films.

    The rows of a batch all have a film, or none has.
    """

    def collate(rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        films = [row["film"] for row in rows if "film" in row]
        shown = {"features": torch.from_numpy(features[films])} if films else {}
        batch = shown | {
            "ids": tokens.pad_rows([row["ids"] for row in rows], tokens.pad_id),
            "targets": tokens.pad_rows([row["targets"] for row in rows], IGNORE),
        }
        if "branches" in rows[0]:
            batch["branches"] = tokens.pad_rows([row["branches"] for row in rows], -1)
            batch["positions"] = tokens.pad_rows([row["positions"] for row in rows], 0)
        return batch

    return collate


def collate_images(codes: np.ndarray, cover: np.ndarray | None, tokens: Tokens) -> Collate:
    """Collate painting prompts, padded on the left so that the pictures align.

    `codes` are (N, T); codes that `cover` (N, T) marks weigh more, if it is known.
    """

    def collate(rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        prompts, films = [row["ids"] for row in rows], [row["film"] for row in rows]
        weights = {} if cover is None else {"weights": weights_of(cover[films])}
        return weights | {
            "prompts": tokens.pad_rows(prompts, tokens.pad_id, left=True),
            "prompt_mask": tokens.pad_rows([[1] * len(p) for p in prompts], 0, left=True),
            "codes": torch.from_numpy(codes[films].astype(np.int64)),
        }

    return collate
