"""Questions about held-out phantoms, scored letter by letter against the only right answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from assistant import Assistant
from assistant.chest.phantoms import Phantom, truth_assertions, tube_positions
from assistant.chest.phantoms.truth import assertions
from assistant.types import OnProgress
from assistant.vqa.question_bank import KINDS, Question, ask_about
from evals.bootstrap import ratio
from evals.data.phantoms import as_film, phantoms
from evals.options import SuiteOptions
from evals.results import Figure, PartResult, figure

FILMS = 120  # about ten questions each
ALL, NOT_SHOWN = "answers/exact accuracy", "answers/exact accuracy on what is not shown"
BASELINE = "baseline/the commonest answer to each kind of question"
_STREAM = 7  # of the random numbers: the questions' own


def measure(assistant: Assistant, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    """Ask about held-out phantoms in phrasings that training never saw."""
    n = options.films(FILMS)
    if "answer" not in assistant.backbone.tasks:
        reason = "this backbone has no answer adapter"
        return PartResult({ALL: _share([], n), NOT_SHOWN: _share([], n)}, (), {ALL: reason})
    scored: list[tuple[int, Question, bool]] = []
    cases: list[dict[str, Any]] = []
    for number, phantom in enumerate(phantoms(options.seed, range(n), options.site)):
        film, told = as_film(phantom), phantom.prior.report if phantom.prior else ""
        for question in questions_of(phantom, options.seed, number):
            answer = assistant.ask(
                film, question.question, prior_report=told if question.prior else ""
            )
            said = " ".join(answer.text.split())
            scored.append((number, question, said == question.answer))
            cases.append(
                {
                    "part": "answers",
                    "case": number,
                    "kind": question.kind,
                    "question": question.question,
                    "answer": question.answer,
                    "said": said,
                }
            )
        on_progress(number + 1, n)
    return PartResult(_figures(scored), cases, {}, f"{len(scored)} questions about {n} phantoms")


def questions_of(phantom: Phantom, seed: int, number: int) -> list[Question]:
    """What is asked of a test phantom."""
    before = phantom.prior
    return ask_about(
        np.random.default_rng([seed, _STREAM, number]),
        truth_assertions(phantom),
        None
        if before is None
        else assertions((*before.lesions, *before.distractors, *before.devices)),
        "test",
        tube_positions(phantom),
    )


def _figures(scored: Sequence[tuple[int, Question, bool]]) -> dict[str, Figure]:
    figures = {ALL: _share([(film, right) for film, _, right in scored])}
    for kind in KINDS:
        name = NOT_SHOWN if kind == "not_shown" else f"answers/{kind}, exact accuracy"
        figures[name] = _share([(film, right) for film, q, right in scored if q.kind == kind])
    usual: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for _, q, _ in scored:
        usual[q.kind][q.answer] += 1
    best = {kind: found.most_common(1)[0][0] for kind, found in usual.items() if found}
    figures[BASELINE] = _share([(film, q.answer == best[q.kind]) for film, q, _ in scored])
    return figures


def _share(right: Sequence[tuple[int, bool]], missing: int = 0) -> Figure:
    """The share of right answers; questions about one film are not independent."""
    counts = np.array([[ok, 1] for _, ok in right], float).reshape(len(right), 2)
    return figure(counts, [str(film) for film, _ in right], ratio, unscored=missing)
