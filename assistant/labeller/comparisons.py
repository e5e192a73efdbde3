"""Reads changes since an earlier film in a clause: new, larger, smaller, unchanged, resolved.

The words for changes are cues (`assistant.labeller.cues`); this module finds the mentions that
they belong to. It does not know whether there is an earlier film at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.chest.vocabulary import Normal
from assistant.labeller.cues import ONE_FILM, Cue
from assistant.labeller.matcher import PhraseMatch
from assistant.labeller.mentions import SPLITS, Mention, describes_next, kind_of, mentions_around


def mark_changes(clause: Sequence[PhraseMatch | Mention]) -> None:
    """Set the change of every mention of a clause, reading left to right.

    A cue before a finding describes it and what "and" joins to it ("stable effusion and edema");
    after a verb it describes all findings before it, else the last finding only. Polarities must
    be set before. Never raises.
    """
    mentions: list[Mention] = []  # since the last change of subject
    pending_cue: PhraseMatch | None = None
    cue_applied = False
    denied_until = 0  # first word that a denial of change does not cover
    hypothetical = False  # "if symptoms persist" compares nothing
    for i, event in enumerate(clause):
        if isinstance(event, Mention):
            if pending_cue is not None and not (
                cue_applied and isinstance(event.match.entry, Normal)
            ):
                _set_change(event, pending_cue)
                cue_applied = True
            mentions.append(event)
            continue
        kind = kind_of(event)
        hypothetical = (hypothetical or kind == "past") and kind not in ("comma", "turn")
        if kind == "turn":
            pending_cue, mentions = None, []
        elif cue_applied and _ends_adjective(clause, i, kind):
            pending_cue = None
        change = event.entry.change if isinstance(event.entry, Cue) else None
        if change is None or event.start < denied_until:
            denied_until = event.end if kind == "none" else denied_until
            continue
        surrounding = mentions_around(event, mentions)
        if surrounding:
            _set_changes(surrounding, event)
        elif mentions and not _is_finding_next(clause, i):
            targets = mentions if kind == "no_after" or _is_after_verb(clause, i) else mentions[-1:]
            _set_changes(targets, event)
        elif (pending_cue is None or cue_applied) and (kind == "past" or not hypothetical):
            pending_cue, cue_applied = event, False


def _ends_adjective(clause: Sequence[PhraseMatch | Mention], at: int, kind: str) -> bool:
    """Return whether the scope of an adjective that has found its noun ends here."""
    if kind in ("and", "or"):
        return describes_next(clause, at)
    return kind in SPLITS or kind.startswith(("no", "maybe"))


def _is_finding_next(clause: Sequence[PhraseMatch | Mention], at: int) -> bool:
    """Return whether a finding follows in this part of the clause: "and a stable nodule"."""
    for event in clause[at + 1 :]:
        if isinstance(event, Mention):
            return True
        if kind_of(event) in SPLITS:
            return False
    return False


def _is_after_verb(clause: Sequence[PhraseMatch | Mention], at: int) -> bool:
    return kind_of(clause[at]) == "verb" or (at > 0 and kind_of(clause[at - 1]) == "verb")


def _set_changes(mentions: Sequence[Mention], cue: PhraseMatch) -> None:
    for mention in mentions:
        _set_change(mention, cue)


def _set_change(mention: Mention, cue: PhraseMatch) -> None:
    entry = cue.entry
    if not isinstance(entry, Cue) or _is_part_of_name(mention, cue):
        return
    # Before a word for a film's appearance, "increased" describes it and compares nothing.
    is_appearance = not mention.match.wording.isdisjoint(ONE_FILM)
    if entry.faint and is_appearance and cue.end <= mention.match.start:
        return
    was_resolved = mention.change == "resolved" and mention.polarity != "absent"
    # "Persistent but smaller": "unchanged" gives way to any more exact change.
    if mention.change in (None, "unchanged") or was_resolved:
        mention.change, mention.changed_by = entry.change, cue


def _is_part_of_name(mention: Mention, cue: PhraseMatch) -> bool:
    """Return whether a cue is part of a finding's name: "decreased lung volumes"."""
    within = mention.match.start <= cue.start and cue.end <= mention.match.end
    return within and not mention.match.wording.isdisjoint(cue.wording)
