"""Reads whether the findings of a clause are asserted, denied or left open.

The words that deny and hedge are cues (`assistant.labeller.cues`); this module finds how far they
reach. It follows NegEx (Chapman et al. 2001, doi:10.1006/jbin.2001.1029) with clauses added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from assistant.chest.vocabulary import Hint, Normal
from assistant.labeller.cues import NEGATORS, Cue
from assistant.labeller.matcher import PhraseMatch
from assistant.labeller.mentions import (
    Mention,
    describes_next,
    kind_of,
    list_goes_on,
    mentions_around,
    names_finding,
)
from assistant.types import Polarity

Clause = Sequence[PhraseMatch | Mention]
_VALUES = ("no", "no_after", "no_mark", "yes_mark", "maybe", "maybe_after")
_AFTER_VALUE = ("comma", "and", "no_mark", "yes_mark")


@dataclass(slots=True)
class _Scope:
    """What reaches the next mention of a clause, read from left to right."""

    end: int  # one past the last word of the clause
    negated: bool = False
    resolved: bool = False  # it is negated since it was there before
    hedged: bool = False
    historical: bool = False
    list_closed: bool = False  # the negated list is followed by its verb
    hedged_to_end: bool = False  # hedged to the end of the clause
    mentions: list[Mention] = field(default_factory=list)  # since the last change of subject
    mentions_since: int = 0  # mentions since the negation
    values_from: int = 0  # first mention that a value looks back to
    labelled: int = 0  # mentions before the last colon


def mark_polarities(clause: Clause, end: int, *, asked: bool, was: bool) -> None:
    """Set the polarity of every mention of a clause that ends before the word `end`.

    What is `asked` is asserted by nobody; `was` is a clause that "there was" began. Never raises.
    """
    scope = _Scope(end)
    kinds = {kind_of(event) for event in clause}
    still_present = "still" in kinds
    for i, event in enumerate(clause):
        if isinstance(event, Mention):
            _read_mention(event, scope, still_present)
            continue
        kind = kind_of(event)
        change = event.entry.change if isinstance(event.entry, Cue) else None
        if change == "resolved" and kind != "past" and "intended" in kinds:
            continue  # what is to be removed is still there
        if kind in ("maybe_either", "condition"):
            if names_finding(clause[i + 1 :]):
                scope.hedged = True
                scope.hedged_to_end = scope.hedged_to_end or kind == "condition"
            elif scope.mentions:
                _apply_polarity(scope.mentions[-1], "uncertain")
        elif kind == "maybe_list":
            scope.hedged = scope.hedged_to_end = True
        elif kind in _VALUES:
            _read_denial(clause, i, event, scope)
        elif kind == "past":
            scope.historical = True
        elif kind == "past_after" or (kind == "past_if_was" and was):
            for mention in scope.mentions:
                mention.skipped = mention.skipped or not still_present
        elif kind == "colon":
            scope.values_from, scope.labelled = scope.labelled, len(scope.mentions)
        else:
            _end_scopes(clause, i, kind, scope)
    _drop_labels(clause)
    for mention in scope.mentions if asked else ():
        _apply_polarity(mention, "uncertain")


def _read_mention(mention: Mention, scope: _Scope, still_present: bool) -> None:
    if isinstance(mention.match.entry, Normal):
        scope.negated = False  # a statement of its own
    has_own_negator = not mention.match.wording.isdisjoint(NEGATORS)
    negated = scope.negated and not has_own_negator
    open_ = scope.hedged or isinstance(mention.match.entry, Hint)
    mention.polarity = "absent" if negated else "uncertain" if open_ else "present"
    gone = negated and scope.resolved  # "resolution of the previously seen effusion"
    mention.skipped = scope.historical and not still_present and not gone
    scope.mentions.append(mention)
    scope.mentions_since += 1


def _read_denial(clause: Clause, at: int, cue: PhraseMatch, scope: _Scope) -> None:
    """Apply a word that denies or hedges to what comes before or after it."""
    kind = kind_of(cue)
    if kind == "yes_mark":
        scope.negated = scope.negated and not _is_value(clause, at, scope.end)
        scope.negated = scope.negated and scope.mentions_since == 0
        return
    polarity: Polarity = "absent" if kind.startswith("no") else "uncertain"
    is_value = _is_value(clause, at, scope.end)
    looks_back = bool(scope.mentions) and (kind.endswith("after") or is_value)
    targets = (
        scope.mentions[scope.values_from :] if looks_back else mentions_around(cue, scope.mentions)
    )
    for mention in targets:
        if not _is_within(cue, mention):
            _apply_polarity(mention, polarity)
    change = cue.entry.change if isinstance(cue.entry, Cue) else None
    if looks_back or (kind == "no_after" and _stands_alone(clause, at, change)):
        return
    if polarity == "absent":
        scope.negated = True
        scope.resolved = change == "resolved"
    else:
        scope.hedged = True
    scope.list_closed, scope.mentions_since = False, 0


def _is_within(cue: PhraseMatch, mention: Mention) -> bool:
    """Return whether a cue is part of a finding's own name: "angles excluded from the film"."""
    match = mention.match
    within = match.start <= cue.start and cue.end <= match.end
    return within and not match.wording.isdisjoint(cue.wording - NEGATORS)


def _stands_alone(clause: Clause, at: int, change: str | None) -> bool:
    """Return whether words that deny what is before them deny nothing that follows either.

    "Fever: none", and "the heart is not well seen because of effusions"; not "resolved effusion".
    """
    cue = clause[at]
    if isinstance(cue, Mention) or (at and kind_of(clause[at - 1]) == "colon"):
        return True
    return change is None and cue.end - cue.start > 1


def _is_value(clause: Clause, at: int, end: int) -> bool:
    """Return whether a word stands after a finding as its value: "effusion: no", "effusion (-)"."""
    event = clause[at]
    if isinstance(event, Mention) or event.end - event.start > 1 or at == 0:
        return False
    before = clause[at - 1]
    is_labelled = kind_of(before) == "colon" and at > 1
    if not is_labelled and not (isinstance(before, Mention) and before.match.end == event.start):
        return False
    following = clause[at + 1] if at + 1 < len(clause) else None
    next_word = end if following is None else _start_of(following)
    if next_word == event.end and (following is None or kind_of(following) in _AFTER_VALUE):
        return True
    # "Effusion: no pneumothorax: yes"
    return is_labelled and isinstance(following, Mention) and _is_label(clause, at + 1)


def _start_of(event: PhraseMatch | Mention) -> int:
    return event.match.start if isinstance(event, Mention) else event.start


def _is_label(clause: Clause, at: int) -> bool:
    """Return whether a mention is followed by a colon at once; "heart: enlarged" holds its own."""
    mention, following = clause[at], clause[at + 1] if at + 1 < len(clause) else None
    return (
        isinstance(mention, Mention)
        and isinstance(following, PhraseMatch)
        and kind_of(following) == "colon"
        and following.start >= mention.match.end
    )


def _drop_labels(clause: Clause) -> None:
    """Leave out a title that is followed by a statement: "pneumothorax: no pneumothorax"."""
    for i, event in enumerate(clause):
        if not (isinstance(event, Mention) and _is_label(clause, i)):
            continue
        if event.polarity != "present":
            continue
        rest = clause[i + 2 :]
        until = next((j for j, other in enumerate(rest) if isinstance(other, Mention)), None)
        if until is None:
            continue
        denied = any(kind_of(other) == "no" for other in rest[:until])
        again = any(
            isinstance(other, Mention) and other.match.entry is event.match.entry for other in rest
        )
        event.skipped = event.skipped or denied or again


def _end_scopes(clause: Clause, at: int, kind: str, scope: _Scope) -> None:
    """End what does not reach over a verb, a comma or another joint."""
    if kind == "verb":
        scope.list_closed = scope.list_closed or (scope.negated and scope.mentions_since > 0)
    elif kind == "turn":
        scope.negated = scope.historical = False
        # "In the right setting, this is": no subject has been named yet.
        scope.hedged = scope.hedged_to_end = scope.hedged_to_end and not scope.mentions
        scope.mentions, scope.values_from, scope.labelled = [], 0, 0
    elif kind in ("comma", "and"):
        ends = describes_next(clause, at) and not list_goes_on(clause, at)
        scope.negated = scope.negated and not scope.list_closed and not ends
        scope.hedged = scope.hedged and (scope.hedged_to_end or not ends)
        scope.historical = scope.historical and not ends
    elif kind == "with":
        scope.negated = scope.negated and scope.mentions_since == 0
        scope.hedged = scope.hedged and scope.mentions_since == 0


def _apply_polarity(mention: Mention, polarity: Polarity) -> None:
    if isinstance(mention.match.entry, Normal):
        # "Not clear" denies the denial but does not say what was seen.
        mention.skipped = mention.skipped or polarity == "absent"
        if polarity == "uncertain":
            mention.polarity = "uncertain"
    elif polarity == "absent" and mention.match.wording.isdisjoint(NEGATORS):
        mention.polarity, mention.skipped = "absent", False
    elif polarity == "uncertain" and mention.polarity == "present":
        mention.polarity = "uncertain"
