"""Reads what a clause says against an earlier film: new, larger, smaller, unchanged, resolved.

The words for it are cues (`assistant.labeller.cues`); here is whom they speak of. Whether there
is an earlier film at all is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.chest.vocabulary import Normal
from assistant.labeller.cues import ONE_FILM, Cue
from assistant.labeller.matcher import PhraseMatch
from assistant.labeller.mentions import SPLITS, Mention, around, describes_next, kind_of


def compare(clause: Sequence[PhraseMatch | Mention]) -> None:
    """Set the change of every mention of a clause, reading left to right.

    Before a finding such words describe it and what "and" joins to it ("stable effusion and
    edema"); after a verb they speak of all that came before, else of the last finding.
    Polarities must be known. Never raises.
    """
    spoken: list[Mention] = []  # since the last change of subject
    ahead: PhraseMatch | None = None
    used = False
    denied = 0  # the first word that a denial of change does not cover
    supposed = False  # "if symptoms persist" compares nothing
    for i, event in enumerate(clause):
        if isinstance(event, Mention):
            if ahead is not None and not (used and isinstance(event.hit.entry, Normal)):
                _say(event, ahead)
                used = True
            spoken.append(event)
            continue
        kind = kind_of(event)
        supposed = (supposed or kind == "past") and kind not in ("comma", "turn")
        if kind == "turn":
            ahead, spoken = None, []
        elif used and _ends(clause, i, kind):
            ahead = None
        change = event.entry.change if isinstance(event.entry, Cue) else None
        if change is None or event.start < denied:
            denied = event.end if kind == "none" else denied
            continue
        inside = around(event, spoken)
        if inside:
            _say_all(inside, event)
        elif spoken and not _leads(clause, i):
            told = spoken if kind == "no_after" or _after_verb(clause, i) else spoken[-1:]
            _say_all(told, event)
        elif (ahead is None or used) and (kind == "past" or not supposed):
            ahead, used = event, False


def _ends(clause: Sequence[PhraseMatch | Mention], at: int, kind: str) -> bool:
    """Whether an adjective that has found its noun reaches no further."""
    if kind in ("and", "or"):
        return describes_next(clause, at)
    return kind in SPLITS or kind.startswith(("no", "maybe"))


def _leads(clause: Sequence[PhraseMatch | Mention], at: int) -> bool:
    """Whether a finding follows in the same part of the clause: "and a stable nodule"."""
    for event in clause[at + 1 :]:
        if isinstance(event, Mention):
            return True
        if kind_of(event) in SPLITS:
            return False
    return False


def _after_verb(clause: Sequence[PhraseMatch | Mention], at: int) -> bool:
    return kind_of(clause[at]) == "verb" or (at > 0 and kind_of(clause[at - 1]) == "verb")


def _say_all(mentions: Sequence[Mention], cue: PhraseMatch) -> None:
    for mention in mentions:
        _say(mention, cue)


def _say(mention: Mention, cue: PhraseMatch) -> None:
    entry = cue.entry
    if not isinstance(entry, Cue) or _names(mention, cue):
        return
    # Before a word for how a film looks, "increased" tells of that look, not of a change.
    looks = not mention.hit.wording.isdisjoint(ONE_FILM)
    if entry.faint and looks and cue.end <= mention.hit.start:
        return
    stale = mention.change == "resolved" and mention.polarity != "absent"
    # "Persistent but smaller": to be still there is the least that can be said.
    if mention.change in (None, "unchanged") or stale:
        mention.change, mention.changed_by = entry.change, cue


def _names(mention: Mention, cue: PhraseMatch) -> bool:
    """Whether a cue is part of a finding's name: "decreased lung volumes"."""
    within = mention.hit.start <= cue.start and cue.end <= mention.hit.end
    return within and not mention.hit.wording.isdisjoint(cue.wording)
