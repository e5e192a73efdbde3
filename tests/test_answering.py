"""An answer goes with what is read in the film, or another is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.answering import goes_with
from assistant.chest.phantoms import make_phantom, truth_assertions, tube_positions
from assistant.chest.phantoms.truth import assertions
from assistant.questions import ask_about
from assistant.types import Assertion

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
    assert goes_with(question, right, READ, ())
    assert not goes_with(question, wrong, READ, ())


def test_a_change_is_held_against_both_films():
    large = (Assertion("pleural_effusion", side="right", degree="large"),)
    question = "Has the pleural effusion changed?"
    assert goes_with(question, "Smaller.", READ, large)
    for wrong in ("Larger.", "Unchanged.", "New.", "Resolved."):
        assert not goes_with(question, wrong, READ, large)
    assert goes_with(question, "New.", READ, ())
    assert goes_with("Has the mass changed?", "Resolved.", READ, (Assertion("mass", side="left"),))


def test_what_no_film_shows_and_what_is_not_understood_goes_with_any_film():
    assert goes_with("What is the blood pressure?", "120.", READ, ())
    assert goes_with("And otherwise?", "Unremarkable.", READ, ())


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
            assert goes_with(question.question, question.answer, known, then or ()), question
    assert asked > 300
