"""A draft is taken apart without loss, and what needs a prior or a ruler is recognised."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.labeller.sentences import WITHHELD, is_comparison, parse_sentences, withhold_numbers

QUICK = settings(max_examples=150, deadline=None)
TEXTS = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="Findings: Impression\n.1)-*# cm2%!?,;\t\r\u00b2\u0130\u2019", max_size=120),
)
SENTENCES = (
    "The heart size is normal",
    "There is a 1.2 cm nodule in the right upper zone",
    "No pleural effusion, e.g. no blunting, or pneumothorax",
    "approx. 3 mm granuloma",
    "XXXX are intact",
    "Small left effusion (see above)",
)


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        ("", []),
        (" \n. \n", []),
        (
            "Findings: The lungs are clear. No effusion.\nImpression: Normal chest.",
            [
                ("findings", "The lungs are clear."),
                ("findings", "No effusion."),
                ("impression", "Normal chest."),
            ],
        ),
        (
            "FINDINGS:\nClear lungs\nIMPRESSION:\n1. Cardiomegaly.\n2. A 1.2 cm nodule.",
            [
                ("findings", "Clear lungs"),
                ("impression", "Cardiomegaly."),
                ("impression", "A 1.2 cm nodule."),
            ],
        ),
        ("Clear. impression: normal", [("findings", "Clear."), ("impression", "normal")]),
        ("## Findings\n- Clear\n- No effusion\n\n**Impression:** Normal.", [
            ("findings", "Clear"), ("findings", "No effusion"), ("impression", "Normal."),
        ]),
        ("The lungs are clear.", [("findings", "The lungs are clear.")]),
        ("Findings of pulmonary edema are present.", [
            ("findings", "Findings of pulmonary edema are present."),
        ]),
        ("No acute findings: the lungs are clear.", [
            ("findings", "No acute findings: the lungs are clear."),
        ]),
        ("A nodule, approx. 3 mm, vs. a scar. Dr. Who knows.", [
            ("findings", "A nodule, approx. 3 mm, vs. a scar."), ("findings", "Dr. Who knows."),
        ]),
        ("The lungs are\nclear.No effusion.", [
            ("findings", "The lungs are\nclear."), ("findings", "No effusion."),
        ]),
        ("Impression: 1. Edema. 2. Edema. 3. edema", [("impression", "Edema.")]),
        ("No effusion. No effusion.\nImpression: No effusion.", [
            ("findings", "No effusion."), ("impression", "No effusion."),
        ]),
    ],
)  # fmt: skip
def test_a_draft_is_cut_into_its_sentences(draft: str, expected: list[tuple[str, str]]) -> None:
    assert [(s.section, s.text) for s in parse_sentences(draft)] == expected


@QUICK
@given(TEXTS)
def test_any_text_is_parsed_into_spans_in_order(draft: str) -> None:
    end = 0
    for sentence in parse_sentences(draft):
        assert end <= sentence.start < sentence.end <= len(draft)
        assert draft[sentence.start : sentence.end] == sentence.text == sentence.text.strip()
        for claim in sentence.assertions:
            assert 0 <= claim.span[0] < claim.span[1] <= len(sentence.text)
        end = sentence.end


@QUICK
@given(
    st.lists(st.sampled_from(SENTENCES), max_size=6, unique=True),
    st.lists(st.sampled_from(SENTENCES), max_size=6, unique=True),
    st.sampled_from(["Findings:", "FINDINGS: ", "**Findings:** ", "## Findings\n", ""]),
    st.sampled_from(["Impression:", "IMPRESSION:\n", "\n**Impression:**\n", "Conclusion: "]),
    st.sampled_from([". ", ".\n", ".  ", "! "]),
)
def test_no_word_is_lost(
    findings: list[str], impression: list[str], one: str, two: str, stop: str
) -> None:
    parts = [s + stop for s in findings], [s + stop for s in impression]
    sentences = parse_sentences(
        one + " " + "".join(parts[0]) + "\n" + two + " " + "".join(parts[1])
    )
    assert [(s.section, s.text.rstrip(".!")) for s in sentences] == [
        *(("findings", s) for s in findings),
        *(("impression", s) for s in impression),
    ]


@QUICK
@given(st.lists(st.from_regex(r"[a-z]{1,9}[,.]?", fullmatch=True), max_size=30, unique=True))
def test_words_without_headings_all_come_back_in_order(words: list[str]) -> None:
    draft = " ".join(words)
    joined = " ".join(s.text for s in parse_sentences(draft))
    said = set(re.findall(r"\w+", joined))
    assert said == set(re.findall(r"\w+", draft))


def test_a_sentence_carries_its_assertions() -> None:
    (sentence,) = parse_sentences("Impression: 1. Small right pleural effusion.")
    (claim,) = sentence.assertions
    assert (claim.finding, claim.side, claim.degree) == ("pleural_effusion", "right", "small")
    assert sentence.text[slice(*claim.span)] == "pleural effusion"


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("A 12 mm nodule.", f"A {WITHHELD} nodule."),
        ("A 1.2cm nodule.", f"A {WITHHELD} nodule."),
        ("A 3-cm mass.", f"A {WITHHELD} mass."),
        ("It measures 12 x 8 mm.", f"It measures {WITHHELD}."),
        ("It measures 1.2 cm by 0.8 cm.", f"It measures {WITHHELD}."),
        ("A 2-3 mm granuloma.", f"A {WITHHELD} granuloma."),
        ("A 30% pneumothorax.", f"A {WITHHELD} pneumothorax."),
        ("Density of -600 HU.", f"Density of {WITHHELD}."),
        ("About 300 ml of fluid.", f"About {WITHHELD} of fluid."),
        ("Two centimeters above the carina.", f"{WITHHELD} above the carina."),
        ("A curve of 15 degrees.", f"A curve of {WITHHELD}."),
    ],
)
def test_a_measurement_is_withheld(sentence: str, expected: str) -> None:
    assert withhold_numbers(sentence) == (expected, True)
    assert withhold_numbers(expected) == (expected, False)


@pytest.mark.parametrize(
    "sentence",
    [
        "Fracture of the 5th rib.",
        "Compression of T12.",
        "Two nodules.",
        "Follow-up in 6 weeks.",
        "Sternotomy 3 months ago.",
        "1. No effusion.",
        "2 masses.",
        "",
    ],
)
def test_counts_and_times_stay(sentence: str) -> None:
    assert withhold_numbers(sentence) == (sentence, False)


@pytest.mark.parametrize(
    "sentence",
    [
        "The cardiac silhouette is unchanged.",
        "Stable cardiomegaly.",
        "No significant interval change.",
        "There is a new right effusion.",
        "Newly placed central line.",
        "Interval removal of the chest tube.",
        "Interval mild improvement of the edema.",
        "The left effusion has improved.",
        "Worsening edema.",
        "The edema is worse.",
        "Compared to the prior study, no change.",
        "In comparison with the prior radiograph.",
        "Again seen is a left nodule.",
        "Persistent left pneumothorax.",
        "The effusion has increased.",
        "Increased right pleural effusion.",
        "Decreased pulmonary edema.",
        "The pneumothorax is smaller than before.",
        "There remains a small effusion.",
        "The nodule previously seen is absent.",
        "Resolution of the effusion.",
        "The nodule is similar to prior.",
        "The tube has been removed.",
    ],
)
def test_a_comparison_is_recognised(sentence: str) -> None:
    assert is_comparison(sentence)
    assert is_comparison(sentence.upper())


@pytest.mark.parametrize(
    "sentence",
    [
        "Increased interstitial markings.",
        "Increased density in the left base.",
        "Increased lucency suggests emphysema.",
        "The heart is increased in size.",
        "New York Heart Association class II.",
        "The patient is hemodynamically stable.",
        "High-resolution CT is recommended.",
        "Opacity in the remainder of the left lung.",
        "Calcified granuloma from prior granulomatous disease.",
        "Old rib fractures.",
        "Degenerative changes of the spine.",
        "No acute osseous changes.",
        "The effusion is larger on the right than on the left.",
        "Renewed follow-up is advised.",
        "Bilateral effusions, left worse than right.",
        "Short interval follow-up is advised.",
        "Decreased lung volumes.",
        "",
    ],
)
def test_what_one_film_can_show_is_not_a_comparison(sentence: str) -> None:
    assert not is_comparison(sentence)


@QUICK
@given(TEXTS)
def test_the_rules_never_raise(text: str) -> None:
    replaced, did = withhold_numbers(text)
    assert did == (replaced != text)
    assert is_comparison(text) in (True, False)
