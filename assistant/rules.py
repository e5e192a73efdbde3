"""The rules of evidence, applied to what a backbone wrote: a draft's sentences, or an answer.

This module knows what may be said and on what ground; it looks at no film and runs no model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assistant.backbones.base import Written
from assistant.evidence import UNCHECKED, from_neighbours
from assistant.reports import ParsedSentence, is_comparison, parse, withhold_numbers
from assistant.types import Neighbour, Sentence

Removed = tuple[tuple[str, str], ...]  # (what the backbone wrote, why it is not there)
COMPARES = "It compares with an earlier film, and none was given."
NOT_COMPUTED = "Its number was not computed from the film."
CHANGES = ("new", "resolved", "larger", "smaller", "unchanged")  # answers that compare
NO_PRIOR = "No earlier film was given to compare with."


def judge_sentences(
    written: Written, neighbours: Sequence[Neighbour], *, has_prior: bool
) -> tuple[tuple[Sentence, ...], Removed]:
    """Sentences with their evidence, and those removed, each with the reason.

    Comparisons without a prior are removed, and numbers with a unit that nothing computed
    from the film are withheld (rules 2 and 3 of the rules of evidence).
    """
    kept: list[Sentence] = []
    removed: list[tuple[str, str]] = []
    for parsed in parse(written.text):
        if not has_prior and is_comparison(parsed.text):
            removed.append((parsed.text, COMPARES))
            continue
        text, withheld = withhold_numbers(parsed.text)
        if withheld:
            removed.append((parsed.text, NOT_COMPUTED))
        evidence, citations = from_neighbours(parsed.assertions, neighbours)
        kept.append(
            Sentence(
                text=text,
                section=parsed.section,
                assertions=parsed.assertions,
                evidence=evidence,
                citations=citations,
                reason=UNCHECKED,
                log_probability=_mean_log(written, parsed),
            )
        )
    return tuple(kept), tuple(removed)


def judge_answer(question: str, written: str, *, has_prior: bool) -> tuple[str, Removed]:
    """An answer by rules 2 and 3 of the rules of evidence, and what was taken out, with why."""
    said = " ".join(written.split())
    compares = is_comparison(question) or is_comparison(said)
    if not has_prior and (compares or said.rstrip(".").lower() in CHANGES):
        return NO_PRIOR, ((said, COMPARES),)
    text, withheld = withhold_numbers(said)
    return text, ((said, NOT_COMPUTED),) if withheld else ()


def _mean_log(written: Written, parsed: ParsedSentence) -> float | None:
    """Mean log-probability of the tokens that wrote a sentence."""
    logs = [
        log
        for (start, end), log in zip(written.spans, written.log_probabilities, strict=True)
        if start < parsed.end and end > parsed.start
    ]
    return round(float(np.mean(logs)), 5) if logs else None
