"""Summarises reports and probe findings for a prompt, in the vocabulary's words only.

The free text of another patient's report never reaches a prompt: it may name a person, and it
may hold anything, even orders to the model. Only summaries made of its assertions do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assistant.chest.importance import rank_of
from assistant.chest.places import DEGREES
from assistant.chest.question_words import GRADED
from assistant.chest.vocabulary import finding_of_label
from assistant.chest.wording.reduction import reduce_claims
from assistant.claims import name_of, split_sides
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion, Neighbour, ProbeFinding

MAX_READING_FINDINGS = 12  # named in the summary of a probe's findings

NOTHING = "no finding"
MAX_SUMMARY_FINDINGS = 8  # named in the summary of a case; more would not make it clearer


def summarise(assertions: Iterable[Assertion], most: int = MAX_SUMMARY_FINDINGS) -> str:
    """Summarise what is asserted as present, with degree, side and zone, in short names.

    "moderate right pleural effusion, cardiomegaly", the most important first, at most `most`
    findings, each place once; "no finding" where nothing is present. Uncertain findings are left
    out.
    """
    claims = sorted(_present(assertions), key=lambda claim: rank_of(claim.finding))
    return ", ".join(name_of(claim) for claim in claims[:most]) or NOTHING


def _present(assertions: Iterable[Assertion]) -> tuple[Assertion, ...]:
    return reduce_claims(a for a in assertions if a.polarity == "present")


def case_summary(report: str, labels: Sequence[str] = ()) -> str:
    """Summarise a case by its report and labels; empty where neither asserts anything.

    It is empty, and not "no finding", since a report may say what the labeller does not read.
    """
    claims = case_assertions(Neighbour("", 0.0, report, tuple(labels)))
    return summarise(claims) if claims else ""


def similar_summaries(neighbours: Iterable[Neighbour]) -> tuple[str, ...]:
    """Return one summary for each similar case that has one, in their order."""
    summaries = (case_summary(n.report, n.labels) for n in neighbours)
    return tuple(summary for summary in summaries if summary)


def case_assertions(neighbour: Neighbour) -> tuple[Assertion, ...]:
    """Return what a similar case asserts, by its report and by its labels."""
    label_findings = (finding_of_label(label) for label in neighbour.labels)
    return find_assertions(neighbour.report) + tuple(Assertion(f) for f in label_findings if f)


def probe_summary(findings: Iterable[ProbeFinding] | None) -> str:
    """Summarise the probe's findings, as `describe_probe` does; empty where there is no probe."""
    return "" if findings is None else describe_probe(probe_assertions(findings))


def probe_assertions(findings: Iterable[ProbeFinding]) -> tuple[Assertion, ...]:
    """Return the present probe findings as claims, each place once, right and left apart.

    What is found somewhere and at a place is found at the place; a graded finding without a degree
    is small.
    """
    claims = read_claims(
        Assertion(s.finding, side=s.side, zone=s.zone, degree=s.degree)
        for s in findings
        if s.present
    )
    return tuple(part for claim in claims for part in split_sides(claim))


def describe_probe(assertions: Iterable[Assertion]) -> str:
    """Summarise claims of the probe: "small right pleural effusion, cardiomegaly".

    "no finding" where there are none. A graded finding without a degree is small, since the
    probe only tells larger degrees.
    """
    return summarise(read_claims(assertions), MAX_READING_FINDINGS)


def read_claims(assertions: Iterable[Assertion]) -> tuple[Assertion, ...]:
    """Return what of some claims stands in a reading: the present ones, each place once."""
    # Reduced twice: a degree may come with a vaguer place, and sides of one degree are merged.
    return reduce_claims(_with_degree(claim) for claim in _present(assertions))


def _with_degree(assertion: Assertion) -> Assertion:
    degree = assertion.degree or (DEGREES[0] if assertion.finding in GRADED else None)
    return Assertion(assertion.finding, side=assertion.side, zone=assertion.zone, degree=degree)
