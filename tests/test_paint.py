"""Paintings: the same for the same seed, and marked as synthetic from birth."""

from __future__ import annotations

import json

import numpy as np
import pytest
from commands import run
from conftest import BACKBONE

from assistant.intake import read_film


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    return tmp_path_factory.mktemp("painted")


def test_a_painting_is_a_marked_film_and_the_same_for_its_seed(painted, capfd):
    prompt, digests = "Large right pleural effusion.", []
    for folder in ("first", "again"):
        outcome = run(
            capfd, "paint", prompt, "--seed", 5, "--out", painted / folder, "--json",
            "--backbone", BACKBONE,
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        item = json.loads(outcome.out)["paintings"][0]
        assert item["provenance"]["seed"] == 5
        film = read_film(item["file"])
        assert film.flags == ("synthetic",)
        assert film.pixels.shape[0] >= 128
        assert film.pixels.std() > 0.05
        digests.append(film.sha256)
    assert digests[0] == digests[1]


def test_the_prompt_and_the_seed_matter(assistant):
    one = assistant.paint("Normal chest radiograph.", seed=1, count=2)
    other = assistant.paint("Normal chest radiograph.", seed=2)
    assert not np.array_equal(one[0].pixels, one[1].pixels)
    assert not np.array_equal(one[0].pixels, other[0].pixels)
    assert not one[0].pixels.flags.writeable
