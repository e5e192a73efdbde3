"""The suite that asks whether the writer looks at the film."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import BACKBONE

import evals
from assistant.chest.phantoms import FINDINGS, make_phantom
from assistant.chest.places import OTHER_SIDE
from evals.counting import finding_sides
from evals.data.phantoms import as_film, film_of
from evals.suites import looking


def test_a_blank_film_gets_another_draft_and_a_mirrored_one_the_other_side(assistant):
    film = next(
        as_film(phantom)
        for phantom in (make_phantom(7, number, split="test") for number in range(50))
        if [lesion.finding for lesion in phantom.lesions] == ["pleural_effusion"]
    )
    others = [film_of(np.zeros_like(film.pixels)), film_of(film.pixels[:, ::-1])]
    right, blank, mirrored = assistant.draft_many([film, *others], neighbours=0, anyway=True)
    assert blank.text() != right.text()
    ((finding, side),) = _said(right)
    assert finding == "pleural_effusion"
    assert _said(mirrored) == {(finding, OTHER_SIDE[side])}


def _said(report):
    claims = [a for s in report.sentences for a in s.assertions if a.finding in FINDINGS]
    return finding_sides(claims)


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
