"""Finds the reports that are most like all others: what a writer learns last, it writes.

A model that writes the most probable text writes the report that occurs most often word for word,
which is the shortest. Taught at last by reports that share most words with all others, it writes as
most radiologists do (the consensus of minimum Bayes risk: Kumar and Byrne 2004, "Minimum
Bayes-risk decoding").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from adapters.data.cases import TrainingCase
from assistant.chest.vocabulary import NORMAL

COMPARED = 250  # reports that each is compared with
LONGEST = 4  # words in the longest sequences that are compared
_WORD = re.compile(r"\w+|[.]")
Sequences = tuple[Counter[tuple[str, ...]], ...]  # of one word, of two, ...


def select_typical(cases: Sequence[TrainingCase], share: float, seed: int) -> list[int]:
    """The indices of the most typical reports, ascending: a share of those with a finding, and of
    those without, so that the findings stay as frequent as they are.
    """
    sequences = [_sequences_of(case.findings or case.report) for case in cases]
    rng = np.random.default_rng(seed)
    others = rng.permutation(len(cases))[:COMPARED]
    likeness = np.array(
        [
            # A report that is repeated word for word is not compared with itself.
            np.mean([_overlap(own, sequences[i]) for i in others if sequences[i] != own] or [0.0])
            for own in sequences
        ]
    )
    abnormal = np.array([_has_finding(case) for case in cases])
    chosen: list[int] = []
    for part in (np.flatnonzero(abnormal), np.flatnonzero(~abnormal)):
        best = part[np.argsort(-likeness[part], kind="stable")]
        chosen += best[: int(np.ceil(share * len(part)))].tolist()
    return sorted(chosen)


def _has_finding(case: TrainingCase) -> bool:
    return any(a.polarity == "present" and a.finding != NORMAL for a in case.claims)


def _sequences_of(text: str) -> Sequences:
    words = _WORD.findall(text.lower())
    return tuple(
        Counter(zip(*(words[start:] for start in range(length)), strict=False))
        for length in range(1, LONGEST + 1)
    )


def _overlap(first: Sequences, second: Sequences) -> float:
    """The share of word sequences that two texts have in common, as a mean over their lengths."""
    shares = [
        2 * (a & b).total() / max(1, a.total() + b.total())
        for a, b in zip(first, second, strict=True)
    ]
    return sum(shares) / len(shares)
