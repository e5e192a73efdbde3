"""What speaks for and against each sentence of a draft.

First version: the similar cases only. A neighbour's report is precedent and never proof, so
that a sentence with nothing but neighbours stays `unchecked` (rule 1 of the rules of evidence).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assistant.chest.vocabulary import finding_of_label
from assistant.findings import assertions
from assistant.types import Assertion, Evidence, Neighbour

UNCHECKED = "No calibrated check of the film exists for this backbone yet."


def claims_of(neighbour: Neighbour) -> tuple[Assertion, ...]:
    """What a similar case asserts, by its report and by its labels."""
    labelled = (finding_of_label(label) for label in neighbour.labels)
    return assertions(neighbour.report) + tuple(Assertion(f) for f in labelled if f)


def _sides_agree(ours: str | None, theirs: str | None) -> bool:
    return ours is None or theirs is None or ours == theirs or "bilateral" in (ours, theirs)


def _stance(claim: Assertion, theirs: Iterable[Assertion]) -> str:
    """Whether a case's claims support, contradict or are silent on one of ours."""
    same = [t for t in theirs if t.finding == claim.finding]
    if any(t.polarity == claim.polarity and _sides_agree(claim.side, t.side) for t in same):
        return "supports"
    if any({t.polarity, claim.polarity} == {"present", "absent"} for t in same):
        return "contradicts"
    return "silent"


def from_neighbours(
    claims: Sequence[Assertion], neighbours: Sequence[Neighbour]
) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """Evidence from the similar cases for one sentence, and the cases that assert the same.

    A case is cited only if it supports every claim of the sentence.
    """
    evidence: list[Evidence] = []
    cited: list[str] = []
    for neighbour in neighbours if claims else ():
        theirs = claims_of(neighbour)
        stances = [_stance(claim, theirs) for claim in claims]
        if all(stance == "supports" for stance in stances):
            says = "supports"
            cited.append(neighbour.case)
        else:
            says = "contradicts" if "contradicts" in stances else "silent"
        verb = {
            "supports": "asserts the same",
            "contradicts": "says otherwise",
            "silent": "is silent",
        }
        evidence.append(
            Evidence(
                kind="neighbour",
                value=max(0.0, neighbour.similarity),
                says=says,
                where=neighbour.case,
                detail=f"Similar case {neighbour.case} {verb[says]} "
                f"(similarity {neighbour.similarity:.2f}).",
            )
        )
    return tuple(evidence), tuple(cited)
