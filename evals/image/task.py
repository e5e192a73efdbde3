"""The task tier: can generated films replace real ones in two tasks?

Does a probe find in them the findings that the prompt requested? And does a classifier trained on
them alone read real films as well as one trained on real films? This module knows features,
labels and claims, no films and no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from assistant.errors import SettingsError
from evals.bootstrap import auroc, bootstrap_rows
from evals.counting import FindingSide, count_matches, restrict_to
from evals.results import Figure, FigureTable, PartResult, figure_of

READ = "asked findings read back by the probe, {}"
SHUFFLED = "baseline, findings asked of another picture read back, micro-F1"
SYNTHETIC = "train on synthetic, test on real, AUROC {}"
REAL = "train on real, test on real, AUROC {}"
GAIN = "synthetic minus real training, AUROC {}"
MEAN = "macro mean"
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # C of the logistic regression, to choose from
USUAL = 1e-2  # where there are too few films to choose by
FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFilms:
    """Films as features, with the findings they show and their patients."""

    features: np.ndarray  # float (N, P)
    labels: np.ndarray  # bool (N, F): is the finding present?
    findings: tuple[str, ...]  # (F,)
    patients: tuple[str, ...]  # (N,)

    def __post_init__(self) -> None:
        n = len(self.patients)
        if len(self.features) != n or self.labels.shape != (n, len(self.findings)):
            raise SettingsError(
                f"{n} films need as many rows of features and of labels, and a label for each of "
                f"{len(self.findings)} findings; there are {len(self.features)} rows of features "
                f"and labels of shape {self.labels.shape}."
            )


def split_by_person(films: LabelledFilms, seed: int) -> tuple[LabelledFilms, LabelledFilms]:
    """Split at random into two sets with about half of the patients each; none is in both."""
    names = np.unique(films.patients)
    first_half = set(
        np.random.default_rng(seed).permutation(names)[: (len(names) + 1) // 2].tolist()
    )
    inside = np.array([patient in first_half for patient in films.patients], bool)
    first_films, second_films = (
        _select_films(films, np.flatnonzero(part)) for part in (inside, ~inside)
    )
    return first_films, second_films


def _select_films(films: LabelledFilms, rows: np.ndarray) -> LabelledFilms:
    patients = tuple(films.patients[i] for i in rows)
    return LabelledFilms(films.features[rows], films.labels[rows], films.findings, patients)


def score_read_back(
    requested: Sequence[set[FindingSide]],
    hedged: Sequence[set[FindingSide]],
    probed: Sequence[set[FindingSide]] | None,
    *,
    name: str,
    patients: Sequence[str],
) -> PartResult:
    """Score which requested claims the probe finds in each picture, and which others it finds.

    A claim is a finding with its side; a hedged claim counts neither as missed nor as invented.
    The baseline scores each request against the findings of the next picture. `probed` is None
    where there is no probe; all is unscored then.
    """
    tally = FigureTable()
    micro = f"{name}/{READ.format('micro-F1')}"
    if probed is None:
        none = figure_of(None, 0, unscored=len(requested))
        return PartResult({micro: none}, (), {micro: "this backbone has no probe"})

    def count_rows(
        shown: Sequence[set[FindingSide]], only: Sequence[str] | None = None
    ) -> list[list[int]]:
        counts = []
        for claims, wanted, uncertain in zip(shown, requested, hedged, strict=True):
            if only is not None:
                claims, wanted = restrict_to(claims, only), restrict_to(wanted, only)
            counts.append(count_matches(claims, wanted, uncertain))
        return counts

    requested_kinds = sorted({finding for claims in requested for finding, _ in claims})
    rows_by_kind = {kind: count_rows(probed, (kind,)) for kind in requested_kinds}
    for metric, statistic in (("micro-F1", "f1"), ("precision", "precision"), ("recall", "recall")):
        tally.add(f"{name}/{READ.format(metric)}", count_rows(probed), patients, statistic)
    if rows_by_kind:
        grouped_rows = np.concatenate(
            [np.array(rows_by_kind[kind]) for kind in requested_kinds], axis=1
        )
        tally.add(f"{name}/{READ.format('macro-F1')}", grouped_rows, patients, "macro_f1")
    for kind in requested_kinds:
        tally.add(f"{name}/{READ.format(f'F1 {kind}')}", rows_by_kind[kind], patients, "f1")
    tally.add(f"{name}/{SHUFFLED}", count_rows([*probed[1:], *probed[:1]]), patients, "f1")
    return PartResult(tally.figures, counts=tally.counts)


def train_on_synthetic(
    synthetic: LabelledFilms,
    real_train: LabelledFilms,
    real_test: LabelledFilms,
    *,
    name: str = "image",
    seed: int = 0,
    unscored: int = 0,
) -> PartResult:
    """Train on synthetic films and test on real ones, against training on real films.

    The protocol is that of Esteban et al. 2017, "Real-valued (medical) time series generation",
    with one logistic regression a finding on standardised features, its C chosen by
    cross-validation within the training films, grouped by patient. Figures are AUROC, with
    bootstrap intervals by patients of the test films, and the paired difference on the same
    films. A finding that all or none of the films of one of the three sets show is unscored.
    Raises SettingsError where the sets have other findings, or a patient is in both training and
    test.
    """
    sets = (synthetic, real_train, real_test)
    _check_sets(*sets)
    columns = range(len(real_test.findings))
    scored = [c for c in columns if all(0 < s.labels[:, c].sum() < len(s.labels) for s in sets)]
    shape = len(real_test.patients), len(scored)
    scores = [
        _decision_scores(source, column, real_test, seed)
        for source in (synthetic, real_train)
        for column in scored
    ]
    truth = real_test.labels[:, scored].T
    comparison = _ClassifierComparison(
        np.array([*scores, *truth], float).reshape(3 * shape[1], shape[0]).T,
        real_test.patients,
        tuple(real_test.findings[c] for c in scored),
        unscored,
    )
    figures: dict[str, Figure] = {}
    for label in (MEAN, *real_test.findings):
        figures |= comparison.figures_of(name, label)
    note = "films with the finding in synthetic training, real training and real test: "
    note += ", ".join(
        f"{finding} {' / '.join(str(int(s.labels[:, c].sum())) for s in sets)}"
        for c, finding in enumerate(real_test.findings)
    )
    note += f"; of {' / '.join(str(len(s.labels)) for s in sets)} films"
    return PartResult(figures, (), {f"{name}/{SYNTHETIC.format(MEAN)}": note})


def _check_sets(synthetic: LabelledFilms, train: LabelledFilms, test: LabelledFilms) -> None:
    if not synthetic.findings == train.findings == test.findings:
        raise SettingsError("All three sets of films must be labelled with the same findings.")
    if both := set(train.patients) & set(test.patients):
        raise SettingsError(
            f"{len(both)} patients have films in the real training set and in the test set; "
            "split by patient."
        )


@dataclass(frozen=True, slots=True, eq=False)
class _ClassifierComparison:
    """The scores of two classifiers on the same test films, finding by finding."""

    rows: np.ndarray  # (N, 3 F): scores by synthetic films, scores by real films, truth
    patients: tuple[str, ...]
    findings: tuple[str, ...]  # (F,): those that are scored
    unscored: int

    def figures_of(self, name: str, label: str) -> dict[str, Figure]:
        """The figures of one finding, or of the mean over all (`label` is MEAN)."""
        columns = [c for c, f in enumerate(self.findings) if label in (f, MEAN)]
        figures: dict[str, Figure] = {}
        for template, sources in ((SYNTHETIC, (0,)), (REAL, (1,)), (GAIN, (0, 1))):
            statistic = partial(_mean_auroc, columns=columns, sources=sources)
            value, interval = None, (None, None)
            if columns:
                value = statistic(self.rows)
                interval = bootstrap_rows(self.rows, self.patients, statistic)
            n = len(self.rows) if columns else 0
            missing = self.unscored + len(self.rows) - n
            figures[f"{name}/{template.format(label)}"] = figure_of(
                value, n, interval, unscored=missing
            )
        return figures


def _mean_auroc(rows: np.ndarray, columns: Sequence[int], sources: Sequence[int]) -> float:
    """The mean AUROC over some findings by the first source, less that by the second.

    Findings that all or none of the rows show are left out; NaN where none is left.
    """
    width = rows.shape[1] // 3

    def mean(source: int) -> float:
        areas = [auroc(rows[:, [source * width + c, 2 * width + c]]) for c in columns]
        known = [area for area in areas if np.isfinite(area)]
        return float(np.mean(known)) if known else float("nan")

    first, *others = (mean(source) for source in sources)
    return first - sum(others)


def _decision_scores(
    source: LabelledFilms, column: int, test: LabelledFilms, seed: int
) -> np.ndarray:
    """The decision scores (N,) of a classifier, trained on one set, for the test films."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    truth = source.labels[:, column]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=USUAL, max_iter=2000))
    if splits := _patient_folds(truth, source.patients, seed):
        grid = {"logisticregression__C": STRENGTHS}
        model = GridSearchCV(model, grid, scoring="roc_auc", cv=splits)
    return model.fit(source.features, truth).decision_function(test.features)


def _patient_folds(
    truth: np.ndarray, patients: Sequence[str], seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds by patient with both classes in each part; none if a class has only one patient."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.asarray(patients)
    fold_count = min(FOLDS, *(len(set(groups[truth == present])) for present in (True, False)))
    if fold_count < 2:
        return []
    splitter = StratifiedGroupKFold(fold_count, shuffle=True, random_state=seed)
    return [
        (train, test)
        for train, test in splitter.split(groups, truth, groups)
        if all(0 < truth[part].sum() < len(part) for part in (train, test))
    ]
