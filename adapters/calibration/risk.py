"""Fits the risk model and its thresholds on the claims of drafts, each known as true or false.

Each polarity has a logistic regression, whose weights may only lower the risk as support grows. A
sentence's log-odds are those of its riskiest claim. Slope, shift and thresholds come from held-out
folds; all sentences of a film are in one fold. A signal is dropped when the held-out loss without
it is no worse, so that each backbone keeps the signals that suit it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from assistant.errors import SettingsError
from assistant.evidence.risk import RiskModel, Weights, log_odds, sigmoid
from assistant.evidence.signals import SIGNALS, Signals
from assistant.types import Assertion

FOLDS = 5
RIDGE = 1.0  # on the weights of signals, in units of claims
RIDGE_FINDING = 3.0  # on each finding's own weight: rare findings stay close to the average
FEWEST = 20  # sentences above the threshold before any is withheld; claims of a polarity to fit it
WITHHOLD_SHARE = 0.5  # share of false sentences above the threshold from which it withholds
NEGLIGIBLE = 0.001  # of the loss: a signal whose removal raises the loss by no more is dropped
UNREACHABLE = 1.01  # a risk that no sentence reaches


@dataclass(frozen=True, slots=True)
class JudgedClaim:
    """The claims of one sentence of a draft, at least one of them known to be true or false."""

    film: int
    claims: tuple[tuple[Assertion, Signals, bool | None], ...]  # True: false; None: not known

    @property
    def false(self) -> bool:
        """Whether any of its claims is false."""
        return any(wrong for _, _, wrong in self.claims)


@dataclass(frozen=True, slots=True)
class FitDescription:
    """The backbone and adapter that a risk model is fitted for, and the films it is fitted on."""

    backbone: str
    adapter: str | None
    fitted_on: str
    samples: int
    error: float


def fit_risk(
    sentences: Sequence[JudgedClaim], description: FitDescription, seed: int = 0
) -> RiskModel:
    """Fit the risk model; SettingsError when too few sentences are true or false."""
    wrong = np.array([s.false for s in sentences])
    if wrong.sum() < FOLDS or (~wrong).sum() < FOLDS:
        raise SettingsError(
            f"Of {len(wrong)} sentences {int(wrong.sum())} are false; a risk needs at least "
            f"{FOLDS} of either kind, so calibrate on more films."
        )
    names = choose_signals(sentences, description, seed)
    odds, (slope, shift) = _calibrate_by_folds(sentences, description, seed, names)
    risks = np.array([sigmoid(slope * o + shift) for o in odds])
    thresholds = fit_thresholds(risks, wrong, description.error)
    if "agreement" not in names:
        description = replace(description, samples=0)  # drawing other drafts would be in vain
    return _build_model(
        _fit_polarities(sentences, names), description, len(sentences), (slope, shift), thresholds
    )


def choose_signals(
    sentences: Sequence[JudgedClaim], description: FitDescription, seed: int
) -> tuple[str, ...]:
    """Choose the signals to keep by backward elimination, in the order of `SIGNALS`.

    Each round drops the signal whose removal raises the held-out loss least, until every removal
    would raise it by more than a negligible share and more than its standard error.
    """
    names = SIGNALS
    loss = _sentence_losses(sentences, description, seed, names)
    while len(names) > 1:
        without = {
            name: _sentence_losses(
                sentences, description, seed, tuple(n for n in names if n != name)
            )
            for name in names
        }
        weakest = min(names, key=lambda name: float(without[name].mean()))
        increase = without[weakest] - loss
        if increase.mean() > max(increase.std() / len(increase) ** 0.5, NEGLIGIBLE * loss.mean()):
            break
        names, loss = tuple(n for n in names if n != weakest), without[weakest]
    return names


def ablate_signals(
    sentences: Sequence[JudgedClaim], description: FitDescription, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Measure the AUROC on held-out folds with each signal alone, and with all others."""
    wrong = np.array([s.false for s in sentences])

    def auroc_with(names: tuple[str, ...]) -> float:
        odds, _ = _calibrate_by_folds(sentences, description, seed, names)
        return float(roc_auc_score(wrong, odds))

    return {
        name: (auroc_with((name,)), auroc_with(tuple(n for n in SIGNALS if n != name)))
        for name in SIGNALS
    }


def _calibrate_by_folds(
    sentences: Sequence[JudgedClaim], description: FitDescription, seed: int, names: tuple[str, ...]
) -> tuple[np.ndarray, tuple[float, float]]:
    """Each sentence's log-odds from folds without its film, and the slope and shift for them."""
    odds = _predict_out_of_fold(sentences, description, seed, names)
    return odds, _fit_platt_scaling(odds, np.array([s.false for s in sentences]))


def _sentence_losses(
    sentences: Sequence[JudgedClaim], description: FitDescription, seed: int, names: tuple[str, ...]
) -> np.ndarray:
    """The log loss of each sentence's risk, predicted from folds without its film."""
    odds, (slope, shift) = _calibrate_by_folds(sentences, description, seed, names)
    z = slope * odds + shift
    return np.logaddexp(0, z) - np.array([s.false for s in sentences]) * z


def _build_model(
    polarities, description: FitDescription, count: int, scale, thresholds
) -> RiskModel:
    return RiskModel(
        backbone=description.backbone,
        adapter=description.adapter,
        fitted_on=description.fitted_on,
        sentences=count,
        samples=description.samples,
        error=description.error,
        keep=thresholds[0],
        withhold=thresholds[1],
        scale=scale,
        polarities=polarities,
    )


def fit_thresholds(risks: np.ndarray, wrong: np.ndarray, error: float) -> tuple[float, float]:
    """Fit the highest risk to keep and the lowest to withhold, from risks (N,) and `wrong` (N,).

    As many sentences are kept as leave the share of false ones within `error`, one more false one
    assumed (Angelopoulos et al. 2022, "Conformal risk control"). Sentences are withheld from the
    risk above which half or more are false.
    """
    order = np.argsort(risks, kind="stable")
    sorted_risks, errors = risks[order], np.cumsum(wrong[order])
    share = (errors + 1) / (np.arange(len(risks)) + 2)
    within = np.flatnonzero(share <= error)
    keep = float(sorted_risks[within[-1]]) if len(within) else -1.0
    above = (errors[-1] - errors) / np.maximum(len(risks) - 1 - np.arange(len(risks)), 1)
    enough = (len(risks) - 1 - np.arange(len(risks))) >= FEWEST
    bad = np.flatnonzero(enough & (above >= WITHHOLD_SHARE) & (sorted_risks > keep))
    withhold = float(sorted_risks[bad[0]]) if len(bad) else UNREACHABLE
    return keep, withhold


def _predict_out_of_fold(
    sentences: Sequence[JudgedClaim], description: FitDescription, seed: int, names: tuple[str, ...]
) -> np.ndarray:
    """Each sentence's log-odds by a model that was not fitted on sentences of its film."""
    films = np.array([s.film for s in sentences])
    fold = np.random.default_rng(seed).integers(FOLDS, size=int(films.max()) + 1)[films]
    odds = np.zeros(len(sentences))
    for number in range(FOLDS):
        train = [s for s, f in zip(sentences, fold, strict=True) if f != number]
        model = _build_model(
            _fit_polarities(train, names), description, len(train), (1.0, 0.0), (0.0, UNREACHABLE)
        )
        for index in np.flatnonzero(fold == number).tolist():
            claims = sentences[index].claims
            log_odds_of_claims = [model.log_odds_of(claim, signals) for claim, signals, _ in claims]
            odds[index] = max((o for o in log_odds_of_claims if o is not None), default=0.0)
    return odds


def _fit_polarities(sentences: Sequence[JudgedClaim], names: tuple[str, ...]) -> dict[str, Weights]:
    """The weights of each polarity that has enough claims known to be true or false."""
    rows = [c for s in sentences for c in s.claims if c[2] is not None]
    weights = {}
    for polarity in ("present", "absent", "uncertain"):
        rows_of_polarity = [row for row in rows if row[0].polarity == polarity]
        if len(rows_of_polarity) >= FEWEST:
            weights[polarity] = _fit_weights(rows_of_polarity, names)
    return weights


def _fit_weights(
    rows: Sequence[tuple[Assertion, Signals, bool | None]], names: tuple[str, ...]
) -> Weights:
    keys = sorted({claim.finding for claim, _, _ in rows})
    x = np.array([_feature_row(claim, signals, keys, names) for claim, signals, _ in rows])
    y = np.array([bool(wrong) for _, _, wrong in rows], float)
    n = len(names)
    ridge = np.concatenate([np.full(2 * n, RIDGE), np.full(len(keys), RIDGE_FINDING), [0.0]])

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ w
        value = np.logaddexp(0, z).sum() - y @ z + 0.5 * ridge @ w**2
        return float(value), x.T @ (1 / (1 + np.exp(-z)) - y) + ridge * w

    free = (None, None)
    bounds = [(0.0, None)] * n + [free] * (n + len(keys) + 1)
    start = np.zeros(x.shape[1])
    w = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Weights(
        bias=float(w[-1]),
        signals=_round_weights(names, w[:n]),
        missing=_round_weights(names, w[n : 2 * n]),
        findings=_round_weights(keys, w[2 * n : -1]),
    )


def _feature_row(
    claim: Assertion, signals: Signals, keys: Sequence[str], names: tuple[str, ...]
) -> list[float]:
    values = [getattr(signals, name) for name in names]
    return [
        *(0.0 if v is None else -log_odds(v) for v in values),
        *(float(v is None) for v in values),
        *(float(claim.finding == key) for key in keys),
        1.0,
    ]


def _round_weights(names: Sequence[str], values: np.ndarray) -> Mapping[str, float]:
    return {name: round(float(v), 5) for name, v in zip(names, values, strict=True)}


def _fit_platt_scaling(odds: np.ndarray, wrong: np.ndarray) -> tuple[float, float]:
    """Slope (at least 0) and shift that calibrate log-odds (Platt 1999)."""

    def loss(w: np.ndarray) -> float:
        z = w[0] * odds + w[1]
        return float(np.logaddexp(0, z).sum() - wrong @ z)

    bounds = [(0.0, None), (None, None)]
    result = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=bounds)
    return float(result.x[0]), float(result.x[1])
