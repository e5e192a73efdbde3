"""Fits what a lateral film adds to each label of its study, on films that were not learnt.

A label gets a weight only where the lateral raises its AUROC on patients apart: for most findings
it does not.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from adapters.data.real_arrays import OPEN, PRESENT, UNCERTAIN, RealArrays
from adapters.pretrain.thresholds import FEWEST

GAIN = 0.003  # of AUROC, below which the lateral is left out
MOST = 1.0  # a lateral never counts more than its frontal
FOLDS = 5


def fit_lateral_weights(logits: np.ndarray, films: RealArrays) -> np.ndarray:
    """Weight and offset of each label for the lateral film, float32 (L, 2); 0 where it adds none.

    `logits` (N, L) are of encoders that have not learnt the films. The films of a patient count as
    one study.
    """
    frontals, laterals = _pairs_of(films)
    weights = np.zeros((logits.shape[1], 2), np.float32)
    if len(frontals) < FOLDS:
        return weights
    patients = np.array(films.patients)[frontals]
    for label in range(logits.shape[1]):
        states = films.labels[frontals, label]
        is_known = (states != UNCERTAIN) & (states != OPEN)
        truth = states[is_known] == PRESENT
        if min(truth.sum(), (~truth).sum()) < FEWEST:
            continue
        both = np.stack([logits[frontals, label], logits[laterals, label]], axis=1)[is_known]
        weight = _weight_of(both, truth, patients[is_known])
        if weight > 0:
            weights[label] = weight, both[:, 1].mean()
    return weights


def _weight_of(both: np.ndarray, truth: np.ndarray, patients: np.ndarray) -> float:
    model = LogisticRegression()
    apart = cross_val_predict(
        model, both, truth, groups=patients, cv=GroupKFold(FOLDS), method="decision_function"
    )
    if roc_auc_score(truth, apart) < roc_auc_score(truth, both[:, 0]) + GAIN:
        return 0.0
    frontal, lateral = model.fit(both, truth).coef_[0]
    return float(np.clip(lateral / frontal, 0, MOST)) if frontal > 0 else 0.0


def _pairs_of(films: RealArrays) -> tuple[np.ndarray, np.ndarray]:
    """The indices of frontal films and of a lateral of the same patient."""
    lateral_of: dict[str, int] = {}
    for index in np.flatnonzero(films.lateral).tolist():
        lateral_of.setdefault(films.patients[index], index)
    frontals = [
        i for i in np.flatnonzero(~films.lateral).tolist() if films.patients[i] in lateral_of
    ]
    return np.array(frontals, int), np.array([lateral_of[films.patients[i]] for i in frontals], int)
