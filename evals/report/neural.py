"""Scores by other people's models: each through its own package, with weights from a local path.

Nothing is downloaded. Without the package, the weights or a way to hand the weights over, a score
has no value and its note says why; it is never zero. None of these packages is a dependency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from assistant.errors import SettingsError
from evals.report.pairs import Pair
from evals.results import FigureTable, figure_of

Score = Callable[[Path, Sequence[Pair]], list[float | None]]
# What a package may raise over weights that are not its own, or another version of a library.
BROKEN = (
    ImportError, OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError,
    AssertionError, IndexError, NotImplementedError, ArithmeticError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Neural:
    """One score: where it comes from and what it takes."""

    name: str
    package: str  # on the package index
    module: str
    needs: str  # what the path must lead to
    score: Score | None  # of every pair; None: it cannot be called with weights of a path
    why: str = ""  # it cannot


def _bertscore(path: Path, pairs: Sequence[Pair]) -> list[float | None]:
    """Zhang et al. 2020, arXiv:1904.09675: F1, last layer, neither weighted nor rescaled."""
    from bert_score import BERTScorer  # type: ignore[import-not-found]
    from transformers import AutoConfig

    layers = AutoConfig.from_pretrained(path, local_files_only=True).num_hidden_layers
    scorer = BERTScorer(model_type=str(path), num_layers=layers, device="cpu")
    # An empty text has 0 by the package's own rule, but its tokens fail with new transformers.
    values: list[float | None] = [0.0] * len(pairs)
    told = [i for i, p in enumerate(pairs) if p.candidate and p.candidate.strip()]
    if told:
        texts = [(pairs[i].candidate, pairs[i].reference) for i in told]
        _, _, f1 = scorer.score([text for text, _ in texts], [text for _, text in texts])
        for i, value in zip(told, f1.tolist(), strict=True):
            values[i] = value
    return values


def _radgraph(path: Path, pairs: Sequence[Pair]) -> list[float | None]:
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


def _crimson(path: Path, pairs: Sequence[Pair]) -> list[float | None]:
    """Baharoon et al. 2026, arXiv:2603.06183; from -1 to 1, None where the model's answer fails."""
    from CRIMSON import CRIMSONScore  # type: ignore[import-not-found]

    found = CRIMSONScore(api="hf", model_name=str(path)).evaluate_batch(
        [p.reference for p in pairs],
        [p.candidate or "" for p in pairs],
        [{"Indication": p.indication} if p.indication else None for p in pairs],
    )
    return [None if one is None else float(one["crimson_score"]) for one in found]


SCORES = (
    Neural("BERTScore", "bert-score", "bert_score", "a transformers encoder's folder", _bertscore),
    Neural(
        "RadGraph-F1", "radgraph", "radgraph",
        "the folder radgraph-xl (or radgraph) with config.json and weights.th", _radgraph,
    ),
    Neural("CRIMSON", "crimson-score", "CRIMSON", "a folder of its language model", _crimson),
    Neural(
        "CheXbert-F1", "f1chexbert", "f1chexbert", "chexbert.pth", None,
        "f1chexbert 0.0.2 takes no path of its weights",
    ),
    Neural(
        "GREEN", "green-score", "green_score", "a folder of its language model", None,
        "green-score 0.0.12 installs for Python 3.12.1 only, and runs on a GPU",
    ),
)  # fmt: skip
NAMES = tuple(score.name for score in SCORES)


def neural_figures(
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
    for one in SCORES:
        figure = f"neural/{one.name}"
        found, why = _values(one, pairs, weights.get(one.name))
        known = [(value, p) for value, p in zip(found, patients, strict=True) if value is not None]
        if not known:
            tally.figures[figure] = figure_of(None, 0, unscored=len(pairs) + unscored)
            notes[figure] = f"unavailable: {why or 'no pair could be scored'}"
            continue
        rows = [[value, 1] for value, _ in known]
        missing = unscored + len(pairs) - len(known)
        tally.add(figure, rows, [p for _, p in known], "mean", unscored=missing)
    return notes


def _values(
    one: Neural, pairs: Sequence[Pair], path: Path | None
) -> tuple[list[float | None], str]:
    """The score of every pair, or none and why not."""
    nothing: list[float | None] = [None] * len(pairs)
    if one.score is None:
        return nothing, one.why
    if path is None:
        return nothing, f"no weights were named; it needs {one.needs}, and {one.package}"
    if find_spec(one.module) is None:
        return nothing, f"install {one.package} (pip install {one.package})"
    if not pairs:
        return nothing, "there is no pair to score"
    try:
        return one.score(path, pairs), ""
    except BROKEN as error:
        return nothing, f"{one.package} fails with {path.name}: {type(error).__name__}: {error}"
