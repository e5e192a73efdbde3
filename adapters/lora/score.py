"""Held-out figures of a text adapter, measured by the code that writes drafts and answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters.data.cases import CaseSet
from adapters.data.tasks import answer_pairs_of, report_pair_of
from assistant.backbones.janus.backbone import JanusBackbone
from assistant.backbones.protocols import Sampling
from assistant.chest.places import each_side
from assistant.chest.vocabulary import NORMAL
from assistant.claims import FindingSide
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion

MOST_CASES, MOST_QUESTIONS_EACH, BATCH = 50, 4, 16


def finding_sides_of(assertions: Iterable[Assertion]) -> set[FindingSide]:
    """Present findings with their side; a finding on both sides counts once on each."""
    claims: set[FindingSide] = set()
    for a in assertions:
        if a.polarity == "present" and a.finding != NORMAL:
            claims |= {(a.finding, side) for side in each_side(a.side)}
    return claims


def micro_f1(generated: Sequence[str], references: Sequence[str]) -> float | None:
    """Micro F1 of the findings that texts assert; None if neither side asserts any."""
    pairs = [
        (finding_sides_of(find_assertions(s)), finding_sides_of(find_assertions(t)))
        for s, t in zip(generated, references, strict=True)
    ]
    correct = sum(len(s & t) for s, t in pairs)
    total = sum(len(s) + len(t) for s, t in pairs)
    return round(2 * correct / total, 4) if total else None


def exact_accuracy(generated: Sequence[str], references: Sequence[str]) -> float | None:
    """Share of answers that equal the reference letter by letter; None without references."""
    correct = sum(s.strip() == t.strip() for s, t in zip(generated, references, strict=True))
    return round(correct / len(references), 4) if references else None


def requests_of(
    task: str, held_out: CaseSet, similar: Sequence[tuple[str, ...]]
) -> list[tuple[int, str, str]]:
    """Requests about up to fifty held-out cases: (case, request, reference)."""
    requests: list[tuple[int, str, str]] = []
    for index, case in enumerate(held_out.cases[:MOST_CASES]):
        if task == "report":
            pairs = [report_pair_of(case, similar[index])]
        else:
            pairs = answer_pairs_of(case, np.random.default_rng([0, index]))[:MOST_QUESTIONS_EACH]
        requests += [(index, request, reference) for request, reference in pairs]
    return requests


def score_texts(task: str, generated: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """Score held-out texts by the task's figure, with their number."""
    if task == "report":
        return {"findings_micro_f1": micro_f1(generated, references), "n_reports": len(references)}
    return {"exact_accuracy": exact_accuracy(generated, references), "n_answers": len(references)}


def score_adapter(
    base: Path,
    adapter: Path,
    task: str,
    held_out: CaseSet,
    similar: Sequence[tuple[str, ...]],
) -> dict[str, Any]:
    """Generate texts for held-out films with the adapter, and score them.

    `similar` holds the summaries in each case's prompt.
    """
    backbone = JanusBackbone(base, (adapter,), include_own=False)
    requests = requests_of(task, held_out, similar)
    generated: list[str] = []
    for start in range(0, len(requests), BATCH):
        rows = requests[start : start + BATCH]
        encoded = backbone.encode([held_out.pictures.film(index) for index, _, _ in rows])
        batch_requests = [request for _, request, _ in rows]
        written = backbone.write(encoded, batch_requests, Sampling(), [task] * len(rows))
        generated += [text.text for text in written]
    return score_texts(task, generated, [reference for _, _, reference in requests])
