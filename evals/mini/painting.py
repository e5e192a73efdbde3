"""Paintings of held-out prompts: do they show what was asked, look like films, copy none?

The probe that reads them shares no weights with the painter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant import Assistant
from assistant.chest.phantoms import FINDINGS, Phantom
from assistant.iterables import batched
from assistant.labeller.labeller import find_assertions
from assistant.types import Film, OnProgress
from evals.bootstrap import f1
from evals.counting import FindingSide, as_rows, count_matches, finding_sides, restrict_to
from evals.data.phantoms import (
    as_film,
    downsample_film,
    film_of,
    phantoms,
    probed_findings,
    true_findings,
)
from evals.mini import copies
from evals.mini.kid import FEWEST, FLOOR_AT, features, floor, kid
from evals.options import SuiteOptions
from evals.results import Figure, PartResult, figure, figure_of

FILMS = 300
READ = "painting/asked findings read back by the probe, micro-F1"
PROBE = "painting/findings of held-out phantoms read by the probe, micro-F1"
SHUFFLED = "baseline/findings asked of another painting read back, micro-F1"
KID = "painting/KID against held-out phantoms"
FLOOR = "painting/KID of held-out phantoms against others (floor)"


@dataclass(frozen=True, slots=True, eq=False)
class _PaintedSet:
    """One painting, with the phantom whose impression it was asked to show."""

    prompt: str
    asked: set[FindingSide]
    hedged: set[FindingSide]
    pixels: np.ndarray
    phantom: np.ndarray


def measure(assistant: Assistant, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    """Paint the impressions of held-out phantoms, and compare with phantoms."""
    n = options.films(FILMS)
    made: list[_PaintedSet] = []
    others: list[np.ndarray] = []
    probe: list[list[int]] = []
    for block in batched(phantoms(options.seed, range(2 * n), options.site)):
        for phantom in block:
            if len(made) < n:
                made.append(_painted(assistant, phantom, len(made), options.site))
            else:
                others.append(as_film(phantom).pixels)
            on_progress(len(made) + len(others), 2 * n)
        probe += _probed(assistant, block)
    films = [film_of(m.pixels) for m in made]
    size = len(made[0].pixels)
    same = [film_of(downsample_film(m.phantom, size)) for m in made]
    new = [film_of(downsample_film(pixels, size)) for pixels in others]
    seen = _seen(assistant, films)
    found = [
        _read_back(made, seen, probe[:n]),
        _distance(assistant, films, same, new),
        copies.measure(assistant, options, films, same, on_progress),
    ]
    notes = {name: text for part in found for name, text in part.notes.items()}
    if "image" not in assistant.backbone.tasks:
        notes["painting"] = "this backbone has no image adapter, so that the base has painted"
    return PartResult(
        {name: f for part in found for name, f in part.figures.items()},
        _cases(made, seen),
        notes,
        f"{n} impressions of held-out phantoms",
    )


def _painted(assistant: Assistant, phantom: Phantom, number: int, site: str) -> _PaintedSet:
    prompt = phantom.impression
    said = find_assertions(prompt)
    painting = assistant.paint(prompt, seed=number, site=site, mark=False)[0]
    return _PaintedSet(
        prompt=prompt,
        asked=restrict_to(finding_sides(said), FINDINGS),
        hedged=restrict_to(finding_sides(said, "uncertain"), FINDINGS),
        pixels=painting.pixels,
        phantom=as_film(phantom).pixels,
    )


def _seen(assistant: Assistant, films: Sequence[Film]) -> list[set[FindingSide]] | None:
    found: list[set[FindingSide]] = []
    for block in batched(films):
        seen = probed_findings(assistant, block)
        if seen is None:
            return None
        found += [restrict_to(claims, FINDINGS) for claims in seen]
    return found


def _probed(assistant: Assistant, block: Sequence[Phantom]) -> list[list[int]]:
    """How well the probe reads the phantoms themselves: what no painter can be held to surpass."""
    seen = probed_findings(assistant, [as_film(phantom) for phantom in block])
    if seen is None:
        return []
    return [
        count_matches(
            restrict_to(there, FINDINGS),
            true_findings(phantom),
            true_findings(phantom, "uncertain"),
        )
        for phantom, there in zip(block, seen, strict=True)
    ]


def _read_back(
    made: Sequence[_PaintedSet], seen: Sequence[set[FindingSide]] | None, probe: Sequence[list[int]]
) -> PartResult:
    if seen is None:
        missing = figure_of(None, 0, unscored=len(made))
        none: dict[str, Figure] = dict.fromkeys((READ, PROBE, SHUFFLED), missing)
        return PartResult(none, (), {READ: "this backbone has no probe"})

    def score(shown: Sequence[set[FindingSide]]) -> Figure:
        rows = [count_matches(s, m.asked, m.hedged) for s, m in zip(shown, made, strict=True)]
        return figure(np.array(rows), people, f1)

    people = [str(i) for i in range(len(made))]
    return PartResult(
        {
            READ: score(seen),
            PROBE: figure(np.array(probe), people, f1),
            SHUFFLED: score([*seen[1:], *seen[:1]]),
        }
    )


def _distance(
    assistant: Assistant, films: Sequence[Film], same: Sequence[Film], new: Sequence[Film]
) -> PartResult:
    n = len(films)
    if n < FEWEST:
        few = figure_of(None, 0, unscored=n)
        return PartResult({KID: few, FLOOR: few}, (), {KID: f"takes at least {FEWEST} paintings"})
    real = features(assistant, [*same, *new])
    value, error = kid(real[n:], features(assistant, list(films)))
    chance = floor(real, n)
    limit = float(np.quantile(chance, FLOOR_AT))
    between = (value - 1.96 * error, value + 1.96 * error)
    identity = assistant.backbone.identity
    note = (
        f"features are the profile of {identity.name} {identity.revision[:12]}'s own encoder, "
        f"on films of {len(films[0].pixels)} pixels; the floor is the {FLOOR_AT:.0%} point of "
        f"{len(chance)} splits of {2 * n} phantoms into two sets of {n}, and the bar is twice that"
    )
    figures = {
        KID: figure_of(value, n, between, bar=2 * limit),
        FLOOR: figure_of(limit, 2 * n, (float(chance[0]), float(chance[-1]))),
    }
    return PartResult(figures, (), {KID: note})


def _cases(
    made: Sequence[_PaintedSet], seen: Sequence[set[FindingSide]] | None
) -> list[dict[str, Any]]:
    return [
        {
            "part": "painting",
            "case": number,
            "prompt": m.prompt,
            "asked": as_rows(m.asked),
            "seen": None if seen is None else as_rows(seen[number]),
        }
        for number, m in enumerate(made)
    ]
