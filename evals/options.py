"""What a run of suites is asked to measure: films, seeds, folders. It knows no suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.types import OnProgress
from evals.results import PartResult


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """What every part of a suite is measured with."""

    folder: Path  # of the backbone
    n: int | None = None  # films; None: as many as each part holds right
    seed: int = 90210
    site: str = "A"
    data: Path | None = None  # folder of real films or reports
    predictions: Path | None = None  # reports made elsewhere
    generated: Path | None = None  # pictures made elsewhere
    real: Path | None = None  # what they are held against
    canaries: Path | None = None  # sentences planted in the training
    weights: Mapping[str, Path] = field(default_factory=dict)  # of neural scores, by their name

    def films(self, usual: int) -> int:
        """The number of films for a part that takes `usual` ones where none is named."""
        return usual if self.n is None else self.n


# Takes an assistant, or None where a suite needs no backbone.
MeasurePart = Callable[[Any, SuiteOptions, OnProgress], PartResult]
