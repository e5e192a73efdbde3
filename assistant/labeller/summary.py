"""Other films in a prompt: what a report asserts, in the vocabulary's words and nothing else.

The free text of another patient's report never reaches a prompt: it may name a person, and it
may say anything, orders to the model among it. What does is made of labelled assertions alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assistant.chest.vocabulary import FINDINGS, NORMAL
from assistant.evidence.collect import claims_of, name_of
from assistant.types import Assertion, Neighbour

NOTHING = "no finding"
MOST = 8  # findings that one summary names; a film with more is no clearer for the rest
Claim = tuple[str, str | None, str | None, str | None]  # finding, side, zone, degree
_ORDER = {finding.key: number for number, finding in enumerate(FINDINGS)}


def summarise(found: Iterable[Assertion], most: int = MOST) -> str:
    """What is asserted as present, with degree, side and zone, in the vocabulary's names.

    "moderate right pleural effusion, cardiomegaly", in the order of the vocabulary, at most
    `most` findings; "no finding" where nothing is present. What is only possible is left out.
    """
    return ", ".join(name_of(claim) for claim in fullest(found)[:most]) or NOTHING


def fullest(found: Iterable[Assertion]) -> tuple[Assertion, ...]:
    """The findings that are asserted as present, each where it is said most fully.

    Finding, side, zone and degree alone, in the order of the vocabulary.
    """
    claims = {
        (a.finding, a.side, a.zone, a.degree)
        for a in found
        if a.polarity == "present" and a.finding in _ORDER and a.finding != NORMAL
    }
    # The impression says again what the findings say more fully.
    full = (c for c in claims if not any(o != c and _covers(o, c) for o in claims))
    return tuple(
        Assertion(finding, side=side, zone=zone, degree=degree)
        for finding, side, zone, degree in sorted(full, key=_place)
    )


def precedent_of(report: str, labels: Sequence[str] = ()) -> str:
    """The summary of a case from its report and its labels; empty where neither claims anything.

    A report of which nothing was understood is no report of a film without findings.
    """
    claims = claims_of(Neighbour("", 0.0, report, tuple(labels)))
    return summarise(claims) if claims else ""


def similar_summaries(neighbours: Iterable[Neighbour]) -> tuple[str, ...]:
    """One summary for each similar case of which something is known, in their order."""
    made = (precedent_of(n.report, n.labels) for n in neighbours)
    return tuple(summary for summary in made if summary)


def _place(claim: Claim) -> tuple[int, list[str]]:
    return _ORDER[claim[0]], [word or "" for word in claim[1:]]


def _covers(other: Claim, claim: Claim) -> bool:
    """Whether another claim says the same, or the same and more."""
    return all(ours in (None, theirs) for ours, theirs in zip(claim, other, strict=True))
