"""The options of a run of suites: films, seeds, folders. It knows no suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.types import OnProgress
from evals.results import PartResult


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """The options that every part of a suite is called with."""

    folder: Path  # of the backbone
    n: int | None = None  # films; None: the default of each part
    seed: int = 90210
    site: str = "A"
    data: Path | None = None  # folder of real films or reports
    predictions: Path | None = None  # reports of another system
    generated: Path | None = None  # pictures of another system
    real: Path | None = None  # real films that the pictures are compared with
    canaries: Path | None = None  # sentences planted in the training
    weights: Mapping[str, Path] = field(default_factory=dict)  # of neural scores, by their name
    split: str = ""  # the films of `data` with this value in the column `split`; empty: all
    train: Path | None = None  # folder of the known cases beside those of `data`
    laterals: Path | None = None  # folder or table of the laterals of the patients of `data`
    others: tuple[Path, ...] = ()  # folders of films that the gate should not pass
    positives: int = 15  # of a finding at least, so that it counts in a mean over findings
    parts: tuple[str, ...] = ()  # the parts of this run, so that they share work; empty: not known
    work: Path | None = None  # where a part may keep what it has done, until the run is done

    def film_count(self, default: int) -> int:
        """The number of films for a part; `default` where `n` is not given."""
        return default if self.n is None else self.n


# The first argument is an Assistant, or None where the suite needs no backbone.
MeasurePart = Callable[[Any, SuiteOptions, OnProgress], PartResult]
