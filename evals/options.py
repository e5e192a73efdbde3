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

    def film_count(self, default: int) -> int:
        """The number of films for a part; `default` where `n` is not given."""
        return default if self.n is None else self.n


# The first argument is an Assistant, or None where the suite needs no backbone.
MeasurePart = Callable[[Any, SuiteOptions, OnProgress], PartResult]
