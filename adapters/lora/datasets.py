"""The examples of an adapter on a Janus base, for training and for the held-out figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from adapters.adapter_recipe import AdapterRecipe
from adapters.data.cases import Cases, CaseSet
from adapters.data.tasks import Precedents
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
    return _build_text_dataset(recipe, parts, features, tokens)


def splits_of(cases: Cases) -> tuple[tuple[str, CaseSet], ...]:
    """Both splits, with their names."""
    return ("train", cases.train), ("validation", cases.validation)


def _add_readings(backbone: JanusBackbone, part: CaseSet, features: CachedFeatures) -> CaseSet:
    """The cases with the readings of the base's probe, if it has one."""
    readings = backbone.probe_findings_of_logits(features.logits)
    if readings is None:
        return part
    cases = tuple(
        replace(case, reading=probe_summary(findings))
        for case, findings in zip(part.cases, readings, strict=True)
    )
    return CaseSet(cases, part.pictures)


def _build_text_dataset(
    recipe: AdapterRecipe,
    parts: Sequence[CaseSet],
    features: Sequence[CachedFeatures],
    tokens: Tokens,
) -> AdapterDataset:
    train_features, held_out_features = features
    train, held_out = parts[0].cases, parts[1].cases
    similar: tuple[tuple[str, ...], ...] = ()
    if recipe.task == "report":
        precedents = Precedents(train, train_features.embeddings)
        neighbours = precedents.find_nearest([c.patient for c in train], train_features.embeddings)
        held_out_neighbours = precedents.find_nearest(
            [c.patient for c in held_out], held_out_features.embeddings
        )
        makers = (
            make_report_examples(train, neighbours, precedents, tokens),
            make_report_examples(held_out, held_out_neighbours, precedents, tokens),
        )
        similar = tuple(precedents.summaries_of(row[:SIMILAR]) for row in held_out_neighbours)
    else:
        makers = make_answer_examples(train, tokens), make_answer_examples(held_out, tokens)
    return _join_splits(
        recipe, parts, makers, [collate_text(s.features, tokens) for s in features], similar
    )


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
    recipe: AdapterRecipe, parts: Sequence[CaseSet], makers, collates, similar: tuple = ()
) -> AdapterDataset:
    count, held_out = count_examples(recipe.schedule), len(parts[1])
    return AdapterDataset(
        train=Examples(makers[0], len(parts[0]), count, recipe.seed),
        held_out=Examples(makers[1], held_out, held_out, recipe.seed + 1),
        collate=collates[0],
        held_out_collate=collates[1],
        cases=parts[1],
        similar=similar,
    )
