"""Summarises reports and probe findings for a prompt, in the vocabulary's words only.

The free text of another patient's report never reaches a prompt: it may name a person, and it
may hold anything, even orders to the model. Only summaries made of its assertions do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assistant.chest.places import DEGREES
from assistant.chest.question_words import GRADED
from assistant.chest.vocabulary import finding_of_label
from assistant.claims import keep_most_specific, name_of
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion, Neighbour, ProbeFinding

MAX_READING_FINDINGS = 12  # named in the summary of a probe's findings

NOTHING = "no finding"
MAX_SUMMARY_FINDINGS = 8  # named in the summary of a case; more would not make it clearer


def summarise(assertions: Iterable[Assertion], most: int = MAX_SUMMARY_FINDINGS) -> str:
    """Summarise what is asserted as present, with degree, side and zone, in vocabulary names.

    "moderate right pleural effusion, cardiomegaly", in the order of the vocabulary, at most
    `most` findings; "no finding" where nothing is present. Uncertain findings are left out.
    """
    return ", ".join(name_of(claim) for claim in keep_most_specific(assertions)[:most]) or NOTHING


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
    """Return the present probe findings as claims; a graded one without a degree is small."""
    return tuple(
        _with_degree(Assertion(s.finding, side=s.side, zone=s.zone, degree=s.degree))
        for s in findings
        if s.present
    )


def describe_probe(assertions: Iterable[Assertion]) -> str:
    """Summarise claims of the probe: "small right pleural effusion, cardiomegaly".

    "no finding" where there are none. A graded finding without a degree is small, since the
    probe only tells larger degrees.
    """
    return summarise((_with_degree(a) for a in assertions), MAX_READING_FINDINGS)


def _with_degree(assertion: Assertion) -> Assertion:
    degree = assertion.degree or (DEGREES[0] if assertion.finding in GRADED else None)
    return Assertion(assertion.finding, side=assertion.side, zone=assertion.zone, degree=degree)
