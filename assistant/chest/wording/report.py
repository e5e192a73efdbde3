"""Composes a whole report, in the project's own words, from what a report asserts of a film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assistant.chest.importance import TRIVIAL, rank_of
from assistant.chest.wording.denials import DENIALS, NO_ACUTE, NORMAL_FILM, Denial
from assistant.chest.wording.phrases import capitalise
from assistant.chest.wording.reduction import reduce_claims
from assistant.chest.wording.sentences import (
    GROUP_OF,
    GROUPS,
    TUBE_POSITIONS,
    WORDINGS,
    item_of,
    own_sentences_of,
    sentences_of,
)
from assistant.types import Assertion

OWN_SHARE = 0.5  # of sentences: a finding's own phrasing, where there is one that fits
DEVICES_FIRST_SHARE = 0.2  # of reports, as an intensive-care reader has it; else they come last
TRIVIAL_SHARE = 0.4  # of impressions without acute findings that name what is old or harmless
CAPTION_SHARE = 0.85  # of claims that a caption names
MOST_DENIALS, MOST_DENIALS_OF_NORMAL = 3, 5  # sentences of a report that say what is absent
MOST_ITEMS = 5  # of an impression
_PLACES = {key: number for number, key in enumerate(WORDINGS)}


@dataclass(frozen=True, slots=True)
class ComposedReport:
    """All that is said of one film; findings and impression say the same."""

    findings: str
    impression: str
    caption: str


def compose_report(
    claims: Sequence[Assertion], rng: np.random.Generator, *, denied: Sequence[str] = ()
) -> ComposedReport:
    """Write a report of a film from claims about it, which may repeat or contradict one another.

    Every claim that is left of them by `reduce_claims` is stated once in the findings; of what is
    absent, by the claims or as `denied` (keys of findings), a few. Nothing else is stated or
    denied, save that a film without acute findings has none. The same generator state gives the
    same text.
    """
    reduced = reduce_claims((*claims, *(Assertion(key, "absent") for key in denied)))
    stated = sorted((c for c in reduced if c.polarity != "absent"), key=_place_in_report)
    absent = [claim for claim in reduced if claim.polarity == "absent"]
    writer = _Writer(rng)
    return ComposedReport(
        writer.findings_of(stated, absent), writer.impression_of(stated), writer.caption_of(stated)
    )


class _Writer:
    """Draws phrasings, all from one generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def _draw(self, phrases: Sequence[str]) -> str:
        return phrases[int(self._rng.integers(len(phrases)))]

    def _happens(self, share: float) -> bool:
        return bool(self._rng.random() < share)

    def findings_of(self, stated: Sequence[Assertion], absent: Sequence[Assertion]) -> str:
        """Word all claims in the order of a report, and what is absent after each group."""
        denials = self._denials_of(stated, absent)
        order = [group for group, _ in GROUPS]
        if self._happens(DEVICES_FIRST_SHARE):
            order.insert(0, order.pop())  # the devices
        sentences = [
            sentence
            for group in order
            for sentence in (
                *(self._sentence_of(c) for c in stated if GROUP_OF[c.finding] == group),
                *(self._draw(d.phrases) for d in denials if d.group == group),
            )
        ]
        return " ".join(sentences) or self._draw(NORMAL_FILM)

    def _sentence_of(self, claim: Assertion) -> str:
        own = own_sentences_of(claim)
        if own and self._happens(OWN_SHARE):
            return self._draw(own)
        return self._draw(sentences_of(claim))

    def _denials_of(self, stated: Sequence[Assertion], absent: Sequence[Assertion]) -> list[Denial]:
        """Draw what is denied: each absent finding at most once, and nothing that is not absent."""
        most = MOST_DENIALS if stated else MOST_DENIALS_OF_NORMAL
        left = {claim.finding for claim in absent if not (claim.side or claim.zone)}
        busy = {GROUP_OF[claim.finding] for claim in stated}
        chosen: list[Denial] = []
        for denial in DENIALS:
            fits = set(denial.findings) <= left and not (denial.whole and denial.group in busy)
            if fits and len(chosen) < most and self._happens(denial.share):
                left -= set(denial.findings)
                chosen.append(denial)
        if len(chosen) < most and absent and self._happens(0.5):
            claim = absent[int(self._rng.integers(len(absent)))]
            if claim.finding in left or claim.side or claim.zone:
                phrases = (*own_sentences_of(claim), *sentences_of(claim))
                chosen.append(Denial((claim.finding,), phrases, GROUP_OF[claim.finding]))
        return chosen

    def impression_of(self, stated: Sequence[Assertion]) -> str:
        """Name the findings that matter, worst first; what is old or harmless only by itself."""
        ranked = sorted(stated, key=_importance)
        main = [claim for claim in ranked if not _is_trivial(claim)]
        if main:
            return " ".join(_as_sentence(claim) for claim in main[:MOST_ITEMS])
        normal = self._draw(NO_ACUTE if stated else NORMAL_FILM)
        lasting = ranked[:2] if self._happens(TRIVIAL_SHARE) else []
        return " ".join((normal, *(_as_sentence(claim) for claim in lasting)))

    def caption_of(self, stated: Sequence[Assertion]) -> str:
        """Return a few words in any order; now and then something is not mentioned."""
        words = [item_of(claim) for claim in stated if self._happens(CAPTION_SHARE)]
        if not words:
            return "chest film." if stated else "normal chest film."
        # A comma would let "possible" reach over its neighbours.
        joint = ", " if all(claim.polarity == "present" for claim in stated) else "; "
        return joint.join(words[i] for i in self._rng.permutation(len(words))) + "."


def _place_in_report(claim: Assertion) -> int:
    return _PLACES[claim.finding]


def _is_trivial(claim: Assertion) -> bool:
    return claim.finding in TRIVIAL and claim.degree not in TUBE_POSITIONS


def _importance(claim: Assertion) -> tuple[bool, bool, int]:
    """Return a sort key: a misplaced tube, then what is certain, each by its finding."""
    misplaced = claim.degree in TUBE_POSITIONS
    return not misplaced, claim.polarity != "present", rank_of(claim.finding)


def _as_sentence(claim: Assertion) -> str:
    return f"{capitalise(item_of(claim))}."
