"""Sets the thresholds of a probe's labels on films that its encoder has not learnt.

Micro-averaged F1 is largest where everything is claimed that is true with a chance above half of
that F1 (Lipton et al. 2014, arXiv:1402.1892): so the chances of all labels are calibrated, and one
chance decides for all. True is what a report claims: of a finding that has sides, the label without
one is true where the report names none. Labels that real reports hardly claim keep the threshold of
phantoms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import LogisticRegression

from adapters.data.real_arrays import OPEN, PRESENT, UNCERTAIN
from assistant.backbones.probe.probe import Label, Probe
from assistant.chest.vocabulary import NORMAL

FEWEST = 15  # real films that are reported with a label, for its threshold to be theirs
CHANCES = np.linspace(0.12, 0.6, 25)
AS_GOOD = 0.005  # of F1
RARE = 0.998  # share of real films that a label which they hardly ever show must leave out
LIMITS = (0.02, 0.98)
GroupKey = tuple[str, bool, bool, tuple[str, ...]]  # finding, sided, zoned, degrees
Line = tuple[float, float]  # slope and offset from logits to calibrated ones


@dataclass(frozen=True, slots=True, eq=False)
class JudgedFilms:
    """Label logits (N, L) of films, and what is known of the labels, uint8 (N, L)."""

    logits: np.ndarray
    states: np.ndarray


def fit_thresholds(
    probe: Probe, phantoms: JudgedFilms, real: JudgedFilms | None, held_out: JudgedFilms | None
) -> float | None:
    """Set a probe's thresholds in place; returns the chance that decides on real films.

    The chances are calibrated on what encoders expect that have not learnt the films of `real`; the
    one that decides is chosen on `held_out`, read by the encoder itself. The labels of a finding's
    sides and zones share a threshold, as each alone is too rare.
    """
    groups = _groups_of(probe.labels)
    cuts = {key: _best_cut(phantoms, columns) for key, columns in groups.items()}
    chance = None
    if real is not None and held_out is not None:
        claimed = _claimed(real.states, probe.labels)
        lines = {
            key: _calibrate(real.logits[:, columns], claimed[:, columns])
            for key, columns in groups.items()
        }
        chance = _best_chance(held_out, _claimed(held_out.states, probe.labels), groups, lines)
        for key, columns in groups.items():
            line = lines[key]
            if line is not None:
                slope, offset = line
                cuts[key] = (np.log(chance / (1 - chance)) - offset) / slope
            else:
                cuts[key] = max(cuts[key], float(np.quantile(real.logits[:, columns], RARE)))
    for key, columns in groups.items():
        threshold = 1 / (1 + np.exp(-cuts[key]))
        # A film is normal where nothing is found in it; the label itself is never claimed.
        probe.thresholds[columns] = 1.0 if key[0] == NORMAL else float(np.clip(threshold, *LIMITS))
    return chance


def _groups_of(labels: Sequence[Label]) -> dict[GroupKey, list[int]]:
    groups: dict[GroupKey, list[int]] = {}
    for number, label in enumerate(labels):
        key = (label.finding, label.side is not None, label.zone is not None, label.degrees)
        groups.setdefault(key, []).append(number)
    return groups


def _claimed(states: np.ndarray, labels: Sequence[Label]) -> np.ndarray:
    """Which labels (N, L) reports claim as present: of a finding the sides that are named, if any.

    What is uncertain is not claimed, nor is a side where the report leaves it open.
    """
    present = states == PRESENT
    claimed = present.copy()
    for number, label in enumerate(labels):
        if label.side is None:
            sided = [i for i, other in enumerate(labels) if _is_at_a_side(other, label)]
            claimed[:, number] &= ~present[:, sided].any(axis=1)
    return claimed


def _is_at_a_side(other: Label, label: Label) -> bool:
    return other.side is not None and replace(other, side=None) == label


def _calibrate(logits: np.ndarray, claimed: np.ndarray) -> Line | None:
    """Slope and offset from logits to calibrated ones (Platt 1999); None for too few claims."""
    if claimed.sum() < FEWEST or claimed.all():
        return None
    model = LogisticRegression(C=10.0).fit(logits.reshape(-1, 1), claimed.ravel())
    slope = float(model.coef_[0, 0])
    return (slope, float(model.intercept_[0])) if slope > 0.1 else None


def _best_chance(
    films: JudgedFilms,
    claimed: np.ndarray,
    groups: Mapping[GroupKey, list[int]],
    lines: Mapping[GroupKey, Line | None],
) -> float:
    """The chance above which a claim of a finding and its side raises micro-F1."""
    scored = []
    for key, columns in groups.items():
        finding, _, is_zoned, degrees = key
        line = lines[key]
        if is_zoned or degrees or finding == NORMAL or line is None:
            continue
        slope, offset = line
        logits = slope * films.logits[:, columns].ravel() + offset
        scored.append((1 / (1 + np.exp(-logits)), claimed[:, columns].ravel()))
    if not scored:
        return 0.5
    chances, truths = (np.concatenate(part) for part in zip(*scored, strict=True))

    def f1(cut: float) -> float:
        above = chances > cut
        return float(2 * (above & truths).sum() / max(above.sum() + truths.sum(), 1))

    best = max(map(f1, CHANCES))
    # Where several do as well the highest is taken, which claims the least that is false.
    return float(max(chance for chance in CHANCES if f1(chance) >= best - AS_GOOD))


def _known(films: JudgedFilms, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Logits and truth of all known labels of some columns, in one row."""
    states, logits = films.states[:, columns].ravel(), films.logits[:, columns].ravel()
    is_known = (states != UNCERTAIN) & (states != OPEN)
    return logits[is_known], states[is_known] == PRESENT


def _best_cut(films: JudgedFilms, columns: list[int]) -> float:
    """The logit with the highest F1 on phantoms; 0 for what they never show."""
    logits, truth = _known(films, columns)
    if not truth.any():
        return 0.0
    order = np.argsort(-logits)
    f1 = 2 * np.cumsum(truth[order]) / (np.arange(1, len(order) + 1) + truth.sum())
    best = int(f1.argmax())
    return float((logits[order[best]] + logits[order[min(best + 1, len(order) - 1)]]) / 2)
