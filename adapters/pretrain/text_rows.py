"""Text for the language model without films: reports and answers, with a probe's reading.

To find a statement in the prompt and to repeat it needs no film. The model learns it from text,
which costs a fraction of what films cost, before an adapter learns to report.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapters.data.phantom_arrays import questions_of, reading_of
from assistant.prompts import (
    MAX_SIMILAR_CASES,
    answer_request,
    report_request,
    text_prompt,
)

IGNORE = -100
ANSWER_SHARE = 0.4  # of rows with answers; the rest are reports
READING_SHARE = 0.85  # of rows with a probe's reading of the film in the prompt
SIMILAR_SHARE = 0.4  # of reports with other films in the prompt, if several turns are allowed
TokenRow = tuple[list[int], list[int]]  # tokens and targets


def build_text_row(
    records: Sequence[dict[str, Any]], index: int, tokenizer: Any, turns: int, seed: int
) -> TokenRow:
    """Build a row with a report or up to `turns` answers about one record, without its film.

    The requests are targets too, as their words also occur in answers. If several turns are
    allowed, some prompts hold the readings of other films, which the report must not repeat.
    """
    rng = np.random.default_rng(seed)
    record = records[index]
    reading = reading_of(record) if rng.random() < READING_SHARE else ""
    if rng.random() < ANSWER_SHARE and (questions := questions_of(record, rng)):
        chosen = [questions[i] for i in rng.permutation(len(questions))[:turns]]
        prior = next((q.prior for q in chosen if q.prior), "")
        pairs = [(answer_request(chosen[0].question, prior, reading), chosen[0].answer)]
        pairs += [(answer_request(q.question), q.answer) for q in chosen[1:]]
    else:
        others = int(rng.integers(1, MAX_SIMILAR_CASES + 1)) if turns > 1 else 0
        similar = [reading_of(records[i]) for i in rng.integers(len(records), size=others)]
        shown_cases = similar if rng.random() < SIMILAR_SHARE else []
        report = f"Findings: {record['findings']}\nImpression: {record['impression']}"
        pairs = [(report_request(record["indication"], shown_cases, reading), report)]
    return _encode_turns(pairs, tokenizer)


def _encode_turns(pairs: Sequence[tuple[str, str]], tokenizer: Any) -> TokenRow:
    ids: list[int] = []
    for request, answer in pairs:
        request_ids = _encode(text_prompt(tokenizer, request), tokenizer)
        # Only the first turn of a conversation has a beginning mark.
        ids += request_ids[1:] if ids else request_ids
        ids += [*_encode(f" {answer}", tokenizer), int(tokenizer.eos_token_id)]
    return ids, [IGNORE, *ids[1:]]


def _encode(text: str, tokenizer: Any) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]
