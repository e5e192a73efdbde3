"""The feature tier: how far do generated films lie from real ones in the features of an encoder?

It knows features (N, P) and patients, no films and no model. Every distance is reported with its
floor: the distance of two halves of the real films, in sets of the same size.
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


def frechet_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """The squared Frechet distance of two sets of features (N, P) and (M, P), N and M at least 2.

    The sets count as Gaussians with their means and covariances; this is FID (Heusel et al. 2017)
    where the features are an Inception's. The trace of the root of the product of two covariances
    A'A and B'B is the sum of the singular values of AB', which stays exact where a covariance is
    singular.
    """
    shift = real.mean(axis=0, dtype=float) - generated.mean(axis=0, dtype=float)
    real_root, generated_root = _covariance_root(real), _covariance_root(generated)
    overlap = np.linalg.svd(real_root @ generated_root.T, compute_uv=False).sum()
    return max(
        0.0, float(shift @ shift + (real_root**2).sum() + (generated_root**2).sum() - 2 * overlap)
    )


def _covariance_root(rows: np.ndarray) -> np.ndarray:
    """A triangular matrix R (min(N, P), P) for which R'R is the covariance of the rows."""
    centred = np.asarray(rows, float) - rows.mean(axis=0, dtype=float)
    return np.asarray(np.linalg.qr(centred / np.sqrt(len(rows) - 1), mode="r"))


@dataclass(frozen=True, slots=True)
class ManifoldOverlap:
    """How two sets overlap; the ball of a film reaches to its k-th nearest neighbour."""

    precision: float  # share of generated films inside a real ball, in [0, 1]
    recall: float  # share of real films inside a generated ball, in [0, 1]
    density: float  # real balls around a generated film, over k; 1 for sets of one source
    coverage: float  # share of real balls that hold a generated film, in [0, 1]


def compare_manifolds(real: np.ndarray, generated: np.ndarray, k: int = K) -> ManifoldOverlap:
    """Precision and recall, density and coverage of features (N, P) and (M, P), N and M over k.

    Kynkaanniemi et al. 2019, "Improved precision and recall metric for assessing generative
    models"; Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models".
    """
    from sklearn.metrics import pairwise_distances

    # In float64: films that are the same lie at a distance of 1e-8 or so, not of 1e-3.
    real_rows, generated_rows = np.asarray(real, float), np.asarray(generated, float)
    distances = pairwise_distances(real_rows, generated_rows)
    in_real_balls = distances <= _ball_radii(real_rows, k)[:, None]
    in_generated_balls = distances <= _ball_radii(generated_rows, k)[None]
    return ManifoldOverlap(
        precision=float(in_real_balls.any(axis=0).mean()),
        recall=float(in_generated_balls.any(axis=1).mean()),
        density=float(in_real_balls.sum(axis=0).mean() / k),
        coverage=float(in_real_balls.any(axis=1).mean()),
    )


def _ball_radii(rows: np.ndarray, k: int) -> np.ndarray:
    """The distance of each row (N, P) to its k-th nearest neighbour, itself left out, (N,)."""
    from sklearn.neighbors import NearestNeighbors

    distances, _ = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows).kneighbors()
    return distances[:, -1]


def project_to_components(real: np.ndarray, generated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sets on the first 64 principal components of the real one, N and P over 64.

    `real` holds the films that the generated ones are compared with, and none of the floor's: the
    set that the components were fitted on differs along them more than a new set.
    """
    from sklearn.decomposition import PCA

    components = PCA(COMPONENTS, svd_solver="full").fit(real)
    return components.transform(real), components.transform(generated)


@dataclass(frozen=True, slots=True, eq=False)
class _FeatureSet:
    """Films of one source as features, with the patient of each."""

    features: np.ndarray  # (N, P)
    patients: np.ndarray  # (N,)

    def __len__(self) -> int:
        return len(self.patients)

    def select(self, rows: np.ndarray) -> _FeatureSet:
        return _FeatureSet(self.features[rows], self.patients[rows])

    def split_by_patient(self, rng: np.random.Generator) -> tuple[_FeatureSet, _FeatureSet]:
        """Split into two random parts of about the same size; no patient is in both."""
        names, member = np.unique(self.patients, return_inverse=True)
        place = rng.permutation(len(names))[member]
        order, places = np.argsort(place, kind="stable"), np.sort(place)
        cut = int(np.searchsorted(places, places[len(places) // 2]))
        return self.select(order[:cut]), self.select(order[cut:])


def measure(
    real: np.ndarray,
    generated: np.ndarray,
    patients: Sequence[str],
    *,
    name: str,
    encoder: str,
    seed: int = 0,
    unscored: int = 0,
) -> PartResult:
    """Compute all figures of generated films (M, P) against real ones (N, P).

    `patients` are those of the real films; each generated film counts as its own patient.
    `unscored` counts generated films that could not be read. A value is the mean over 20 splits
    of the real patients into two halves: one half is compared with as many generated films. The
    floor is the mean, over the same splits, of one half against the other. The interval of a value
    is 1.96 standard errors around it by the delete-half jackknife (Shao and Wu 1989): the spread
    over 30 random halves of the patients of both. The interval of a floor is the middle 95 % of
    its splits: what chance does.
    """
    rng = np.random.default_rng(seed)
    real_set = _FeatureSet(real, np.asarray(patients))
    generated_set = _FeatureSet(generated, np.arange(len(generated)))
    splits = [real_set.split_by_patient(rng) for _ in range(SPLITS)]
    size = min(len(generated), *(len(half) for split in splits for half in split))
    if size < FEWEST:
        none = figure_of(None, 0, unscored=unscored + len(generated))
        reason = f"takes {FEWEST} made films, and twice as many real ones of two patients or more"
        empty = {f"{name}/{key.format(encoder)}": none for key in LIMITS}
        return PartResult(empty, (), {next(iter(empty)): reason})
    first_rows = np.arange(size)
    scores, floor_scores = [], []
    for compared, floor in splits:
        scores.append(
            _score_sets(
                compared.select(first_rows),
                generated_set.select(rng.permutation(len(generated))[:size]),
            )
        )
        floor_scores.append(_score_sets(compared.select(first_rows), floor.select(first_rows)))
    half_scores = [
        _score_sets(
            max(real_set.split_by_patient(rng), key=len),
            max(generated_set.split_by_patient(rng), key=len),
        )
        for _ in range(HALVES)
    ]
    figures: dict[str, Figure] = {}
    for key in LIMITS:
        figure_name = f"{name}/{key.format(encoder)}"
        if key not in scores[0]:
            figures[figure_name] = figure_of(None, 0, unscored=unscored + len(generated))
            continue
        value, interval = _mean_and_interval(key, scores, half_scores)
        figures[figure_name] = figure_of(value, len(generated), interval, unscored=unscored)
        floor_values = [draw[key] for draw in floor_scores]
        low, high = np.quantile(floor_values, [0.025, 0.975])
        figures[FLOOR.format(figure_name)] = figure_of(
            float(np.mean(floor_values)), len(real), (float(low), float(high))
        )
    return PartResult(figures, (), _notes(name, encoder, size, real.shape[1]))


def _score_sets(real: _FeatureSet, generated: _FeatureSet) -> Scores:
    """All scores of two sets, by name."""
    real_features, generated_features = real.features, generated.features
    overlap = compare_manifolds(real_features, generated_features)
    scores = {
        FID: frechet_distance(real_features, generated_features),
        KID: kid(real_features, generated_features)[0],
        PRECISION: overlap.precision,
        RECALL: overlap.recall,
        DENSITY: overlap.density,
        COVERAGE: overlap.coverage,
    }
    if min(real_features.shape) > COMPONENTS:
        scores[SHORT] = frechet_distance(*project_to_components(real_features, generated_features))
    return scores


def _mean_and_interval(
    key: str, scores: Sequence[Scores], half_scores: Sequence[Scores]
) -> tuple[float, Interval]:
    """The mean of one score over the splits, and 1.96 standard errors around it."""
    value = float(np.mean([draw[key] for draw in scores]))
    error = float(np.std([draw[key] for draw in half_scores], ddof=1))
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
