"""Other films in a prompt: what a report asserts, in the vocabulary's words and nothing else.

The free text of another patient's report never reaches a prompt: it may name a person, and it
may say anything, orders to the model among it. What does is made of labelled assertions alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assistant.chest.places import DEGREES
from assistant.chest.question_words import GRADED
from assistant.chest.vocabulary import finding_of_label
from assistant.claims import fullest, name_of
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion, Neighbour, ProbeFinding

READING_MOST = 12  # findings that a reading names

NOTHING = "no finding"
SUMMARY_MOST = 8  # findings that one summary names; a film with more is no clearer for the rest


def summarise(found: Iterable[Assertion], most: int = SUMMARY_MOST) -> str:
    """What is asserted as present, with degree, side and zone, in the vocabulary's names.

    "moderate right pleural effusion, cardiomegaly", in the order of the vocabulary, at most
    `most` findings; "no finding" where nothing is present. What is only possible is left out.
    """
    return ", ".join(name_of(claim) for claim in fullest(found)[:most]) or NOTHING


def case_summary(report: str, labels: Sequence[str] = ()) -> str:
    """The summary of a case from its report and its labels; empty where neither claims anything.

    A report of which nothing was understood is no report of a film without findings.
    """
    claims = case_assertions(Neighbour("", 0.0, report, tuple(labels)))
    return summarise(claims) if claims else ""


def similar_summaries(neighbours: Iterable[Neighbour]) -> tuple[str, ...]:
    """One summary for each similar case of which something is known, in their order."""
    made = (case_summary(n.report, n.labels) for n in neighbours)
    return tuple(summary for summary in made if summary)


def case_assertions(neighbour: Neighbour) -> tuple[Assertion, ...]:
    """What a similar case asserts, by its report and by its labels."""
    labelled = (finding_of_label(label) for label in neighbour.labels)
    return find_assertions(neighbour.report) + tuple(Assertion(f) for f in labelled if f)


def probe_summary(seen: Iterable[ProbeFinding] | None) -> str:
    """The reading of one film, as `reading_words` puts it; empty where there is no probe."""
    return "" if seen is None else describe_probe(probe_assertions(seen))


def probe_assertions(seen: Iterable[ProbeFinding]) -> tuple[Assertion, ...]:
    """What a probe sees in a film, as claims; small is what is graded and has no degree."""
    return tuple(
        _graded(Assertion(s.finding, side=s.side, zone=s.zone, degree=s.degree))
        for s in seen
        if s.present
    )


def describe_probe(found: Iterable[Assertion]) -> str:
    """ "small right pleural effusion, cardiomegaly"; "no finding" where there is none.

    What is graded and has no degree is small: a probe tells only what is more than that.
    """
    return summarise((_graded(a) for a in found), READING_MOST)


def _graded(a: Assertion) -> Assertion:
    degree = a.degree or (DEGREES[0] if a.finding in GRADED else None)
    return Assertion(a.finding, side=a.side, zone=a.zone, degree=degree)
