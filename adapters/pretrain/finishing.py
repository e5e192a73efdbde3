"""Fits what comes after an encoder's training: thresholds, embedding, measurements, reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from adapters.backbone_recipe import Recipe
from adapters.data.real_arrays import ABSENT, PRESENT
from adapters.pretrain.embedding import fit_embedding
from adapters.pretrain.encoder_training import READ_AT_ONCE, hidden_of_films
from adapters.pretrain.films import TrainingFilms, composed_records
from adapters.pretrain.gate_reference import GateFilms, fit_gate
from adapters.pretrain.lateral_weights import fit_lateral_weights
from adapters.pretrain.measurements import fit_measurements
from adapters.pretrain.thresholds import JudgedFilms, fit_thresholds
from assistant.backbones.probe.measurements import MeasurementModel
from assistant.backbones.probe.pooling import pool_patches
from assistant.backbones.probe.probe import Probe
from assistant.chest.probe_labels import CHANNELS
from assistant.chest.vocabulary import NORMAL

FILMS = 3000  # phantoms for the embedding, the measurements and the reference


@dataclass(frozen=True, slots=True, eq=False)
class FilmReadings:
    """What the encoder makes of N films."""

    logits: torch.Tensor  # (N, L)
    mean: torch.Tensor  # (N, W)
    profiles: torch.Tensor  # (N, 4 W)


@torch.no_grad()
def _read_films(vision: Any, probe: Probe, films: np.ndarray) -> FilmReadings:
    parts = []
    for start in range(0, len(films), READ_AT_ONCE):
        hidden = hidden_of_films(vision, films[start : start + READ_AT_ONCE])
        profiles = torch.from_numpy(pool_patches(hidden.numpy()))
        parts.append((probe(hidden)[0], hidden.mean(dim=1), profiles))
    return FilmReadings(*(torch.cat(part) for part in zip(*parts, strict=True)))


def finish_encoder(
    vision: Any,
    probe: Probe,
    films: TrainingFilms,
    expected: np.ndarray | None,
    tokenizer: Any,
    recipe: Recipe,
    gate_films: GateFilms | None = None,
) -> tuple[dict[str, np.ndarray], MeasurementModel]:
    """Fit the gate's reference and the measurements, and the probe's embedding and thresholds.

    The probe is changed in place. Only the gate learns from `gate_films`.
    """
    sample = films.phantoms[0].first(min(len(films.phantoms[0]), FILMS))
    drawn = _read_films(vision, probe, sample.films)
    held = _read_films(vision, probe, films.held_out.films)
    real, real_held = films.real, films.real_held_out
    judged = held_judged = None
    records, logits, mean = [*sample.records], [drawn.logits], [drawn.mean]
    known = None
    if real is not None and real_held is not None and expected is not None:
        probe.lateral_weights.copy_(torch.from_numpy(fit_lateral_weights(expected, real)))
        judged = JudgedFilms(expected[~real.lateral], real.labels[~real.lateral])
        real_held = real_held.select(~real_held.lateral)
        read_held = _read_films(vision, probe, real_held.films)
        held_judged = JudgedFilms(read_held.logits.numpy(), real_held.labels)
        real = real.select(~real.lateral)
        read = _read_films(vision, probe, real.films)
        records += composed_records(real, recipe.seed)
        logits.append(read.logits)
        mean.append(read.mean)
        known = read.profiles.numpy()
    states = np.where(films.held_out.labels > 0, PRESENT, ABSENT)
    fit_thresholds(probe, JudgedFilms(held.logits.numpy(), states), judged, held_judged)
    measurements = fit_measurements(
        torch.cat([drawn.logits, drawn.mean], dim=1).numpy(),
        [record["measured"] for record in sample.records],
        torch.cat([held.logits, held.mean], dim=1).numpy(),
        [record["measured"] for record in films.held_out.records],
    )
    findings = [channel for channel in CHANNELS if channel != NORMAL]
    inputs = (torch.cat(logits), torch.cat(mean))
    fit_embedding(probe, inputs, records, tokenizer, findings, seed=recipe.seed)
    reference = fit_gate(
        (drawn.profiles.numpy(), held.profiles.numpy()),
        known,
        gate_films,
        lambda films: _read_films(vision, probe, films).profiles.numpy(),
        recipe.seed,
    )
    return reference, measurements
