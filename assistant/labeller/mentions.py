"""One clause of a report as events in order: mentions of findings, places, degrees and cues.

Small questions about a clause that `assistant.labeller.labeller` and
`assistant.labeller.comparisons` share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from assistant.chest.vocabulary import Place
from assistant.labeller.cues import Cue, Degree
from assistant.labeller.matcher import PhraseMatch
from assistant.types import Polarity

SPLITS = frozenset(("comma", "and", "or", "with", "link", "turn"))


@dataclass(slots=True)
class Mention:
    """A finding or a statement of normality, with the attributes that its clause gives it."""

    match: PhraseMatch
    polarity: Polarity = "present"
    skipped: bool = False
    places: list[Place] = field(default_factory=list)
    degree: str | None = None
    mm: float | None = None
    change: str | None = None
    changed_by: PhraseMatch | None = None  # the cue that states the change


def kind_of(event: PhraseMatch | Mention) -> str:
    """Return the kind of a cue; empty for any other event."""
    return (
        event.entry.kind if isinstance(event, PhraseMatch) and isinstance(event.entry, Cue) else ""
    )


def mentions_around(cue: PhraseMatch, mentions: Sequence[Mention]) -> list[Mention]:
    """Return the mentions in whose gap a cue stands: "the heart is not enlarged"."""
    return [m for m in mentions if m.match.start < cue.start < m.match.end]


def list_goes_on(clause: Sequence[PhraseMatch | Mention], at: int) -> bool:
    """Return whether an "or" still follows: "no effusion, large nodule or pneumothorax"."""
    return any(kind_of(event) == "or" for event in clause[at + 1 :])


def describes_next(clause: Sequence[PhraseMatch | Mention], at: int) -> bool:
    """Return whether a place, a degree or a comparison follows, which begins a new claim."""
    for i in range(at + 1, len(clause)):
        event = clause[i]
        kind = kind_of(event)
        if kind == "new":
            continue  # "no effusion, new nodule or new opacity" denies all three
        if isinstance(event, Mention) or (kind and kind != "still"):
            return False
        if kind == "still" or isinstance(event.entry, Place | Degree):
            return names_finding(clause[i + 1 :])
    return False


def names_finding(part: Sequence[PhraseMatch | Mention]) -> bool:
    """Return whether a part of a clause mentions a finding."""
    return any(isinstance(event, Mention) for event in part)
