"""Does a painting show what was asked: the prompt held against what a probe saw."""

from __future__ import annotations

import pytest

from assistant.painting.readback import claims_of_prompt, read_back
from assistant.types import ProbeFinding

SIDES = ("right", "left")


def film(*present: tuple[str, str | None], zoned: tuple[str, ...] = ()) -> tuple[ProbeFinding, ...]:
    """All labels of a film in which only these are present."""
    labels = [("cardiomegaly", None), ("oedema", None)]
    labels += [(f, s) for f in ("pleural_effusion", "pneumothorax", "nodule") for s in SIDES]
    seen = [ProbeFinding(f, s, None, 0.97 if (f, s) in present else 0.03, (f, s) in present)
            for f, s in labels]  # fmt: skip
    for zone in ("upper", "mid", "lower"):
        here = f"nodule {zone}" in zoned
        seen.append(ProbeFinding("nodule", "right", zone, 0.9 if here else 0.1, here))
    return tuple(seen)


LEFT = film(("pleural_effusion", "left"))


@pytest.mark.parametrize(
    ("prompt", "readings", "verdict"),
    [
        ("large left pleural effusion", LEFT, "shown"),
        ("Left effusion. No pneumothorax.", LEFT, "shown"),
        ("Pleural effusion.", LEFT, "shown"),  # the side was left open
        ("Right pleural effusion.", LEFT, "not shown"),
        ("Bilateral pleural effusions.", LEFT, "not shown"),
        ("Bilateral pleural effusions.",
         film(("pleural_effusion", "left"), ("pleural_effusion", "right")), "shown"),
        ("Cardiomegaly. Left effusion.", LEFT, "not shown"),
        ("Cardiomegaly. No effusion.", film(("cardiomegaly", None), ("nodule", "left")), "shown"),
        ("Cardiomegaly. No effusion.",
         film(("cardiomegaly", None), ("pleural_effusion", "left")), "not shown"),
        ("Normal chest radiograph.", film(), "shown"),
        ("Normal chest radiograph.", LEFT, "not shown"),
        ("Possible left effusion. Cardiomegaly.", film(("cardiomegaly", None)), "shown"),
        ("Left effusion. Old rib fracture.", LEFT, "unchecked"),  # no label for one of them
        ("Right effusion. Old rib fracture.", LEFT, "not shown"),
        ("A cat.", LEFT, "unchecked"),
        ("", film(), "unchecked"),
        ("Nodule in the right upper zone.",
         film(("nodule", "right"), zoned=("nodule upper",)), "shown"),
        ("Nodule in the right upper zone.",
         film(("nodule", "right"), zoned=("nodule lower",)), "not shown"),
    ],
)  # fmt: skip
def test_a_painting_shows_what_was_asked_if_all_is_seen_and_nothing_denied(
    prompt, readings, verdict
):
    assert read_back(prompt, readings).verdict == verdict


def test_without_a_probe_nothing_is_ever_passed():
    for prompt in ("Left effusion.", "Normal chest radiograph.", "A cat.", ""):
        read = read_back(prompt, None)
        assert read.verdict == "unchecked"
        assert "no probe" in read.reason
        assert all(a.seen is None and a.probability is None for a in read.asked)


def test_what_was_not_asked_for_but_seen_is_told_once_a_finding_and_side():
    seen = film(("pleural_effusion", "left"), ("nodule", "right"), zoned=("nodule mid",))
    read = read_back("Left effusion.", seen)
    assert read.verdict == "shown"
    assert [(s.finding, s.side) for s in read.beside] == [("nodule", "right")]
    hedged = read_back("Left effusion, possible nodule on the right.", seen)
    assert hedged.beside == ()


def test_findings_and_impression_ask_for_one_thing_once():
    report = "There is a large right pleural effusion. Impression: Pleural effusion."
    assert claims_of_prompt(report).present == (("pleural_effusion", "right", None),)


def test_the_reason_names_what_is_missing_and_what_is_there_in_spite():
    read = read_back("Cardiomegaly. No effusion.", LEFT)
    assert read.reason == "Not seen: cardiomegaly. Seen in spite: left pleural effusion."
