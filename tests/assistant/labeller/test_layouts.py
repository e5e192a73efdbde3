"""Reports as people and machines lay them out: sections, tables, wrapped lines; and how fast."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from claim_texts import read_claims
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.labeller.labeller import find_assertions
from assistant.labeller.sections import silent_sections
from assistant.labeller.sentences import parse_sentences
from assistant.labeller.tokens import tokenise

QUICK = settings(max_examples=150, deadline=None)
SILENT = (
    "HISTORY", "CLINICAL HISTORY", "Clinical History", "Indication", "INDICATIONS",
    "Reason for exam",
    "REASON FOR EXAMINATION", "Reason for study", "REASON", "COMPARISON", "Comparison", "TECHNIQUE",
    "Clinical information", "CLINICAL DETAILS", "Procedure", "EXAMINATION", "Hx", "Prior study",
    "Past medical history", "Chief complaint", "RECOMMENDATIONS", "Recommendation",
)  # fmt: skip
CLAIMING = ("FINDINGS", "Findings", "IMPRESSION", "Impression", "Conclusion", "REPORT", "LUNGS")
NAMES = {"effusion": "pleural_effusion", "pneumothorax": "pneumothorax", "edema": "oedema",
         "pneumonia": "pneumonia", "rib fracture": "fracture", "nodule": "nodule"}  # fmt: skip


@QUICK
@given(
    st.sampled_from(SILENT),
    st.sampled_from(CLAIMING),
    st.sampled_from(sorted(NAMES)),
    st.sampled_from([". ", ".\n", ".\n\n", ". Cough and fever.\n", "\n\n"]),
    st.sampled_from(["", "**", "## "]),
)
def test_only_the_sections_of_the_film_claim(
    silent: str, claiming: str, name: str, end: str, mark: str
) -> None:
    text = f"{mark}{silent}: {name}{end}{claiming}: cardiomegaly."
    assert read_claims(text) == ["cardiomegaly"]
    sentences = parse_sentences(text)
    assert {a.finding for s in sentences for a in s.assertions} == {"cardiomegaly"}


@QUICK
@given(st.sampled_from(SILENT), st.sampled_from(sorted(NAMES)))
def test_an_empty_line_ends_a_section_without_a_title(silent: str, name: str) -> None:
    assert read_claims(f"{silent}: {name}.\n\nCardiomegaly.") == ["cardiomegaly"]


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("RECOMMENDATIONS: Follow-up of the left effusion.", ["pleural_effusion left"]),
        ("RECOMMENDATIONS: CT to exclude a mass.", []),
        ("Recommendation: treat pneumonia, CT of this nodule.", ["nodule"]),
    ],
)
def test_advice_claims_only_what_it_takes_for_granted(text: str, claims: list[str]) -> None:
    assert read_claims(text) == claims


def test_the_end_of_a_sentence_needs_no_space_in_a_draft_either() -> None:
    texts = [
        s.text for s in parse_sentences("1.no effusion.2.small nodule.Normal heart. R. base ok")
    ]
    assert texts == ["no effusion.", "small nodule.", "Normal heart.", "R. base ok"]


VALUES = {
    "No": "absent", "none": "absent", "absent": "absent", "-": "absent", "Yes": "present",
    "x": "present", "small": "present", "Left": "present", "possible": "uncertain",
}  # fmt: skip
ROWS = st.lists(
    st.tuples(st.sampled_from(sorted(NAMES)), st.sampled_from(sorted(VALUES))),
    min_size=1, max_size=5, unique_by=lambda row: row[0],
)  # fmt: skip


@QUICK
@given(ROWS, st.sampled_from(["|", "\t"]), st.booleans(), st.booleans())
def test_a_table_is_read_by_its_rows_or_its_columns(
    rows: list[tuple[str, str]], bar: str, headed: bool, turned: bool
) -> None:
    lines = [list(row) for row in rows]
    if turned and len(rows) > 1:
        lines = [list(column) for column in zip(*lines, strict=True)]
    elif headed:
        lines.insert(0, ["Finding", "Status"])
    edge = "| " if bar == "|" else ""
    text = "\n".join(edge + f" {bar} ".join(cells) + edge[::-1] for cells in lines)
    found = {c.finding: c.polarity for c in find_assertions(f"Report.\n\n{text}\n\nEnd.")}
    assert found == {NAMES[name]: VALUES[value] for name, value in rows}


@QUICK
@given(ROWS)
def test_claims_of_a_table_stand_where_their_names_stand(rows: list[tuple[str, str]]) -> None:
    text = "Report.\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)
    for (name, _), claim in zip(rows, find_assertions(text), strict=True):
        assert text[slice(*claim.span)] in name


@pytest.mark.parametrize(("head", "mark", "polarity"), [
    ("Present", "x", "present"), ("Absent", "x", "absent"), ("Yes", "+", "present"),
    ("No", "yes", "absent"),
])  # fmt: skip
def test_the_head_of_a_column_gives_the_polarity(head: str, mark: str, polarity: str) -> None:
    text = f"| Finding | {head} |\n|---|---|\n| Effusion | {mark} |\n| Nodule | |"
    assert [(c.finding, c.polarity) for c in find_assertions(text)] == [
        ("pleural_effusion", polarity)
    ]


def test_a_column_for_each_side_gives_the_side() -> None:
    text = "| Finding | Right | Left |\n|---|---|---|\n| Effusion | small | none |"
    assert read_claims(text) == ["pleural_effusion right small", "-pleural_effusion left"]


@pytest.mark.parametrize("end", ["<br>", "<br/>", "</p><p>", "<BR />", "\r\n- ", "\n2) ", " 2) "])
def test_markup_and_list_numbers_end_a_sentence(end: str) -> None:
    assert read_claims(f"No effusion{end}Nodule") == ["-pleural_effusion", "nodule"]


@pytest.mark.parametrize("blackout", ["XXXX", "___", "_____", "[**Name**]", "[**2-3**]"])
def test_a_blackout_stands_for_a_word(blackout: str) -> None:
    assert read_claims(f"No {blackout} effusion. A {blackout} right nodule.") == [
        "-pleural_effusion",
        "nodule right",
    ]


SIZES = st.integers(1, 99), st.integers(1, 9)


@QUICK
@given(*SIZES, st.sampled_from([".", ","]), st.sampled_from(["cm", " cm", "-cm", " centimeters"]))
def test_a_decimal_point_may_be_a_comma(whole: int, tenth: int, point: str, unit: str) -> None:
    (claim,) = find_assertions(f"A {whole}{point}{tenth}{unit} nodule.")
    assert claim.measurement_mm == pytest.approx(10 * (whole + tenth / 10))


@QUICK
@given(st.sampled_from(["pneumothorax", "consolidation", "effusion", "atelectasis"]), st.data())
def test_a_word_may_be_broken_over_two_lines_or_hold_ligatures(name: str, data) -> None:
    at = data.draw(st.integers(2, len(name) - 2))
    (claim,) = find_assertions(f"Right {name[:at]}-\n{name[at:]}.")
    assert claim == find_assertions(f"Right {name}.")[0].__class__(
        claim.finding, "present", claim.side, span=claim.span
    )
    assert claim.side == "right"
    ligatures = name.replace("ff", "\ufb00").replace("fi", "\ufb01").replace("fl", "\ufb02")
    assert read_claims(f"Right {ligatures}.") == read_claims(f"Right {name}.")


@QUICK
@given(st.text(alphabet="a|b\n\t .,:;?-_=()[]*<>/&#1\u00adHISTORY: no eflusion", max_size=200))
def test_any_layout_is_read_without_an_error(text: str) -> None:
    words, spans = tokenise(text)
    assert len(words) == len(spans)
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    for claim in find_assertions(text):
        assert 0 <= claim.span[0] < claim.span[1] <= len(text)
    for start, end, _ in silent_sections(text):
        assert 0 <= start < end <= len(text)
    assert all(s.text == text[s.start : s.end] for s in parse_sentences(text))


PIECES = (
    "a", "-\n", "a-\n", "non-", "[**", "<br ", "<a ", "&amp", "? ", "?a", ".", "1.", "HISTORY:",
    "clinical ", "AB ", "AB/", "history ", "_", " ", "\n", "\t", "|", "a|b\n", "| a | b |\n", "|-",
    "effusion: no, ", "no ", "not ", "heart ", "heart, ", "has not ", "on the prior ", "effusion ",
    "costophrenic ", "1,2 ", "RECOMMENDATION: the nodule. ", "mass in the ", "calcified ", "w/",
    "tip ", "(", "1) ", "findings: ", "*", "\u00ad", "\n\n", "interval ", "the tip of the ",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES, ids=repr)
def test_a_hundred_thousand_characters_of_anything_take_a_second(piece: str) -> None:
    text = (piece * (100_000 // len(piece) + 1))[:100_000]
    for read, part in ((find_assertions, text), (parse_sentences, text[:20_000])):
        start = time.process_time()
        read(part)
        assert time.process_time() - start < 4  # a second, and room for a busy machine
