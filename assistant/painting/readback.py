"""Checks whether a painting shows what its prompt asks for.

The prompt is labelled like a report, and each finding that it claims is looked up in a probe's
output for the film. The probe shares no weights with the painter. A finding that the probe has no
label for is unchecked, which is neither a pass nor a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from assistant.chest.places import each_side
from assistant.chest.vocabulary import FINDINGS, NORMAL
from assistant.claims import covers
from assistant.labeller.sentences import parse_sentences
from assistant.types import Film, ProbeFinding, ReadBack, RequestedFinding

FINDING_NAMES = {finding.key: finding.name for finding in FINDINGS}
PlaceClaim = tuple[str, str | None, str | None]  # finding, side, zone


class FindingProbe(Protocol):
    """A probe that finds findings in films, independent of what paints or writes."""

    def probe_findings(self, films: Sequence[Film]) -> list[tuple[ProbeFinding, ...]] | None:
        """All labels for each film, present or not; None where there is no probe."""
        ...


@dataclass(frozen=True, slots=True)
class PromptClaims:
    """The claims of a prompt, each once."""

    present: tuple[PlaceClaim, ...]
    uncertain: tuple[PlaceClaim, ...]  # hedged: may be present or not
    absent: tuple[PlaceClaim, ...]
    normal: bool  # no finding at all is to be present

    @property
    def is_checkable(self) -> bool:
        """Whether the prompt asserts or denies anything."""
        return bool(self.present or self.absent or self.normal)


def claims_of_prompt(prompt: str) -> PromptClaims:
    """Find the claims of a prompt; "bilateral" is one claim for each side. Never raises."""
    by_polarity: dict[str, list[PlaceClaim]] = {"present": [], "uncertain": [], "absent": []}
    normal = False
    for claim in (a for sentence in parse_sentences(prompt) for a in sentence.assertions):
        if claim.finding == NORMAL:
            normal = normal or claim.polarity == "present"
            continue
        by_polarity[claim.polarity] += [
            (claim.finding, side, claim.zone) for side in each_side(claim.side)
        ]
    present, uncertain, absent = (tuple(dict.fromkeys(claims)) for claims in by_polarity.values())
    # Findings and impression repeat each other: the vaguer of two claims adds nothing.
    exact = tuple(v for v in present if not any(e != v and covers(e, v) for e in present))
    return PromptClaims(exact, uncertain, absent, normal)


def _is_about(claim: PlaceClaim, finding: ProbeFinding) -> bool:
    """Whether a probe's label is about this claim: the same finding, and no other place."""
    places = ((claim[1], finding.side), (claim[2], finding.zone))
    return claim[0] == finding.finding and all(a is None or b is None or a == b for a, b in places)


def read_back(prompt: str, findings: Sequence[ProbeFinding] | None) -> ReadBack:
    """Compare a probe's `findings` for a film, all its labels, with the film's prompt.

    "shown": each finding that the prompt asserts is found, and none that it denies. "not shown":
    one is missing, or found although denied. "unchecked", with the reason: `findings` is None, the
    prompt claims nothing, or the probe has no label for a finding and the rest is as requested.
    """
    claims = claims_of_prompt(prompt)
    requested = tuple(_look_up(claim, findings or ()) for claim in claims.present)
    if findings is None:
        return ReadBack(reason="This backbone has no probe.", asked=requested)
    possible = claims.present + claims.uncertain
    unrequested = _likeliest_of(
        [f for f in findings if f.present and not any(_is_about(c, f) for c in possible)]
    )
    if not claims.is_checkable:
        return ReadBack(reason="The prompt names no finding to look for.", beside=unrequested)
    missing = [f for f in requested if f.seen is False]
    contradicting = [
        f for f in unrequested if claims.normal or any(_is_about(c, f) for c in claims.absent)
    ]
    unlabelled = [f for f in requested if f.seen is None]
    if missing or contradicting:
        reasons = [f"Not seen: {_join_names(missing)}."] if missing else []
        reasons += [f"Seen in spite: {_join_names(contradicting)}."] if contradicting else []
        return ReadBack("not shown", " ".join(reasons), requested, unrequested)
    if unlabelled:
        reason = f"The probe does not know {_join_names(unlabelled)}."
        return ReadBack("unchecked", reason, requested, unrequested)
    return ReadBack("shown", "All that was asked for is seen.", requested, unrequested)


def _look_up(claim: PlaceClaim, findings: Sequence[ProbeFinding]) -> RequestedFinding:
    matches = [f for f in findings if _is_about(claim, f)]
    if not matches:
        return RequestedFinding(*claim, probability=None, seen=None)
    exact = [f for f in matches if (f.side, f.zone) == claim[1:]]
    likeliest = max(exact or matches, key=lambda f: (f.present, f.probability))
    return RequestedFinding(*claim, probability=likeliest.probability, seen=likeliest.present)


def _likeliest_of(findings: Sequence[ProbeFinding]) -> tuple[ProbeFinding, ...]:
    """The likeliest label of each finding and side, the likeliest of all first."""
    likeliest: dict[tuple[str, str | None], ProbeFinding] = {}
    for finding in sorted(findings, key=lambda f: -f.probability):
        likeliest.setdefault((finding.finding, finding.side), finding)
    return tuple(likeliest.values())


def name_of_finding(finding: RequestedFinding | ProbeFinding) -> str:
    """A finding with its place in words: "left pleural effusion"."""
    zone = f"{finding.zone} zone" if finding.zone else None
    place = " ".join(word for word in (finding.side, zone) if word)
    return f"{place} {FINDING_NAMES.get(finding.finding, finding.finding)}".strip()


def _join_names(findings: Sequence[RequestedFinding | ProbeFinding]) -> str:
    return ", ".join(dict.fromkeys(name_of_finding(finding) for finding in findings))
