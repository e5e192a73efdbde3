"""Is a painting a near copy: films of the library are found again, other people are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from assistant.chest.phantoms import make_phantom
from assistant.errors import LibraryError
from assistant.intake import read_film
from assistant.intake.synthetic_mark import draw_mark
from assistant.painting.copy_check import LIMIT, LibraryFilms, check_copies, similarity
from assistant.types import Film


def as_film(pixels: np.ndarray) -> Film:
    return Film(pixels.astype(np.float32), "0" * 64)


def jpeg(pixels: np.ndarray) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(out, "JPEG", quality=40)
    return np.asarray(Image.open(out), np.float32) / 255


def small(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((128, 128), Image.Resampling.BILINEAR))


CHANGES = {
    "nothing": lambda p: p,
    "size": small,
    "noise": lambda p: (p + np.random.default_rng(1).normal(0, 0.02, p.shape)).clip(0, 1),
    "blur": lambda p: gaussian_filter(small(p), 0.7),
    "JPEG": jpeg,
    "brightness": lambda p: p * 0.9 + 0.05,
    "the mark": lambda p: draw_mark(small(p)),
}


@pytest.fixture(scope="module")
def shelves(assistant):
    return [LibraryFilms(assistant.library)]


@pytest.mark.parametrize("change", CHANGES)
def test_a_film_of_the_library_is_known_again_though_it_was_changed(
    assistant, shelves, phantoms, change
):
    paths = sorted(phantoms.glob("images/*.png"))[:3]
    films = [read_film(path) for path in paths]
    changed = [as_film(CHANGES[change](film.pixels)) for film in films]
    for film, check in zip(films, check_copies(assistant.backbone, shelves, changed), strict=True):
        assert (check.verdict, check.film) == ("copy", film.sha256[:16])
        assert check.similarity >= LIMIT
        assert check.compared == 24


def test_other_people_are_no_copies(assistant, shelves):
    others = [make_phantom(611, i, split="test").film / np.float32(255) for i in range(12)]
    films = [as_film(small(pixels)) for pixels in others]
    for check in check_copies(assistant.backbone, shelves, films):
        assert check.verdict == "original"
        assert 0 < check.similarity < LIMIT == check.limit


def test_nothing_to_compare_with_is_no_pass(assistant, tmp_path):
    from retrieval import Library

    film = as_film(np.zeros((128, 128)))
    assert check_copies(assistant.backbone, [], [film])[0].verdict == "unchecked"
    own = assistant.backbone
    with Library.open(tmp_path, encoder=own.encoder_id, dim=own.dim) as empty:
        check = check_copies(own, [LibraryFilms(empty)], [film])[0]
    assert (check.verdict, check.similarity, check.compared) == ("unchecked", None, 0)
    assert check.reason


def test_a_lost_picture_is_left_out_and_the_rest_compared(assistant, phantoms):
    class Leaky(LibraryFilms):
        def picture(self, film):
            return None if film == lost else super().picture(film)

    film = read_film(sorted(phantoms.glob("images/*.png"))[0])
    lost = film.sha256[:16]
    check = check_copies(assistant.backbone, [Leaky(assistant.library)], [film])[0]
    assert check.compared == 23
    assert check.film != lost
    with pytest.raises(LibraryError):
        assistant.library.preview("f" * 16)
    assert LibraryFilms(assistant.library).picture("f" * 16) is None


def test_similarity_is_that_of_the_paper_outside_the_corner_of_the_mark():
    metric = pytest.importorskip("torchmetrics.functional.image.ssim")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    one = gaussian_filter(rng.random((128, 128)), 2)
    two = (one + rng.normal(0, 0.05, one.shape)).clip(0, 1)
    both = [torch.tensor(p)[None, None] for p in (one, two)]
    _, image = metric.structural_similarity_index_measure(
        *both, data_range=1.0, return_full_image=True
    )
    counts = np.ones((128, 128), bool)
    counts[-11:, :55] = False
    assert similarity(one, two[None])[0] == pytest.approx(image[0, 0].numpy()[counts].mean(), 1e-6)
    assert similarity(one, draw_mark(one)[None])[0] > 0.97
    assert similarity(one, one[None])[0] == pytest.approx(1)
