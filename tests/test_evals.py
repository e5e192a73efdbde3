"""Measuring: figures against hand-computed cases, and what cannot be scored is never a zero."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from commands import run
from conftest import BACKBONE

from assistant.findings import assertions
from evals.mini import claims
from evals.results import figure
from evals.statistics import bootstrap_interval, f1, ratio


def test_f1_is_the_textbooks():
    assert f1(np.array([8, 2, 4])) == pytest.approx(2 * 8 / (2 * 8 + 2 + 4))
    assert f1(np.array([0, 0, 3])) == 0
    assert math.isnan(f1(np.array([0, 0, 0])))


def test_claims_count_a_bilateral_finding_on_both_sides_and_a_repeat_once():
    text = (
        "Small bilateral pleural effusions. There is a nodule in the left upper zone. "
        "No pneumothorax. The heart is enlarged. Cardiomegaly. Nodule."
    )
    assert claims(assertions(text)) == {
        ("pleural_effusion", "right"),
        ("pleural_effusion", "left"),
        ("nodule", "left"),
        ("cardiomegaly", None),
    }


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


def test_what_could_not_be_scored_is_counted_beside():
    rows = np.array([[1, 1], [1, 1]])
    scored = figure(rows, ["a", "b"], ratio, unscored=3, bar=0.5)
    assert (scored["value"], scored["n"], scored["unscored"]) == (1.0, 2, 3)
    empty = figure(np.empty((0, 2)), [], ratio, unscored=3)
    assert (empty["value"], empty["ci_low"], empty["n"]) == (None, None, 0)


def test_the_suite_writes_its_figures_and_repeats_itself(capfd, tmp_path):
    words = ("eval", "mini", "--n", 16, "--seed", 7, "--backbone", BACKBONE, "--out")
    assert run(capfd, *words, tmp_path / "a").code == 0
    shown = run(capfd, *words, tmp_path / "b").out
    first, again = (
        json.loads((tmp_path / x / "results.json").read_text(encoding="utf-8")) for x in "ab"
    )
    assert first["figures"] == again["figures"]
    assert first["cases"] == again["cases"]
    main = first["figures"]["report/present findings with side, micro-F1"]
    assert set(main) == {"value", "n", "unscored", "ci_low", "ci_high", "bar"}
    assert main["n"] + main["unscored"] == 16
    assert main["ci_low"] <= main["value"] <= main["ci_high"]
    beaten = first["figures"]["baseline/another film's draft, micro-F1"]
    assert main["value"] > beaten["value"]
    assert "micro-F1" in shown


def test_real_films_are_counted_as_warned_or_refused(capfd, phantoms, tmp_path):
    image = next((phantoms / "images").iterdir())
    (tmp_path / "film.png").write_bytes(image.read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no film")
    (tmp_path / "cases.csv").write_text("image\nfilm.png\nbroken.png\n", encoding="utf-8")
    outcome = run(capfd, "eval", "real", "--data", tmp_path, "--json", "--backbone", BACKBONE)
    figures = json.loads(outcome.out)["figures"]
    assert all((f["n"], f["unscored"]) == (1, 1) for f in figures.values())
    assert run(capfd, "eval", "real").code == 2


def test_the_card_states_the_measured_figures(capfd, tmp_path):
    card = tmp_path / "card.json"
    card.write_text('{"name": "mini", "quality": {}}', encoding="utf-8")
    words = ("eval", "mini", "--n", 4, "--card", card)
    assert run(capfd, *words).code == 0
    quality = json.loads(card.read_text(encoding="utf-8"))["quality"]
    assert "4 phantoms" in quality["measured_on"]
    card.write_text('{"name": "another"}', encoding="utf-8")
    assert run(capfd, *words).code == 2
    assert card.read_text(encoding="utf-8") == '{"name": "another"}'
