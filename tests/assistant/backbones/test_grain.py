"""Grain: as much of it comes back as was lost, where it was lost, and the same for a seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.pretrain.picture_tokeniser import measure_grain
from assistant.backbones.janus.grain import GREY_LEVELS, add_grain


def films(spread: float, count: int = 6) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(3)
    smooth = [np.tile(np.linspace(0.1, 0.9, 96), (96, 1)).astype(np.float32)] * count
    return [f + rng.normal(0, spread, f.shape).astype(np.float32) for f in smooth], smooth


@given(st.floats(0.005, 0.05))
@settings(max_examples=15, deadline=None)
def test_the_grain_that_was_lost_is_measured(spread):
    table = measure_grain(*films(spread))
    known = table[2:14]  # the ramp holds no black and no white
    assert known == pytest.approx(np.full(len(known), spread), rel=0.1)
    assert not table[0]


def test_an_edge_that_was_lost_is_no_grain():
    noisy, smooth = films(0.01)
    for film in noisy:
        film[40:42] += 0.5
    assert measure_grain(noisy, smooth)[4:12] == pytest.approx(np.full(8, 0.01), rel=0.25)


def test_grain_is_drawn_where_it_was_and_the_same_for_a_seed():
    table = np.zeros(GREY_LEVELS, np.float32)
    table[GREY_LEVELS // 2 :] = 0.02
    film = np.concatenate([np.full((64, 64), 0.2), np.full((64, 64), 0.8)]).astype(np.float32)
    one, same, other = (add_grain(film, table, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.array_equal(one[:64], film[:64])
    assert one[64:].std() == pytest.approx(0.02, rel=0.1)
    assert 0 <= one.min() <= one.max() <= 1
