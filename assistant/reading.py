"""What the probe sees in a film, in the vocabulary's words, as the writer is told it.

A small language model reads a film's patches poorly and words well. Telling it what a head on the
encoder finds, beside the film itself, is the way of RaDialog (Pellegrini et al. 2023, "RaDialog: a
large vision-language model for radiology report generation and conversational assistance").
"""

from __future__ import annotations

from collections.abc import Iterable

from assistant.chest.question_words import GRADED, SCALE
from assistant.labeller.summary import summarise
from assistant.types import Assertion, Seen

MOST = 12  # findings that a reading names


def reading_of(seen: Iterable[Seen] | None) -> str:
    """The reading of one film, as `reading_words` puts it; empty where there is no probe."""
    return "" if seen is None else reading_words(claims_read(seen))


def claims_read(seen: Iterable[Seen]) -> tuple[Assertion, ...]:
    """What a probe sees in a film, as claims; small is what is graded and has no degree."""
    return tuple(
        _graded(Assertion(s.finding, side=s.side, zone=s.zone, degree=s.degree))
        for s in seen
        if s.present
    )


def reading_words(found: Iterable[Assertion]) -> str:
    """ "small right pleural effusion, cardiomegaly"; "no finding" where there is none.

    What is graded and has no degree is small: a probe tells only what is more than that.
    """
    return summarise((_graded(a) for a in found), MOST)


def _graded(a: Assertion) -> Assertion:
    degree = a.degree or (SCALE[0] if a.finding in GRADED else None)
    return Assertion(a.finding, side=a.side, zone=a.zone, degree=degree)
