"""Cases to calibrate on from a library: their previews, and the findings of reports and labels."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np

from adapters.data.cases import CaseSet, Pictures, TrainingCase
from assistant.cases.ingest import read_library
from assistant.cases.similar import neighbour_of
from assistant.intake.png import EDGE
from assistant.intake.resize import square
from assistant.labeller.summary import case_assertions


def load_library_cases(folder: Path, n: int) -> CaseSet:
    """Load the first `n` cases of the library in a folder, in the order of their ids.

    A case without a known patient counts as a patient of its own. Raises LibraryError for a
    library that cannot be opened.
    """
    cases: list[TrainingCase] = []
    films: list[np.ndarray] = []
    for case, picture in islice(read_library(folder), n):
        films.append((square(picture.astype(np.float32) / 255, EDGE) * 255).round().astype("u1"))
        claims = case_assertions(neighbour_of(case, 0.0))
        cases.append(TrainingCase(case.patient or case.id, claims=claims, library_id=case.id))
    return CaseSet(tuple(cases), Pictures([np.stack(films)] if films else []))
