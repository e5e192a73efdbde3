"""The films of a backbone's training: phantoms of each site, and real films with their claims."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adapters.backbone_recipe import Recipe
from adapters.data.composed_records import record_of
from adapters.data.phantom_arrays import PhantomArrays, load_phantom_arrays
from adapters.data.real_arrays import RealArrays, held_out_films, load_real_arrays
from assistant.chest.phantoms import SITES
from assistant.types import OnMessage


@dataclass(frozen=True, slots=True, eq=False)
class TrainingFilms:
    """All films of a run: phantoms of each site, and real films or None."""

    phantoms: tuple[PhantomArrays, ...]  # site A first
    held_out: PhantomArrays
    real: RealArrays | None
    real_held_out: RealArrays | None


def sites_of(recipe: Recipe) -> list[str]:
    return ["A", *(site for site in SITES if site != "A" and recipe.data.others)]


def load_films(
    recipe: Recipe, folder: Path, data: Path | None, on_message: OnMessage
) -> TrainingFilms:
    plan = recipe.data
    on_message(f"phantoms: {plan.train} of site A and {plan.others} of each other site to train on")
    phantoms = tuple(
        _load_phantoms(recipe, folder, site, "train", count, on_message)
        for site, count in zip(
            sites_of(recipe), [plan.train, *[plan.others] * len(SITES)], strict=False
        )
    )
    held_out = _load_phantoms(recipe, folder, "A", "validation", plan.validation, on_message)
    if data is None:
        return TrainingFilms(phantoms, held_out, None, None)
    real = load_real_arrays(data, folder)
    is_held = held_out_films(real)
    on_message(
        f"real films: {int((~is_held).sum())} to train on, {int(is_held.sum())} held out, "
        f"{int(real.lateral.sum())} of them lateral"
    )
    return TrainingFilms(phantoms, held_out, real.select(~is_held), real.select(is_held))


def _load_phantoms(
    recipe: Recipe, folder: Path, site: str, split: str, count: int, on_message: OnMessage
) -> PhantomArrays:
    def on_progress(done: int, total: int) -> None:
        if done % 1000 == 0 or done == total:
            on_message(f"phantoms: {done} of {total} rendered (site {site}, {split})")

    return load_phantom_arrays(
        folder, count, recipe.data.seed, site=site, split=split, on_progress=on_progress
    )


def composed_records(films: RealArrays, seed: int) -> list[dict[str, Any]]:
    """The records of real films in our own wording: no text of a report is in them."""
    rng = np.random.default_rng(seed)
    return [record_of(claims, rng) for claims in films.claims]
