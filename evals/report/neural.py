"""Scores by published neural models, each through its own package, with weights from a local path.

Nothing is downloaded. Without the package, the weights or a way to pass the weights, a score has
no value and its note says why; it is never zero. None of these packages is a dependency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from assistant.errors import SettingsError
from evals.report.pairs import Pair
from evals.results import FigureTable, figure_of

ComputeScore = Callable[[Path, Sequence[Pair]], list[float | None]]
# Errors that a package may raise for weights that are not its own, or with other libraries.
BROKEN = (
    ImportError, OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError,
    AssertionError, IndexError, NotImplementedError, ArithmeticError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NeuralScore:
    """One score: its package, the weights it needs and how to compute it."""

    name: str
    package: str  # on the package index
    module: str
    required_weights: str  # what the path must lead to, in words
    compute: ComputeScore | None  # None: it cannot use weights from a path
    reason: str = ""  # why it cannot


def _compute_bertscore(path: Path, pairs: Sequence[Pair]) -> list[float | None]:
    """Zhang et al. 2020, arXiv:1904.09675: F1, last layer, neither weighted nor rescaled."""
    from bert_score import BERTScorer  # type: ignore[import-not-found]
    from transformers import AutoConfig

    layers = AutoConfig.from_pretrained(path, local_files_only=True).num_hidden_layers
    scorer = BERTScorer(model_type=str(path), num_layers=layers, device="cpu")
    # An empty text has 0 by the package's own rule, but its tokens fail with new transformers.
    values: list[float | None] = [0.0] * len(pairs)
    with_text = [i for i, p in enumerate(pairs) if p.candidate and p.candidate.strip()]
    if with_text:
        texts = [(pairs[i].candidate, pairs[i].reference) for i in with_text]
        _, _, f1 = scorer.score([text for text, _ in texts], [text for _, text in texts])
        for i, value in zip(with_text, f1.tolist(), strict=True):
            values[i] = value
    return values


def _compute_radgraph(path: Path, pairs: Sequence[Pair]) -> list[float | None]:
    """Delbrouck et al. 2022: F1 with the reward `partial`.

    `path` is the model's own folder, whose name is the model's. The package looks for the text
    encoder that its config.json names in the hub's cache.
    """
    from radgraph import F1RadGraph  # type: ignore[import-not-found]

    if not (path / "config.json").is_file():
        raise OSError("there is no config.json")  # else the package would download one
    scorer = F1RadGraph(
        reward_level="partial", model_type=path.name, model_cache_dir=str(path.parent), cuda=-1
    )
    refs, hyps = [p.reference for p in pairs], [p.candidate or "" for p in pairs]
    return [float(value) for value in scorer(refs=refs, hyps=hyps)[1]]


def _compute_crimson(path: Path, pairs: Sequence[Pair]) -> list[float | None]:
    """Baharoon et al. 2026, arXiv:2603.06183; from -1 to 1, None where the model's answer fails."""
    from CRIMSON import CRIMSONScore  # type: ignore[import-not-found]

    answers = CRIMSONScore(api="hf", model_name=str(path)).evaluate_batch(
        [p.reference for p in pairs],
        [p.candidate or "" for p in pairs],
        [{"Indication": p.indication} if p.indication else None for p in pairs],
    )
    return [None if answer is None else float(answer["crimson_score"]) for answer in answers]


SCORES = (
    NeuralScore(
        "BERTScore", "bert-score", "bert_score",
        "a transformers encoder's folder", _compute_bertscore,
    ),
    NeuralScore(
        "RadGraph-F1", "radgraph", "radgraph",
        "the folder radgraph-xl (or radgraph) with config.json and weights.th", _compute_radgraph,
    ),
    NeuralScore(
        "CRIMSON", "crimson-score", "CRIMSON",
        "a folder of its language model", _compute_crimson,
    ),
    NeuralScore(
        "CheXbert-F1", "f1chexbert", "f1chexbert", "chexbert.pth", None,
        "f1chexbert 0.0.2 takes no path of its weights",
    ),
    NeuralScore(
        "GREEN", "green-score", "green_score", "a folder of its language model", None,
        "green-score 0.0.12 installs for Python 3.12.1 only, and runs on a GPU",
    ),
)  # fmt: skip
NAMES = tuple(score.name for score in SCORES)


def add_neural_figures(
    tally: FigureTable,
    pairs: Sequence[Pair],
    patients: Sequence[str],
    unscored: int,
    weights: Mapping[str, Path],
) -> dict[str, str]:
    """Add the scores whose weights are named, and the others without a value; return the notes.

    Raises SettingsError for a score that is not known, or a path that does not exist.
    """
    for name, path in weights.items():
        if name not in NAMES:
            raise SettingsError(f"There is no neural score {name!r}; there are {', '.join(NAMES)}.")
        if not path.exists():
            raise SettingsError(f"{path} does not exist; name the weights of {name}.")
    notes = {}
    for score in SCORES:
        figure = f"neural/{score.name}"
        values, reason = _compute_values(score, pairs, weights.get(score.name))
        known = [(value, p) for value, p in zip(values, patients, strict=True) if value is not None]
        if not known:
            tally.figures[figure] = figure_of(None, 0, unscored=len(pairs) + unscored)
            notes[figure] = f"unavailable: {reason or 'no pair could be scored'}"
            continue
        rows = [[value, 1] for value, _ in known]
        missing = unscored + len(pairs) - len(known)
        tally.add(figure, rows, [p for _, p in known], "mean", unscored=missing)
    return notes


def _compute_values(
    score: NeuralScore, pairs: Sequence[Pair], path: Path | None
) -> tuple[list[float | None], str]:
    """Return the score of every pair and an empty reason, or no scores and the reason."""
    nothing: list[float | None] = [None] * len(pairs)
    if score.compute is None:
        return nothing, score.reason
    if path is None:
        return (
            nothing,
            f"no weights were named; it needs {score.required_weights}, and {score.package}",
        )
    if find_spec(score.module) is None:
        return nothing, f"install {score.package} (pip install {score.package})"
    if not pairs:
        return nothing, "there is no pair to score"
    try:
        return score.compute(path, pairs), ""
    except BROKEN as error:
        return nothing, f"{score.package} fails with {path.name}: {type(error).__name__}: {error}"
