"""The examples of an adapter on a Janus base, for training and for the held-out figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from adapters.adapter_recipe import AdapterRecipe, FolderData, Schedule
from adapters.data.cases import Cases, CaseSet, TrainingCase
from adapters.data.tasks import NEAREST, Precedents
from adapters.data.typical import select_typical
from adapters.lora.batches import (
    Collate,
    Examples,
    Tokens,
    collate_images,
    collate_text,
    make_answer_examples,
    make_image_examples,
    make_report_examples,
)
from adapters.lora.feature_cache import CachedFeatures, cache_codes, cache_features
from adapters.lora.loop import count_examples, let_first_process_go_first
from assistant.backbones.janus.backbone import JanusBackbone
from assistant.labeller.summary import probe_summary
from assistant.types import OnMessage

# Of the steps that learn text, each of this number has films: a model that has learnt without any
# would have to learn anew where its words stand.
FILM_EVERY = 5
SIMILAR = 5  # similar cases in the prompt of a held-out report, as in a draft's


@dataclass(frozen=True, slots=True, eq=False)
class AdapterDataset:
    """The examples to train on and to measure on."""

    train: Examples
    held_out: Examples
    collate: Collate
    held_out_collate: Collate
    cases: CaseSet  # the held-out ones, with the readings of the base's probe
    similar: tuple[tuple[str, ...], ...] = ()  # the summaries in each held-out case's prompt


def build_dataset(
    recipe: AdapterRecipe, base: Path, cases: Cases, model: Any, cache: Path, on_message: OnMessage
) -> AdapterDataset:
    """Build the examples; the encoder's outputs for all films come from `cache`, if it has them."""
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    tokens = Tokens(tokenizer, model.config.vision_config.num_image_tokens)
    if recipe.task == "image":
        with let_first_process_go_first():
            codes = [
                cache_codes(model, p.pictures, cache / name, on_message)
                for name, p in splits_of(cases)
            ]
        return _build_image_dataset(recipe, cases, codes, tokens)
    backbone = JanusBackbone(base, include_own=False)
    with let_first_process_go_first():
        features = [
            cache_features(backbone, p.pictures, cache / name, on_message)
            for name, p in splits_of(cases)
        ]
    parts = [
        _add_readings(backbone, part, features_of_part)
        for (_, part), features_of_part in zip(splits_of(cases), features, strict=True)
    ]
    return _build_text_dataset(recipe, parts, features, tokens, cases.drawn)


def splits_of(cases: Cases) -> tuple[tuple[str, CaseSet], ...]:
    """Both splits, with their names."""
    return ("train", cases.train), ("validation", cases.validation)


def _add_readings(backbone: JanusBackbone, part: CaseSet, features: CachedFeatures) -> CaseSet:
    """The cases with the readings of the base's probe, if it has one."""
    readings = backbone.probe_findings_of_logits(features.logits)
    if readings is None:
        return part
    cases = tuple(
        replace(case, reading=case.reading or probe_summary(findings))
        for case, findings in zip(part.cases, readings, strict=True)
    )
    return CaseSet(cases, part.pictures)


def _build_text_dataset(
    recipe: AdapterRecipe,
    parts: Sequence[CaseSet],
    features: Sequence[CachedFeatures],
    tokens: Tokens,
    drawn: Sequence[TrainingCase],
) -> AdapterDataset:
    train_features, held_out_features = features
    train, held_out = parts[0].cases, parts[1].cases
    similar: tuple[tuple[str, ...], ...] = ()
    # Text without films teaches any finding, where the recipe draws cases; else the films' own.
    texts = drawn or train
    learnt = range(len(train))  # with their films
    if recipe.task == "report":
        learnt = _typical_of(recipe, train)
        precedents = Precedents(train, train_features.embeddings)
        neighbours = precedents.find_nearest([c.patient for c in train], train_features.embeddings)
        held_out_neighbours = precedents.find_nearest(
            [c.patient for c in held_out], held_out_features.embeddings
        )
        makers = (
            make_report_examples(train, neighbours, precedents, tokens),
            make_report_examples(held_out, held_out_neighbours, precedents, tokens),
        )
        unlike = np.full((len(texts), NEAREST), -1) if drawn else neighbours
        make_text = make_report_examples(texts, unlike, precedents, tokens, with_films=False)
        similar = tuple(precedents.summaries_of(row[:SIMILAR]) for row in held_out_neighbours)
    else:
        makers = make_answer_examples(train, tokens), make_answer_examples(held_out, tokens)
        make_text = make_answer_examples(texts, tokens, with_films=False)
    early = Examples(
        make_text,
        len(texts),
        count_examples(recipe.schedule, recipe.schedule.text_steps),
        recipe.seed,
        sizes=_sizes_of(recipe, texts),
    )
    collates = [collate_text(part.features, tokens) for part in features]
    return _join_splits(
        recipe, parts, makers, collates, similar=similar, early=early, learnt=learnt
    )


def _typical_of(recipe: AdapterRecipe, cases: Sequence[TrainingCase]) -> Sequence[int]:
    """The indices of the cases whose reports are learnt with their films."""
    data = recipe.data
    if isinstance(data, FolderData) and data.typical < 1:
        return select_typical(cases, data.typical, recipe.seed)
    return range(len(cases))


def _sizes_of(recipe: AdapterRecipe, cases: Sequence[TrainingCase]) -> list[int]:
    """The lengths of what is learnt of each case, where they are known: those of reports."""
    return [len(case.report) for case in cases] if recipe.task == "report" else []


def _is_without_film(number: int, schedule: Schedule) -> bool:
    """Whether the example of this number belongs to a step that learns from text alone."""
    step = number // count_examples(schedule, 1)
    return step < schedule.text_steps and (step + 1) % FILM_EVERY != 0


def _build_image_dataset(
    recipe: AdapterRecipe, cases: Cases, codes: Sequence[np.ndarray], tokens: Tokens
) -> AdapterDataset:
    makers = [make_image_examples(part.cases, tokens) for _, part in splits_of(cases)]
    parts = [part for _, part in splits_of(cases)]
    collates = [
        collate_images(c, _matching_cover(p, c), tokens) for c, p in zip(codes, parts, strict=True)
    ]
    return _join_splits(recipe, parts, makers, collates)


def _matching_cover(part: CaseSet, codes: np.ndarray) -> np.ndarray | None:
    """The films' cover, if they have as many patches as the base's paintings have codes."""
    cover = part.cover
    return cover if cover is not None and cover.shape == codes.shape else None


def _join_splits(
    recipe: AdapterRecipe,
    parts: Sequence[CaseSet],
    makers,
    collates,
    *,
    similar: tuple = (),
    early: Examples | None = None,
    learnt: Sequence[int] | None = None,
) -> AdapterDataset:
    chosen = range(len(parts[0])) if learnt is None else learnt
    count, held_out = count_examples(recipe.schedule), len(parts[1])
    return AdapterDataset(
        train=Examples(
            lambda index, rng: makers[0](chosen[index], rng),
            len(chosen),
            count,
            recipe.seed,
            sizes=_sizes_of(recipe, [parts[0].cases[i] for i in chosen]),
            early=early,
            is_early=lambda number: _is_without_film(number, recipe.schedule),
        ),
        held_out=Examples(makers[1], held_out, held_out, recipe.seed + 1),
        collate=collates[0],
        held_out_collate=collates[1],
        cases=parts[1],
        similar=similar,
    )
