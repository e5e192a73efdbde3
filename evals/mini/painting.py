"""Paintings of held-out prompts: do they show the request, look like films and copy none?

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
    make_phantoms,
    probed_findings,
    true_findings,
)
from evals.mini import copies
from evals.mini.kid import FEWEST, FLOOR_AT, estimate_floor, features_of, kid
from evals.options import SuiteOptions
from evals.results import Figure, PartResult, compute_figure, figure_of

FILMS = 300
READ = "painting/asked findings read back by the probe, micro-F1"
PROBE = "painting/findings of held-out phantoms read by the probe, micro-F1"
SHUFFLED = "baseline/findings asked of another painting read back, micro-F1"
KID = "painting/KID against held-out phantoms"
FLOOR = "painting/KID of held-out phantoms against others (floor)"


@dataclass(frozen=True, slots=True, eq=False)
class _PaintedPrompt:
    """One painting, with the phantom whose impression was its prompt."""

    prompt: str
    requested: set[FindingSide]
    hedged: set[FindingSide]
    pixels: np.ndarray
    phantom: np.ndarray


def measure(assistant: Assistant, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    """Paint the impressions of held-out phantoms, and compare the paintings with phantoms."""
    n = options.film_count(FILMS)
    paintings: list[_PaintedPrompt] = []
    other_pixels: list[np.ndarray] = []
    probe_rows: list[list[int]] = []
    for block in batched(make_phantoms(options.seed, range(2 * n), options.site)):
        for phantom in block:
            if len(paintings) < n:
                paintings.append(
                    _paint_impression(assistant, phantom, len(paintings), options.site)
                )
            else:
                other_pixels.append(as_film(phantom).pixels)
            on_progress(len(paintings) + len(other_pixels), 2 * n)
        probe_rows += _probe_rows(assistant, block)
    films = [film_of(m.pixels) for m in paintings]
    size = len(paintings[0].pixels)
    original_films = [film_of(downsample_film(m.phantom, size)) for m in paintings]
    other_films = [film_of(downsample_film(pixels, size)) for pixels in other_pixels]
    probed = _probe_films(assistant, films)
    results = [
        _score_read_back(paintings, probed, probe_rows[:n]),
        _measure_distance(assistant, films, original_films, other_films),
        copies.measure(assistant, options, films, original_films, on_progress),
    ]
    notes = {name: text for part in results for name, text in part.notes.items()}
    if "image" not in assistant.backbone.tasks:
        notes["painting"] = "this backbone has no image adapter, so that the base has painted"
    return PartResult(
        {name: f for part in results for name, f in part.figures.items()},
        _list_cases(paintings, probed),
        notes,
        f"{n} impressions of held-out phantoms",
    )


def _paint_impression(
    assistant: Assistant, phantom: Phantom, number: int, site: str
) -> _PaintedPrompt:
    prompt = phantom.impression
    assertions = find_assertions(prompt)
    painting = assistant.paint(prompt, seed=number, site=site, mark=False)[0]
    return _PaintedPrompt(
        prompt=prompt,
        requested=restrict_to(finding_sides(assertions), FINDINGS),
        hedged=restrict_to(finding_sides(assertions, "uncertain"), FINDINGS),
        pixels=painting.pixels,
        phantom=as_film(phantom).pixels,
    )


def _probe_films(assistant: Assistant, films: Sequence[Film]) -> list[set[FindingSide]] | None:
    findings: list[set[FindingSide]] = []
    for block in batched(films):
        probed = probed_findings(assistant, block)
        if probed is None:
            return None
        findings += [restrict_to(claims, FINDINGS) for claims in probed]
    return findings


def _probe_rows(assistant: Assistant, block: Sequence[Phantom]) -> list[list[int]]:
    """Count what the probe reads right in the phantoms themselves: the ceiling of any painter."""
    probed = probed_findings(assistant, [as_film(phantom) for phantom in block])
    if probed is None:
        return []
    return [
        count_matches(
            restrict_to(claims, FINDINGS),
            true_findings(phantom),
            true_findings(phantom, "uncertain"),
        )
        for phantom, claims in zip(block, probed, strict=True)
    ]


def _score_read_back(
    paintings: Sequence[_PaintedPrompt],
    probed: Sequence[set[FindingSide]] | None,
    probe_rows: Sequence[list[int]],
) -> PartResult:
    if probed is None:
        missing = figure_of(None, 0, unscored=len(paintings))
        none: dict[str, Figure] = dict.fromkeys((READ, PROBE, SHUFFLED), missing)
        return PartResult(none, (), {READ: "this backbone has no probe"})

    def score(findings: Sequence[set[FindingSide]]) -> Figure:
        rows = [
            count_matches(s, m.requested, m.hedged)
            for s, m in zip(findings, paintings, strict=True)
        ]
        return compute_figure(np.array(rows), patients, f1)

    patients = [str(i) for i in range(len(paintings))]
    return PartResult(
        {
            READ: score(probed),
            PROBE: compute_figure(np.array(probe_rows), patients, f1),
            SHUFFLED: score([*probed[1:], *probed[:1]]),
        }
    )


def _measure_distance(
    assistant: Assistant,
    painted_films: Sequence[Film],
    original_films: Sequence[Film],
    other_films: Sequence[Film],
) -> PartResult:
    n = len(painted_films)
    if n < FEWEST:
        unscored = figure_of(None, 0, unscored=n)
        return PartResult(
            {KID: unscored, FLOOR: unscored}, (), {KID: f"takes at least {FEWEST} paintings"}
        )
    real = features_of(assistant, [*original_films, *other_films])
    value, error = kid(real[n:], features_of(assistant, list(painted_films)))
    floor_values = estimate_floor(real, n)
    limit = float(np.quantile(floor_values, FLOOR_AT))
    interval = (value - 1.96 * error, value + 1.96 * error)
    identity = assistant.backbone.identity
    note = (
        f"features are the profile of {identity.name} {identity.revision[:12]}'s own encoder, "
        f"on films of {len(painted_films[0].pixels)} pixels; the floor is the {FLOOR_AT:.0%} point "
        f"of {len(floor_values)} splits of {2 * n} phantoms into two sets of {n}, and the bar is "
        "twice that"
    )
    figures = {
        KID: figure_of(value, n, interval, bar=2 * limit),
        FLOOR: figure_of(limit, 2 * n, (float(floor_values[0]), float(floor_values[-1]))),
    }
    return PartResult(figures, (), {KID: note})


def _list_cases(
    paintings: Sequence[_PaintedPrompt], probed: Sequence[set[FindingSide]] | None
) -> list[dict[str, Any]]:
    return [
        {
            "part": "painting",
            "case": number,
            "prompt": m.prompt,
            "asked": as_rows(m.requested),
            "seen": None if probed is None else as_rows(probed[number]),
        }
        for number, m in enumerate(paintings)
    ]
