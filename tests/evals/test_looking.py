"""The suite that asks whether the writer looks at the film."""

from __future__ import annotations

import pytest
from conftest import BACKBONE

import evals
from evals.suites import looking


@pytest.mark.long
def test_the_suite_measures_every_bar_and_a_blank_film_gets_another_draft():
    results = evals.run("looking", backbone=BACKBONE, n=4, seed=7)
    figures = {name.removeprefix("looking/"): f for name, f in results["figures"].items()}
    assert set(results["bars"]) == {f"looking/{name}" for name in looking.BARS}
    for kind in looking.WRONG:
        one = figures[looking.SAME.format(kind)]
        assert one["n"] + one["unscored"] == 4
    assert figures[looking.SAME.format("blank")]["value"] == 0
    assert figures[looking.SWAPPED]["n"] >= 1
    assert figures[looking.MISLED]["n"] >= 8
