"""What an adapter on a Janus base learns from, and what it is measured on, as examples."""

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
    answer_examples,
    collate_images,
    collate_text,
    image_examples,
    report_examples,
)
from adapters.lora.feature_cache import CachedFeatures, cache_codes, cache_features
from adapters.lora.loop import examples_for, first_process
from assistant.backbones.janus.backbone import JanusBackbone
from assistant.labeller.summary import probe_summary
from assistant.types import OnMessage

SIMILAR = 5  # cases that a held-out report is told of, as a draft is


@dataclass(frozen=True, slots=True, eq=False)
class AdapterDataset:
    """What is learnt from and measured on, as examples."""

    train: Examples
    held_out: Examples
    collate: Collate
    held_out_collate: Collate
    cases: CaseSet  # the held-out ones, with what the base's probe reads in them
    similar: tuple[tuple[str, ...], ...] = ()  # for each held-out case, what its prompt names


def dataset_for(
    recipe: AdapterRecipe, base: Path, cases: Cases, pupil: Any, seen: Path, on_message: OnMessage
) -> AdapterDataset:
    """Look at all films once, or take what `seen` keeps of them, and make the examples."""
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    tokens = Tokens(tokenizer, pupil.config.vision_config.num_image_tokens)
    if recipe.task == "image":
        with first_process():
            codes = [
                cache_codes(pupil, p.pictures, seen / name, on_message)
                for name, p in both_splits(cases)
            ]
        return _images(recipe, cases, codes, tokens)
    eyes = JanusBackbone(base, own=False)
    with first_process():
        looked = [
            cache_features(eyes, p.pictures, seen / name, on_message)
            for name, p in both_splits(cases)
        ]
    parts = [
        _read(eyes, p, found) for (_, p), found in zip(both_splits(cases), looked, strict=True)
    ]
    return _texts(recipe, parts, looked, tokens)


def both_splits(cases: Cases) -> tuple[tuple[str, CaseSet], ...]:
    """Both sides of the split, by name."""
    return ("train", cases.train), ("validation", cases.validation)


def _read(eyes: JanusBackbone, part: CaseSet, looked: CachedFeatures) -> CaseSet:
    """The cases with what the base's probe reads in their films."""
    readings = eyes.probe_findings_of_logits(looked.logits)
    if readings is None:
        return part
    cases = tuple(
        replace(case, reading=probe_summary(seen))
        for case, seen in zip(part.cases, readings, strict=True)
    )
    return CaseSet(cases, part.pictures)


def _texts(
    recipe: AdapterRecipe,
    parts: Sequence[CaseSet],
    seen: Sequence[CachedFeatures],
    tokens: Tokens,
) -> AdapterDataset:
    learnt, held = seen
    train, held_out = parts[0].cases, parts[1].cases
    similar: tuple[tuple[str, ...], ...] = ()
    if recipe.task == "report":
        precedents = Precedents(train, learnt.embeddings)
        near = precedents.nearest([c.patient for c in train], learnt.embeddings)
        held_near = precedents.nearest([c.patient for c in held_out], held.embeddings)
        makes = (
            report_examples(train, near, precedents, tokens),
            report_examples(held_out, held_near, precedents, tokens),
        )
        similar = tuple(precedents.summaries(row[:SIMILAR]) for row in held_near)
    else:
        makes = answer_examples(train, tokens), answer_examples(held_out, tokens)
    return _lesson(recipe, parts, makes, [collate_text(s.features, tokens) for s in seen], similar)


def _images(
    recipe: AdapterRecipe, cases: Cases, codes: Sequence[np.ndarray], tokens: Tokens
) -> AdapterDataset:
    makes = [image_examples(part.cases, tokens) for _, part in both_splits(cases)]
    parts = [part for _, part in both_splits(cases)]
    collates = [collate_images(c, _cover(p, c), tokens) for c, p in zip(codes, parts, strict=True)]
    return _lesson(recipe, parts, makes, collates)


def _cover(part: CaseSet, codes: np.ndarray) -> np.ndarray | None:
    """What is covered, where the base paints in as many places as the films have patches."""
    cover = part.cover
    return cover if cover is not None and cover.shape == codes.shape else None


def _lesson(
    recipe: AdapterRecipe, parts: Sequence[CaseSet], makes, collates, similar: tuple = ()
) -> AdapterDataset:
    count, held_out = examples_for(recipe.schedule), len(parts[1])
    return AdapterDataset(
        train=Examples(makes[0], len(parts[0]), count, recipe.seed),
        held_out=Examples(makes[1], held_out, held_out, recipe.seed + 1),
        collate=collates[0],
        held_out_collate=collates[1],
        cases=parts[1],
        similar=similar,
    )
