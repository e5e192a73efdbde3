"""Two runs side by side: paired where they can be, and said where they cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import SettingsError
from evals.compare import compare, format_comparison
from evals.results import SCHEMA, FigureTable, figure_of

F1, MEAN = "report/findings, F1", "report/score, mean"


def run_of(
    table: np.ndarray, patients: list[str], *, suite: str = "report", **about: Any
) -> dict[str, Any]:
    """Results as a suite writes them: the mean of the first column, and the F1 of three."""
    tally = FigureTable()
    tally.add(MEAN, [[row[0], 1] for row in table], patients, "mean")
    if table.shape[1] == 3:
        tally.add(F1, table, patients, "f1")
    return {
        "schema": SCHEMA,
        "suite": suite,
        "figures": tally.figures,
        "counts": {
            name: {
                "statistic": counted.statistic,
                "patients": list(counted.patients),
                "rows": [list(row) for row in counted.rows],
            }
            for name, counted in tally.counts.items()
        },
        "provenance": {"backbone": "toy", "data": "toys", "seed": 1, **about},
    }


@st.composite
def pairs_of_runs(draw) -> tuple[dict[str, Any], dict[str, Any]]:
    films = draw(st.integers(1, 25))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    people = [f"p{n}" for n in rng.integers(0, draw(st.integers(1, 20)), films)]
    a, b = rng.integers(0, 3, (2, films, 3))
    kept = slice(draw(st.integers(0, films - 1)), None)
    return run_of(a, people), run_of(b[kept], people[kept])


@settings(max_examples=15, deadline=None)
@given(pairs_of_runs())
def test_a_run_against_itself_differs_by_exactly_nothing(runs):
    for difference in compare(runs[0], runs[0])["differences"].values():
        if difference["value"] is not None:
            assert difference["value"] == difference["ci_low"] == difference["ci_high"] == 0
        assert difference["unpaired"] == 0


@settings(max_examples=15, deadline=None)
@given(pairs_of_runs())
def test_turning_the_pair_round_turns_the_sign(runs):
    a, b = runs
    there, back = compare(a, b)["differences"], compare(b, a)["differences"]
    for name, one in there.items():
        other = back[name]
        assert (one["a"], one["b"], one["n"]) == (other["b"], other["a"], other["n"])
        assert one["unpaired"] == other["unpaired"]
        if one["value"] is None:
            assert other["value"] is None
            continue
        assert one["value"] == pytest.approx(-other["value"], abs=1e-9)
        # Both ends are rounded to six decimals, perhaps to either side.
        assert one["ci_low"] == pytest.approx(-other["ci_high"], abs=1.5e-6)
        assert one["ci_high"] == pytest.approx(-other["ci_low"], abs=1.5e-6)


def test_the_interval_covers_a_known_difference_nineteen_times_in_twenty():
    hits, trials = 0, 40
    people = [str(i) for i in range(80)]
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        hard = rng.normal(0, 1, (80, 1))  # what makes a patient hard is shared by the two
        noise = rng.normal(0, 0.2, (2, 80, 1))
        a, b = run_of(hard + 0.3 + noise[0], people), run_of(hard + noise[1], people)
        found = compare(a, b)["differences"][MEAN]
        hits += found["ci_low"] <= 0.3 <= found["ci_high"]
        assert found["ci_high"] - found["ci_low"] < 0.2  # unpaired it would be some 0.6
    assert 0.85 * trials <= hits <= trials


def test_the_difference_is_that_of_the_patients_both_have():
    a = run_of(np.array([[1, 0, 0], [0, 1, 1], [5, 0, 0]]), ["x", "y", "only a"])
    b = run_of(np.array([[0, 1, 1], [0, 1, 1], [9, 0, 0]]), ["x", "y", "only b"])
    found = compare(a, b)["differences"][F1]
    assert found["a"] == 0.5
    assert found["b"] == 0
    assert found["value"] == 0.5
    assert (found["n"], found["unpaired"]) == (2, 2)


def test_the_films_of_a_patient_are_drawn_together():
    table = np.array([[1, 0, 0]] * 4 + [[0, 1, 1]] * 4)
    apart = run_of(table, [str(i) for i in range(8)])
    together = run_of(table, ["one"] * 4 + ["other"] * 4)
    none = np.array([[0, 1, 1]] * 8)
    narrow = compare(apart, run_of(none, [str(i) for i in range(8)]))["differences"][F1]
    wide = compare(together, run_of(none, ["one"] * 4 + ["other"] * 4))["differences"][F1]
    assert narrow["n"] == 8
    assert wide["n"] == 2
    assert wide["ci_high"] - wide["ci_low"] > narrow["ci_high"] - narrow["ci_low"]


def test_the_same_seed_gives_the_same_interval(runs):
    assert compare(*runs, seed=4) == compare(*runs, seed=4)
    assert compare(*runs, seed=4) != compare(*runs, seed=5)


@pytest.fixture
def runs() -> tuple[dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(8)
    people = [str(i) for i in range(40)]
    a, b = (run_of(rng.integers(0, 3, (40, 3)), people) for _ in range(2))
    return a, b


def test_without_counts_the_plain_difference_stands_without_an_interval(runs):
    a, b = runs
    a["figures"]["speed/seconds"] = figure_of(2.0, 9, (1.9, 2.1))
    b["figures"]["speed/seconds"] = figure_of(1.5, 9, (1.4, 1.6))
    b["figures"][F1] = figure_of(None, 0)
    del b["counts"][F1]
    compared = compare(a, b)
    found = compared["differences"]["speed/seconds"]
    assert (found["value"], found["ci_low"], found["ci_high"], found["n"]) == (
        0.5,
        None,
        None,
        None,
    )
    assert compared["differences"][F1]["value"] is None
    assert "neither" in compared["notes"]["speed/seconds"]
    assert compared["notes"][F1].startswith("B does not keep")
    assert MEAN not in compared["notes"]


def test_figures_that_were_counted_in_different_ways_are_not_paired(runs):
    a, b = runs
    b["counts"][F1]["statistic"] = "recall"
    b["counts"][MEAN]["patients"] = [f"other {i}" for i in range(40)]
    compared = compare(a, b)
    assert compared["differences"][F1]["ci_low"] is None
    assert "different ways" in compared["notes"][F1]
    assert "no patient" in compared["notes"][MEAN]


def test_a_statistic_that_is_not_known_is_not_paired(runs):
    for one in runs:
        one["counts"][F1]["statistic"] = "of a later version"
    assert compare(*runs)["differences"][F1]["n"] is None


def test_patients_of_other_seeds_are_strangers_unless_the_data_are_the_same(runs):
    a, b = runs
    b["provenance"]["seed"] = 2
    compared = compare(a, b)
    assert compared["differences"][F1]["n"] is None
    assert "seeds" in compared["notes"][F1]
    for one in runs:
        one["provenance"]["data_sha256"] = {"data": "1234"}
    assert compare(a, b)["differences"][F1]["n"] == 40


def test_other_data_and_another_suite_are_said(runs):
    a, b = runs
    assert compare(a, b)["warnings"] == []
    b["suite"] = "all"
    a["provenance"]["data_sha256"] = {"data": "12"}
    b["provenance"]["data_sha256"] = {"data": "34"}
    suites, data = compare(a, b)["warnings"]
    assert "report" in suites
    assert "all" in suites
    assert "12" in data
    assert "34" in data


def test_what_cannot_be_compared_is_refused_in_one_sentence(runs):
    a, b = runs
    for other, words in (
        (b | {"schema": "wetread.results/0"}, "second file has the schema"),
        (b | {"figures": {"else": figure_of(1.0, 1)}}, "no figure in common"),
    ):
        with pytest.raises(SettingsError, match=words) as refused:
            compare(a, other)
        assert "\n" not in str(refused.value)


def test_the_lines_tell_every_difference_and_what_is_in_one_only(runs):
    a, b = runs
    a["figures"]["only/here"] = figure_of(1.0, 1)
    b["figures"]["only/there"] = figure_of(1.0, 1)
    del a["counts"][MEAN]
    told = format_comparison(compare(a, b))
    assert told[0].startswith("A: toy")
    row = next(line for line in told if line.startswith(F1))
    assert " to " in row
    assert row.split()[-2:] == ["40", "0"]
    assert any(line.startswith("No interval, since A does not keep") for line in told)
    assert "Only in A: only/here." in told
    assert "Only in B: only/there." in told
