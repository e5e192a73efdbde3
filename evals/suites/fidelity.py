"""How far phantoms lie from real films, as an honest distance: two-sample tests.

A phantom that could not be told from a film would score as two halves of the real films do. The
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
from evals.mini.kid import features, floor, kid
from evals.results import PartResult, figure
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
    """Compare the films of a folder with as many phantoms of a site, both by the encoder.

    KID stands beside that of two halves of the real films. The classifier is a logistic
    regression, scored on films that it was not fitted on (Lopez-Paz and Oquab 2017, "Revisiting
    classifier two-sample tests"); 0.5 would be films that cannot be told apart.
    """
    rows = read_folder(data)[:n]
    real: list[Film] = []
    patients: list[str] = []
    for done, row in enumerate(rows, start=1):
        try:
            real.append(read_film(row.image))
            patients.append(row.patient or real[-1].sha256)
        except WetreadError:
            continue
        finally:
            on_progress(done, 2 * len(rows))
    made = []
    for index in range(len(real)):
        made.append(as_film(make_phantom(seed, index, site, "test")))
        on_progress(len(rows) + index + 1, 2 * len(rows))
    ours, theirs = features(assistant, made), features(assistant, real)
    patients += [f"phantom-{i}" for i in range(len(made))]
    value, error = kid(theirs, ours)
    chance = floor(theirs, len(theirs) // 2)
    missing = len(rows) - len(real)
    name, about = data.name, "the encoder's features"
    both = {"n": len(real) + len(made), "unscored": missing, "bar": None}
    figures = {
        f"{name}/KID of phantoms, {about}": {
            "value": round(value, 4),
            "ci_low": round(value - 1.96 * error, 4),
            "ci_high": round(value + 1.96 * error, 4),
            **both,
        },
        f"{name}/KID of two halves of the real films": {
            "value": round(float(np.median(chance)), 4),
            "ci_low": round(float(np.quantile(chance, 0.025)), 4),
            "ci_high": round(float(np.quantile(chance, 0.975)), 4),
            **both,
            "n": len(real),
        },
        f"{name}/told from phantoms by a classifier": figure(
            _classified(theirs, ours, patients), patients, ratio, unscored=missing
        ),
    }
    return PartResult(
        figures, [], {}, f"folder {name} against phantoms of site {site}, seed {seed}"
    )


def _classified(real: np.ndarray, made: np.ndarray, patients: list[str]) -> np.ndarray:
    """Whether each film, real ones first, was told apart by a model fitted on other patients."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.concatenate([real, made])
    truth = np.repeat([0, 1], [len(real), len(made)])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    said = cross_val_predict(model, rows, truth, groups=patients, cv=GroupKFold(5))
    return np.stack([said == truth, np.ones(len(truth))], axis=1).astype(int)
