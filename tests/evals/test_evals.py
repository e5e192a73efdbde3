"""Measuring: figures against hand-computed cases, and what cannot be scored is never a zero."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from command import run
from conftest import BACKBONE
from toy_janus import dressed_toy

import evals
from assistant.labeller.labeller import find_assertions
from evals.bootstrap import bootstrap_interval, f1, f1_gain, macro_f1, precision, ratio, recall
from evals.counting import count_matches, finding_sides
from evals.mini import copies, painting
from evals.mini.kid import estimate_floor, kid
from evals.mini.parts import BARS
from evals.results import Bar, compute_figure, figure_of, format_results, judge_bars, median_of

KEYS = {"value", "n", "unscored", "ci_low", "ci_high", "bar"}


def test_the_scores_are_the_textbooks():
    assert f1(np.array([8, 2, 4])) == pytest.approx(2 * 8 / (2 * 8 + 2 + 4))
    assert f1(np.array([0, 0, 3])) == 0
    assert math.isnan(f1(np.array([0, 0, 0])))
    assert precision(np.array([8, 2, 4])) == pytest.approx(0.8)
    assert recall(np.array([8, 2, 4])) == pytest.approx(8 / 12)
    # A group that never occurs is no zero.
    assert macro_f1(np.array([8, 2, 4, 0, 0, 0, 1, 1, 0])) == pytest.approx((8 / 11 + 2 / 3) / 2)
    assert f1_gain(np.array([8, 2, 4, 1, 1, 0])) == pytest.approx(8 / 11 - 2 / 3)


def test_claims_count_a_bilateral_finding_on_both_sides_and_a_repeat_once():
    text = (
        "Small bilateral pleural effusions. There is a nodule in the left upper zone. "
        "No pneumothorax. The heart is enlarged. Cardiomegaly. Nodule. Possible right mass."
    )
    assert finding_sides(find_assertions(text)) == {
        ("pleural_effusion", "right"),
        ("pleural_effusion", "left"),
        ("nodule", "left"),
        ("cardiomegaly", None),
    }
    assert finding_sides(find_assertions(text), "uncertain") == {("mass", "right")}


def test_a_faint_finding_is_neither_missed_nor_invented():
    true, faint = {("mass", "left")}, {("nodule", "right")}
    assert count_matches({("mass", "left")}, true, faint) == [1, 0, 0]
    assert count_matches({("mass", "left"), ("nodule", "right")}, true, faint) == [1, 0, 0]
    assert count_matches({("mass", "right"), ("nodule", "left")}, true, faint) == [0, 2, 1]


def test_the_interval_covers_a_known_proportion():
    rng = np.random.default_rng(1)
    rows = np.stack([rng.random(400) < 0.7, np.ones(400)], axis=1)
    low, high = bootstrap_interval(rows, [str(i) for i in range(400)], ratio)
    assert low < rows[:, 0].mean() < high
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.7 * 0.3 / 400), rel=0.25)


def test_films_of_one_patient_make_the_interval_wider():
    rows = np.repeat(np.array([[1, 1], [0, 1]]), 100, axis=0)
    apart = bootstrap_interval(rows, [str(i) for i in range(200)], ratio)
    together = bootstrap_interval(rows, [str(i // 20) for i in range(200)], ratio)
    assert together[1] - together[0] > 2 * (apart[1] - apart[0])


def test_a_median_has_an_interval_about_it():
    times = median_of([1.0, 2.0, 3.0, 4.0, 100.0])
    assert times["value"] == 3.0
    assert 1.0 <= times["ci_low"] <= 3.0 <= times["ci_high"] <= 100.0
    assert median_of([])["value"] is None


def test_what_could_not_be_scored_is_counted_beside():
    rows = np.array([[1, 1], [1, 1]])
    scored = compute_figure(rows, ["a", "b"], ratio, unscored=3, bar=0.5)
    assert (scored["value"], scored["n"], scored["unscored"]) == (1.0, 2, 3)
    empty = compute_figure(np.empty((0, 2)), [], ratio, unscored=3)
    assert (empty["value"], empty["ci_low"], empty["n"]) == (None, None, 0)


def test_a_bar_is_met_from_its_own_side_and_never_by_what_was_not_scored():
    figures = {
        "high": figure_of(0.96, 9),
        "low": figure_of(0.96, 9),
        "own": figure_of(0.001, 9, bar=0.002),
        "none": figure_of(None, 0, unscored=9),
        "free": figure_of(0.5, 9),
    }
    bars = {
        "high": Bar("at least", 0.95),
        "low": Bar("at most", 0.95),
        "own": Bar("at most"),
        "none": Bar("at least", 0.0),
    }
    held, verdicts = judge_bars(figures, bars)
    assert {name: v["met"] for name, v in verdicts.items()} == {
        "high": True, "low": False, "own": True, "none": None,
    }  # fmt: skip
    assert [held[name]["bar"] for name in figures] == [0.95, 0.95, 0.002, 0.0, None]
    lines = format_results({"figures": held, "bars": verdicts, "notes": {"none": "no probe"}})
    for line, end in zip(lines[1:], ("met", "missed", "met", "not scored", "9"), strict=False):
        assert line.split("  ")[-1].strip().endswith((end, "0")), line
    assert lines[-1] == "none: no probe"


def test_the_floor_of_the_distance_is_chance_and_another_kind_of_film_lies_above_it():
    rng = np.random.default_rng(0)
    real = rng.standard_normal((120, 40)).astype(np.float32)
    chance = estimate_floor(real, 60)
    assert chance[0] < 0 < chance[-1]
    same = rng.standard_normal((60, 40)).astype(np.float32)
    far = same + 0.5
    assert kid(real, same)[0] < 2 * np.quantile(chance, 0.95)
    assert kid(real, far)[0] > 2 * np.quantile(chance, 0.95)
    assert kid(real, far) == kid(real, far)


@pytest.fixture(scope="module")
def dressed(tmp_path_factory):
    return dressed_toy(tmp_path_factory.mktemp("dressed"))


@pytest.fixture(scope="module", params=["toy", pytest.param("mini", marks=pytest.mark.long)])
def everything(request, dressed):
    """Every part of the suite, on as few films as it takes."""
    return evals.run("mini", backbone=dressed if request.param == "toy" else BACKBONE, n=1, seed=7)


def test_every_bar_is_measured_or_said_to_be_unscored(everything):
    figures = everything["figures"]
    assert set(BARS) <= set(figures)
    for name, found in figures.items():
        assert set(found) == KEYS, name
        assert (found["value"] is None) >= (found["n"] == 0), name
        # One film need not hold a nodule of 8 mm, nor give rise to each kind of question.
        some = found["n"] + found["unscored"] >= 1
        assert some or "8 mm" in name or name.startswith("answers/"), name
    for name in BARS:
        if figures[name]["n"] == 0:
            part = name.partition("/")[0]
            assert any(note.startswith(part) for note in everything["notes"]), name
    assert json.loads(json.dumps(everything)) == everything


def test_a_phantom_s_own_report_scores_full_marks(everything):
    assert everything["figures"]["report/the phantoms' own reports, micro-F1"]["value"] in (1, None)


@pytest.mark.parametrize("everything", ["toy"], indirect=True)
def test_an_adapter_that_changes_nothing_gains_nothing_and_every_answer_is_scored(everything):
    results, figures = everything, everything["figures"]
    gain = figures["report/adapter minus base, micro-F1"]
    assert (gain["value"] in (0, None), gain["n"], gain["unscored"]) == (True, 1, 0)
    asked = [case for case in results["cases"] if case["part"] == "answers"]
    total = figures["answers/exact accuracy"]
    kinds = [f["n"] for name, f in figures.items() if name.startswith("answers/")]
    assert total["n"] == len(asked) == sum(kinds) - total["n"]
    right = sum(case["said"] == case["answer"] for case in asked)
    assert total["value"] == pytest.approx(right / len(asked))
    assert figures["tokeniser/PSNR, dB"]["n"] == 1
    assert figures["tokeniser/8 mm nodules that the probe reads in the film"]["unscored"] == 0
    used = [name.partition("@")[0] for name in results["provenance"]["adapters"]]
    assert used == ["report", "answer", "image"]


def test_paintings_are_read_back_and_held_against_films(dressed):
    results = evals.run("mini", backbone=dressed, n=8, seed=7, only=("painting",))
    figures = results["figures"]
    assert all(found["n"] for found in figures.values())
    # An untrained painter makes no films.
    value, floor_of = painting.KID, painting.FLOOR
    assert results["bars"][value]["met"] is False
    assert figures[value]["bar"] == pytest.approx(2 * figures[floor_of]["value"], rel=1e-4)
    assert figures[copies.COPIES]["value"] == 0
    assert "12 films of the training data" in results["notes"][copies.COPIES]


@pytest.mark.long
def test_the_suite_writes_its_figures_and_repeats_itself(capfd, tmp_path):
    words = (
        "eval", "mini", "--only", "report,size", "--n", 8, "--seed", 7, "--backbone", BACKBONE,
        "--out",
    )  # fmt: skip
    assert run(capfd, *words, tmp_path / "a").code == 0
    shown = run(capfd, *words, tmp_path / "b").out
    first, again = (
        json.loads((tmp_path / x / "results.json").read_text(encoding="utf-8")) for x in "ab"
    )
    assert first["figures"] == again["figures"]
    assert first["cases"] == again["cases"]
    main = first["figures"]["report/present findings with side, micro-F1"]
    assert main["n"] + main["unscored"] == 8
    assert main["ci_low"] <= main["value"] <= main["ci_high"]
    beaten = first["figures"]["baseline/another film's draft, micro-F1"]
    assert main["value"] > beaten["value"]
    assert first["figures"]["report/the phantoms' own reports, micro-F1"]["value"] > 0.95
    assert not any(name.startswith("painting") for name in first["figures"])
    assert "micro-F1" in shown
    assert "at least 0.95" in shown


@pytest.mark.parametrize(
    "words", [("mini", "--only", "report,nothing"), ("films",), ("mini", "--site", "Z")]
)
def test_what_there_is_not_to_measure_ends_with_two(capfd, words):
    assert run(capfd, "eval", *words).code == 2


def test_the_card_states_the_measured_figures(capfd, tmp_path):
    card = tmp_path / "card.json"
    card.write_text('{"name": "mini", "quality": {}}', encoding="utf-8")
    words = ("eval", "mini", "--only", "size", "--n", 4, "--card", card)
    assert run(capfd, *words).code == 0
    quality = json.loads(card.read_text(encoding="utf-8"))["quality"]
    assert "seed 90210" in quality["measured_on"]
    assert "size/all weights, MB" in quality["figures"]
    card.write_text('{"name": "another"}', encoding="utf-8")
    assert run(capfd, *words).code == 2
    assert card.read_text(encoding="utf-8") == '{"name": "another"}'
