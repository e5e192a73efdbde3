"""Fitting the risk: from the claims of drafts, each true or false, to a model and its thresholds.

Logistic regression a polarity with weights that may only lower the risk as support grows. The
riskiest claim makes the sentence's log-odds; slope, shift and thresholds come from folds that were
not fitted on, with no film's sentences on both sides. A signal without which those folds are judged
no worse goes: what a backbone's claims are best weighed by is its own.
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
RIDGE_FINDING = 3.0  # on each finding's own: what is rare stays near the common
FEWEST = 20  # sentences above the threshold before any is withheld
EVEN = 0.5  # share of false sentences from which one is withheld
TRIFLE = 0.001  # of the loss: a signal that is missed by no more goes
NEVER = 1.01  # a risk that none reaches


@dataclass(frozen=True, slots=True)
class JudgedClaim:
    """One sentence of a draft of which it is known whether it is true."""

    film: int
    claims: tuple[tuple[Assertion, Signals, bool | None], ...]  # True: false; None: not known

    @property
    def false(self) -> bool:
        """Whether any of its claims is false."""
        return any(wrong for _, _, wrong in self.claims)


@dataclass(frozen=True, slots=True)
class FitDescription:
    """What a model is fitted for, and on."""

    backbone: str
    adapter: str | None
    fitted_on: str
    samples: int
    error: float


def fit_risk(sentences: Sequence[JudgedClaim], about: FitDescription, seed: int = 0) -> RiskModel:
    """Fit the risk model; SettingsError where too few sentences are true or false."""
    wrong = np.array([s.false for s in sentences])
    if wrong.sum() < FOLDS or (~wrong).sum() < FOLDS:
        raise SettingsError(
            f"Of {len(wrong)} sentences {int(wrong.sum())} are false; a risk needs at least "
            f"{FOLDS} of either kind, so calibrate on more films."
        )
    names = choose_signals(sentences, about, seed)
    odds, (slope, shift) = _judged_apart(sentences, about, seed, names)
    risks = np.array([sigmoid(slope * o + shift) for o in odds])
    limits = fit_thresholds(risks, wrong, about.error)
    if "agreement" not in names:
        about = replace(about, samples=0)  # drawing other drafts would be in vain
    return _model(_polarities(sentences, names), about, len(sentences), (slope, shift), limits)


def choose_signals(
    sentences: Sequence[JudgedClaim], about: FitDescription, seed: int
) -> tuple[str, ...]:
    """The signals that earn their place, in the order of `SIGNALS`.

    One after the other goes that of which the loss on held-out folds misses least, until each
    that is left is missed by more than a trifle and more than chance.
    """
    names = SIGNALS
    loss = _losses(sentences, about, seed, names)
    while len(names) > 1:
        without = {
            name: _losses(sentences, about, seed, tuple(n for n in names if n != name))
            for name in names
        }
        least = min(names, key=lambda name: float(without[name].mean()))
        missed = without[least] - loss
        if missed.mean() > max(missed.std() / len(missed) ** 0.5, TRIFLE * loss.mean()):
            break
        names, loss = tuple(n for n in names if n != least), without[least]
    return names


def ablation(
    sentences: Sequence[JudgedClaim], about: FitDescription, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """AUROC on held-out folds with each signal alone, and with all but it."""
    wrong = np.array([s.false for s in sentences])

    def found(names: tuple[str, ...]) -> float:
        odds, _ = _judged_apart(sentences, about, seed, names)
        return float(roc_auc_score(wrong, odds))

    return {
        name: (found((name,)), found(tuple(n for n in SIGNALS if n != name))) for name in SIGNALS
    }


def _judged_apart(
    sentences: Sequence[JudgedClaim], about: FitDescription, seed: int, names: tuple[str, ...]
) -> tuple[np.ndarray, tuple[float, float]]:
    """Each sentence's log-odds by folds without its film, and what calibrates them."""
    odds = _out_of_fold(sentences, about, seed, names)
    return odds, _line(odds, np.array([s.false for s in sentences]))


def _losses(
    sentences: Sequence[JudgedClaim], about: FitDescription, seed: int, names: tuple[str, ...]
) -> np.ndarray:
    """The logarithmic loss of each sentence's risk by folds without its film."""
    odds, (slope, shift) = _judged_apart(sentences, about, seed, names)
    z = slope * odds + shift
    return np.logaddexp(0, z) - np.array([s.false for s in sentences]) * z


def _model(polarities, about: FitDescription, count: int, scale, limits) -> RiskModel:
    return RiskModel(
        backbone=about.backbone,
        adapter=about.adapter,
        fitted_on=about.fitted_on,
        sentences=count,
        samples=about.samples,
        error=about.error,
        keep=limits[0],
        withhold=limits[1],
        scale=scale,
        polarities=polarities,
    )


def fit_thresholds(risks: np.ndarray, wrong: np.ndarray, error: float) -> tuple[float, float]:
    """The highest risk to keep and the lowest to withhold, of risks (N,) and falsehoods (N,).

    Kept is as much as leaves the share of false ones within the error allowed, one more false
    one assumed (Angelopoulos et al. 2022, "Conformal risk control"). Withheld is from where on
    half or more are false.
    """
    order = np.argsort(risks, kind="stable")
    sorted_risks, errors = risks[order], np.cumsum(wrong[order])
    share = (errors + 1) / (np.arange(len(risks)) + 2)
    within = np.flatnonzero(share <= error)
    keep = float(sorted_risks[within[-1]]) if len(within) else -1.0
    above = (errors[-1] - errors) / np.maximum(len(risks) - 1 - np.arange(len(risks)), 1)
    enough = (len(risks) - 1 - np.arange(len(risks))) >= FEWEST
    bad = np.flatnonzero(enough & (above >= EVEN) & (sorted_risks > keep))
    withhold = float(sorted_risks[bad[0]]) if len(bad) else NEVER
    return keep, withhold


def _out_of_fold(
    sentences: Sequence[JudgedClaim], about: FitDescription, seed: int, names: tuple[str, ...]
) -> np.ndarray:
    """Each sentence's log-odds by a model that was not fitted on its film's."""
    films = np.array([s.film for s in sentences])
    fold = np.random.default_rng(seed).integers(FOLDS, size=int(films.max()) + 1)[films]
    odds = np.zeros(len(sentences))
    for number in range(FOLDS):
        train = [s for s, f in zip(sentences, fold, strict=True) if f != number]
        model = _model(_polarities(train, names), about, len(train), (1.0, 0.0), (0.0, NEVER))
        for at in np.flatnonzero(fold == number).tolist():
            claims = sentences[at].claims
            found = [model.claim(claim, signals) for claim, signals, _ in claims]
            odds[at] = max((o for o in found if o is not None), default=0.0)
    return odds


def _polarities(sentences: Sequence[JudgedClaim], names: tuple[str, ...]) -> dict[str, Weights]:
    """The weights of each polarity of which there are true and false claims, or nearly so."""
    rows = [c for s in sentences for c in s.claims if c[2] is not None]
    found = {}
    for polarity in ("present", "absent", "uncertain"):
        own = [row for row in rows if row[0].polarity == polarity]
        if len(own) >= FEWEST:
            found[polarity] = _weights(own, names)
    return found


def _weights(
    rows: Sequence[tuple[Assertion, Signals, bool | None]], names: tuple[str, ...]
) -> Weights:
    keys = sorted({claim.finding for claim, _, _ in rows})
    x = np.array([_row(claim, signals, keys, names) for claim, signals, _ in rows])
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
        signals=_named(names, w[:n]),
        missing=_named(names, w[n : 2 * n]),
        findings=_named(keys, w[2 * n : -1]),
    )


def _row(
    claim: Assertion, signals: Signals, keys: Sequence[str], names: tuple[str, ...]
) -> list[float]:
    values = [getattr(signals, name) for name in names]
    return [
        *(0.0 if v is None else -log_odds(v) for v in values),
        *(float(v is None) for v in values),
        *(float(claim.finding == key) for key in keys),
        1.0,
    ]


def _named(names: Sequence[str], values: np.ndarray) -> Mapping[str, float]:
    return {name: round(float(v), 5) for name, v in zip(names, values, strict=True)}


def _line(odds: np.ndarray, wrong: np.ndarray) -> tuple[float, float]:
    """Slope (at least 0) and shift that calibrate log-odds (Platt 1999)."""

    def loss(w: np.ndarray) -> float:
        z = w[0] * odds + w[1]
        return float(np.logaddexp(0, z).sum() - wrong @ z)

    bounds = [(0.0, None), (None, None)]
    found = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1])
