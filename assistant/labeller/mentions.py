"""One clause of a report as events in order: mentions of findings, places, degrees and cues.

What is asked of a clause by those who judge it; how they judge is theirs
(`assistant.labeller.labeller`, `assistant.labeller.comparisons`).
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
    """A finding or a statement of normality as its clause fills it in."""

    hit: PhraseMatch
    polarity: Polarity = "present"
    skipped: bool = False
    places: list[Place] = field(default_factory=list)
    degree: str | None = None
    mm: float | None = None
    change: str | None = None
    changed_by: PhraseMatch | None = None  # the words that say so


def kind_of(event: PhraseMatch | Mention) -> str:
    return (
        event.entry.kind if isinstance(event, PhraseMatch) and isinstance(event.entry, Cue) else ""
    )


def around(cue: PhraseMatch, mentions: Sequence[Mention]) -> list[Mention]:
    """The mentions in whose gap a cue stands: "the heart is not enlarged"."""
    return [m for m in mentions if m.hit.start < cue.start < m.hit.end]


def list_goes_on(clause: Sequence[PhraseMatch | Mention], at: int) -> bool:
    """Whether an "or" is still to come: "no effusion, large nodule or pneumothorax"."""
    return any(kind_of(event) == "or" for event in clause[at + 1 :])


def describes_next(clause: Sequence[PhraseMatch | Mention], at: int) -> bool:
    """Whether a place, a degree or a comparison follows, as where a new claim begins."""
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


def names_finding(piece: Sequence[PhraseMatch | Mention]) -> bool:
    return any(isinstance(event, Mention) for event in piece)
