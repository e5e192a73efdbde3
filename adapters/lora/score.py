"""Held-out figures of a text adapter, taken through the path that drafts and answers take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters.data.cases import CaseSet
from adapters.data.tasks import answer_pairs, report_pair
from assistant.backbones.janus.backbone import JanusBackbone
from assistant.backbones.protocols import Sampling
from assistant.chest.places import each_side
from assistant.chest.vocabulary import NORMAL
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion

MOST_CASES, MOST_ASKED, BATCH = 50, 4, 16
ScoredClaim = tuple[str, str | None]


def finding_sides_of(found: Iterable[Assertion]) -> set[ScoredClaim]:
    """Present findings with their side; on both sides counts as one on each."""
    claims: set[ScoredClaim] = set()
    for a in found:
        if a.polarity == "present" and a.finding != NORMAL:
            claims |= {(a.finding, side) for side in each_side(a.side)}
    return claims


def micro_f1(said: Sequence[str], true: Sequence[str]) -> float | None:
    """F1 of the findings that texts assert, over all texts; None where nothing is asserted."""
    pairs = [
        (finding_sides_of(find_assertions(s)), finding_sides_of(find_assertions(t)))
        for s, t in zip(said, true, strict=True)
    ]
    right = sum(len(s & t) for s, t in pairs)
    all_of_both = sum(len(s) + len(t) for s, t in pairs)
    return round(2 * right / all_of_both, 4) if all_of_both else None


def exact_matches(said: Sequence[str], true: Sequence[str]) -> float | None:
    """Share of answers that are right letter by letter; None where none was asked for."""
    right = sum(s.strip() == t.strip() for s, t in zip(said, true, strict=True))
    return round(right / len(true), 4) if true else None


def requests_of(
    task: str, held_out: CaseSet, similar: Sequence[tuple[str, ...]]
) -> list[tuple[int, str, str]]:
    """What is asked of up to fifty held-out cases: (case, request, what is right)."""
    asked: list[tuple[int, str, str]] = []
    for index, case in enumerate(held_out.cases[:MOST_CASES]):
        if task == "report":
            pairs = [report_pair(case, similar[index])]
        else:
            pairs = answer_pairs(case, np.random.default_rng([0, index]))[:MOST_ASKED]
        asked += [(index, request, right) for request, right in pairs]
    return asked


def score_texts(task: str, said: Sequence[str], true: Sequence[str]) -> dict[str, Any]:
    """The task's figure over held-out texts, with how many there were."""
    if task == "report":
        return {"findings_micro_f1": micro_f1(said, true), "n_reports": len(true)}
    return {"exact_accuracy": exact_matches(said, true), "n_answers": len(true)}


def held_out_figures(
    base: Path,
    adapter: Path,
    task: str,
    held_out: CaseSet,
    similar: Sequence[tuple[str, ...]],
) -> dict[str, Any]:
    """Let the adapter write of held-out films and score what it wrote.

    `similar` holds for each case the summaries that its prompt names.
    """
    backbone = JanusBackbone(base, (adapter,), own=False)
    asked = requests_of(task, held_out, similar)
    said: list[str] = []
    for start in range(0, len(asked), BATCH):
        rows = asked[start : start + BATCH]
        encoded = backbone.encode([held_out.pictures.film(index) for index, _, _ in rows])
        requests = [request for _, request, _ in rows]
        written = backbone.write(encoded, requests, Sampling(), [task] * len(rows))
        said += [text.text for text in written]
    return score_texts(task, said, [right for _, _, right in asked])
