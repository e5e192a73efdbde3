"""Questions about held-out phantoms; an answer is right if it equals the only right one exactly."""

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
from evals.data.phantoms import as_film, make_phantoms
from evals.options import SuiteOptions
from evals.results import Figure, PartResult, compute_figure

FILMS = 120  # about ten questions each
ALL, NOT_SHOWN = "answers/exact accuracy", "answers/exact accuracy on what is not shown"
BASELINE = "baseline/the commonest answer to each kind of question"
_STREAM = 7  # of random numbers, for the questions alone


def measure(assistant: Assistant, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    """Ask about held-out phantoms in phrasings that training never saw."""
    n = options.film_count(FILMS)
    if "answer" not in assistant.backbone.tasks:
        reason = "this backbone has no answer adapter"
        return PartResult({ALL: _accuracy([], n), NOT_SHOWN: _accuracy([], n)}, (), {ALL: reason})
    answers: list[tuple[int, Question, bool]] = []
    cases: list[dict[str, Any]] = []
    for number, phantom in enumerate(make_phantoms(options.seed, range(n), options.site)):
        film, prior_report = as_film(phantom), phantom.prior.report if phantom.prior else ""
        for question in questions_of(phantom, options.seed, number):
            answer = assistant.ask(
                film, question.question, prior_report=prior_report if question.prior else ""
            )
            text = " ".join(answer.text.split())
            answers.append((number, question, text == question.answer))
            cases.append(
                {
                    "part": "answers",
                    "case": number,
                    "kind": question.kind,
                    "question": question.question,
                    "answer": question.answer,
                    "said": text,
                }
            )
        on_progress(number + 1, n)
    return PartResult(_figures(answers), cases, {}, f"{len(answers)} questions about {n} phantoms")


def questions_of(phantom: Phantom, seed: int, number: int) -> list[Question]:
    """The questions about a test phantom."""
    prior = phantom.prior
    return ask_about(
        np.random.default_rng([seed, _STREAM, number]),
        truth_assertions(phantom),
        None if prior is None else assertions((*prior.lesions, *prior.distractors, *prior.devices)),
        "test",
        tube_positions(phantom),
    )


def _figures(answers: Sequence[tuple[int, Question, bool]]) -> dict[str, Figure]:
    figures = {ALL: _accuracy([(film, right) for film, _, right in answers])}
    for kind in KINDS:
        name = NOT_SHOWN if kind == "not_shown" else f"answers/{kind}, exact accuracy"
        figures[name] = _accuracy([(film, right) for film, q, right in answers if q.kind == kind])
    answer_counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for _, q, _ in answers:
        answer_counts[q.kind][q.answer] += 1
    commonest = {
        kind: counts.most_common(1)[0][0] for kind, counts in answer_counts.items() if counts
    }
    figures[BASELINE] = _accuracy([(film, q.answer == commonest[q.kind]) for film, q, _ in answers])
    return figures


def _accuracy(right: Sequence[tuple[int, bool]], missing: int = 0) -> Figure:
    """The share of right answers; questions about one film are not independent."""
    counts = np.array([[ok, 1] for _, ok in right], float).reshape(len(right), 2)
    return compute_figure(counts, [str(film) for film, _ in right], ratio, unscored=missing)
