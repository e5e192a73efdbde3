"""Adapters for any image-text-to-text model of transformers: reports and answers.

The model's own processor and chat template make the examples. No model family is known by name:
the language part is every module whose name does not mark it as encoder or projector.
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
from adapters.data.composed_cases import add_composed
from adapters.data.tasks import Precedents, answer_pairs_of, report_pair_of, select_for_task
from adapters.lora.batches import Examples, MakeExample
from adapters.lora.card import (
    card_of,
    check_output_folder,
    report_figures,
    run_name_of,
    write_adapter,
)
from adapters.lora.loop import (
    TextTrainer,
    compute_mean_loss,
    count_examples,
    is_first_process,
    let_first_process_go_first,
    train_loop,
)
from adapters.lora.model import add_adapter, find_linear_layers
from adapters.lora.score import requests_of, score_texts
from adapters.lora.vlm_batches import TrainingChat, next_token_loss
from assistant.atomic import new_folder
from assistant.backbones.adapters import Adapters, find_adapters
from assistant.backbones.vlm.inputs import StudyChat, encode_picture, film_edge
from assistant.backbones.vlm.loading import load_vlm
from assistant.errors import BackboneError, SettingsError
from assistant.types import OnMessage

SIMILAR = 5  # similar cases in the prompt of a held-out report
LONGEST = {"report": 256, "answer": 48}  # tokens generated for a held-out case at most


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
    check_output_folder(out)
    if recipe.task == "image":
        raise SettingsError(f"The base {base.name!r} cannot paint; name a Janus with --base.")
    model, chat = load_base(base, half=recipe.schedule.bf16)
    edge = film_edge(chat.processor)
    with let_first_process_go_first():
        loaded = load_cases(recipe.data, folder, seed=recipe.seed, edge=edge, on_message=on_message)
        loaded = add_composed(loaded, recipe.data, folder, recipe.seed)
    cases = select_for_task(loaded, recipe.task)
    card = card_of(recipe, base, cases)
    makers, similar = _make_examples(recipe.task, cases, chat, model)
    count, held_out_count = count_examples(recipe.schedule), len(cases.validation)
    set_seed(recipe.seed)
    adapted = add_adapter(model, recipe.lora, find_linear_layers(model))
    trainable, total = adapted.get_nb_trainable_parameters()
    on_message(f"learning: {trainable:,} of {total:,} parameters, {recipe.schedule.steps} steps")
    minutes = train_loop(
        adapted,
        Examples(makers[0], len(cases.train), count, recipe.seed),
        chat.collate,
        recipe.schedule,
        folder / run_name_of(recipe, card),
        seed=recipe.seed,
        trainer_class=TextTrainer,
    )
    if not is_first_process():
        return out
    card["trained_minutes"] = round(minutes, 1)
    with new_folder(out) as temporary:
        write_adapter(adapted, temporary, card)
        del adapted, model
        held_out = Examples(makers[1], held_out_count, held_out_count, recipe.seed + 1)
        figures = _measure_figures(recipe, base, temporary, cases, held_out, similar)
        report_figures(card, figures, temporary, on_message)
    on_message(f"written to {out} after {minutes:.0f} minutes of training")
    return out


def _measure_figures(
    recipe: AdapterRecipe,
    base: Path,
    adapter: Path,
    cases: Cases,
    held_out: Examples,
    similar: Sequence[tuple[str, ...]],
) -> dict[str, Any]:
    """Measure the held-out figures with the adapter as it was written, rounding included."""
    model, chat, adapters = load_adapted(base, (adapter,))
    requests = requests_of(recipe.task, cases.validation, similar)
    with adapters.switched_to(recipe.task):
        loss = compute_mean_loss(
            model, held_out, chat.collate, recipe.schedule.batch, next_token_loss
        )
        generated = [
            chat.write(model, cases.validation.pictures[i], request, LONGEST[recipe.task])
            for i, request, _ in requests
        ]
    figures = {"validation_loss": round(loss, 4), "n_examples": len(held_out)}
    return figures | score_texts(
        recipe.task, generated, [reference for _, _, reference in requests]
    )


def load_adapted(base: Path, adapters: Sequence[Path]) -> tuple[Any, TrainingChat, Adapters]:
    """Load a base with adapters, which `Adapters` switches; BackboneError for another base's."""
    adapter_infos = find_adapters(base, adapters, include_own=False)
    model, chat = load_base(base)
    return model, chat, Adapters(model, adapter_infos)


def _make_examples(
    task: str, cases: Cases, chat: TrainingChat, model: Any
) -> tuple[tuple[MakeExample, MakeExample], tuple[tuple[str, ...], ...]]:
    """Example makers of both splits, and the summaries in each held-out prompt."""
    if task == "answer":
        makers = (
            _make_answer_examples(cases.train, chat),
            _make_answer_examples(cases.validation, chat),
        )
        return makers, ()
    embeddings = [
        _encode_pictures(model, chat, part.pictures) for part in (cases.train, cases.validation)
    ]
    mean, scale = embeddings[0].mean(axis=0), embeddings[0].std(axis=0) + 1e-6
    units = [_normalise((e - mean) / scale) for e in embeddings]
    precedents = Precedents(cases.train.cases, units[0])
    neighbours = [
        precedents.find_nearest([c.patient for c in part.cases], unit)
        for part, unit in zip((cases.train, cases.validation), units, strict=True)
    ]
    makers = (
        _make_report_examples(cases.train, neighbours[0], precedents, chat),
        _make_report_examples(cases.validation, neighbours[1], precedents, chat),
    )
    return makers, tuple(precedents.summaries_of(row[:SIMILAR]) for row in neighbours[1])


def _normalise(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-6)


def _make_report_examples(
    part: CaseSet, neighbours: np.ndarray, precedents: Precedents, chat: TrainingChat
) -> MakeExample:
    def make_example(index: int, rng: np.random.Generator) -> dict[str, Any]:
        case: TrainingCase = part.cases[index]
        pair = report_pair_of(case, precedents.draw(rng, case.patient, neighbours[index]))
        return chat.build_example(part.pictures[index], [pair])

    return make_example


def _make_answer_examples(part: CaseSet, chat: TrainingChat) -> MakeExample:
    def make_example(index: int, rng: np.random.Generator) -> dict[str, Any]:
        return chat.build_example(part.pictures[index], answer_pairs_of(part.cases[index], rng))

    return make_example


def _encode_pictures(model: Any, chat: StudyChat, pictures: Pictures) -> np.ndarray:
    """One vector for each film, float32 (N, D)."""
    return np.stack(
        [encode_picture(model, chat, pictures[index]) for index in range(len(pictures))]
    )


def load_base(base: Path, *, half: bool = False) -> tuple[Any, TrainingChat]:
    """Load the model and the chat of a checkpoint folder; SettingsError if it is none.

    Weights come from safetensors alone, in bfloat16 where `half` and there is a GPU.
    """
    dtype = torch.bfloat16 if half and torch.cuda.is_available() else torch.float32
    try:
        model, processor = load_vlm(base, dtype)
    except BackboneError as error:
        raise SettingsError(f"This base cannot learn: {error}") from None
    return model, TrainingChat(processor)
