"""The project's own wording says what it is given, no more and no less; the labeller judges it."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import REPO
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.chest.hierarchy import BROADER
from assistant.chest.importance import NOT_NORMAL, TRIVIAL, rank_of
from assistant.chest.places import BOTH, DEGREES, SIDES, ZONES, sides_agree
from assistant.chest.vocabulary import FINDINGS, NORMAL, TUBE, finding_named
from assistant.chest.wording.denials import DENIALS, NO_ACUTE, NORMAL_FILM
from assistant.chest.wording.reduction import reduce_claims
from assistant.chest.wording.report import MOST_ITEMS, compose_report
from assistant.chest.wording.sentences import (
    TUBE_POSITIONS,
    WORDINGS,
    item_of,
    own_sentences_of,
    sentences_of,
)
from assistant.claims import name_of
from assistant.labeller.labeller import find_assertions
from assistant.labeller.sentences import is_comparison, parse_sentences, withhold_numbers
from assistant.types import Assertion

OPENI = REPO.parent / "shared" / "data" / "openi" / "cases.csv"
KEYS = [finding.key for finding in FINDINGS if finding.key != NORMAL]
LONGEST = 14  # words of a sentence
POLARITIES = ("present", "uncertain", "absent")
claims_of_anything = st.builds(
    Assertion,
    finding=st.sampled_from(KEYS),
    polarity=st.sampled_from(POLARITIES),
    side=st.sampled_from((None, *SIDES, BOTH)),
    zone=st.sampled_from((None, *ZONES)),
    degree=st.sampled_from((None, *DEGREES, *TUBE_POSITIONS)),
)
films = st.lists(claims_of_anything, max_size=12)
seeds = st.integers(0, 2**31)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def read(text: str) -> set[Assertion]:
    """What the labeller reads in a text, without repetitions."""
    return set(reduce_claims(find_assertions(text)))


def unplaced_tip(claims) -> set[Assertion]:
    """Claims without the position of a tube's tip, which is no degree and is read elsewhere."""
    return {replace(c, degree=None) if c.degree in TUBE_POSITIONS else c for c in claims}


def stated(claims) -> set[Assertion]:
    return {claim for claim in claims if claim.polarity != "absent"}


def phrasings(claim: Assertion) -> list[str]:
    return [*own_sentences_of(claim), *sentences_of(claim), item_of(claim), name_of(claim)]


def possible_claims(key: str) -> list[Assertion]:
    finding = finding_named(key)
    every = {
        claim
        for polarity in POLARITIES
        for side in (None, *SIDES, BOTH)
        for zone in (None, *ZONES)
        for degree in (None, *DEGREES)
        for claim in reduce_claims([Assertion(key, polarity, side, zone, degree)])
    }
    assert finding.sided or not any(claim.side for claim in every)
    return sorted(every, key=repr)


@settings(max_examples=300, deadline=None)
@given(claims_of_anything)
def test_every_phrasing_is_read_as_it_was_meant(claim):
    for reduced in reduce_claims([claim]):
        for text in phrasings(reduced):
            assert read(text) == unplaced_tip([reduced]), text


@pytest.mark.long
@pytest.mark.parametrize("key", KEYS)
def test_all_phrasings_of_a_finding_are_read_as_they_were_meant(key):
    for claim in possible_claims(key):
        for text in phrasings(claim):
            assert read(text) == {claim}, text


@pytest.mark.parametrize("key", KEYS)
def test_every_finding_has_phrasings_and_a_place_in_the_order_of_importance(key):
    for polarity in POLARITIES:
        claim = Assertion(key, polarity)
        assert len({*own_sentences_of(claim), *sentences_of(claim)}) >= 3
    assert 0 <= rank_of(key) < rank_of(NORMAL)
    assert set(WORDINGS) == set(KEYS)
    assert len({rank_of(k) for k in KEYS}) == len(KEYS)


def test_a_denial_denies_what_it_lists_and_a_normal_film_nothing():
    for denial in DENIALS:
        for phrase in denial.phrases:
            assert read(phrase) == {Assertion(key, "absent") for key in denial.findings}, phrase
    for phrase in (*NO_ACUTE, *NORMAL_FILM):
        assert {(c.finding, c.polarity) for c in find_assertions(phrase)} == {(NORMAL, "present")}


@settings(max_examples=400, deadline=None)
@given(films, st.lists(st.sampled_from(KEYS), max_size=5), seeds)
def test_findings_say_what_is_claimed_and_deny_only_what_is_absent(claims, denied, seed):
    report = compose_report(claims, rng(seed), denied=denied)
    reduced = reduce_claims((*claims, *(Assertion(key, "absent") for key in denied)))
    found = read(report.findings)
    assert stated(found) == unplaced_tip(stated(reduced))
    assert found - stated(found) <= set(reduced)


@settings(max_examples=400, deadline=None)
@given(films, seeds)
def test_the_impression_repeats_the_findings_worst_first_and_contradicts_nothing(claims, seed):
    report = compose_report(claims, rng(seed))
    found, repeated = read(report.findings), find_assertions(report.impression)
    items = [replace(c, span=(0, 0)) for c in repeated if c.finding != NORMAL]
    assert read(report.impression) <= found
    assert read(f"Findings: {report.findings}\nImpression: {report.impression}") == found
    main = stated(c for c in found if c.finding not in TRIVIAL)
    misplaced = any(c.degree in TUBE_POSITIONS for c in stated(reduce_claims(claims)))
    is_normal = any(c.finding == NORMAL for c in repeated)
    assert is_normal == (not main and not misplaced)
    if main:
        assert len({(c.finding, c.side, c.zone) for c in items}) <= MOST_ITEMS
        certain = [
            rank_of(c.finding) for c in items if c.polarity == "present" and c.finding != TUBE
        ]
        assert certain == sorted(certain)
        assert min(certain, default=0) <= min(
            (rank_of(c.finding) for c in main if c.polarity == "present"), default=rank_of(NORMAL)
        )


@settings(max_examples=200, deadline=None)
@given(films, seeds)
def test_a_report_is_the_same_again_and_its_sentences_are_short_and_stand_alone(claims, seed):
    report = compose_report(claims, rng(seed))
    assert report == compose_report(claims, rng(seed))
    text = f"Findings: {report.findings}\nImpression: {report.impression}"
    for sentence in parse_sentences(text):
        assert len(sentence.text.split()) <= LONGEST
        assert sentence.text[0].isupper()
        assert sentence.text.endswith(".")
        # No other film is known, and nothing has been measured.
        assert not is_comparison(sentence.text)
        assert not withhold_numbers(sentence.text)[1]
        assert sentence.assertions
    assert not re.search(r"  | \.|[{}]|None|some ", text + report.caption)
    assert stated(read(report.caption)) <= unplaced_tip(stated(reduce_claims(claims)))


@settings(max_examples=300, deadline=None)
@given(films, seeds)
def test_reduced_claims_stay_as_they_are_in_any_order(claims, seed):
    reduced = reduce_claims(claims)
    assert reduce_claims(reduced) == reduced
    shuffled = [claims[i] for i in rng(seed).permutation(len(claims))]
    assert reduce_claims(shuffled) == reduced


@settings(max_examples=300, deadline=None)
@given(films)
def test_reduced_claims_neither_repeat_nor_contradict_one_another(claims):
    reduced = reduce_claims(claims)
    present = [c for c in reduced if c.polarity == "present"]
    spoken_of = {c.finding for c in reduced if c.polarity != "absent"}
    assert not {c.finding for c in reduced if c.polarity == "absent"} & spoken_of
    for c in reduced:
        finding = finding_named(c.finding)
        assert finding.sided or c.side is None
        assert finding.zoned or c.zone is None
        for other in present:
            if other is c or c.polarity == "absent":
                continue
            same_place = c.zone == other.zone and sides_agree(c.side, other.side)
            if c.finding == other.finding and None not in (c.side, other.side):
                assert not same_place or {c.side, other.side} == set(SIDES)
            assert not (c.finding in BROADER.get(other.finding, ()) and not (c.side or c.zone))


@pytest.mark.parametrize(
    ("given_claims", "kept"),
    [
        (["pleural_effusion right", "pleural_effusion"], ["pleural_effusion right"]),
        (["pleural_effusion right", "pleural_effusion left"], ["pleural_effusion bilateral"]),
        (["atelectasis right lower", "atelectasis bilateral"],
         ["atelectasis left", "atelectasis right lower"]),
        (["consolidation right lower", "lung_opacity right lower"], ["consolidation right lower"]),
        (["consolidation right lower", "lung_opacity left"],
         ["consolidation right lower", "lung_opacity left"]),
        (["nodule", "-nodule", "?nodule"], ["nodule"]),
        (["?nodule left", "nodule right"], ["nodule right", "?nodule left"]),
        (["-lung_opacity", "pneumonia"], ["pneumonia"]),
        (["cardiomegaly small", "cardiomegaly", "cardiomegaly large"], ["cardiomegaly large"]),
        (["no_finding", "-pneumothorax bilateral"], ["-pneumothorax"]),
        (["low_lung_volumes", "hyperinflation"], ["hyperinflation"]),
    ],
)  # fmt: skip
def test_what_is_kept_of_claims_that_repeat_or_contradict(given_claims, kept):
    assert list(reduce_claims(map(parse, given_claims))) == [parse(text) for text in kept]


def parse(text: str) -> Assertion:
    key, *words = text.lstrip("-?").split()
    side = next((w for w in words if w in (*SIDES, BOTH)), None)
    zone = next((w for w in words if w in ZONES), None)
    degree = next((w for w in words if w in DEGREES), None)
    polarity = {"-": "absent", "?": "uncertain"}.get(text[0], "present")
    return Assertion(key, polarity, side, zone, degree)  # type: ignore[arg-type]


def test_findings_that_matter_are_never_called_normal():
    assert not NOT_NORMAL & TRIVIAL
    for seed in range(200):
        key = sorted(NOT_NORMAL)[seed % len(NOT_NORMAL)]
        report = compose_report([Assertion(key)], rng(seed))
        assert not any(c.finding == NORMAL for c in find_assertions(report.impression))


def test_what_real_reports_assert_survives_being_worded_anew():
    if not OPENI.is_file():
        pytest.skip("shared/data/openi is not here")
    survived, total = _count_survivors(OPENI, every=12)
    assert survived == total > 200


def _count_survivors(table: Path, every: int) -> tuple[int, int]:
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] in ("train", "extra")]
    survived = 0
    for number, row in enumerate(rows[::every]):
        claims = find_assertions(row["report"])
        report = compose_report(claims, rng(number))
        text = f"Findings: {report.findings}\nImpression: {report.impression}"
        survived += stated(read(text)) == stated(reduce_claims(claims))
    return survived, len(rows[::every])
