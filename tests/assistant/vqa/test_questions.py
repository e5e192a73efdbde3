"""Questions: each has one answer, and the answer is true of the film."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.chest import question_words as words
from assistant.chest.phantoms import pathology
from assistant.chest.places import DEGREES, SIDES, ZONES
from assistant.chest.vocabulary import DEVICES, finding_named
from assistant.evidence.rules import judge_answer
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion
from assistant.vqa.question_bank import KINDS, Question, ask_about

ZONE = "(?:right |left )?(?:upper|mid|lower) zones?"
FORMS = {
    "presence": r"Yes, on the (right|left)\.|Yes, on both sides\.|Yes\.|No\.",
    "side": r"Right\.|Left\.|Both sides\.",
    "place": rf"(?i){ZONE}( and {ZONE})*\.",
    "size": r"Small\.|Moderate\.|Large\.",
    "count": r"One\.|Two\.|Three\.",
    "device": r"Yes\.|No\.|In place\.|Too high\.|Too low\.",
    "comparison": r"New\.|Resolved\.|Larger\.|Smaller\.|Unchanged\.",
    "not_shown": r"The film does not show [^.]+\.",
}


@st.composite
def claims(draw):
    """What a phantom may have, as its truth says it."""
    made = []
    for key in draw(st.lists(st.sampled_from((*words.ASKED, *DEVICES)), max_size=7)):
        finding = finding_named(key)
        made.append(
            Assertion(
                key,
                side=draw(st.sampled_from(SIDES)) if finding.sided else None,
                zone=draw(st.sampled_from(ZONES)) if finding.sided and finding.zoned else None,
                degree=draw(st.sampled_from(DEGREES)) if key in words.GRADED else None,
            )
        )
    return made


def many(present, prior=None, split="train", draws=60, positions=None, **options):
    rng = np.random.default_rng(3)
    return [
        q for _ in range(draws) for q in ask_about(rng, present, prior, split, positions, **options)
    ]


def one(kind: str, questions: list[Question]) -> set[str]:
    return {q.answer for q in questions if q.kind == kind}


@settings(max_examples=60, deadline=None)
@given(claims(), claims(), st.integers(0, 9), st.sampled_from(["train", "test"]))
def test_every_answer_has_the_form_of_its_kind_and_denies_only_what_is_absent(
    present, prior, seed, split
):
    there = {a.finding for a in present}
    for q in ask_about(np.random.default_rng(seed), present, prior, split):
        assert q.kind in KINDS
        assert re.fullmatch(FORMS[q.kind], q.answer), q
        assert bool(q.prior) == (q.kind == "comparison"), q
        denied = [a for a in find_assertions(q.answer) if a.finding != "no_finding"]
        if q.kind == "not_shown":
            # The labeller reads the answer as we mean it.
            assert all(a.polarity == "absent" for a in denied), q
            for a in denied:
                same = [p for p in present if p.finding == a.finding]
                assert not same or (a.side and all(p.side != a.side for p in same)), q
        if q.kind in ("presence", "device"):
            asked = {a.finding for a in find_assertions(q.question)} & {
                *words.ASKED,
                *DEVICES,
            }
            assert len(asked) == 1, q
            sides = {a.side for a in find_assertions(q.question)} - {None}
            held = {a.finding for a in present if not sides or a.side in sides}
            assert (q.answer == "No.") == (not asked & held), q
    assert there or not {"side", "place", "size", "count"} & {
        q.kind for q in ask_about(np.random.default_rng(seed), present, None, split)
    }


@settings(max_examples=20, deadline=None)
@given(claims(), claims(), st.integers(0, 9))
def test_the_same_state_asks_the_same_questions(present, prior, seed):
    first, again = (
        ask_about(np.random.default_rng(seed), present, prior, "train") for _ in range(2)
    )
    assert first == again


FILM = [
    Assertion("pleural_effusion", side="right", degree="small"),
    Assertion("pleural_effusion", side="left", degree="large"),
    Assertion("nodule", side="left", zone="lower"),
    Assertion("nodule", side="right", zone="upper"),
    Assertion("endotracheal_tube"),
]


def test_each_kind_is_asked_and_answered_by_the_truth():
    found = many(FILM, FILM[:1], positions={"endotracheal_tube": "too low"})
    assert {q.kind for q in found} == set(KINDS)
    assert one("side", found) == {"Both sides."}
    assert one("place", found) == {"Right upper zone and left lower zone."}
    assert one("count", found) == {"Two."}
    assert one("device", found) == {"Yes.", "No.", "Too low."}
    for q in found:
        if q.kind == "size":  # of two sides that differ one is named
            assert q.answer == ("Small." if "right" in q.question else "Large.")
    assert {q.prior for q in found if q.kind == "comparison"} == {"small right pleural effusion"}


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (None, "small", "New."),
        ("large", None, "Resolved."),
        ("small", "moderate", "Larger."),
        ("large", "small", "Smaller."),
        ("moderate", "moderate", "Unchanged."),
    ],
)
def test_a_change_follows_from_presence_and_degree(before, after, change):
    then = [Assertion("pneumothorax", side="left", degree=before)] if before else []
    now = [Assertion("pneumothorax", side="left", degree=after)] if after else []
    found = [q for q in many(now, then) if q.kind == "comparison"]
    assert {q.answer for q in found} == {change}
    assert {q.prior for q in found} == {f"{before} left pneumothorax" if before else "no finding"}
    assert all("left pneumothorax" in q.question for q in found)


def test_no_change_is_asked_where_nobody_could_tell_which_lesion_is_meant():
    then = [Assertion("nodule", side="left", zone="upper")]
    now = [*then, Assertion("nodule", side="left", zone="lower")]
    assert not one("comparison", many(now, then))
    assert one("comparison", many(now, now)) == {"Unchanged."}


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_rules_of_evidence_leave_questions_and_answers_as_they_are(split):
    """A comparison is asked with a prior only; nothing else looks like one."""
    for q in many(FILM, FILM[:1], split, positions={"endotracheal_tube": "in place"}):
        assert judge_answer(q.question, q.answer, has_prior=bool(q.prior)) == (q.answer, ())


def test_what_a_report_says_twice_is_one_finding():
    """The impression repeats the findings, with less detail."""
    then = find_assertions("Small left effusion. Nodule in the left upper zone. Left nodule.")
    now = find_assertions(
        "There is a large left effusion. Nodule in the left upper zone. Left pleural effusion."
    )
    found = [q for q in many(now, then, complete=False) if q.kind == "comparison"]
    assert {q.answer for q in found} == {"Larger."}


def test_some_questions_ask_what_no_film_shows():
    assert any("blood" in answer for answer in one("not_shown", many(FILM)))


def test_training_never_sees_the_phrasing_kept_for_the_test():
    tables = {
        name: table
        for name, table in vars(words).items()
        if isinstance(table, tuple) and any("{" in str(text) for text in table)
    }
    assert len(tables) >= 9
    patterns = {
        name: re.sub(r"\\\{.*?\\\}", ".+", re.escape(table[-1])) for name, table in tables.items()
    }
    positions = {"endotracheal_tube": "in place"}
    heart = [*FILM, Assertion("cardiomegaly", degree="large")]
    asked = {
        split: {q.question for q in many(heart, FILM[:1], split, 200, positions)}
        for split in ("train", "test")
    }
    for name, pattern in patterns.items():
        assert any(re.fullmatch(pattern, text) for text in asked["test"]), name
        assert not any(re.fullmatch(pattern, text) for text in asked["train"]), name


def test_of_a_report_only_what_it_denies_is_absent_and_nothing_is_counted():
    said = find_assertions(
        "There is a nodule in the left upper zone. No pneumothorax. Possible pleural effusion."
    )
    found = many(said, find_assertions("No pleural effusion."), complete=False)
    assert not one("count", found)
    assert not one("comparison", found)
    text = " ".join(q.question for q in found)
    assert "pneumothorax" in text
    assert not any(word in text for word in ("effusion", "mass", "cardiomegaly", "tube"))


def test_names_take_the_right_article_and_verb():
    text = " ".join(f"{q.question} {q.answer}" for q in many([], split="test", draws=300))
    for right in ("a pneumothorax", "an endotracheal tube", "Are there sternotomy wires?"):
        assert right in text
    assert not re.search(
        r"\ba [aeio]|\ban [^aeio]|\ba (atelectasis|sternotomy)|Is there ster", text
    )


def test_what_is_asked_is_what_phantoms_have():
    assert set(words.ASKED) == {*pathology.FINDINGS, *pathology.DISTRACTORS}
    assert set(DEVICES) == set(pathology.DEVICES)
    assert set(words.GRADED) == set(pathology.SIZES)
    assert set(words.POSITIONS) == set(pathology.TIP_MM)
