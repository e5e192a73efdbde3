"""How alike a case must be before it says more about a film than any other case would."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adapters.data.cases import CaseSet
from assistant import Assistant
from assistant.cases.similar import neighbour_of
from assistant.labeller.summary import case_assertions
from assistant.types import Assertion

FILMS, CASES = 200, 300  # that are held against each other
FEWEST = 30  # cases, below which nothing is said


def fit_similarity_floor(assistant: Assistant, cases: CaseSet, seed: int) -> float | None:
    """The least similarity from which on a case agrees with a film better than the average case.

    What a case asserts is held against what is known of the film, by the share of all findings
    and sides that both name; that share as a function of similarity may only rise (isotonic
    regression, Barlow et al. 1972). The cases are drawn from the library without regard to
    likeness. None where there is no library, or too small a one.
    """
    from sklearn.isotonic import IsotonicRegression

    library = assistant.library
    if library is None:
        return None
    rng = np.random.default_rng(seed)
    known = sorted(library.cases(), key=lambda case: case.id)
    if len(known) < FEWEST:
        return None
    drawn = [known[i] for i in rng.permutation(len(known))[:CASES]]
    vectors = np.stack([library.embedding(case.id) for case in drawn])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    said = [_told(case_assertions(neighbour_of(case, 0.0))) for case in drawn]
    picked = rng.permutation(len(cases))[:FILMS].tolist()
    likeness, agreement = [], []
    for start in range(0, len(picked), 16):
        part = picked[start : start + 16]
        codes = assistant.backbone.encode([cases.film(i) for i in part])
        for number, code in zip(part, codes, strict=True):
            true = _told(cases.cases[number].claims)
            for case, similarity, claims in zip(drawn, vectors @ code.embedding, said, strict=True):
                if case.id != cases.cases[number].library_id:
                    likeness.append(float(similarity))
                    agreement.append(_shared(true, claims))
    values, shares = np.array(likeness), np.array(agreement)
    risen = IsotonicRegression(out_of_bounds="clip").fit_transform(values, shares)
    better = values[risen > shares.mean()]
    return round(float(better.min()), 4) if len(better) else None


def _told(claims: Sequence[Assertion]) -> frozenset[tuple[str, str | None]]:
    return frozenset((c.finding, c.side) for c in claims if c.polarity == "present")


def _shared(one: frozenset, other: frozenset) -> float:
    """The Jaccard index of two sets; 1 for two that are empty."""
    return len(one & other) / len(one | other) if one or other else 1.0
