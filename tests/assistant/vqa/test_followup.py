"""A conversation about a film: follow-ups, measurements, changes, and what speaks for an answer."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from command import run

from assistant.chest.phantoms import Phantom, make_phantom
from assistant.chest.question_words import (
    BEYOND,
    COMPARISON,
    COUNT,
    DEGREE,
    DEVICE,
    PLACE,
    PRESENCE,
    SIDE,
    SIZE,
    THINGS,
    TIP,
    phrase_question,
)
from assistant.evidence.collect import EvidenceSources
from assistant.evidence.rules import NO_PRIOR
from assistant.export.draft_json import answer_dict
from assistant.types import Film, GeneratedText, Study
from assistant.vqa.followup import resolve_followup
from assistant.vqa.question_bank import ASKED, DEVICES

NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")
EFFUSION = [("Is there a pleural effusion?", "Yes, on the right.")]
NODULE = [("Is there a nodule?", "Yes, on the left.")]
TUBE = [("Is there an endotracheal tube?", "Yes.")]
HEART = [("Is there cardiomegaly?", "No.")]


def film_of(number: int, *, spaced: bool = False) -> tuple[Film, Phantom]:
    phantom = make_phantom(77, number, "A", "test")
    pixels = np.ascontiguousarray(phantom.film, np.float32) / 255
    spacing = (phantom.spacing_mm, phantom.spacing_mm) if spaced else None
    return Film(pixels, f"{number}" * 64, spacing_mm=spacing), phantom


@pytest.fixture(scope="module")
def ill() -> Film:
    """A large right effusion, an enlarged heart, a tube 47 mm over the carina."""
    return film_of(5)[0]


@pytest.fixture(scope="module")
def well() -> Film:
    """Nothing at all."""
    return film_of(6)[0]


def saying(monkeypatch, assistant, words: str) -> None:
    """The writer says these words, whatever it is asked."""
    written = GeneratedText(words, ((0, len(words)),), (-0.1,))
    monkeypatch.setattr(assistant.backbone, "write", lambda codes, *_, **__: [written] * len(codes))


def claims(answer) -> list[tuple]:
    return [(a.finding, a.polarity, a.side) for a in answer.sentence.assertions]


def test_an_answer_claims_what_question_and_answer_say_and_the_film_speaks_for_it(
    assistant, ill, well
):
    yes = assistant.ask(ill, "Is there a pleural effusion?")
    assert claims(yes) == [("pleural_effusion", "present", "right")]
    no = assistant.ask(well, "Is there a pleural effusion?")
    assert claims(no) == [("pleural_effusion", "absent", None)]
    for answer in (yes, no):
        sentence = answer.sentence
        assert (sentence.verdict, sentence.action) == ("supported", "keep")
        assert 0 < sentence.risk < 0.07
        assert any(e.kind == "probe" and e.says == "supports" for e in sentence.evidence)
    assert any(e.box for e in yes.sentence.evidence)


@pytest.mark.parametrize("words", ["Yes, on the left.", "The film shows a left pleural effusion."])
def test_a_wrong_answer_is_contradicted_by_the_film(assistant, well, monkeypatch, words):
    saying(monkeypatch, assistant, words)
    sentence = assistant.ask(well, "Is there a pleural effusion?").sentence
    assert sentence.verdict == "contradicted"
    assert sentence.action != "keep"


@pytest.mark.parametrize(
    ("question", "words", "verdict"),
    [
        ("How many pleural effusions are there?", "Two.", "contradicted"),
        ("How many pleural effusions are there?", "One.", "unchecked"),
        ("Is the endotracheal tube in place?", "In place.", "unchecked"),
        ("Has the pleural effusion changed?", "New.", "contradicted"),
        ("Has the pleural effusion changed?", "Smaller.", "contradicted"),
        ("Has the pleural effusion changed?", "Larger.", "supported"),
    ],
)
def test_what_no_claim_holds_the_reading_is_asked_about(
    assistant, ill, monkeypatch, question, words, verdict
):
    saying(monkeypatch, assistant, words)
    prior = "There is a small right pleural effusion."
    sentence = assistant.ask(ill, question, prior_report=prior).sentence
    assert sentence.verdict == verdict
    # A finding's risk is not that of a number or a place.
    assert (sentence.risk is None) == (verdict != "supported")
    assert sentence.reason


def test_without_a_risk_model_an_answer_is_unchecked_and_says_why(assistant, ill, monkeypatch):
    monkeypatch.setattr(assistant.backbone, "risk", None)
    sentence = assistant.ask(ill, "Is there a pleural effusion?").sentence
    assert (sentence.verdict, sentence.risk) == ("unchecked", None)
    assert "calibrated" in sentence.reason


def test_what_no_film_shows_claims_nothing(assistant, ill):
    answer = assistant.ask(ill, "What is the blood pressure?")
    assert answer.text == "The film does not show the blood pressure."
    assert answer.sentence.assertions == ()
    assert answer.sentence.verdict == "unchecked"
    assert answer.sentence.reason


@pytest.mark.parametrize(
    ("history", "question", "whole"),
    [
        (EFFUSION, "Which side?", "On which side is the pleural effusion?"),
        (EFFUSION, "How large is it?", "How large is the pleural effusion?"),
        (EFFUSION, "And on the left?", "Is there a left pleural effusion?"),
        (EFFUSION, "Where?", "On which side is the pleural effusion?"),
        (EFFUSION, "Is it worse?", "How has the pleural effusion changed since the prior film?"),
        (EFFUSION, "How high is it?", "How high is the pleural effusion?"),
        (EFFUSION, "In mm?", "How large is the pleural effusion in mm?"),
        (EFFUSION, "And a pneumothorax?", "Is there a pneumothorax?"),
        (NODULE, "Where is it?", "Where is the nodule?"),
        (NODULE, "How many?", "How many nodules are there?"),
        (NODULE, "What is its diameter?", "What is the diameter of the nodule?"),
        (TUBE, "Where does it end?", "Where is the tip of the endotracheal tube?"),
        (TUBE, "Is it in place?", "Is the endotracheal tube in place?"),
        (HEART, "How wide is it?", "How wide is the heart?"),
        (HEART, "How severe is it?", "What degree of cardiomegaly is there?"),
        ([*EFFUSION, ("And on the left?", "No."), ("Are you sure?", "No.")], "How big?",
         "How large is the left pleural effusion?"),
        ([*NODULE, *EFFUSION], "Which side?", "On which side is the pleural effusion?"),
        ([("What do you see?", "A left pneumothorax.")], "How large is it?",
         "How large is the left pneumothorax?"),
    ],
)  # fmt: skip
def test_a_follow_up_is_made_whole_from_what_was_spoken_of(history, question, whole):
    assert resolve_followup(question, history) == whole


@pytest.mark.parametrize(
    "question",
    ["Is there a mass?", "What is the blood pressure?", "Where was the film taken?", "Any change?",
     "How wide is the heart?", "Where is the nodule?", "Is it dangerous?"],
)  # fmt: skip
def test_a_question_that_stands_alone_is_left_as_it_is(question):
    assert resolve_followup(question, EFFUSION) == question
    assert resolve_followup(question) == question


def test_without_anything_to_go_by_a_follow_up_is_left_as_it_is():
    assert resolve_followup("Which side?") == "Which side?"
    assert resolve_followup("Which side?", HEART) == "Which side?"  # the heart has one


def test_a_follow_up_is_answered_as_the_whole_question_is(assistant, ill):
    first = assistant.ask(ill, "Is there a pleural effusion?")
    history = [(first.question, first.text)]
    for short, whole in [
        ("Which side?", "On which side is the pleural effusion?"),
        ("How large is it?", "How large is the pleural effusion?"),
        ("And on the left?", "Is there a left pleural effusion?"),
    ]:
        told, full = (
            assistant.ask(ill, short, history=history),
            assistant.ask(ill, whole, history=history),
        )
        assert (told.text, told.sentence) == (full.text, full.sentence)
        assert (told.question, told.understood) == (short, whole)
        assert full.understood == ""
        assert told.provenance.prompt_sha256 == full.provenance.prompt_sha256


def test_the_hearts_ratio_is_measured_and_its_error_holds(assistant, monkeypatch):
    monkeypatch.setattr(assistant.backbone, "write", None)  # no language model says a number
    within = 0
    for number in range(12):
        film, phantom = film_of(number)
        answer = assistant.ask(film, "How wide is the heart?")
        same = assistant.ask(film, "What is the cardiothoracic ratio?")
        assert answer.text == same.text
        ratio, error = (float(x) for x in NUMBERS.findall(answer.text))
        within += abs(ratio - phantom.cardiothoracic_ratio) <= error + 0.005
        assert answer.sentence.verdict == ("supported" if answer.gate.answer == "pass" else
                                           "unsupported")  # fmt: skip
        assert [e.kind for e in answer.sentence.evidence] == ["measurement"]
        assert answer.provenance.adapter is None
    assert within >= 9  # nine in ten hold


def test_a_length_is_told_in_mm_only_where_the_spacing_is_known(assistant, monkeypatch):
    monkeypatch.setattr(assistant.backbone, "write", None)
    film, phantom = film_of(5, spaced=True)
    tube = next(d for d in phantom.devices if d.finding == "endotracheal_tube")
    truth = dict(tube.measurements)["tip_to_carina_mm"]
    answer = assistant.ask(film, "How high is the tube?")
    value, error = (float(x) for x in NUMBERS.findall(answer.text))
    assert abs(value - truth) <= error
    assert answer.text.count(" mm") == 2
    assert claims(answer) == [("endotracheal_tube", "present", None)]
    assert any("carina" in e.detail for e in answer.sentence.evidence)
    blind = assistant.ask(replace(film, spacing_mm=None), "How high is the tube?")
    assert "pixel spacing is not known" in blind.text
    assert not NUMBERS.search(blind.text)
    assert blind.sentence.verdict == "unchecked"


def test_what_is_not_there_or_not_measured_has_no_number(assistant, well, monkeypatch):
    monkeypatch.setattr(assistant.backbone, "write", None)
    film = replace(well, spacing_mm=(1.4, 1.4))
    absent = assistant.ask(film, "How high is the effusion?")
    assert absent.text == "The film does not show a pleural effusion."
    assert claims(absent) == [("pleural_effusion", "absent", None)]
    for question, thing in [
        ("How wide is the mediastinum?", "the mediastinum"),
        ("How high is the heart?", "the heart"),
        ("How high is the blood pressure?", "the blood pressure"),
        ("How far is the nodule from the hilum?", "the nodule"),
    ]:
        told = assistant.ask(film, question)
        assert told.text == f"The film gives no measurement of {thing}."
        assert told.sentence.verdict == "unchecked"


def test_what_has_changed_is_told_from_both_films(assistant, well, monkeypatch):
    monkeypatch.setattr(assistant.backbone, "write", None)
    film = film_of(1)[0]  # oedema, a small cardiomegaly, a large left effusion, wires, a line

    def told(question: str, prior: str, of: Film = film) -> str:
        return assistant.ask(of, question, prior_report=prior).text

    grown = told("What changed since the prior?", "There is a small left pleural effusion.")
    assert "The left pleural effusion is larger" in grown
    assert "sternotomy wires" in grown
    assert "which the earlier report does not name" in grown
    denied = told("Any change?", "No pleural effusion.")
    assert "a large left pleural effusion, which the earlier report denies" in denied
    there = told("Is it worse?", "Sternotomy wires. Large left pleural effusion.")
    assert "unchanged: large then and now" in there
    assert "still there: sternotomy wires" in there
    gone = told("Is it better?", "Moderate right pleural effusion. An azygos lobe.", well)
    assert "names a right pleural effusion" in gone
    assert "which the reading of this film no longer shows" in gone
    assert "azygos lobe, about which this film cannot be asked" in gone
    assert told("Any change?", "") == NO_PRIOR
    study = Study((film,), prior_report="No pleural effusion.")
    answer = assistant.ask(study, "Any change?")
    assert answer.text == denied
    assert ("pleural_effusion", "present", "left") in claims(answer)
    assert any(e.kind == "prior" for e in answer.sentence.evidence)


def test_no_phrasing_that_the_adapter_knows_is_taken_from_it():
    from assistant.vqa.computed import compute_answer

    tables = (PRESENCE, DEVICE, SIDE, PLACE, SIZE, DEGREE, COUNT, TIP, COMPARISON)
    asked = [
        phrase_question(phrase, finding)
        for table in tables
        for phrase in table
        for finding in (*ASKED, *DEVICES)
    ]
    asked += [phrase.format(thing=thing) for phrase in BEYOND for thing in THINGS]
    for question in asked:
        assert compute_answer(question, EvidenceSources(prior_claims=()), (), ()) is None, question
        assert resolve_followup(question, EFFUSION) == question


def test_of_a_refused_film_nothing_is_answered_unless_one_insists(assistant):
    blank = Film(np.zeros((256, 256), np.float32), "0" * 64, spacing_mm=(1.0, 1.0))
    for question in ("Is there a nodule?", "How wide is the heart?", "Any change?"):
        answer = assistant.ask(blank, question, prior_report="A nodule.")
        assert "refused" in answer.text
        assert answer.sentence is None
        assert answer.gate.answer == "refuse"
    insisted = assistant.ask(blank, "How wide is the heart?", anyway=True)
    assert insisted.sentence.verdict == "unsupported"  # the measures know no such film


def test_a_film_is_encoded_once(assistant, ill, monkeypatch):
    calls = []
    encode = assistant.backbone.encode
    monkeypatch.setattr(
        assistant.backbone, "encode", lambda films: calls.append(len(films)) or encode(films)
    )
    for question in ("Is there a nodule?", "How wide is the heart?", "Any change?"):
        assistant.ask(ill, question, prior_report="A nodule.", history=EFFUSION)
    assert calls == [1, 1, 1]


def test_the_command_line_and_the_json_tell_what_speaks_for_an_answer(phantoms, capfd):
    film = sorted((phantoms / "images").iterdir())[0]
    told = run(capfd, "ask", film, "Is there a pneumothorax?")
    assert re.search(r"\[(un)?supported|\[contradicted", told.out)
    assert "Probe" in told.out
    out = json.loads(run(capfd, "ask", film, "How wide is the heart?", "--json").out)
    assert out["understood"] == ""
    assert out["sentence"]["evidence"][0]["kind"] == "measurement"


def test_the_json_of_an_answer_has_its_sentence_or_none(assistant, ill):
    answer = assistant.ask(ill, "Which side?", history=EFFUSION)
    told = json.loads(json.dumps(answer_dict(answer)))
    assert told["understood"] == "On which side is the pleural effusion?"
    assert told["sentence"]["verdict"] == answer.sentence.verdict
    assert answer_dict(replace(answer, sentence=None))["sentence"] is None
