"""The bars of the embedded default, measured on phantoms that it has never seen.

Test phantoms come from a random stream of their own and use phrasings that training never
saw. A draft is scored by what it asserts, not by its wording.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from assistant import Assistant
from assistant.chest.phantoms import Phantom, make_phantom
from assistant.types import Assertion, Film
from evals.results import figure
from evals.statistics import f1, ratio

# What the phantoms' truth is complete in; anything else a draft asserts is an invention.
SIDED = ("pleural_effusion", "pneumothorax", "consolidation", "nodule")
FINDINGS = ("cardiomegaly", "oedema", *SIDED)
Claim = tuple[str, str | None]


def claims(assertions: Iterable[Assertion]) -> set[Claim]:
    """Present findings with their side; `bilateral` counts as one on each side."""
    found: set[Claim] = set()
    for a in assertions:
        if a.polarity != "present" or a.finding == "no_finding":
            continue
        if a.finding not in SIDED:
            found.add((a.finding, None))
        elif a.side == "bilateral":
            found.update({(a.finding, "right"), (a.finding, "left")})
        else:
            found.add((a.finding, a.side))
    return _without_vague(found)


def _without_vague(found: set[Claim]) -> set[Claim]:
    """Drop a finding without side where the same draft names it with one."""
    sided = {finding for finding, side in found if side}
    return {(f, s) for f, s in found if s or f not in sided}


def truth(phantom: Phantom) -> set[Claim]:
    """What a draft of this phantom should assert."""
    return {(lesion.finding, lesion.side) for lesion in phantom.lesions}


def as_film(phantom: Phantom) -> Film:
    """The phantom as intake would give it."""
    pixels = phantom.film.astype(np.float32) / 255
    pixels.setflags(write=False)
    return Film(pixels, hashlib.sha256(phantom.film.tobytes()).hexdigest())


def _counts(said: set[Claim], true: set[Claim]) -> list[int]:
    return [len(said & true), len(said - true), len(true - said)]


def measure(
    assistant: Assistant, *, n: int, seed: int, progress: Callable[[int, int], None]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Draft `n` held-out phantoms and score them; returns the figures and every case."""
    truths, said, gates, written = [], [], [], []
    for start in range(0, n, 8):
        phantoms = [make_phantom(seed, i, "A", "test") for i in range(start, min(start + 8, n))]
        films = [as_film(p) for p in phantoms]
        for phantom, report in zip(
            phantoms, assistant.draft_many(films, neighbours=0), strict=True
        ):
            truths.append(truth(phantom))
            said.append(claims(a for s in report.sentences for a in s.assertions))
            gates.append(report.gate.answer)
            written.append(report.text())
        progress(len(truths), n)
    scored = [i for i in range(n) if written[i].strip()]
    patients = [str(i) for i in scored]
    figures = _figures([said[i] for i in scored], [truths[i] for i in scored], patients, n)
    warned = np.array([[gate != "pass", 1] for gate in gates])
    everyone = [str(i) for i in range(n)]
    figures["gate/false warnings on known films"] = figure(warned, everyone, ratio, bar=0.03)
    cases = [
        {
            "case": i,
            "truth": _listed(truths[i]),
            "said": _listed(said[i]),
            "gate": gates[i],
            "draft": written[i],
        }
        for i in range(n)
    ]
    return figures, cases


def _listed(found: set[Claim]) -> list[list[str | None]]:
    return [list(claim) for claim in sorted(found, key=lambda c: (c[0], c[1] or ""))]


def _figures(
    said: Sequence[set[Claim]], true: Sequence[set[Claim]], patients: Sequence[str], n: int
) -> dict[str, Any]:
    missing = n - len(said)

    def score(drafts: Sequence[set[Claim]], **bar: float) -> dict[str, Any]:
        rows = np.array([_counts(s, t) for s, t in zip(drafts, true, strict=True)])
        return figure(rows, patients, f1, unscored=missing, **bar)

    figures = {"report/present findings with side, micro-F1": score(said, bar=0.80)}
    for finding in FINDINGS:
        rows = np.array(
            [
                _counts({c for c in s if c[0] == finding}, {c for c in t if c[0] == finding})
                for s, t in zip(said, true, strict=True)
            ]
        )
        name = f"report/{finding.replace('_', ' ')}, F1"
        figures[name] = figure(rows, patients, f1, unscored=missing)
    wrong = np.array([_sides(s, t) for s, t in zip(said, true, strict=True)])
    figures["report/wrong side among findings with a side"] = figure(
        wrong, patients, ratio, unscored=missing
    )
    exact = np.array([[s == t, 1] for s, t in zip(said, true, strict=True)])
    figures["report/films with every finding right"] = figure(
        exact, patients, ratio, unscored=missing
    )
    # What a system gets that does not look: another film's draft.
    figures["baseline/another film's draft, micro-F1"] = score([*said[1:], *said[:1]])
    return figures


def _sides(said: set[Claim], true: set[Claim]) -> list[int]:
    """Findings said on the wrong side only, and findings said that are there on some side."""
    both = {f for f, s in said if s} & {f for f, s in true if s}
    wrong = sum(not ({s for f, s in said if f == b} & {s for f, s in true if f == b}) for b in both)
    return [wrong, len(both)]
