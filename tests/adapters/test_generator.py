"""The generator's training: conditions, pairs of phantoms, spoilt films, both stages in small."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.generator import train
from adapters.generator.conditions import (
    ENHANCE,
    LENGTH,
    STYLES,
    WORDS,
    Condition,
    PlacedClaim,
    encode,
    without_repeats,
)
from adapters.generator.degradations import jitter, spoil
from adapters.generator.films import RealFilm, pack, unpack
from adapters.generator.networks import FilmAutoencoder, build_autoencoder
from adapters.generator.pipeline import FilmPipeline
from adapters.generator.scenes import BONELESS, EDITED, FILM, render, render_block
from assistant.chest.phantoms import FINDINGS, make_phantom
from assistant.chest.places import DEGREES, SIDES, ZONES
from assistant.errors import SettingsError
from assistant.intake.png import png
from assistant.types import Assertion

POLARITIES = ("present", "absent", "uncertain")
CLAIMS = st.builds(
    Assertion,
    finding=st.sampled_from(FINDINGS),
    polarity=st.sampled_from(POLARITIES),
    side=st.sampled_from((None, *SIDES)),
    zone=st.sampled_from((None, *ZONES)),
    degree=st.sampled_from((None, *DEGREES)),
)


@given(
    claims=st.lists(CLAIMS, max_size=30),
    style=st.sampled_from((None, *STYLES)),
    age=st.none() | st.floats(0, 110),
)
def test_a_condition_keeps_what_is_present_before_what_is_absent(claims, style, age):
    placed = tuple(PlacedClaim(claim) for claim in claims)
    tokens, boxes = encode(Condition(style=style, age=age, claims=placed))
    assert tokens.shape == (LENGTH, 5)
    assert (boxes == -1).all()
    words = [WORDS[row[0]] for row in tokens if row[0]]
    assert words[0] == "task paint"
    kept = [word for word in words if word in FINDINGS]
    assert len(kept) == min(len(claims), LENGTH - (len(words) - len(kept)))
    ranks = [{0: 0, 1: 1, 3: 2, 2: 3}[row[1]] for row in tokens if row[0]]
    assert ranks == sorted(ranks)


@given(claims=st.lists(CLAIMS, max_size=12))
def test_the_claims_of_a_report_do_not_contradict_each_other(claims):
    kept = [placed.assertion for placed in without_repeats(claims)]
    present = {claim.finding for claim in kept if claim.polarity != "absent"}
    assert not present & {claim.finding for claim in kept if claim.polarity == "absent"}
    assert present == {claim.finding for claim in claims if claim.polarity != "absent"}


def test_a_word_that_was_not_learnt_is_named():
    with pytest.raises(SettingsError, match=FINDINGS[0]):
        encode(Condition(claims=(PlacedClaim(Assertion(FINDINGS[0])),)), WORDS[:30])


def test_pairs_of_phantoms_differ_by_what_their_condition_says():
    edits = soft = 0
    for index in range(24):
        (film, kind, _, _, _), *others = render(7, index, "A")
        assert kind == FILM
        for other, kind, tokens, boxes, _ in others:
            difference = np.abs(other.astype(int) - film)
            if kind == BONELESS:
                soft += 1
                assert difference.mean() > 3
            if kind == EDITED:
                box = boxes[tokens[:, 1] > 0][0] * 256
                x0, y0, x1, y1 = (int(v) for v in box.round())
                inside = difference[y0:y1, x0:x1].mean()
                assert 0 <= x0 < x1 <= 256
                assert inside >= 0.9 * difference.mean()
                edits += 1
    assert min(edits, soft) > 0


@settings(max_examples=12, deadline=None)
@given(task=st.sampled_from(ENHANCE), seed=st.integers(0, 2**31))
def test_a_spoilt_film_stays_a_film_and_a_seed_gives_the_same(task, seed):
    films = torch.tensor(make_phantom(3, seed % 5).film)[None, None].float() / 127.5 - 1
    made = []
    for _ in range(2):
        torch.manual_seed(seed)
        made.append((spoil(films, task), jitter(films)))
    (spoilt, moved), (again, moved_again) = made
    assert torch.equal(spoilt, again)
    assert torch.equal(moved, moved_again)
    for film in (spoilt, moved):
        assert film.shape == films.shape
        assert film.abs().max() <= 1
    assert not torch.equal(spoilt, films)


def test_the_autoencoder_begins_near_its_films_and_is_read_back_as_it_was(tmp_path):
    films = np.stack([make_phantom(5, index).film for index in range(6)])[:, None]
    unit = torch.from_numpy(films).float() / 127.5 - 1
    model: Any = build_autoencoder((16, 16, 16, 16)).eval()
    model.begin_linear(unit)
    model.save_pretrained(tmp_path)
    again: Any = FilmAutoencoder.from_pretrained(tmp_path, local_files_only=True).eval()
    with torch.no_grad():
        decoded = [m.decode(m.encode(unit).latent_dist.mean).sample for m in (model, again)]
    assert torch.equal(*decoded)
    error = float(((decoded[0] - unit) ** 2).mean())
    assert -10 * np.log10(error / 4) > 30


@pytest.mark.long
def test_both_stages_train_go_on_and_paint_the_same_film_of_a_seed(tmp_path, capsys):
    scenes, films = tmp_path / "scenes", tmp_path / "films.zip"
    scenes.mkdir()
    render_block(1, 0, scenes)
    render_block(1, 1, scenes)
    real = []
    for index in range(12):
        path = tmp_path / f"{index}.png"
        path.write_bytes(png(make_phantom(9, index, "B").film / np.float32(255)))
        real.append(RealFilm(path, Condition(style="openi"), (220, 256)))
    pack(real, films)
    assert unpack(films).films.shape == (12, 256, 256)
    common = ["--films", str(films), "--scenes", str(scenes), "--out", str(tmp_path / "out")]
    for stage in ("autoencoder", "flow"):
        for more in ([], ["--go-on"]):
            assert train.main([stage, *common, "--minutes", "0.1", "--tiny", *more]) == 0
    assert "PSNR" in capsys.readouterr().out
    pipeline = FilmPipeline.from_pretrained(tmp_path / "out", local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    made = [
        pipeline(
            [Condition(style="A")],
            num_inference_steps=2,
            generator=torch.Generator().manual_seed(4),
            output_type="np",
        ).images
        for _ in range(2)
    ]
    assert made[0].shape == (1, 256, 256)
    assert np.array_equal(made[0], made[1])


def test_training_without_phantoms_says_what_to_start(tmp_path):
    from adapters.generator.blocks import Blocks, wait_for_blocks

    with pytest.raises(SettingsError, match="scenes"):
        wait_for_blocks(Blocks(tmp_path, torch.device("cpu")), 1, patience=0.1)
