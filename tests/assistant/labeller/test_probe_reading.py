"""The reading that a writer gets: each finding once, the most important first, read back as is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.chest.importance import rank_of
from assistant.chest.places import BOTH, DEGREES, SIDES, ZONES, each_side
from assistant.chest.vocabulary import FINDINGS, NORMAL, finding_named
from assistant.chest.wording.reduction import reduce_claims
from assistant.drafting.draft import count_mismatches
from assistant.labeller.labeller import find_assertions
from assistant.labeller.summary import (
    MAX_READING_FINDINGS,
    NOTHING,
    describe_probe,
    probe_assertions,
    probe_summary,
)
from assistant.types import Assertion, ProbeFinding

KEYS = [finding.key for finding in FINDINGS]


def probe_finding(key, side=None, zone=None, degree=None, present=True) -> ProbeFinding:
    known = finding_named(key)
    return ProbeFinding(
        finding=key,
        side=side if known.sided else None,
        zone=zone if known.zoned else None,
        degree=degree,
        probability=0.9 if present else 0.1,
        present=present,
    )


probe_findings = st.builds(
    probe_finding,
    key=st.sampled_from(KEYS),
    side=st.sampled_from((None, *SIDES)),
    zone=st.sampled_from((None, *ZONES)),
    degree=st.sampled_from((None, *DEGREES)),
    present=st.booleans(),
)


def claims_in(text: str) -> tuple[Assertion, ...]:
    return tuple(a for a in reduce_claims(find_assertions(text)) if a.finding != NORMAL)


@settings(max_examples=300, deadline=None)
@given(st.lists(probe_findings, max_size=16))
def test_a_reading_is_read_back_as_the_findings_that_it_names(findings):
    words = probe_summary(findings)
    expected = [a for a in reduce_claims(probe_assertions(findings)) if a.finding != NORMAL]
    expected.sort(key=lambda a: rank_of(a.finding))
    named = expected[:MAX_READING_FINDINGS]
    assert set(claims_in(words)) == set(named)
    assert (words == NOTHING) == (not expected)
    parts = words.split(", ") if expected else []
    assert [find_assertions(part)[0].finding for part in parts] == [a.finding for a in named]
    # As drafts are held against it: it agrees with itself.
    assert count_mismatches(find_assertions(words), find_assertions(words)) == 0


@settings(max_examples=200, deadline=None)
@given(st.lists(probe_findings, max_size=16))
def test_probe_claims_name_no_place_twice_and_sides_apart(findings):
    claims = probe_assertions(findings)
    assert len({(c.finding, c.side, c.zone) for c in claims}) == len(claims)
    assert not any(c.side == BOTH for c in claims)
    present = {(f.finding, side) for f in findings if f.present for side in each_side(f.side)}
    assert {(c.finding, c.side) for c in claims} <= present
    for claim in claims:
        placed = [c for c in claims if c.finding == claim.finding and c.side]
        assert claim.side or claim.zone or not placed


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ([("pleural_effusion",), ("pleural_effusion", "right")], "small right pleural effusion"),
        ([("pleural_effusion", "left"), ("pleural_effusion", "right"), ("pleural_effusion",)],
         "small bilateral pleural effusion"),
        ([("pleural_effusion", "left", None, "large"), ("pleural_effusion", "right")],
         "large left pleural effusion, small right pleural effusion"),
        ([("lung_opacity",), ("lung_opacity", "left"), ("lung_opacity", "left", "lower")],
         "left lower zone lung opacity"),
        ([("consolidation", "left"), ("lung_opacity",), ("lung_opacity", "left")],
         "left consolidation"),
        ([("nodule",), ("lung_lesion",)], "nodule"),
        ([("low_lung_volumes",), ("degenerative_spine",), ("sternotomy_wires",),
          ("atelectasis",), ("atelectasis", "right", "lower")],
         "right lower zone atelectasis, low lung volumes, sternotomy wires, "
         "degenerative change of the spine"),
        ([("cardiomegaly",), ("aortic_abnormality",), ("pneumothorax", "left")],
         "small left pneumothorax, small cardiomegaly, aortic ectasia or atherosclerosis"),
        ([("no_finding",)], "no finding"),
        ([("no_finding",), ("scoliosis",)], "scoliosis"),
    ],
)  # fmt: skip
def test_readings_of_real_films(findings, words):
    assert probe_summary([probe_finding(*finding) for finding in findings]) == words


def test_a_misplaced_tube_is_named_with_its_position():
    assert describe_probe([Assertion("endotracheal_tube", degree="too low")]) == (
        "too low endotracheal tube"
    )
