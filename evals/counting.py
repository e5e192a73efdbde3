"""Sets of findings with their sides, and how well two such sets match."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assistant.chest.places import each_side
from assistant.chest.vocabulary import NORMAL, finding_named
from assistant.claims import FindingSide
from assistant.types import Assertion


def finding_sides(assertions: Iterable[Assertion], polarity: str = "present") -> set[FindingSide]:
    """Findings of a polarity with their side; `bilateral` counts as one on each side."""
    claims: set[FindingSide] = set()
    for a in assertions:
        if a.polarity != polarity or a.finding == NORMAL:
            continue
        if not finding_named(a.finding).sided:
            claims.add((a.finding, None))
        else:
            claims.update((a.finding, side) for side in each_side(a.side))
    return _drop_sideless(claims)


def _drop_sideless(claims: set[FindingSide]) -> set[FindingSide]:
    """Drop a finding without a side where the same text names it with one."""
    sided = {finding for finding, side in claims if side}
    return {(f, s) for f, s in claims if s or f not in sided}


def restrict_to(claims: Iterable[FindingSide], findings: Sequence[str]) -> set[FindingSide]:
    """Keep the claims about these findings only."""
    return {claim for claim in claims if claim[0] in findings}


def count_matches(
    claimed: set[FindingSide], true: set[FindingSide], ignored: Iterable[FindingSide] = ()
) -> list[int]:
    """True positives, false positives, false negatives; what is `ignored` is never false."""
    return [len(claimed & true), len(claimed - true - set(ignored)), len(true - claimed)]


def as_rows(claims: Iterable[FindingSide]) -> list[list[str | None]]:
    """Return claims as lists in a fixed order, for JSON."""
    return [list(claim) for claim in sorted(claims, key=lambda c: (c[0], c[1] or ""))]
