"""The mark of a synthetic film: drawn at birth, read by a person, found again by the program."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from command import run
from conftest import BACKBONE, SHARED
from films import picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assistant.cases.ingest import add_film
from assistant.chest.phantoms import make_phantom
from assistant.errors import LibraryError
from assistant.intake import read_film, read_film_bytes
from assistant.intake.png import png, preview
from assistant.intake.synthetic_mark import ALIKE, bears_mark, draw_mark, mark_likeness

FOLDERS = ("nih", "hannover", "covid")


def film(edge: int = 128, index: int = 0) -> np.ndarray:
    drawn = Image.fromarray(make_phantom(31, index, split="test").film.astype(np.float32) / 255)
    return np.asarray(drawn.resize((edge, edge), Image.Resampling.BILINEAR)).clip(0, 1)


def saved_again(pixels: np.ndarray, kind: str = "JPEG", **options) -> bytes:
    """The picture as another program would write it: without any text."""
    return picture((pixels * 255).round().astype(np.uint8), kind, **options)


def resized(pixels: np.ndarray, edge: int) -> np.ndarray:
    small = Image.fromarray(pixels).resize((edge, edge), Image.Resampling.BILINEAR)
    return np.asarray(small).clip(0, 1)


@pytest.fixture(scope="module")
def phantom() -> np.ndarray:
    return film()


def test_the_mark_is_the_word_in_pixels_of_its_own_and_leaves_the_rest_alone(phantom):
    marked = draw_mark(phantom)
    changed = np.argwhere(marked != phantom)
    assert changed[:, 0].min() >= 128 - 11
    assert changed[:, 1].max() < 55
    letters = marked[-9:-2, 2:53]  # 5 by 7 pixels a letter, one between them
    assert set(np.unique(letters)) == {0.0, 1.0}
    first = letters[:, :5].astype(int)
    assert ["".join(".#"[v] for v in row) for row in first] == [
        ".####", "#....", "#....", ".###.", "....#", "....#", "####.",
    ]  # fmt: skip
    assert not np.shares_memory(marked, phantom)


@given(
    drawn=st.integers(128, 512),
    shown=st.integers(120, 1024),
    low=st.floats(0, 0.4),
    span=st.floats(0.3, 0.6),
    quality=st.integers(40, 95),
    inverted=st.booleans(),
    mirrored=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_the_mark_survives_other_programs(
    phantom, drawn, shown, low, span, quality, inverted, mirrored
):
    pixels = resized(draw_mark(resized(phantom, drawn)), shown) * span + low
    pixels = 1 - pixels if inverted else pixels
    pixels = pixels[:, ::-1] if mirrored else pixels
    assert read_film_bytes(saved_again(pixels, quality=quality)).flags == ("synthetic",)


@pytest.mark.parametrize("cut", [1, 2])
def test_a_careless_crop_leaves_the_mark_legible(phantom, cut):
    assert bears_mark(draw_mark(phantom)[cut:-cut, cut:-cut])


@given(st.integers(64, 300), st.integers(64, 300), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_noise_of_any_shape_bears_no_mark(rows, columns, seed):
    noise = np.random.default_rng(seed).random((rows, columns), np.float32)
    assert mark_likeness(noise) < ALIKE - 0.1
    assert mark_likeness(np.full((rows, columns), 0.5, np.float32)) == 0


def test_phantoms_bear_no_mark(phantoms):
    found = [mark_likeness(read_film(path).pixels) for path in phantoms.glob("images/*.png")]
    assert len(found) == 24
    assert max(found) < ALIKE - 0.1


@pytest.mark.parametrize("folder", FOLDERS)
def test_real_films_bear_no_mark(folder):
    if not (SHARED / folder).is_dir():
        pytest.skip(f"the real films of {folder} are not at {SHARED}")
    paths = sorted((SHARED / folder / "images").iterdir())[::3]
    found = [mark_likeness(read_film(path).pixels) for path in paths]
    assert len(found) > 50
    assert max(found) < ALIKE - 0.1


def test_either_mark_alone_keeps_a_film_out_of_the_library_unless_told(assistant, phantom):
    text_only = png(phantom, synthetic=True)
    mark_only = saved_again(draw_mark(phantom), "PNG")
    for data in (text_only, mark_only):
        synthetic = read_film_bytes(data)
        assert synthetic.flags == ("synthetic",)
        with pytest.raises(LibraryError, match="allow synthetic"):
            add_film(assistant.backbone, assistant.library, synthetic)
    assert read_film_bytes(saved_again(phantom, "PNG")).flags == ()
    before = assistant.library.stats().cases
    added = add_film(
        assistant.backbone, assistant.library, read_film_bytes(text_only), allow_synthetic=True
    )
    try:
        kept = assistant.library.preview(added.case)
        assert assistant.library.get(added.case).source == "synthetic"
        assert Image.open(io.BytesIO(kept)).info == {}  # no text that might name a person
        assert read_film_bytes(kept).flags == ("synthetic",)
    finally:
        assistant.library.remove(added.case)
    assert assistant.library.stats().cases == before


def test_the_command_line_refuses_a_synthetic_film_in_one_sentence(
    tmp_path: Path, phantom, capfd: pytest.CaptureFixture[str]
):
    path = tmp_path / "film.jpg"
    path.write_bytes(saved_again(draw_mark(phantom), quality=80))
    add = ("library", "add", path, "--backbone", BACKBONE, "--library", tmp_path / "library")
    refused = run(capfd, *add)
    assert refused.code == 2
    assert "--allow-synthetic" in refused.err
    assert "Traceback" not in refused.err
    assert run(capfd, *add, "--allow-synthetic").code == 0


def test_a_preview_is_marked_once_at_any_size(phantom):
    for edge in (128, 256, 700):
        twice = [preview(p, synthetic=True) for p in (film(edge), draw_mark(film(edge)))]
        shown = [read_film_bytes(data).pixels for data in twice]
        assert all(bears_mark(pixels) for pixels in shown)
        assert np.abs(shown[0] - shown[1]).mean() < 0.01
