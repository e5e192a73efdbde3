"""The task tier: are made films good for what real ones are good for?

Do they show what was asked, as a probe reads it; and does a classifier that learnt from them
alone read real films as well as one that learnt from real films? It knows features, labels and
claims, no films and no model.
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
    """Films as features, with what they show and whose they are."""

    features: np.ndarray  # float (N, P)
    labels: np.ndarray  # bool (N, F): is the finding there?
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
    """Two sets with about half of the patients each, at random; no patient is in both."""
    names = np.unique(films.patients)
    first = set(np.random.default_rng(seed).permutation(names)[: (len(names) + 1) // 2].tolist())
    inside = np.array([patient in first for patient in films.patients], bool)
    one, other = (_rows(films, np.flatnonzero(part)) for part in (inside, ~inside))
    return one, other


def _rows(films: LabelledFilms, rows: np.ndarray) -> LabelledFilms:
    patients = tuple(films.patients[i] for i in rows)
    return LabelledFilms(films.features[rows], films.labels[rows], films.findings, patients)


def read_back(
    asked: Sequence[set[FindingSide]],
    hedged: Sequence[set[FindingSide]],
    seen: Sequence[set[FindingSide]] | None,
    *,
    name: str,
    patients: Sequence[str],
) -> PartResult:
    """How much of what each picture was asked to show is seen in it, and how much beside.

    A claim is a finding with its side; a hedged one is neither missed nor invented. The baseline
    holds each picture against what the one before it was asked for. `seen` is None where there is
    no probe, and all is unscored then.
    """
    tally = FigureTable()
    micro = f"{name}/{READ.format('micro-F1')}"
    if seen is None:
        none = figure_of(None, 0, unscored=len(asked))
        return PartResult({micro: none}, (), {micro: "this backbone has no probe"})

    def rows(
        shown: Sequence[set[FindingSide]], findings: Sequence[str] | None = None
    ) -> list[list[int]]:
        found = []
        for there, want, perhaps in zip(shown, asked, hedged, strict=True):
            if findings is not None:
                there, want = restrict_to(there, findings), restrict_to(want, findings)
            found.append(count_matches(there, want, perhaps))
        return found

    kinds = sorted({finding for claims in asked for finding, _ in claims})
    each = {kind: rows(seen, (kind,)) for kind in kinds}
    for words, statistic in (("micro-F1", "f1"), ("precision", "precision"), ("recall", "recall")):
        tally.add(f"{name}/{READ.format(words)}", rows(seen), patients, statistic)
    if each:
        together = np.concatenate([np.array(each[kind]) for kind in kinds], axis=1)
        tally.add(f"{name}/{READ.format('macro-F1')}", together, patients, "macro_f1")
    for kind in kinds:
        tally.add(f"{name}/{READ.format(f'F1 {kind}')}", each[kind], patients, "f1")
    tally.add(f"{name}/{SHUFFLED}", rows([*seen[1:], *seen[:1]]), patients, "f1")
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
    """Train on synthetic films, test on real ones, against training on real films.

    The frame of Esteban et al. 2017, "Real-valued (medical) time series generation", with one
    logistic regression a finding on standardised features, its C chosen by cross-validation
    within the training films, grouped by patient. Figures are AUROC, with bootstrap intervals by
    patients of the test films, and the paired difference on the same films. A finding that all or
    none of the films of one of the three sets show is unscored. Raises SettingsError where the
    sets have other findings, or a patient is in both training and test.
    """
    sets = (synthetic, real_train, real_test)
    _check(*sets)
    columns = range(len(real_test.findings))
    scored = [c for c in columns if all(0 < s.labels[:, c].sum() < len(s.labels) for s in sets)]
    shape = len(real_test.patients), len(scored)
    said = [
        _said(source, column, real_test, seed)
        for source in (synthetic, real_train)
        for column in scored
    ]
    truth = real_test.labels[:, scored].T
    compared = _Compared(
        np.array([*said, *truth], float).reshape(3 * shape[1], shape[0]).T,
        real_test.patients,
        tuple(real_test.findings[c] for c in scored),
        unscored,
    )
    figures: dict[str, Figure] = {}
    for words in (MEAN, *real_test.findings):
        figures |= compared.figures(name, words)
    note = "films with the finding in synthetic training, real training and real test: "
    note += ", ".join(
        f"{finding} {' / '.join(str(int(s.labels[:, c].sum())) for s in sets)}"
        for c, finding in enumerate(real_test.findings)
    )
    note += f"; of {' / '.join(str(len(s.labels)) for s in sets)} films"
    return PartResult(figures, (), {f"{name}/{SYNTHETIC.format(MEAN)}": note})


def _check(synthetic: LabelledFilms, train: LabelledFilms, test: LabelledFilms) -> None:
    if not synthetic.findings == train.findings == test.findings:
        raise SettingsError("All three sets of films must be labelled with the same findings.")
    if both := set(train.patients) & set(test.patients):
        raise SettingsError(
            f"{len(both)} patients have films in the real training set and in the test set; "
            "split by patient."
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """What two classifiers say of the same test films, finding by finding."""

    rows: np.ndarray  # (N, 3 F): scores by synthetic films, scores by real films, truth
    patients: tuple[str, ...]
    findings: tuple[str, ...]  # (F,): those that are scored
    unscored: int

    def figures(self, name: str, words: str) -> dict[str, Figure]:
        """The figures of one finding, or of the mean over all."""
        columns = [c for c, f in enumerate(self.findings) if words in (f, MEAN)]
        made: dict[str, Figure] = {}
        for form, sources in ((SYNTHETIC, (0,)), (REAL, (1,)), (GAIN, (0, 1))):
            statistic = partial(_area, columns=columns, sources=sources)
            value, between = None, (None, None)
            if columns:
                value = statistic(self.rows)
                between = bootstrap_rows(self.rows, self.patients, statistic)
            n = len(self.rows) if columns else 0
            left = self.unscored + len(self.rows) - n
            made[f"{name}/{form.format(words)}"] = figure_of(value, n, between, unscored=left)
        return made


def _area(rows: np.ndarray, columns: Sequence[int], sources: Sequence[int]) -> float:
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


def _said(source: LabelledFilms, column: int, test: LabelledFilms, seed: int) -> np.ndarray:
    """How strongly a classifier that learnt from one set says a finding of the test films, (N,)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    truth = source.labels[:, column]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=USUAL, max_iter=2000))
    if splits := _splits(truth, source.patients, seed):
        grid = {"logisticregression__C": STRENGTHS}
        model = GridSearchCV(model, grid, scoring="roc_auc", cv=splits)
    return model.fit(source.features, truth).decision_function(test.features)


def _splits(
    truth: np.ndarray, patients: Sequence[str], seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds by patient with both classes in each part; none where a class has one patient."""
    from sklearn.model_selection import StratifiedGroupKFold

    people = np.asarray(patients)
    folds = min(FOLDS, *(len(set(people[truth == there])) for there in (True, False)))
    if folds < 2:
        return []
    found = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return [
        (train, test)
        for train, test in found.split(people, truth, people)
        if all(0 < truth[part].sum() < len(part) for part in (train, test))
    ]
