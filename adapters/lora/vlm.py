"""Adapters for any image-text-to-text model of transformers: reports and answers.

The model's own processor and chat template make the examples. It knows no family by name: the
language part is what no module's name sets apart as eyes or bridge.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import set_seed

from adapters.adapter_recipe import AdapterRecipe
from adapters.data.cases import Cases, CaseSet, Pictures, TrainingCase, load_cases
from adapters.data.tasks import Precedents, answer_pairs, cases_for_task, report_pair
from adapters.lora.batches import Examples, Make
from adapters.lora.card import card_of, check_out, run_name, state_figures, write_adapter
from adapters.lora.loop import (
    TextTrainer,
    examples_for,
    first_process,
    is_first_process,
    mean_loss,
    train_loop,
)
from adapters.lora.model import linear_layers, with_adapter
from adapters.lora.score import requests_of, score_texts
from adapters.lora.vlm_batches import TrainingChat, next_token_loss
from assistant.atomic import new_folder
from assistant.backbones.adapters import Adapters, find_adapters
from assistant.backbones.vlm.inputs import StudyChat, encode_picture, film_edge
from assistant.backbones.vlm.loading import load_vlm
from assistant.errors import BackboneError, SettingsError
from assistant.types import OnMessage

SIMILAR = 5  # cases that a held-out report is told of
LONGEST = {"report": 256, "answer": 48}  # tokens written for a held-out case at most


def train_adapter(
    recipe: AdapterRecipe,
    base: Path,
    folder: Path,
    out: Path,
    on_message: OnMessage = lambda text: None,
) -> Path:
    """Train a `report` or `answer` adapter on any image-text-to-text checkpoint.

    The arguments, the result and the errors are those of `adapters.lora.train.train_adapter`.
    """
    check_out(out)
    if recipe.task == "image":
        raise SettingsError(f"The base {base.name!r} cannot paint; name a Janus with --base.")
    model, chat = load_base(base, half=recipe.schedule.bf16)
    edge = film_edge(chat.processor)
    with first_process():
        loaded = load_cases(recipe.data, folder, seed=recipe.seed, edge=edge, on_message=on_message)
    cases = cases_for_task(loaded, recipe.task)
    card = card_of(recipe, base, cases)
    makes, similar = _examples(recipe.task, cases, chat, model)
    count, held = examples_for(recipe.schedule), len(cases.validation)
    set_seed(recipe.seed)
    adapted = with_adapter(model, recipe.lora, linear_layers(model))
    trained, whole = adapted.get_nb_trainable_parameters()
    on_message(f"learning: {trained:,} of {whole:,} parameters, {recipe.schedule.steps} steps")
    minutes = train_loop(
        adapted,
        Examples(makes[0], len(cases.train), count, recipe.seed),
        chat.collate,
        recipe.schedule,
        folder / run_name(recipe, card),
        seed=recipe.seed,
        trainer_class=TextTrainer,
    )
    if not is_first_process():
        return out
    card["trained_minutes"] = round(minutes, 1)
    with new_folder(out) as temporary:
        write_adapter(adapted, temporary, card)
        del adapted, model
        held_out = Examples(makes[1], held, held, recipe.seed + 1)
        figures = _figures(recipe, base, temporary, cases, held_out, similar)
        state_figures(card, figures, temporary, on_message)
    on_message(f"written to {out} after {minutes:.0f} minutes of training")
    return out


def _figures(
    recipe: AdapterRecipe,
    base: Path,
    adapter: Path,
    cases: Cases,
    held_out: Examples,
    similar: Sequence[tuple[str, ...]],
) -> dict[str, Any]:
    """The held-out figures of what was written, rounding and all."""
    model, chat, adapters = load_adapted(base, (adapter,))
    asked = requests_of(recipe.task, cases.validation, similar)
    with adapters.switched_to(recipe.task):
        loss = mean_loss(model, held_out, chat.collate, recipe.schedule.batch, next_token_loss)
        said = [
            chat.write(model, cases.validation.pictures[i], request, LONGEST[recipe.task])
            for i, request, _ in asked
        ]
    figures = {"validation_loss": round(loss, 4), "n_examples": len(held_out)}
    return figures | score_texts(recipe.task, said, [right for _, _, right in asked])


def load_adapted(base: Path, adapters: Sequence[Path]) -> tuple[Any, TrainingChat, Adapters]:
    """A base with adapters, which `Adapters` switches; BackboneError for one of another base."""
    found = find_adapters(base, adapters, own=False)
    model, chat = load_base(base)
    return model, chat, Adapters(model, found)


def _examples(
    task: str, cases: Cases, chat: TrainingChat, model: Any
) -> tuple[tuple[Make, Make], tuple[tuple[str, ...], ...]]:
    """Examples of both sides, and the similar cases that each held-out prompt names."""
    if task == "answer":
        makes = (_answers(cases.train, chat), _answers(cases.validation, chat))
        return makes, ()
    embeddings = [_look(model, chat, part.pictures) for part in (cases.train, cases.validation)]
    mean, scale = embeddings[0].mean(axis=0), embeddings[0].std(axis=0) + 1e-6
    units = [_unit((e - mean) / scale) for e in embeddings]
    precedents = Precedents(cases.train.cases, units[0])
    near = [
        precedents.nearest([c.patient for c in part.cases], unit)
        for part, unit in zip((cases.train, cases.validation), units, strict=True)
    ]
    makes = (
        _reports(cases.train, near[0], precedents, chat),
        _reports(cases.validation, near[1], precedents, chat),
    )
    return makes, tuple(precedents.summaries(row[:SIMILAR]) for row in near[1])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-6)


def _reports(part: CaseSet, near: np.ndarray, precedents: Precedents, chat: TrainingChat) -> Make:
    def make(index: int, rng: np.random.Generator) -> dict[str, Any]:
        case: TrainingCase = part.cases[index]
        pair = report_pair(case, precedents.draw(rng, case.patient, near[index]))
        return chat.example(part.pictures[index], [pair])

    return make


def _answers(part: CaseSet, chat: TrainingChat) -> Make:
    def make(index: int, rng: np.random.Generator) -> dict[str, Any]:
        return chat.example(part.pictures[index], answer_pairs(part.cases[index], rng))

    return make


def _look(model: Any, chat: StudyChat, pictures: Pictures) -> np.ndarray:
    """One vector a film, float32 (N, D)."""
    return np.stack(
        [encode_picture(model, chat, pictures[index]) for index in range(len(pictures))]
    )


def load_base(base: Path, *, half: bool = False) -> tuple[Any, TrainingChat]:
    """The model and the chat of a checkpoint folder; SettingsError where there is none.

    Weights come from safetensors alone, in bfloat16 where `half` and there is a GPU.
    """
    dtype = torch.bfloat16 if half and torch.cuda.is_available() else torch.float32
    try:
        model, processor = load_vlm(base, dtype)
    except BackboneError as error:
        raise SettingsError(f"This base cannot learn: {error}") from None
    return model, TrainingChat(processor)
