"""The feature tier: how far do made films lie from real ones, as an encoder sees them?

It knows features (N, P) and patients, no films and no model. Every distance stands beside its
floor: what two halves of the real films reach, in sets of the same size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from evals.mini.kid import kid
from evals.results import Figure, PartResult, figure_of

Scores = Mapping[str, float]
Interval = tuple[float, float]
K = 5  # neighbours that make a film's ball
COMPONENTS = 64  # of the features, for the Frechet distance of sets that are small
FEWEST = 12  # films of a set: half of them must have K neighbours each
SPLITS = 20  # of the real films into a half that is compared and one that is the floor
HALVES = 30  # random halves of both sets, for the interval
FID, SHORT, KID = "fid[{}]", "fid[{}, 64 components]", "kid[{}]"
PRECISION, RECALL, DENSITY, COVERAGE = "precision[{}]", "recall[{}]", "density[{}]", "coverage[{}]"
FLOOR = "{}, real against real (floor)"
LIMITS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        FID: (0, np.inf),
        SHORT: (0, np.inf),
        KID: (-np.inf, np.inf),  # unbiased, so that it may be below zero
        PRECISION: (0, 1),
        RECALL: (0, 1),
        DENSITY: (0, np.inf),
        COVERAGE: (0, 1),
    }
)


def frechet(real: np.ndarray, made: np.ndarray) -> float:
    """The squared Frechet distance of two sets of features (N, P) and (M, P), N and M at least 2.

    As of Gaussians with their means and covariances; FID (Heusel et al. 2017) where the features
    are an Inception's. The trace of the root of the product of two covariances A'A and B'B is the
    sum of the singular values of AB', which stays exact where a covariance is singular.
    """
    shift = real.mean(axis=0, dtype=float) - made.mean(axis=0, dtype=float)
    one, other = _spread(real), _spread(made)
    shared = np.linalg.svd(one @ other.T, compute_uv=False).sum()
    return max(0.0, float(shift @ shift + (one**2).sum() + (other**2).sum() - 2 * shared))


def _spread(rows: np.ndarray) -> np.ndarray:
    """A triangle (min(N, P), P) whose product with itself is the covariance of the rows."""
    centred = np.asarray(rows, float) - rows.mean(axis=0, dtype=float)
    return np.asarray(np.linalg.qr(centred / np.sqrt(len(rows) - 1), mode="r"))


@dataclass(frozen=True, slots=True)
class Manifold:
    """How two sets overlap, by the balls that reach from each film to its k-th neighbour."""

    precision: float  # share of the made in a ball of the real, in [0, 1]
    recall: float  # share of the real in a ball of the made, in [0, 1]
    density: float  # balls of the real round a made one, over k; 1 for sets of one source
    coverage: float  # share of the balls of the real that hold a made one, in [0, 1]


def manifold(real: np.ndarray, made: np.ndarray, k: int = K) -> Manifold:
    """Precision and recall, density and coverage of features (N, P) and (M, P), N and M over k.

    Kynkaanniemi et al. 2019, "Improved precision and recall metric for assessing generative
    models"; Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models".
    """
    from sklearn.metrics import pairwise_distances

    # In float64: films that are the same lie at a distance of 1e-8 or so, not of 1e-3.
    rows, others = np.asarray(real, float), np.asarray(made, float)
    between = pairwise_distances(rows, others)
    inside = between <= _radii(rows, k)[:, None]
    reached = between <= _radii(others, k)[None]
    return Manifold(
        precision=float(inside.any(axis=0).mean()),
        recall=float(reached.any(axis=1).mean()),
        density=float(inside.sum(axis=0).mean() / k),
        coverage=float(inside.any(axis=1).mean()),
    )


def _radii(rows: np.ndarray, k: int) -> np.ndarray:
    """The distance of each row (N, P) to its k-th nearest neighbour, itself left out, (N,)."""
    from sklearn.neighbors import NearestNeighbors

    distances, _ = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows).kneighbors()
    return distances[:, -1]


def shortened(real: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sets on the first 64 principal components of the real one, N and P over 64.

    The real films are those that the made ones are compared with, and none of the floor's: a
    set on which the components were found differs along them more than a new one.
    """
    from sklearn.decomposition import PCA

    found = PCA(COMPONENTS, svd_solver="full").fit(real)
    return found.transform(real), found.transform(made)


@dataclass(frozen=True, slots=True, eq=False)
class _Set:
    """Films of one source as features, and the patients whose they are."""

    features: np.ndarray  # (N, P)
    patients: np.ndarray  # (N,)

    def __len__(self) -> int:
        return len(self.patients)

    def taken(self, rows: np.ndarray) -> _Set:
        return _Set(self.features[rows], self.patients[rows])

    def halves(self, rng: np.random.Generator) -> tuple[_Set, _Set]:
        """Two parts of about the same size; no patient is in both."""
        names, member = np.unique(self.patients, return_inverse=True)
        place = rng.permutation(len(names))[member]
        order, places = np.argsort(place, kind="stable"), np.sort(place)
        cut = int(np.searchsorted(places, places[len(places) // 2]))
        return self.taken(order[:cut]), self.taken(order[cut:])


def measure(
    real: np.ndarray,
    made: np.ndarray,
    patients: Sequence[str],
    *,
    name: str,
    encoder: str,
    seed: int = 0,
    unscored: int = 0,
) -> PartResult:
    """All figures of made films (M, P) against real ones (N, P), with floors and intervals.

    `patients` are those of the real films; each made film stands for itself. `unscored` counts
    made films that could not be read. A value is the mean over 20 splits of the real patients
    into two halves, of which one is compared with as many made films, and the floor the mean over
    the same splits of the two halves against each other. A value's interval is 1.96 standard
    errors about it by the delete-half jackknife (Shao and Wu 1989): the spread over 30 random
    halves of the patients of both. A floor's is the middle 95 % of its splits: what chance does.
    """
    rng = np.random.default_rng(seed)
    known = _Set(real, np.asarray(patients))
    new = _Set(made, np.arange(len(made)))
    splits = [known.halves(rng) for _ in range(SPLITS)]
    size = min(len(made), *(len(half) for split in splits for half in split))
    if size < FEWEST:
        none = figure_of(None, 0, unscored=unscored + len(made))
        few = f"takes {FEWEST} made films, and twice as many real ones of two patients or more"
        shown = {f"{name}/{key.format(encoder)}": none for key in LIMITS}
        return PartResult(shown, (), {next(iter(shown)): few})
    first = np.arange(size)
    found, chance = [], []
    for one, other in splits:
        found.append(_scores(one.taken(first), new.taken(rng.permutation(len(made))[:size])))
        chance.append(_scores(one.taken(first), other.taken(first)))
    shaken = [
        _scores(max(known.halves(rng), key=len), max(new.halves(rng), key=len))
        for _ in range(HALVES)
    ]
    figures: dict[str, Figure] = {}
    for key in LIMITS:
        shown = f"{name}/{key.format(encoder)}"
        if key not in found[0]:
            figures[shown] = figure_of(None, 0, unscored=unscored + len(made))
            continue
        value, between = _about(key, found, shaken)
        figures[shown] = figure_of(value, len(made), between, unscored=unscored)
        by_chance = [draw[key] for draw in chance]
        low, high = np.quantile(by_chance, [0.025, 0.975])
        figures[FLOOR.format(shown)] = figure_of(
            float(np.mean(by_chance)), len(real), (float(low), float(high))
        )
    return PartResult(figures, (), _notes(name, encoder, size, real.shape[1]))


def _scores(real: _Set, made: _Set) -> Scores:
    """All distances of two sets, by their names."""
    one, other = real.features, made.features
    overlap = manifold(one, other)
    found = {
        FID: frechet(one, other),
        KID: kid(one, other)[0],
        PRECISION: overlap.precision,
        RECALL: overlap.recall,
        DENSITY: overlap.density,
        COVERAGE: overlap.coverage,
    }
    if min(one.shape) > COMPONENTS:
        found[SHORT] = frechet(*shortened(one, other))
    return found


def _about(key: str, found: Sequence[Scores], shaken: Sequence[Scores]) -> tuple[float, Interval]:
    """The mean of one distance over the splits, and 1.96 standard errors about it."""
    value = float(np.mean([draw[key] for draw in found]))
    error = float(np.std([draw[key] for draw in shaken], ddof=1))
    least, most = LIMITS[key]
    return value, (max(least, value - 1.96 * error), min(most, value + 1.96 * error))


def _notes(name: str, encoder: str, size: int, width: int) -> dict[str, str]:
    whole, short = (f"{name}/{key.format(encoder)}" for key in (FID, SHORT))
    notes = {whole: f"this encoder's features, in sets of {size} films"}
    if size < 2 * width:
        notes[whole] += (
            f"; with fewer than twice as many films as features, {width}, the Frechet distance "
            "is biased upward: read it beside its floor only, which is as biased"
        )
    if min(size, width) <= COMPONENTS:
        notes[short] = f"takes more than {COMPONENTS} films in each half, and as many features"
    else:
        notes[short] = f"on the first {COMPONENTS} principal components of the real films' features"
        if size < 2 * COMPONENTS:
            notes[short] += f"; biased upward too, with {size} films"
    return notes
