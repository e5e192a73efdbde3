"""The similarity floor: from where on a similar case says more about a film than any case does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adapters.data.cases import CaseSet
from assistant import Assistant
from assistant.cases.similar import neighbour_of
from assistant.labeller.summary import case_assertions
from assistant.types import Assertion

FILMS, CASES = 200, 300  # at most, each film compared with each case
FEWEST = 30  # cases in the library, below which no floor is fitted


def fit_similarity_floor(assistant: Assistant, cases: CaseSet, seed: int) -> float | None:
    """Fit the least similarity at which a case agrees with a film better than the average case.

    Agreement is the Jaccard index of the findings and sides that the case asserts and those that
    are known of the film. As a function of similarity it may only rise (isotonic regression,
    Barlow et al. 1972). The cases are drawn at random from the library. None without a library,
    or with too small a one.
    """
    from sklearn.isotonic import IsotonicRegression

    library = assistant.library
    if library is None:
        return None
    rng = np.random.default_rng(seed)
    library_cases = sorted(library.cases(), key=lambda case: case.id)
    if len(library_cases) < FEWEST:
        return None
    sample = [library_cases[i] for i in rng.permutation(len(library_cases))[:CASES]]
    vectors = np.stack([library.embedding(case.id) for case in sample])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    case_findings = [_present_findings(case_assertions(neighbour_of(case, 0.0))) for case in sample]
    films = rng.permutation(len(cases))[:FILMS].tolist()
    similarities, agreements = [], []
    for start in range(0, len(films), 16):
        part = films[start : start + 16]
        encodings = assistant.backbone.encode([cases.film(i) for i in part])
        for number, encoding in zip(part, encodings, strict=True):
            film_findings = _present_findings(cases.cases[number].claims)
            for case, similarity, findings in zip(
                sample, vectors @ encoding.embedding, case_findings, strict=True
            ):
                if case.id != cases.cases[number].library_id:
                    similarities.append(float(similarity))
                    agreements.append(_jaccard_index(film_findings, findings))
    values, shares = np.array(similarities), np.array(agreements)
    fitted = IsotonicRegression(out_of_bounds="clip").fit_transform(values, shares)
    better = values[fitted > shares.mean()]
    return round(float(better.min()), 4) if len(better) else None


def _present_findings(claims: Sequence[Assertion]) -> frozenset[tuple[str, str | None]]:
    return frozenset((c.finding, c.side) for c in claims if c.polarity == "present")


def _jaccard_index(first: frozenset, second: frozenset) -> float:
    """The Jaccard index of two sets; 1 for two that are empty."""
    return len(first & second) / len(first | second) if first or second else 1.0
