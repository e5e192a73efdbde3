"""Intervals: bootstrap over patients, because films of one patient are not independent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from scipy.stats import rankdata

DRAWS = 1000


def bootstrap_interval(
    counts: np.ndarray,
    patients: Sequence[str],
    statistic: Callable[[np.ndarray], float],
    *,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic, resampling patients with replacement.

    `counts` is (N, K), a row a film; `statistic` takes the summed counts (K,) of a resample.
    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
    """
    people, person_of_row = np.unique(np.asarray(patients), return_inverse=True)
    sums = np.zeros((len(people), counts.shape[1]))
    np.add.at(sums, person_of_row, counts)
    return _percentile_interval(
        [statistic(row) for row in _draw_resamples(len(people), seed) @ sums]
    )


@lru_cache(maxsize=2)
def _draw_resamples(patients: int, seed: int) -> np.ndarray:
    """How often each patient is in each resample, (DRAWS, patients); cached for the suite."""
    rng = np.random.default_rng(seed)
    resamples = rng.multinomial(patients, np.full(patients, 1 / patients), size=DRAWS).astype(float)
    resamples.setflags(write=False)
    return resamples


def bootstrap_median(values: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile interval of the median of independent values (N,), N at least 1."""
    rng = np.random.default_rng(seed)
    return _percentile_interval(np.median(rng.choice(values, (DRAWS, len(values))), axis=1))


def _percentile_interval(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    finite = [v for v in values if np.isfinite(v)]
    if not finite:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)


def f1(counts: np.ndarray) -> float:
    """F1 from (true positives, false positives, false negatives); NaN where all are zero."""
    hit, extra, missed = counts[:3]
    total = 2 * hit + extra + missed
    return float(2 * hit / total) if total else float("nan")


def macro_f1(counts: np.ndarray) -> float:
    """The mean F1 over groups of three counts (3 G,), leaving out groups that are all zero."""
    scores = [f1(counts[at : at + 3]) for at in range(0, len(counts), 3)]
    known = [score for score in scores if np.isfinite(score)]
    return float(np.mean(known)) if known else float("nan")


def f1_gain(counts: np.ndarray) -> float:
    """F1 of the first three counts less that of the next three."""
    return f1(counts[:3]) - f1(counts[3:6])


def recall(counts: np.ndarray) -> float:
    """The share of the true findings that were claimed; NaN where there are none."""
    return ratio(np.array([counts[0], counts[0] + counts[2]]))


def precision(counts: np.ndarray) -> float:
    """The share of the claims that are true; NaN where nothing was claimed."""
    return ratio(np.array([counts[0], counts[0] + counts[1]]))


def ratio(counts: np.ndarray) -> float:
    """The first count over the second; NaN where the second is zero."""
    return float(counts[0] / counts[1]) if counts[1] else float("nan")


def bleu(counts: np.ndarray) -> float:
    """Corpus BLEU in [0, 1] from (candidate length, reference length, then matches and n-grams of
    each order); NaN where both lengths are zero.

    Papineni et al. 2002, with the exponential smoothing of mteval-v13a, as sacrebleu has it.
    """
    candidate, reference = counts[:2]
    matches, grams = counts[2::2], counts[3::2]
    if not candidate + reference:
        return float("nan")
    if not matches.any() or not grams.all():
        return 0.0
    halved, logs = 1.0, 0.0
    for match, total in zip(matches.tolist(), grams.tolist(), strict=True):
        halved = halved if match else halved * 2
        logs += math.log(match / total if match else 1 / (halved * total))
    brevity = 1.0 if candidate >= reference else math.exp(1 - reference / candidate)
    return brevity * math.exp(logs / len(matches))


def plain_bleu(counts: np.ndarray) -> float:
    """`bleu` without smoothing, as the COCO caption evaluation has it: zero without a match."""
    if not counts[:2].any():
        return float("nan")
    return bleu(counts) if counts[2::2].all() else 0.0


def meteor(counts: np.ndarray) -> float:
    """METEOR 1.5 for English from its 23 counts; NaN where both lengths are zero.

    Lengths of candidate and reference, function words of both; for each of four stages the matched
    content words of both and the matched function words of both; chunks, none where the texts are
    the same; matched words of both.
    Denkowski and Lavie 2014: alpha 0.85, beta 0.2, gamma 0.6, delta 0.75, weights 1, 0.6, 0.8, 0.6.
    """
    lengths, functions, stages = counts[:2], counts[2:4], counts[4:20].reshape(4, 2, 2)
    chunks, matched = counts[20], counts[21:23]
    if not lengths.any():
        return float("nan")
    matches = np.array([1.0, 0.6, 0.8, 0.6]) @ (0.75 * stages[:, 0] + 0.25 * stages[:, 1])
    totals = 0.75 * (lengths - functions) + 0.25 * functions
    if not matches.all() or not totals.all():
        return 0.0
    precise, complete = matches / totals
    mean = 1 / (0.15 / precise + 0.85 / complete)
    fragmented = (chunks / matched.mean()) ** 0.2
    return float(mean * (1 - 0.6 * fragmented))


def chrf(counts: np.ndarray) -> float:
    """Corpus chrF in [0, 1] from (candidate's, reference's, matching n-grams) of each order.

    Popovic 2015, beta 2, over the orders that both texts have, as sacrebleu has it; NaN where
    neither has any.
    """
    table = counts.reshape(-1, 3)
    if not table.any():
        return float("nan")
    used = table[(table[:, 0] > 0) & (table[:, 1] > 0)]
    if not len(used):
        return 0.0
    precise, complete = (used[:, 2] / used[:, 0]).mean(), (used[:, 2] / used[:, 1]).mean()
    total = 4 * precise + complete
    return float(5 * precise * complete / total) if total else 0.0


# Statistics of counts that are kept film by film; `mean` is a ratio whose rows are (value, 1).
STATISTICS: Mapping[str, Callable[[np.ndarray], float]] = MappingProxyType(
    {
        "f1": f1,
        "macro_f1": macro_f1,
        "f1_gain": f1_gain,
        "recall": recall,
        "precision": precision,
        "ratio": ratio,
        "mean": ratio,
        "bleu": bleu,
        "plain_bleu": plain_bleu,
        "meteor": meteor,
        "chrf": chrf,
    }
)


def auroc(rows: np.ndarray) -> float:
    """The chance that a false row has the higher score than a true one; rows (N, 2): score, false.

    NaN where all are true or all false. Hanley and McNeil 1982.
    """
    scores, false = rows[:, 0], rows[:, 1].astype(bool)
    if not 0 < false.sum() < len(false):
        return float("nan")
    ranks = rankdata(scores)
    false_count = int(false.sum())
    wins = ranks[false].sum() - false_count * (false_count + 1) / 2
    return float(wins / (false_count * (len(false) - false_count)))


def average_precision(rows: np.ndarray) -> float:
    """The area under the precision-recall curve, rows (N, 2): score, positive.

    The mean of the precision at each positive, equal scores taken together, as scikit-learn has
    it; NaN where there is no positive.
    """
    order = np.argsort(-rows[:, 0], kind="stable")
    scores, positive = rows[order, 0], rows[order, 1]
    if not positive.sum():
        return float("nan")
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    hits = np.cumsum(positive)[ends]
    gained = np.diff(hits, prepend=0)
    return float((gained * hits / (ends + 1)).sum() / positive.sum())


def calibration_error(rows: np.ndarray, bins: int = 10) -> float:
    """How far risks lie from the rate of false rows, in bins of equal size; rows (N, 2).

    The expected calibration error (Naeini et al. 2015), with bins that hold the same number.
    """
    order = rows[np.argsort(rows[:, 0], kind="stable")]
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(len(p) * abs(p[:, 0].mean() - p[:, 1].mean()) for p in parts) / len(rows))


def bootstrap_rows(
    rows: np.ndarray,
    patients: Sequence[str],
    statistic: Callable[[np.ndarray], float],
    *,
    seed: int = 0,
    draws: int = 300,
) -> tuple[float, float]:
    """The 95 % interval of a statistic of all rows (N, K), resampling patients with their rows."""
    people, person_of_row = np.unique(np.asarray(patients), return_inverse=True)
    rows_of_person = [np.flatnonzero(person_of_row == number) for number in range(len(people))]
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(people), size=(draws, len(people)))
    return _percentile_interval(
        [statistic(rows[np.concatenate([rows_of_person[i] for i in pick])]) for pick in picks]
    )
