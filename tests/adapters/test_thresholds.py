"""The thresholds of a probe on real films: what is claimed is what reports would claim."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adapters.data.phantom_arrays import CHANNELS, FILM_LABELS
from adapters.data.real_arrays import ABSENT, OPEN, PRESENT, UNMENTIONED
from adapters.pretrain.thresholds import JudgedFilms, fit_thresholds
from assistant.backbones.probe.probe import Label, Probe
from assistant.labeller.summary import probe_assertions
from evals.report.claims import collect_claims, count_claim_matches

FILMS = 600
FINDING = "atelectasis"
NUMBER = {label: number for number, label in enumerate(FILM_LABELS)}
ANYWHERE, LEFT, RIGHT = (NUMBER[Label(FINDING, side)] for side in (None, "left", "right"))
Claims = list[set[tuple[str, ...]]]


def _films(rng: np.random.Generator, *, unsided: float) -> tuple[JudgedFilms, Claims]:
    """Films with a finding on the left or on the right, or reported without a side."""
    states = np.full((FILMS, len(FILM_LABELS)), UNMENTIONED, np.uint8)
    logits = rng.normal(-4, 1, states.shape)
    claims: Claims = []
    for film in range(FILMS):
        claims.append(set())
        if rng.random() > 0.3:
            continue
        side, other, name = ((LEFT, RIGHT, "left"), (RIGHT, LEFT, "right"))[rng.integers(2)]
        logits[film, [ANYWHERE, side]] += 3.5
        states[film, ANYWHERE] = PRESENT
        named = rng.random() > unsided
        states[film, [side, other]] = (PRESENT, ABSENT) if named else (OPEN, OPEN)
        claims[film] = {(FINDING, name if named else "")}
    return JudgedFilms(logits, states), claims


def _phantoms() -> JudgedFilms:
    shape = (40, len(FILM_LABELS))
    return JudgedFilms(np.zeros(shape), np.full(shape, ABSENT, np.uint8))


def _f1_of(probe: Probe, films: JudgedFilms, claims: Claims) -> float:
    """The micro-F1 of the readings against the claims, of the finding alone."""
    counts = np.zeros(3)
    for findings, true in zip(
        probe.findings_of(torch.from_numpy(films.logits).float()), claims, strict=True
    ):
        chosen = [finding for finding in findings if finding.finding == FINDING]
        counts += count_claim_matches(collect_claims(probe_assertions(chosen)), true)
    return 2 * counts[0] / (2 * counts[0] + counts[1] + counts[2])


@pytest.mark.parametrize("unsided", [0.0, 0.5, 1.0])
def test_no_other_chance_for_all_claims_gives_clearly_better_readings(unsided: float):
    rng = np.random.default_rng([7, round(10 * unsided)])
    real, _ = _films(rng, unsided=unsided)
    held_out, claims = _films(rng, unsided=unsided)
    probe = Probe(8, FILM_LABELS, CHANNELS)
    chance = fit_thresholds(probe, _phantoms(), real, held_out)
    assert chance is not None
    found = _f1_of(probe, held_out, claims)
    fitted = torch.logit(probe.thresholds.clone())
    for shift in (-2.0, -1.0, 1.0, 2.0):
        probe.thresholds.copy_(torch.sigmoid(fitted + shift).clamp(1e-4, 1 - 1e-4))
        assert _f1_of(probe, held_out, claims) < found + 0.03
    assert found > 0.5


def test_where_reports_always_name_the_side_none_is_claimed_without_it():
    rng = np.random.default_rng(3)
    real, _ = _films(rng, unsided=0.0)
    held_out, _ = _films(rng, unsided=0.0)
    probe = Probe(8, FILM_LABELS, CHANNELS)
    fit_thresholds(probe, _phantoms(), real, held_out)
    read = probe.findings_of(torch.from_numpy(held_out.logits).float())
    claims = [collect_claims(probe_assertions(findings)) for findings in read]
    without = sum((FINDING, "") in film for film in claims)
    assert without < 0.05 * sum(any(name == FINDING for name, _ in film) for film in claims)
