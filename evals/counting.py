"""Findings with their sides as sets, and what two such sets have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assistant.chest.places import each_side
from assistant.chest.vocabulary import NORMAL, finding_named
from assistant.types import Assertion

FindingSide = tuple[str, str | None]


def finding_sides(assertions: Iterable[Assertion], polarity: str = "present") -> set[FindingSide]:
    """Findings of a polarity with their side; `bilateral` counts as one on each side."""
    found: set[FindingSide] = set()
    for a in assertions:
        if a.polarity != polarity or a.finding == NORMAL:
            continue
        if not finding_named(a.finding).sided:
            found.add((a.finding, None))
        else:
            found.update((a.finding, side) for side in each_side(a.side))
    return _without_vague(found)


def _without_vague(found: set[FindingSide]) -> set[FindingSide]:
    """Drop a finding without side where the same text names it with one."""
    sided = {finding for finding, side in found if side}
    return {(f, s) for f, s in found if s or f not in sided}


def restrict_to(found: Iterable[FindingSide], kinds: Sequence[str]) -> set[FindingSide]:
    """The claims about some findings only."""
    return {claim for claim in found if claim[0] in kinds}


def count_matches(
    said: set[FindingSide], true: set[FindingSide], spared: Iterable[FindingSide] = ()
) -> list[int]:
    """True positives, false positives, false negatives; what is `spared` is never false."""
    return [len(said & true), len(said - true - set(spared)), len(true - said)]


def as_rows(found: Iterable[FindingSide]) -> list[list[str | None]]:
    """Claims in a fixed order, as JSON takes them."""
    return [list(claim) for claim in sorted(found, key=lambda c: (c[0], c[1] or ""))]
