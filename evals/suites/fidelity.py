"""How far phantoms lie from real films, as an honest distance: two-sample tests.

A phantom that looked exactly like a film would score as two halves of the real films do. The
phantoms do not come near that, and the figures here say how far they are from it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from assistant import Assistant, WetreadError
from assistant.chest.phantoms import make_phantom
from assistant.intake import read_film
from assistant.types import Film
from evals.bootstrap import ratio
from evals.data.phantoms import as_film
from evals.mini.kid import estimate_floor, features_of, kid
from evals.results import PartResult, compute_figure
from retrieval import read_folder


def measure(
    assistant: Assistant,
    *,
    data: Path,
    n: int | None,
    seed: int,
    site: str,
    on_progress: Callable[[int, int], None],
) -> PartResult:
    """Compare the films of a folder with as many phantoms of a site, by the encoder's features.

    KID is reported with that of two halves of the real films. The classifier is a logistic
    regression, scored on films that it was not fitted on (Lopez-Paz and Oquab 2017, "Revisiting
    classifier two-sample tests"); 0.5 would be films that cannot be told apart.
    """
    rows = read_folder(data)[:n]
    real_films: list[Film] = []
    patients: list[str] = []
    for done, row in enumerate(rows, start=1):
        try:
            real_films.append(read_film(row.image))
            patients.append(row.patient or real_films[-1].sha256)
        except WetreadError:
            continue
        finally:
            on_progress(done, 2 * len(rows))
    phantom_films = []
    for index in range(len(real_films)):
        phantom_films.append(as_film(make_phantom(seed, index, site, "test")))
        on_progress(len(rows) + index + 1, 2 * len(rows))
    phantom_features, real_features = (
        features_of(assistant, phantom_films),
        features_of(assistant, real_films),
    )
    patients += [f"phantom-{i}" for i in range(len(phantom_films))]
    value, error = kid(real_features, phantom_features)
    floor_values = estimate_floor(real_features, len(real_features) // 2)
    missing = len(rows) - len(real_films)
    name, basis = data.name, "the encoder's features"
    shared = {"n": len(real_films) + len(phantom_films), "unscored": missing, "bar": None}
    figures = {
        f"{name}/KID of phantoms, {basis}": {
            "value": round(value, 4),
            "ci_low": round(value - 1.96 * error, 4),
            "ci_high": round(value + 1.96 * error, 4),
            **shared,
        },
        f"{name}/KID of two halves of the real films": {
            "value": round(float(np.median(floor_values)), 4),
            "ci_low": round(float(np.quantile(floor_values, 0.025)), 4),
            "ci_high": round(float(np.quantile(floor_values, 0.975)), 4),
            **shared,
            "n": len(real_films),
        },
        f"{name}/told from phantoms by a classifier": compute_figure(
            _classify_films(real_features, phantom_features, patients),
            patients,
            ratio,
            unscored=missing,
        ),
    }
    return PartResult(
        figures, [], {}, f"folder {name} against phantoms of site {site}, seed {seed}"
    )


def _classify_films(real: np.ndarray, phantom: np.ndarray, patients: list[str]) -> np.ndarray:
    """Whether a model fitted on other patients classified each film right, real ones first."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.concatenate([real, phantom])
    truth = np.repeat([0, 1], [len(real), len(phantom)])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    predicted = cross_val_predict(model, rows, truth, groups=patients, cv=GroupKFold(5))
    return np.stack([predicted == truth, np.ones(len(truth))], axis=1).astype(int)
