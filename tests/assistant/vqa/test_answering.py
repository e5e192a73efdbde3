"""An answer goes with what is read in the film, or another is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.chest.phantoms import make_phantom, truth_assertions, tube_positions
from assistant.chest.phantoms.truth import assertions
from assistant.types import Assertion
from assistant.vqa.answer_claims import claims_of_answer, is_consistent
from assistant.vqa.question_bank import ask_about

READ = (
    Assertion("pleural_effusion", side="right", degree="small"),
    Assertion("nodule", side="left", zone="upper"),
    Assertion("nodule", side="left", zone="lower"),
    Assertion("endotracheal_tube", degree="too high"),
)


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ("Is there a pleural effusion?", "Yes, on the right.", "Yes, on the left."),
        ("Is there a pleural effusion?", "Yes, on the right.", "No."),
        ("Do you see a left pleural effusion?", "No.", "Yes, on the left."),
        ("Does the film show a pneumothorax?", "No.", "Yes, on both sides."),
        ("On which side is the nodule?", "Left.", "Both sides."),
        ("Where is the nodule?", "Left upper zone and left lower zone.", "Left upper zone."),
        ("How large is the pleural effusion?", "Small.", "Large."),
        ("How many nodules are there?", "Two.", "One."),
        ("How many nodules are there?", "Two.", "The film does not show a nodule."),
        ("On which side is the mass?", "The film does not show a mass.", "Right."),
        ("Is the endotracheal tube in place?", "Too high.", "In place."),
    ],
)
def test_an_answer_that_says_otherwise_than_the_film_does_not_go_with_it(question, right, wrong):
    assert is_consistent(question, right, READ, ())
    assert not is_consistent(question, wrong, READ, ())


def test_a_change_is_held_against_both_films():
    large = (Assertion("pleural_effusion", side="right", degree="large"),)
    question = "Has the pleural effusion changed?"
    assert is_consistent(question, "Smaller.", READ, large)
    for wrong in ("Larger.", "Unchanged.", "New.", "Resolved."):
        assert not is_consistent(question, wrong, READ, large)
    assert is_consistent(question, "New.", READ, ())
    assert is_consistent(
        "Has the mass changed?", "Resolved.", READ, (Assertion("mass", side="left"),)
    )


def test_what_no_film_shows_and_what_is_not_understood_goes_with_any_film():
    assert is_consistent("What is the blood pressure?", "120.", READ, ())
    assert is_consistent("And otherwise?", "Unremarkable.", READ, ())


def said(question: str, answer: str) -> list[tuple]:
    return [
        (a.finding, a.polarity, a.side, a.zone, a.degree, a.comparison)
        for a in claims_of_answer(question, answer)
    ]


@pytest.mark.parametrize(
    ("question", "answer", "claim"),
    [
        ("Is there an effusion?", "No.", ("absent", None, None, None, None)),
        ("Is there a left effusion?", "No.", ("absent", "left", None, None, None)),
        ("Is there an effusion?", "Yes.", ("present", None, None, None, None)),
        ("Is there a left effusion?", "Yes.", ("present", "left", None, None, None)),
        ("Is there a large effusion?", "Yes.", ("present", None, None, "large", None)),
        ("Is there an effusion?", "Yes, on both sides.", ("present", "bilateral", *[None] * 3)),
        ("On which side is the effusion?", "Right.", ("present", "right", None, None, None)),
        ("Is the effusion right or left?", "Left.", ("present", "left", None, None, None)),
        ("Is the left effusion small, moderate or large?", "Large.",
         ("present", "left", None, "large", None)),
        ("How large is the effusion?", "Small.", ("present", None, None, "small", None)),
        ("Is the effusion on the left?", "The film does not show an effusion.",
         ("absent", None, None, None, None)),
        ("Has the effusion changed?", "Larger.", ("present", None, None, None, "larger")),
        ("Has the effusion changed?", "Resolved.", ("absent", None, None, None, "resolved")),
    ],
)  # fmt: skip
def test_question_and_answer_make_one_claim(question, answer, claim):
    assert said(question, answer) == [("pleural_effusion", *claim)]


def test_places_make_a_claim_each_and_two_findings_are_denied_together():
    asked = "Where is the nodule?"
    assert [(c[2], c[3]) for c in said(asked, "Right upper zone and left lower zone.")] == [
        ("right", "upper"),
        ("left", "lower"),
    ]
    both = said("Is there an effusion or a pneumothorax?", "No.")
    assert [(c[0], c[1]) for c in both] == [
        ("pleural_effusion", "absent"),
        ("pneumothorax", "absent"),
    ]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is the blood pressure?", "The film does not show the blood pressure."),
        ("Is there no effusion?", "No."),  # who knows
        ("Is there no effusion?", "Yes."),
        ("Is there a large effusion?", "No."),  # a small one is not denied
        ("Is there a new effusion?", "No."),
        ("Are there bilateral effusions?", "No."),
        ("Is there an effusion or a pneumothorax?", "Yes."),
        ("Is there an effusion?", "Hard to say."),
        ("And otherwise?", "Right."),
    ],
)
def test_where_it_cannot_be_told_nothing_is_claimed(question, answer):
    assert said(question, answer) == []


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_right_answer_to_any_question_goes_with_the_truth(split):
    asked = 0
    for index in range(60):
        phantom = make_phantom(9, index, "A", split)
        tubes = tube_positions(phantom)
        truth = truth_assertions(phantom)
        known = [
            Assertion(a.finding, a.polarity, a.side, a.zone, tubes.get(a.finding, a.degree))
            for a in truth
        ]
        before = phantom.prior
        then = before and assertions((*before.lesions, *before.distractors, *before.devices))
        rng = np.random.default_rng(index)
        for question in ask_about(rng, truth, then, split, tubes):
            asked += 1
            assert is_consistent(question.question, question.answer, known, then or ()), question
    assert asked > 300
