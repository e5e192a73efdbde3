"""Outputs made anywhere, read and scored: what is missing is no zero, and baselines are beside."""

from __future__ import annotations

import json
import math
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assistant.batch.manifest import list_rows
from assistant.errors import SettingsError
from evals.bootstrap import STATISTICS
from evals.report import Pair, read_predictions, score_pairs
from evals.report.neural import NAMES

SENTENCES = (
    "Small left pleural effusion.",
    "Right upper lobe nodule measuring 8 mm.",
    "No pneumothorax.",
    "The heart is mildly enlarged.",
    "Possible left lower lobe pneumonia.",
    "Bibasilar atelectasis is unchanged.",
    "No acute cardiopulmonary process.",
    "The lungs are clear.",
    "Endotracheal tube 4 cm above the carina.",
)
reports = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=5, unique=True).map(" ".join)
couples = st.lists(st.tuples(reports, reports), min_size=2, max_size=6)


def pairs_of(texts):
    return [Pair(str(i), str(i), ref, cand) for i, (ref, cand) in enumerate(texts)]


def figures_of(texts, **more):
    return score_pairs(pairs_of(texts), **more).figures


# -- Reading outputs


def written(tmp_path, lines):
    path = tmp_path / "predictions.jsonl"
    told = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(told), encoding="utf-8")
    return path


@pytest.mark.parametrize("key", ["prediction", "report", "candidate", "text"])
def test_a_prediction_is_read_under_each_of_its_names(tmp_path, key):
    line = {"case": "a", "reference": "Clear.", key: "Nodule.", "prior": "Old.", "indication": "f"}
    path = written(tmp_path, [line])
    assert read_predictions(path) == (Pair("a", "1", "Clear.", "Nodule.", "f", "Old."),)


def test_no_output_is_unscored_and_an_empty_one_is_not(tmp_path):
    lines = [
        {"case": 1, "reference": "Clear.", "prediction": None},
        {"case": 2, "reference": "Clear."},
        "",
        {"case": 3, "reference": "Clear.", "prediction": ""},
        {"case": 4, "reference": " ", "prediction": "Clear."},
    ]
    found = read_predictions(written(tmp_path, lines))
    assert [(p.case, p.candidate, p.can_be_scored) for p in found] == [
        ("1", None, False),
        ("2", None, False),
        ("3", "", True),
        ("4", "Clear.", False),
    ]


def test_patients_become_numbers_and_their_ids_go_nowhere(tmp_path):
    rows = [("a", "Doe^Jane"), ("b", "Doe^Jane"), ("c", None), ("d", None), ("e", "Roe")]
    lines = [
        {"case": c, "patient": p, "reference": "Nodule.", "prediction": "Nodule."} for c, p in rows
    ]
    found = read_predictions(written(tmp_path, lines))
    assert [p.patient for p in found] == ["1", "1", "2", "3", "4"]
    measured = score_pairs(found)
    told = repr((measured.figures, measured.cases, measured.counts, measured.material))
    assert "Doe" not in told
    assert "Roe" not in told


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2 is no object"),
        ({"reference": "x", "prediction": "y"}, "line 2: there is no case"),
        ({"case": "b", "prediction": "y"}, "line 2: there is no reference"),
        ({"case": "a", "reference": "x"}, "line 2: the case was there before"),
        ({"case": "b", "reference": 3}, 'line 2: "reference" is not text'),
        ({"case": "b", "reference": "x", "text": ["y"]}, 'line 2: "text" is not text'),
        ({"image": "b", "reference": "x", "draft": {"a": 1}}, "line 2: the draft is not in the"),
    ],
)
def test_a_line_that_does_not_hold_is_named_in_one_sentence(tmp_path, line, says):
    path = written(tmp_path, [{"case": "a", "reference": "x"}, line])
    with pytest.raises(SettingsError, match=says) as caught:
        read_predictions(path)
    assert "\n" not in str(caught.value)


def test_a_file_without_lines_or_without_outputs_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="has no lines"):
        read_predictions(written(tmp_path, [""]))
    with pytest.raises(SettingsError, match="cannot be read"):
        read_predictions(tmp_path / "none.jsonl")
    with pytest.raises(SettingsError, match="nothing is scored"):
        score_pairs([Pair("a", "1", "Clear.", None)])


def test_drafts_of_a_folder_meet_their_references_in_its_table(tmp_path):
    for name in ("a", "b", "c", "d"):
        Image.new("L", (8, 8)).save(tmp_path / f"{name}.png")
    table = ["image,patient,report"]
    table += [f"{name}.png,p{i // 2},Report {name}." for i, name in enumerate("abcd")]
    (tmp_path / "cases.csv").write_text("\n".join(table) + "\n", encoding="utf-8")

    def sentence(text, section, action="keep"):
        return {"text": text, "section": section, "action": action}

    told = [sentence("Nodule.", "findings"), sentence("Mass.", "findings", "withhold")]
    told.append(sentence("A nodule.", "impression"))
    lines = [
        {"image": "a.png", "draft": {"gate": {"answer": "pass"}, "sentences": told}},
        {"image": "b.png", "draft": {"gate": {"answer": "refuse"}, "sentences": []}},
        {"image": "c.png", "error": "It cannot be read."},
        {"case": "d", "prediction": "Clear."},
    ]
    found = read_predictions(written(tmp_path, lines), tmp_path)
    assert [(p.reference, p.candidate, p.patient) for p in found] == [
        ("Report a.", "Findings: Nodule.\nImpression: A nodule.", "1"),
        ("Report b.", None, "1"),
        ("Report c.", None, "2"),
        ("Report d.", "Clear.", "2"),
    ]
    # The lines of `wetread batch` name no file: they are joined by what they call the case.
    cases = [row.case for row in list_rows(tmp_path).rows()]
    lines = [{"case": case, "row": n, "error": "x"} for n, case in enumerate(cases, start=2)]
    found = read_predictions(written(tmp_path, lines), tmp_path)
    assert [(p.reference, p.candidate) for p in found] == [
        (f"Report {name}.", None) for name in "abcd"
    ]


# -- The whole


@settings(max_examples=6, deadline=None)
@given(couples)
def test_a_missing_output_is_counted_beside_and_changes_no_value(texts):
    pairs = pairs_of(texts)
    without = [*pairs, Pair("x", "x", "Left pneumothorax.", None)]
    a, b = score_pairs(pairs).figures, score_pairs(without).figures
    assert a.keys() == b.keys()
    for name in a:
        assert a[name]["value"] == b[name]["value"], name
        assert b[name]["n"] == a[name]["n"]
        assert b[name]["unscored"] == a[name]["unscored"] + 1, name


def test_every_figure_can_be_counted_again_from_what_it_keeps():
    texts = [(f"{a} {b}", f"{b} {c}") for a, b, c in zip(*[iter(SENTENCES)] * 3, strict=True)]
    measured = score_pairs(pairs_of(texts))
    assert len(measured.counts) > 50
    for name, counts in measured.counts.items():
        rows = np.array(counts.rows)
        again = STATISTICS[counts.statistic](rows.sum(axis=0))
        told = measured.figures[name]["value"]
        assert (math.nan if told is None else told) == pytest.approx(again, abs=1e-4, nan_ok=True)
        assert len(counts.patients) == len(rows) == measured.figures[name]["n"]


def test_figures_are_deterministic_and_json():
    texts = list(pairwise(SENTENCES))
    one, two = score_pairs(pairs_of(texts), seed=3), score_pairs(pairs_of(texts), seed=3)
    assert json.dumps([one.figures, one.cases, one.notes, one.plots], allow_nan=False) == (
        json.dumps([two.figures, two.cases, two.notes, two.plots], allow_nan=False)
    )


def test_a_system_that_looks_beats_the_baselines_and_a_constant_one_is_shown_not_to():
    texts = [SENTENCES[i % 6] for i in range(60)]
    frequent, others = "most frequent report", "drafts of other cases"
    looks = score_pairs(pairs_of([(text, text) for text in texts]))
    for name in (frequent, others):
        figure = f"baseline/system minus {name}, composite"
        assert looks.figures[figure]["ci_low"] > 0
        assert figure not in looks.notes
        mean = looks.figures["composite/mean"]["value"]
        theirs = looks.figures[f"baseline/{name}, composite"]["value"]
        assert looks.figures[figure]["value"] == pytest.approx(mean - theirs, abs=1e-5)
    same = score_pairs(pairs_of([(text, "No acute disease.") for text in texts]))
    for measure in ("composite", "present with side, micro-F1"):
        figure = f"baseline/system minus {others}, {measure}"
        assert same.figures[figure]["value"] in (0.0, None)
        assert "does not beat" in same.notes[figure]


def test_the_most_frequent_report_is_a_reference_and_no_output_keeps_its_place():
    texts = [("Nodule.", "a."), ("Mass.", "b."), ("nodule. ", "c."), ("Hernia.", "d.")]
    found = figures_of(texts)
    # "Nodule." is right in two of four cases.
    assert found["baseline/most frequent report, present with side, micro-F1"]["value"] == 0.5
    unique = pairs_of([(f"{a} {i}", f"Case {i}.") for i, a in enumerate("Nodule." for _ in "abcd")])
    alone = score_pairs(unique[:1]).figures["baseline/drafts of other cases, composite"]
    assert (alone["value"], alone["unscored"]) == (None, 1)


def test_a_baseline_that_needs_a_model_is_handed_in():
    texts = [("Nodule.", "Nodule."), ("Mass.", "Mass."), ("Hernia.", "Hernia.")]
    given_in = {"nearest neighbour's report": ["Nodule.", "Nodule.", None]}
    found = figures_of(texts, baselines=given_in)
    neighbour = found["baseline/nearest neighbour's report, present with side, micro-F1"]
    assert (neighbour["value"], neighbour["n"], neighbour["unscored"]) == (0.5, 2, 1)
    gain = found["baseline/system minus nearest neighbour's report, present with side, micro-F1"]
    assert gain["value"] == 0.5
    with pytest.raises(SettingsError, match="has 1 reports for 3 pairs"):
        figures_of(texts, baselines={"short": ["Nodule."]})


def test_a_neural_score_that_cannot_be_had_is_no_zero(tmp_path: Path):
    texts = [("Nodule.", "Nodule."), ("Mass.", "Mass.")]
    for weights in ({}, dict.fromkeys(NAMES, tmp_path)):
        measured = score_pairs(pairs_of(texts), weights=weights)
        for name in NAMES:
            figure = measured.figures[f"neural/{name}"]
            assert (figure["value"], figure["n"], figure["unscored"]) == (None, 0, 2)
            assert measured.notes[f"neural/{name}"].startswith("unavailable: ")
    with pytest.raises(SettingsError, match="There is no neural score"):
        score_pairs(pairs_of(texts), weights={"BLEURT": tmp_path})
    with pytest.raises(SettingsError, match="does not exist"):
        score_pairs(pairs_of(texts), weights={"BERTScore": tmp_path / "none"})


def test_a_thousand_pairs_take_seconds():
    """The bar is 10 s for 1,000; here a fifth of it with twice the time, for a busy machine."""
    texts = [
        f"Film {i}. " + " ".join(SENTENCES[(i * 7 + k * 5) % len(SENTENCES)] for k in range(6))
        for i in range(400)
    ]
    started = time.process_time()
    score_pairs(pairs_of(zip(texts[:200], texts[200:], strict=True)))
    assert time.process_time() - started < 4
