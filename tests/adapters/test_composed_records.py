"""Records in the project's own words: what the report says is what the reading says."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.data import phantom_arrays
from adapters.data.composed_records import (
    NORMAL_SHARE,
    draw_claims,
    draw_record,
    questions_of,
    reading_of,
    record_of,
)
from adapters.data.phantom_arrays import _record_of
from assistant.chest.phantoms import make_phantom
from assistant.chest.places import BOTH, DEGREES, SIDES, ZONES
from assistant.chest.vocabulary import FINDINGS, NORMAL
from assistant.chest.wording.reduction import reduce_claims
from assistant.drafting.draft import count_mismatches
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion

KEYS = [finding.key for finding in FINDINGS]
films = st.lists(
    st.builds(
        Assertion,
        finding=st.sampled_from(KEYS),
        polarity=st.sampled_from(("present", "uncertain", "absent")),
        side=st.sampled_from((None, *SIDES, BOTH)),
        zone=st.sampled_from((None, *ZONES)),
        degree=st.sampled_from((None, *DEGREES)),
    ),
    max_size=10,
)
seeds = st.integers(0, 2**31)


def report_of(record) -> str:
    return f"Findings: {record['findings']}\nImpression: {record['impression']}"


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=200, deadline=None)
@given(seeds)
def test_a_drawn_report_says_what_its_reading_says(seed):
    record = draw_record(rng(seed))
    assert record == draw_record(rng(seed)) == json.loads(json.dumps(record))
    claims = find_assertions(report_of(record))
    assert count_mismatches(find_assertions(reading_of(record)), claims) == 0
    assert not any(claim.polarity == "uncertain" for claim in claims)


@settings(max_examples=200, deadline=None)
@given(films, seeds)
def test_a_real_films_record_says_what_is_certain_and_keeps_what_is_not(claims, seed):
    record = record_of(claims, rng(seed), "Cough.")
    reduced = reduce_claims(claims)
    for polarity, name in (("present", "truth"), ("uncertain", "uncertain"), ("absent", "denied")):
        rows = phantom_arrays.assertions_of(record[name])
        assert rows == [claim for claim in reduced if claim.polarity == polarity]
    found = find_assertions(report_of(record))
    assert count_mismatches(find_assertions(reading_of(record)), found) == 0
    hedged = record_of(claims, rng(seed), hedged=True)
    doubted = {c.finding for c in find_assertions(report_of(hedged)) if c.polarity == "uncertain"}
    assert doubted == {row[0] for row in record["uncertain"]}
    assert record["indication"] == "Cough."
    assert set(record) > set(_record_of(make_phantom(5, 0)))


@settings(max_examples=200, deadline=None)
@given(films, seeds, st.booleans())
def test_questions_find_absent_only_what_is_and_ask_nothing_in_doubt(claims, seed, complete):
    record = record_of(claims, rng(seed), complete=complete)
    named = {row[0] for row in (*record["truth"], *record["uncertain"], *record["denied"])}
    doubtful = {row[0] for row in record["uncertain"]} - {row[0] for row in record["truth"]}
    for question in questions_of(record, rng(seed)):
        asked = {c.finding for c in find_assertions(question.question)} - {NORMAL}
        if question.kind == "presence" and question.answer == "No.":
            assert complete or asked & named
        if question.kind == "presence" and len(asked) == 1:
            assert not asked & doubtful


def test_drawn_films_cover_the_vocabulary_and_are_often_normal():
    drawn = [draw_claims(rng(seed)) for seed in range(3000)]
    present = [[c for c in claims if c.polarity == "present"] for claims in drawn]
    normal = sum(not claims for claims in present) / len(present)
    assert abs(normal - NORMAL_SHARE) < 0.04
    counts = Counter(c.finding for claims in present for c in claims)
    assert set(counts) == set(KEYS) - {NORMAL}
    assert all(reduce_claims(claims) == claims for claims in drawn)


def test_records_of_phantoms_are_read_and_asked_about_as_before():
    for index in range(6):
        record = _record_of(make_phantom(5, index))
        assert reading_of(record) == phantom_arrays.reading_of(record)
        assert questions_of(record, rng(1)) == phantom_arrays.questions_of(record, rng(1))
