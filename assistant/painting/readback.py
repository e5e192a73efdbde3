"""Does a painting show what it was asked to show?

The prompt is read like a report, and each finding it claims is looked up in what a probe saw. The
probe shares no weights with the painter. A finding that the probe has no label for was not read,
which is neither a pass nor a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from assistant.chest.places import each_side
from assistant.chest.vocabulary import FINDINGS, NORMAL
from assistant.labeller.sentences import parse_sentences
from assistant.types import Film, ProbeFinding, ReadBack, RequestedFinding

NAMES = {finding.key: finding.name for finding in FINDINGS}
PlaceClaim = tuple[str, str | None, str | None]  # finding, side, zone


class FindingProbe(Protocol):
    """What reads findings off films, apart from all that paints or writes."""

    def probe_findings(self, films: Sequence[Film]) -> list[tuple[ProbeFinding, ...]] | None:
        """All labels of each film, seen or not; None where there is no probe."""
        ...


@dataclass(frozen=True, slots=True)
class PromptClaims:
    """What a prompt says of a film, taken apart; every claim once."""

    present: tuple[PlaceClaim, ...]
    perhaps: tuple[PlaceClaim, ...]  # hedged: may be there or not
    absent: tuple[PlaceClaim, ...]
    normal: bool  # nothing at all is to be found

    @property
    def says_something(self) -> bool:
        """Whether there is anything to look for, or to miss."""
        return bool(self.present or self.absent or self.normal)


def claims_of_prompt(prompt: str) -> PromptClaims:
    """Read a prompt; "bilateral" is one claim for each side. Never raises."""
    told: dict[str, list[PlaceClaim]] = {"present": [], "uncertain": [], "absent": []}
    normal = False
    for claim in (a for sentence in parse_sentences(prompt) for a in sentence.assertions):
        if claim.finding == NORMAL:
            normal = normal or claim.polarity == "present"
            continue
        told[claim.polarity] += [
            (claim.finding, side, claim.zone) for side in each_side(claim.side)
        ]
    present, perhaps, absent = (tuple(dict.fromkeys(claims)) for claims in told.values())
    # Findings and impression tell of the same thing: the vaguer of the two adds nothing.
    exact = tuple(v for v in present if not any(e != v and _covers(v, e) for e in present))
    return PromptClaims(exact, perhaps, absent, normal)


def _covers(vague: PlaceClaim, exact: PlaceClaim) -> bool:
    """Whether the place of a claim is one of those that a vaguer one leaves open."""
    pairs = zip(vague[1:], exact[1:], strict=True)
    return vague[0] == exact[0] and all(v is None or v == e for v, e in pairs)


def _fits(claim: PlaceClaim, seen: ProbeFinding) -> bool:
    """Whether a label is about this claim: the same finding, and no other place."""
    places = ((claim[1], seen.side), (claim[2], seen.zone))
    return claim[0] == seen.finding and all(a is None or b is None or a == b for a, b in places)


def read_back(prompt: str, readings: Sequence[ProbeFinding] | None) -> ReadBack:
    """Hold what a probe saw in a film, all its labels, against the prompt of the film.

    "shown": each finding that the prompt asserts is seen, and none that it denies. "not shown":
    one is missing, or seen in spite. "unchecked", with the reason: `readings` is None, the prompt
    claims nothing, or the probe has no label for a finding and the rest is as asked.
    """
    wish = claims_of_prompt(prompt)
    asked = tuple(_answer(one, readings or ()) for one in wish.present)
    if readings is None:
        return ReadBack(reason="This backbone has no probe.", asked=asked)
    known = wish.present + wish.perhaps
    beside = _best([s for s in readings if s.present and not any(_fits(c, s) for c in known)])
    if not wish.says_something:
        return ReadBack(reason="The prompt names no finding to look for.", beside=beside)
    missing = [a for a in asked if a.seen is False]
    spite = [s for s in beside if wish.normal or any(_fits(c, s) for c in wish.absent)]
    unread = [a for a in asked if a.seen is None]
    if missing or spite:
        words = [f"Not seen: {_list(missing)}."] if missing else []
        words += [f"Seen in spite: {_list(spite)}."] if spite else []
        return ReadBack("not shown", " ".join(words), asked, beside)
    if unread:
        reason = f"The probe does not know {_list(unread)}."
        return ReadBack("unchecked", reason, asked, beside)
    return ReadBack("shown", "All that was asked for is seen.", asked, beside)


def _answer(claim: PlaceClaim, readings: Sequence[ProbeFinding]) -> RequestedFinding:
    about = [s for s in readings if _fits(claim, s)]
    if not about:
        return RequestedFinding(*claim, probability=None, seen=None)
    exact = [s for s in about if (s.side, s.zone) == claim[1:]]
    likeliest = max(exact or about, key=lambda s: (s.present, s.probability))
    return RequestedFinding(*claim, probability=likeliest.probability, seen=likeliest.present)


def _best(seen: Sequence[ProbeFinding]) -> tuple[ProbeFinding, ...]:
    """One label a finding and side, the likeliest; the surest first."""
    best: dict[tuple[str, str | None], ProbeFinding] = {}
    for one in sorted(seen, key=lambda s: -s.probability):
        best.setdefault((one.finding, one.side), one)
    return tuple(best.values())


def name_of_finding(one: RequestedFinding | ProbeFinding) -> str:
    """A finding with its place, as a reader says it: "left pleural effusion"."""
    zone = f"{one.zone} zone" if one.zone else None
    place = " ".join(word for word in (one.side, zone) if word)
    return f"{place} {NAMES.get(one.finding, one.finding)}".strip()


def _list(several: Sequence[RequestedFinding | ProbeFinding]) -> str:
    return ", ".join(dict.fromkeys(name_of_finding(one) for one in several))
