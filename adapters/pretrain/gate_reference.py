"""Fits the gate's reference: where the films that a backbone knows lie, and where children's do.

Real films and phantoms lie far apart, so that one subspace for both would hold much that is
neither: each kind gets its own (`assistant.gate`). Films of other hospitals and children's films
are optional, and only the gate learns from them.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from adapters.data.real_arrays import EDGE, TABLE, read_square
from assistant.gate import CHILD_HEAD, distance_within
from assistant.intake.resize import square
from assistant.parsing import is_file

KEPT = 64  # principal directions of a kind of films
USUAL_SHARE = 0.99  # of the held-out films of a kind that lie within its limit
MARGIN = 1.15  # of the limit: films of a hospital that nothing was learnt from lie further off
HELD_OUT = 5  # one in so many of a kind's films sets the limit, where none is held out
CHILD_SHARE = 0.97  # of the children's films that the head finds
FOLDS = 3
# The folders beside the one with reports that the gate may learn from, by their published names.
ADULTS, CHILDREN = "hannover", "kermany"
Read = Callable[[np.ndarray], np.ndarray]  # films uint8 (N, 256, 256) to profiles (N, P)


@dataclass(frozen=True, slots=True, eq=False)
class GateFilms:
    """Films uint8 (N, 256, 256) that only the gate learns from."""

    adults: np.ndarray
    children: np.ndarray


def load_gate_films(folder: Path) -> GateFilms:
    """The films of other hospitals and of children in the folders beside `folder`, if any.

    Of the children a half is kept for measuring, by the patient's hash.
    """
    adults = _read_table(folder.parent / ADULTS, lambda patient: True)
    return GateFilms(adults, _read_table(folder.parent / CHILDREN, is_learnt))


def is_learnt(patient: str) -> bool:
    """Whether the gate learns from a child's films: every other patient, by hash."""
    return hashlib.sha256(patient.encode()).digest()[0] % 2 == 0


def _read_table(folder: Path, wanted: Callable[[str], bool]) -> np.ndarray:
    films = []
    if is_file(folder / TABLE):
        with (folder / TABLE).open(encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if wanted(row["patient"])]
        films = [read_square(folder / row["image"], None) for row in rows]
    return np.stack(films) if films else np.zeros((0, EDGE, EDGE), np.uint8)


def fit_reference(
    profiles: np.ndarray, held_out: np.ndarray, keep: int = KEPT, margin: float = 1.0
) -> dict[str, np.ndarray]:
    """Fit the subspace of one kind of films on profiles (N, P), its limit on others (M, P).

    The limit is the 99th percentile of the held-out films' distances, so that about one in a
    hundred films of the known kind gets a false warning, times `margin`.
    """
    mean, spread = profiles.mean(axis=0), profiles.std(axis=0)
    # A number that hardly varies within a kind would outweigh all others elsewhere.
    scale = spread + max(0.02 * float(profiles.std()), 1e-4)
    z = (profiles - mean) / scale
    _, _, axes = np.linalg.svd(z, full_matrices=False)
    components = axes[:keep]
    rest = ((z - z @ components.T @ components) ** 2).mean()
    reference = {
        "pool_mean": mean.astype(np.float32),
        "pool_scale": scale.astype(np.float32),
        "components": components.astype(np.float32),
        "rest": np.array([rest], np.float32),
    }
    distances = [distance_within(reference, profile) for profile in held_out]
    limit = margin * float(np.quantile(distances, USUAL_SHARE))
    return reference | {"limit": np.array([limit], np.float32)}


def fit_gate(
    phantoms: tuple[np.ndarray, np.ndarray],
    real: np.ndarray | None,
    films: GateFilms | None,
    read: Read,
    seed: int,
) -> dict[str, np.ndarray]:
    """Fit the gate's reference: a subspace for phantoms, one for real films, a head for children.

    `phantoms` are profiles (N, P) and held-out ones (M, P); `real` are those of real frontal
    films, some of which set the limit. `read` gives the profiles of films.
    """
    reference = fit_reference(*phantoms)
    if real is None:
        return reference
    adults = films.adults if films is not None else np.zeros((0, EDGE, EDGE), np.uint8)
    other = read(adults) if len(adults) else real[:0]
    is_held = [np.arange(len(part)) % HELD_OUT == 0 for part in (real, other)]
    learnt, held = (
        np.concatenate([real[is_held[0] == chosen], other[is_held[1] == chosen]])
        for chosen in (False, True)
    )
    kind = fit_reference(learnt, held, margin=MARGIN)
    reference |= {f"real.{name}": table for name, table in kind.items()}
    if films is not None and len(films.children):
        rng = np.random.default_rng(seed)
        grown = [real, other, phantoms[0]]
        if len(adults):
            grown.append(read(change_films(adults, rng)))
        # A film and its changed copy lie at the same place of the order, so in one fold.
        young = np.stack([read(films.children), read(change_films(films.children, rng))], axis=1)
        reference |= fit_child_head(np.concatenate(grown), young.reshape(-1, young.shape[-1]))
    return reference


def fit_child_head(adults: np.ndarray, children: np.ndarray) -> dict[str, np.ndarray]:
    """Fit a linear head on profiles (N, P) and (M, P) that is above 0 for children's films.

    Its limit is set by what heads that have not learnt a child's film say of it: as high as still
    finds nearly all children, since adults of a hospital unknown to it lie nearer to them.
    """
    profiles = np.concatenate([adults, children])
    is_child = np.arange(len(profiles)) >= len(adults)
    mean, scale = profiles.mean(axis=0), profiles.std(axis=0) + 1e-4
    z = (profiles - mean) / scale
    model: Any = LogisticRegression(C=1.0, class_weight="balanced", max_iter=300)
    folds = StratifiedKFold(FOLDS)
    unlearnt: Any = cross_val_predict(model, z, is_child, cv=folds, method="decision_function")
    limit = float(np.quantile(unlearnt[is_child], 1 - CHILD_SHARE))
    model.fit(z, is_child)
    weights = model.coef_[0] / scale
    bias = float(model.intercept_[0] - weights @ mean) - limit
    return {
        f"{CHILD_HEAD}.weights": weights.astype(np.float32),
        f"{CHILD_HEAD}.bias": np.array([bias], np.float32),
    }


def change_films(films: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Films uint8 (N, 256, 256) cut, squeezed, bordered and exposed in another way."""
    return np.stack([_change_film(film, rng) for film in films])


def _change_film(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    rows, columns = (np.flatnonzero(film.max(axis=axis) > 8) for axis in (1, 0))
    if not len(rows) or not len(columns):
        return film
    part = film[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # The shape of a film and its dark border tell its hospital, not its patient.
    top, bottom, left, right = (rng.uniform(0, 0.1, 4) * part.shape[0]).astype(int)
    part = part[top : len(part) - bottom, left : max(left + 8, part.shape[1] - right)]
    squeeze = np.exp(rng.uniform(-0.12, 0.12, 2))
    size = (max(8, int(part.shape[1] * squeeze[0])), max(8, int(part.shape[0] * squeeze[1])))
    resized = np.asarray(Image.fromarray(part).resize(size), np.float32) / 255
    exposed = np.clip(resized, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.25)))
    border = (rng.uniform(0, 0.15, 2) * max(size) * (rng.random(2) < 0.5)).astype(int)
    padded = np.pad(exposed, ((border[0],) * 2, (border[1],) * 2))
    return (square(padded, EDGE) * 255).astype(np.uint8)
