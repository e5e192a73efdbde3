"""Suites are run by name, go on after a kill, score what was made elsewhere, and find leaks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command import run
from conftest import BACKBONE, REPO
from pupil import KilledError

import evals
from assistant.errors import SettingsError
from evals import registry
from evals.checkpoint import PartStore
from evals.data.real_films import tables_in
from evals.results import FigureTable
from evals.suites import privacy, shift


def test_a_run_that_was_stopped_goes_on_after_the_parts_that_are_done(tmp_path):
    asked = {"backbone": BACKBONE, "n": 1, "seed": 7, "only": ("size", "report")}
    whole = evals.run("mini", **asked, out=tmp_path / "whole")

    def kill(done: int, total: int) -> None:
        if total == 2:  # the film of `report`, with and without the adapter
            raise KilledError

    with pytest.raises(KilledError):
        evals.run("mini", **asked, out=tmp_path / "killed", on_progress=kill)
    assert len(list((tmp_path / "killed" / "parts").rglob("mini-size.json"))) == 1
    again = evals.run("mini", **asked, out=tmp_path / "killed")
    assert again["figures"] == whole["figures"]
    assert again["provenance"]["seconds"].keys() == {"mini/report"}
    assert not (tmp_path / "killed" / "parts").exists()
    assert (tmp_path / "killed" / "card.html").read_text(encoding="utf-8").startswith("<!DOCTYPE")


def test_a_part_is_taken_up_only_by_a_run_that_asks_for_the_same(tmp_path):
    tally = FigureTable()
    tally.add("a/b", np.array([[1, 0, 1]]), ["x"], "f1")
    part = registry.PartResult(tally.figures, ({"case": 1},), {"a/b": "note"}, "m", tally.counts)
    PartStore(tmp_path, {"seed": 1}).save("mini/report", part)
    found = PartStore(tmp_path, {"seed": 1}).load("mini/report")
    assert found is not None
    assert found.counts == part.counts
    assert found.figures == part.figures
    assert PartStore(tmp_path, {"seed": 2}).load("mini/report") is None


REPORTS = (
    ("a", "p1", "Small right pleural effusion.", "Small right pleural effusion."),
    ("b", "p2", "Left pneumothorax. No effusion.", "No pneumothorax. Cardiomegaly."),
    ("c", "p3", "The lungs are clear.", None),
)


@pytest.fixture
def predictions(tmp_path):
    path = tmp_path / "theirs.jsonl"
    rows = [
        dict(zip(("case", "patient", "reference", "prediction"), r, strict=True)) for r in REPORTS
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_reports_made_elsewhere_are_scored_without_a_backbone(capfd, predictions, tmp_path):
    out = tmp_path / "out"
    assert run(capfd, "eval", "report", "--predictions", predictions, "--out", out).code == 0
    results = evals.read_results(out)
    assert results["provenance"]["backbone"] is None
    found = results["figures"]["clinical/present with side, micro-F1"]
    assert (found["n"], found["unscored"]) == (2, 1)
    assert found["value"] == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))
    assert len(results["provenance"]["data_sha256"]["predictions"]) == 64
    assert str(tmp_path) not in (out / "results.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in (out / "card.html").read_text(encoding="utf-8")


def test_two_results_are_compared_in_pairs(capfd, predictions, tmp_path):
    better = tmp_path / "better.jsonl"
    text = predictions.read_text(encoding="utf-8")
    better.write_text(text.replace("No pneumothorax. Cardiomegaly.", "Left pneumothorax."), "utf-8")
    for path, name in ((better, "a"), (predictions, "b")):
        words = ("eval", "report", "--predictions", path, "--out", tmp_path / name)
        assert run(capfd, *words).code == 0
    shown = run(capfd, "eval", "compare", tmp_path / "a", tmp_path / "b", "--json")
    assert shown.code == 0
    (found,) = [
        row for row in _rows(json.loads(shown.out))
        if row.get("name", "") == "clinical/present with side, micro-F1"
    ]  # fmt: skip
    assert found["value"] == pytest.approx(0.5)


def _rows(comparison):
    figures = comparison.get("figures", comparison.get("differences"))
    if isinstance(figures, dict):
        return [{"name": name, **row} for name, row in figures.items()]
    return figures


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nothing",), "no suite"),
        (("image", "--generated", "."), "--real"),
        (("report", "risk", "--predictions", "x.jsonl"), "alone"),
        (("compare", "one.json"), "two results"),
        (("report", "--predictions", "x.jsonl", "--weights", "BERTScore"), "NAME=PATH"),
        (("labeller",), "--data"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_sentence(capfd, words, told):
    outcome = run(capfd, "eval", *words)
    assert outcome.code == 2
    assert told in outcome.err.replace("\n", " ")
    assert "Traceback" not in outcome.err


def test_a_planted_sentence_that_comes_back_is_found_and_one_that_does_not_is_not(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(privacy, "A_FILM", 5)
    planted = tmp_path / "canaries.txt"
    planted.write_text(
        "Zeta eta pleural effusion\nQuilted marmalade sings at dawn\n", encoding="utf-8"
    )
    ask = {"backbone": BACKBONE, "n": 1, "seed": 7}
    results = evals.run("privacy", **ask, canaries=planted)
    figures = results["figures"]
    assert figures[privacy.EXTRACTED]["n"] == 2
    assert figures[privacy.EXTRACTED]["value"] == 0.5
    for name in (privacy.COPIES, privacy.LEAKED, privacy.IDENTIFIED):
        assert (figures[name]["value"], figures[name]["n"]) == (0, 1)
        assert results["bars"][name]["met"] is True
    assert all(case["similar"] >= 1 for case in results["cases"] if "similar" in case)
    null = figures["privacy/likeness to the nearest training film, held-out films, the null"]
    assert 0 < null["value"] < 1


@pytest.mark.parametrize(
    ("kinds", "films"),
    [(("blur",), 1), pytest.param(tuple(shift.SPOILS), 2, marks=pytest.mark.long)],
)
def test_a_spoilt_film_is_worse_and_warned_of_more_the_more_it_is_spoilt(
    phantoms, monkeypatch, kinds, films
):
    monkeypatch.setattr(shift, "SPOILS", {kind: shift.SPOILS[kind] for kind in kinds})
    results = evals.run("shift", backbone=BACKBONE, n=films, seed=9, data=phantoms)
    figures = results["figures"]
    for kind, (_, grades) in shift.SPOILS.items():
        warned = [figures[f"shift/{kind} {words}, warned of"]["value"] for _, words in grades]
        refused = [figures[f"shift/{kind} {words}, refused"]["value"] for _, words in grades]
        assert warned[-1] + refused[-1] >= warned[0] + refused[0], kind
    assert figures[f"shift/site A, {shift.F1}"]["n"] == films
    assert figures[f"shift/{phantoms.name}, {shift.REAL_F1}"]["n"] == films
    assert {bar["name"] for bar in results["plots"]["shift"]["bars"]} >= {"site B", "blur 3 px"}


def test_a_folder_of_folders_is_every_folder_with_a_table(tmp_path, phantoms):
    assert tables_in(phantoms) == [phantoms]
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    for name in ("one", "two"):
        (tmp_path / name / "cases.csv").write_text("image\n", encoding="utf-8")
    assert tables_in(tmp_path) == [tmp_path / "one", tmp_path / "two"]
    with pytest.raises(SettingsError, match=r"cases\.csv"):
        tables_in(tmp_path / "three")


def test_every_suite_is_named_in_the_docs_and_all_runs_known_ones():
    told = (REPO / "docs" / "evaluation.md").read_text(encoding="utf-8")
    for name in (*registry.SUITES, "all", "compare"):
        assert f"`{name}" in told, name
    assert set(registry.ALL) <= set(registry.SUITES)
