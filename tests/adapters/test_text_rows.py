"""What the language model reads without films, and how often a film is looked at."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from adapters.data.phantom_arrays import _record_of
from adapters.pretrain.picture_tokeniser import PictureBatches, reconstruction_loss
from adapters.pretrain.text_rows import IGNORE, build_text_row
from assistant.backbones.loading import backbone_folder
from assistant.backbones.probe.test_time import shift_film
from assistant.chest.phantoms import make_phantom


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(backbone_folder("mini"), local_files_only=True)


@pytest.fixture(scope="module")
def records():
    return [_record_of(make_phantom(5, index, "A", "train")) for index in range(12)]


@settings(max_examples=40, deadline=None)
@given(index=st.integers(0, 11), turns=st.integers(1, 6), seed=st.integers(0, 2**31 - 1))
def test_a_row_is_told_whole_and_asks_no_more_than_its_turns(
    records, tokenizer, index, turns, seed
):
    ids, targets = build_text_row(records, index, tokenizer, turns, seed)
    assert targets == [IGNORE, *ids[1:]]
    text = tokenizer.decode(ids)
    assert ids.count(tokenizer.bos_token_id) == 1
    assert 1 <= text.count("<|Assistant|>") <= turns
    assert ids.count(tokenizer.eos_token_id) == text.count("<|Assistant|>")
    assert turns > 1 or "Similar cases:" not in text
    assert build_text_row(records, index, tokenizer, turns, seed) == (ids, targets)


@given(st.integers(1, 4))
def test_a_film_that_is_the_same_everywhere_looks_the_same_moved(grey):
    pixels = torch.full((1, 3, 32, 32), grey / 4)
    assert all(torch.equal(other, pixels) for other in shift_film(pixels, 16))


def test_a_film_is_moved_by_half_a_patch_to_the_left_up_and_both():
    pixels = torch.arange(16.0).view(1, 1, 4, 4)
    left, up, both = shift_film(pixels, 4)
    assert left[0, 0, 0].tolist() == [2, 3, 3, 3]
    assert up[0, 0, :, 0].tolist() == [8, 12, 12, 12]
    assert both[0, 0, 0, 0] == 10


def test_pictures_with_a_cover_are_those_that_show_something():
    films = [np.zeros((3, 256, 256), np.uint8)]
    cover = np.zeros((3, 256), bool)
    cover[1, 17] = True  # the second row's second patch
    pictures = PictureBatches(films, 64, cover)
    assert [pictures[i] for i in range(len(pictures))] == [1]
    batch = pictures.collate([1])
    assert batch["cover"].sum() == 16
    assert batch["cover"][0, 0, 4:8, 4:8].all()


def test_what_a_lesion_lacks_weighs_more_than_what_the_rest_lacks():
    pixels, cover = torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    cover[..., :16, :16] = 1
    inside, outside = pixels.clone(), pixels.clone()
    inside[..., 4:8, 4:8] = outside[..., 40:44, 40:44] = 0.5
    assert reconstruction_loss(inside, pixels, cover) > 4 * reconstruction_loss(
        outside, pixels, cover
    )
    assert torch.isclose(
        reconstruction_loss(inside, pixels, None), reconstruction_loss(outside, pixels, None)
    )
