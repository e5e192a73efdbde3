"""What the language model reads without films: reports and answers, told what a probe reads.

Looking a thing up in what one is told and saying it again is an ability of language alone. It is
learnt from words, which cost a fraction of what films cost, before an adapter learns to report.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapters.data.phantom_arrays import questions_of, reading_of
from assistant.prompts import (
    SIMILAR_MOST,
    answer_request,
    report_request,
    words_prompt,
)

IGNORE = -100
ANSWERS = 0.4  # share of what is read that are answers; the rest are reports
TOLD = 0.85  # share of what is read that comes with what a probe reads in the film
COMPARED = 0.4  # share of reports that are told of other films, where turns are many
TokenRow = tuple[list[int], list[int]]  # tokens, and which of them are to be foretold


def reading_row(
    records: Sequence[dict[str, Any]], index: int, tokenizer: Any, turns: int, seed: int
) -> TokenRow:
    """A report or up to `turns` answers about one record, asked for without its film.

    What is asked is foretold as well: its words come in answers too. Where there may be several
    turns, some reports are told of other films, and must not take those for this one.
    """
    rng = np.random.default_rng(seed)
    record = records[index]
    reading = reading_of(record) if rng.random() < TOLD else ""
    if rng.random() < ANSWERS and (asked := questions_of(record, rng)):
        chosen = [asked[i] for i in rng.permutation(len(asked))[:turns]]
        prior = next((q.prior for q in chosen if q.prior), "")
        pairs = [(answer_request(chosen[0].question, prior, reading), chosen[0].answer)]
        pairs += [(answer_request(q.question), q.answer) for q in chosen[1:]]
    else:
        others = int(rng.integers(1, SIMILAR_MOST + 1)) if turns > 1 else 0
        similar = [reading_of(records[i]) for i in rng.integers(len(records), size=others)]
        told = similar if rng.random() < COMPARED else []
        report = f"Findings: {record['findings']}\nImpression: {record['impression']}"
        pairs = [(report_request(record["indication"], told, reading), report)]
    return _row(pairs, tokenizer)


def _row(pairs: Sequence[tuple[str, str]], tokenizer: Any) -> TokenRow:
    ids: list[int] = []
    for request, answer in pairs:
        asked = _encode(words_prompt(tokenizer, request), tokenizer)
        # One beginning for a whole conversation.
        ids += asked[1:] if ids else asked
        ids += [*_encode(f" {answer}", tokenizer), int(tokenizer.eos_token_id)]
    return ids, [IGNORE, *ids[1:]]


def _encode(text: str, tokenizer: Any) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]
