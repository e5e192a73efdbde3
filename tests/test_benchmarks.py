"""The benchmarks: ratios and bars are what they say, and a run of one prints and keeps figures."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import REPO
from hypothesis import given
from hypothesis import strategies as st
from toy_janus import toy_base

from benchmarks.__main__ import main
from benchmarks.figures import PairedFigure, time_in_turns

seconds = st.floats(0.01, 100)


@given(st.lists(st.tuples(seconds, seconds), min_size=1, max_size=7))
def test_less_time_and_more_drafts_are_better_by_the_same_factor(pairs):
    ours, theirs = zip(*pairs, strict=True)
    time = PairedFigure("", "s", ours, theirs=theirs)
    a_minute = [tuple(60 / value for value in side) for side in (ours, theirs)]
    rate = PairedFigure("", "drafts a minute", a_minute[0], "", a_minute[1], more_is_better=True)
    assert time.ratios == pytest.approx(rate.ratios)


@pytest.mark.parametrize(
    ("ours", "theirs", "more", "bar", "met"),
    [
        ((1.0, 1.0, 9.0), (3.0, 3.0, 3.0), False, 2.0, True),  # the median, not the mean
        ((2.0,), (3.0,), False, 2.0, False),
        ((6.0,), (3.0,), True, 2.0, True),
        ((0.2,), (), False, 0.3, True),  # no peer: a value not to be exceeded
        ((0.4,), (), False, 0.3, False),
        ((0.4,), (), False, None, None),
        ((), (), False, 0.3, None),
    ],
)
def test_a_bar_is_met_by_the_median(ours, theirs, more, bar, met):
    assert PairedFigure("", "", ours, "", theirs, more, bar).met is met


def test_what_could_not_be_measured_meets_nothing():
    assert PairedFigure("", "", (0.1,), bar=0.3, failed="no GPU").met is None


def test_both_sides_run_in_turns():
    order: list[str] = []

    def run(side: str) -> float:
        order.append(side)
        return float(len(order))

    assert time_in_turns(lambda: run("a"), lambda: run("b"), 2) == ((1.0, 3.0), (2.0, 4.0))
    assert order == ["a", "b", "a", "b"]


def test_a_toy_paints_what_transformers_paints_and_a_quick_run_keeps_nothing(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "300")
    toy_base(tmp_path / "base")  # in the place of what ships
    main(["painting"], tmp_path, quick=True)
    said = capsys.readouterr().out
    for count in (1, 8):
        assert f"{count} painted at once" in said
        assert f"the same picture for {count} of {count} " in said
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.long
def test_a_quick_run_compares_the_same_pictures_and_keeps_nothing(tmp_path):
    words = ["-m", "benchmarks", "painting", "--quick", "--scratch", str(tmp_path)]
    run = subprocess.run(
        [sys.executable, *words], cwd=REPO, capture_output=True, text=True, check=True
    )
    said = " ".join(run.stdout.split())
    assert "1 painted at once" in said
    assert "8 painted at once" in said
    assert not list(tmp_path.glob("*.json"))  # a quick run is none to be shown
