"""The gate: what is no film to read is refused with a reason and a number, and films pass."""

from __future__ import annotations

import csv
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import BACKBONE, SHARED
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load_file, save_file
from toy_janus import toy_base

import evals
from adapters.pretrain.gate_reference import GateFilms, change_films, fit_gate
from adapters.view_classifier.films import FILM_EDGE, ViewFilms, draw_pattern
from adapters.view_classifier.train import SHARES, draw_batch
from assistant.backbones.janus.loading import read_reference
from assistant.chest.lateral import make_lateral
from assistant.chest.other_body_parts import PARTS, make_other_body_part
from assistant.chest.phantoms import SITES, make_phantom
from assistant.chest.view_classifier import FRONTAL, KINDS, WEIGHTS, prepare_picture
from assistant.errors import BackboneError, SettingsError
from assistant.gate import distance_to, is_childlike, judge_film
from assistant.intake import read_film
from assistant.intake.orientation import CORRECTIONS, advice_of, correct_film, trouble_of
from assistant.types import Film, Gate
from evals.suites import gate as suite

KNOWS = "films of the tests"
# A reference whose distance is the profile's own length: 0 lies within, 9 far outside.
REFERENCE = {
    "pool_mean": np.zeros(4, np.float32),
    "pool_scale": np.ones(4, np.float32),
    "components": np.zeros((1, 4), np.float32),
    "rest": np.ones(1, np.float32),
    "limit": np.ones(1, np.float32),
}
# The same with a second kind of films, around 20, and a head for children: above 2 on average.
TWO_KINDS = (
    REFERENCE
    | {f"real.{name}": table for name, table in REFERENCE.items()}
    | {"real.pool_mean": np.full(4, 20, np.float32)}
    | {
        "child.weights": np.array([0, 0, 0, 1], np.float32),
        "child.bias": np.array([-20.5], np.float32),
    }
)
WITHIN, OUTSIDE = np.zeros(4, np.float32), np.full(4, 9, np.float32)


def film(pixels: np.ndarray, **about) -> Film:
    scale = 255 if pixels.dtype == np.uint8 else 1
    return Film(np.asarray(pixels, np.float32) / np.float32(scale), "0" * 64, **about)


def judged(one: Film | np.ndarray, profile: np.ndarray = WITHIN) -> Gate:
    return judge_film(REFERENCE, profile, KNOWS, one if isinstance(one, Film) else film(one))


def chest(index: int = 0, site: str = "A") -> np.ndarray:
    return make_phantom(77, index, site, "test").film


def refused(gate: Gate) -> bool:
    """Refused, with a sentence that carries a number."""
    return gate.answer == "refuse" and re.search(r"\d", gate.reason) is not None


@pytest.mark.parametrize("site", SITES)
def test_a_frontal_film_of_any_site_passes_where_it_lies_within(site):
    for index in range(6):
        gate = judged(chest(index, site))
        assert (gate.answer, gate.view, gate.correction) == ("pass", "frontal", None)
        assert gate.score is not None
        assert 0.8 <= gate.score <= 1


def test_a_film_outside_what_is_known_is_warned_of_not_refused():
    gate = judged(chest(), OUTSIDE)
    assert gate.answer == "warn"
    assert "outside what the backbone knows" in gate.reason
    assert gate.distance is not None
    assert gate.limit is not None
    assert gate.distance > gate.limit


@given(st.floats(-0.9, 0.9), st.sampled_from([0, 20]))
def test_a_film_of_any_known_kind_passes_and_one_between_the_kinds_does_not(offset, kind):
    near = np.array([kind + offset, kind, kind, kind], np.float32)
    assert judge_film(TWO_KINDS, near, KNOWS).answer == "pass"
    assert judge_film(TWO_KINDS, np.full(4, 10 + offset, np.float32), KNOWS).answer == "warn"
    # An older reference has one kind, and only that one passes.
    assert (judge_film(REFERENCE, near, KNOWS).answer == "pass") is (kind == 0)


def test_a_childs_film_is_warned_of_in_words_of_its_own():
    young = np.array([20, 20, 20, 20.9], np.float32)
    gate = judge_film(TWO_KINDS, young, KNOWS, film(chest()))
    assert (gate.answer, gate.view) == ("warn", "frontal")
    assert gate.reason == "This film seems to be a child's; the backbone knows adults."
    assert refused(judge_film(TWO_KINDS, young, KNOWS, film(np.zeros((256, 256), np.float32))))
    small = judge_film(TWO_KINDS, young, KNOWS, film(chest()[::3, ::3]))
    assert "child's" in small.reason
    assert "86 pixels" in small.reason


def test_the_reference_learns_each_kind_of_films_and_what_a_child_is():
    rng = np.random.default_rng(0)

    def drawn(centre: float, count: int) -> np.ndarray:
        return rng.normal(centre, 1, (count, 16)).astype(np.float32)

    def read(films: np.ndarray) -> np.ndarray:  # profiles by how bright the films are
        return drawn(0, len(films)) + films.max(axis=(1, 2))[:, None].astype(np.float32) / 10

    adults, children = np.full((40, 64, 64), 50, np.uint8), np.full((40, 64, 64), 100, np.uint8)
    phantoms, real = drawn(-20, 200), drawn(5, 200)
    films = GateFilms(adults, children)
    reference = fit_gate((phantoms, drawn(-20, 100)), real, films, read, seed=1)
    assert np.mean([within(reference, one) for one in drawn(-20, 100)]) > 0.9
    assert np.mean([within(reference, one) for one in drawn(5, 100)]) > 0.9
    assert not any(within(reference, one) for one in drawn(-8, 100))
    assert np.mean([is_childlike(reference, one) for one in drawn(10, 100)]) > 0.9
    assert np.mean([is_childlike(reference, one) for one in drawn(5, 100)]) < 0.1
    alone = fit_gate((phantoms, drawn(-20, 100)), None, None, read, seed=1)
    assert set(alone) == set(REFERENCE)
    assert not is_childlike(alone, drawn(10, 1)[0])


def within(reference: dict[str, np.ndarray], profile: np.ndarray) -> bool:
    distance, limit = distance_to(reference, profile)
    return distance <= limit


@pytest.mark.parametrize(
    "extra",
    [
        {"real.pool_mean": np.zeros(128, np.float32)},
        {"child.weights": np.zeros(128, np.float32)},
        {"child.weights": np.zeros(7, np.float32), "child.bias": np.zeros(1, np.float32)},
        {"adult.weights": np.zeros(128, np.float32)},
    ],
)
def test_a_reference_with_half_of_its_tables_is_refused(extra, tmp_path):
    toy_base(tmp_path)
    path = tmp_path / "reference.safetensors"
    tables = load_file(path)
    assert set(read_reference(tmp_path, 128)) == set(REFERENCE)
    save_file(tables | extra, path)
    with pytest.raises(BackboneError, match="reference"):
        read_reference(tmp_path, 128)
    both = {f"real.{name}": table for name, table in tables.items()}
    head = {"child.weights": np.zeros(128, np.float32), "child.bias": np.zeros(1, np.float32)}
    save_file(tables | both | head, path)
    assert len(read_reference(tmp_path, 128)) == 12


def test_a_changed_film_stays_a_film_and_blanks_stay_blank():
    rng = np.random.default_rng(4)
    films = np.stack([chest(0), np.zeros_like(chest()), chest(1)])
    changed = change_films(films, rng)
    assert changed.shape == films.shape
    assert changed.dtype == np.uint8
    assert not changed[1].any()
    assert judged(changed[0]).view == judged(changed[2]).view == "frontal"


def test_without_the_film_only_the_features_are_judged():
    assert judge_film(REFERENCE, WITHIN, KNOWS).answer == "pass"
    gate = judge_film(REFERENCE, OUTSIDE, KNOWS)
    assert (gate.answer, gate.view, gate.score, gate.correction) == ("warn", None, None, None)


@pytest.mark.parametrize("grey", [0.0, 0.4, 1.0])
def test_a_blank_is_refused_however_grey_and_though_it_bears_a_marker(grey):
    pixels = np.full((256, 300), grey, np.float32)
    assert judged(pixels).view == "blank"
    pixels[10:26, 10:20] = 1 - grey
    assert refused(judged(pixels))


@pytest.mark.parametrize("grain", [0, 1, 3, 8])
def test_noise_is_refused_whatever_its_grain(grain):
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(grain)
    pixels = gaussian_filter(rng.normal(0, 1, (256, 256)), grain)
    assert refused(judged(np.clip(0.5 + 0.15 * pixels / pixels.std(), 0, 1)))


def test_lateral_films_are_refused_and_mostly_called_so():
    gates = [judged(make_lateral(77, i, "ABCD"[i % 4], "test")) for i in range(12)]
    assert all(refused(gate) for gate in gates)
    assert sum(gate.view == "lateral" for gate in gates) >= 10


def test_a_file_that_says_lateral_is_believed():
    gate = judged(film(chest(), view="LL"))
    assert refused(gate)
    assert "as its file states" in gate.reason
    assert judged(film(chest(), view="PA")).answer == "pass"


def test_other_body_parts_are_refused():
    films = [make_other_body_part(77, i, "ABCD"[i % 4], "test") for i in range(18)]
    assert len({part for part, _ in films}) >= len(PARTS) - 2
    assert sum(refused(judged(pixels)) for _, pixels in films) >= 17


def test_photographs_are_refused():
    spec = importlib.util.find_spec("sklearn.datasets")
    assert spec is not None
    assert spec.submodule_search_locations
    home = Path(spec.submodule_search_locations[0]) / "images"
    for name in ("china.jpg", "flower.jpg"):
        grey = np.asarray(Image.open(home / name).convert("L"))
        for pixels in (grey, grey[:, ::-1], grey[:400, :300], 255 - grey):
            assert refused(judged(np.ascontiguousarray(pixels))), name


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_a_turned_or_inverted_film_is_refused_with_what_puts_it_right(correction):
    for index in range(3):
        spoilt = correct_film(film(chest(index)), suite.SPOILS[correction])
        gate = judged(spoilt)
        assert refused(gate)
        assert gate.correction == correction
        assert trouble_of(correction) in gate.reason
        assert advice_of(correction) in gate.reason
        assert judged(correct_film(spoilt, correction)).answer == "pass"


def test_a_correction_turns_film_and_spacing_and_leaves_the_source_alone():
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4) / 12
    source = Film(pixels, "a" * 64, "PA", spacing_mm=(0.1, 0.2), flags=("synthetic",))
    turned = correct_film(source, "rotate 90")
    # Clockwise: the first row becomes the last column.
    assert np.array_equal(turned.pixels[:, -1], pixels[0])
    assert turned.spacing_mm == (0.2, 0.1)
    assert (turned.sha256, turned.view) == (source.sha256, source.view)
    assert turned.flags == ("synthetic", "corrected: rotate 90")
    assert not turned.pixels.flags.writeable
    assert correct_film(source, "rotate 180").spacing_mm == (0.1, 0.2)
    for one in CORRECTIONS:
        back = correct_film(correct_film(source, suite.SPOILS[one]), one)
        assert np.allclose(back.pixels, pixels)
        assert back.spacing_mm == source.spacing_mm
    assert np.array_equal(source.pixels, pixels)
    with pytest.raises(SettingsError, match="no correction"):
        correct_film(source, "mirror")


def test_a_poor_film_is_read_with_a_warning():
    small = film(chest()[::3, ::3])
    assert judged(small).answer == "warn"
    assert "86 pixels" in judged(small).reason
    flat = judged(0.4 + 0.08 * chest().astype(np.float32) / 255)
    assert flat.answer == "warn"
    assert "little contrast" in flat.reason
    both = judged(small, OUTSIDE)
    assert "outside what the backbone knows" in both.reason
    assert "small" in both.reason


def test_brightness_size_and_a_dark_border_change_nothing():
    pixels = chest(3).astype(np.float32) / 255
    for changed in (0.2 + 0.5 * pixels, pixels**1.4, np.kron(pixels, np.ones((3, 3)))):
        assert judged(np.asarray(changed, np.float32)).answer == "pass"
    assert judged(np.pad(pixels, ((0, 0), (24, 24)))).answer == "pass"


def test_real_lateral_films_are_refused():
    table = SHARED / "openi" / "laterals.csv"
    if not table.is_file():
        pytest.skip("the real lateral films are not on this machine")
    with table.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == "val"][:40]
    gates = [judged(read_film(SHARED / "openi" / row["image"])) for row in rows]
    assert sum(gate.answer == "refuse" for gate in gates) >= 38


@pytest.mark.parametrize("source", ["nih", "hannover", "covid"])
def test_real_frontal_films_are_not_refused(source):
    folder = SHARED / source / "images"
    if not folder.is_dir():
        pytest.skip(f"{folder.name}: the real films are not on this machine")
    images = sorted(folder.iterdir())[:24]
    gates = [judged(read_film(image)) for image in images]
    assert sum(gate.answer == "refuse" for gate in gates) <= 2


def test_films_from_the_side_and_from_elsewhere_are_the_same_every_time():
    assert np.array_equal(make_lateral(5, 1, "B"), make_lateral(5, 1, "B"))
    assert not np.array_equal(make_lateral(5, 1, "B"), make_lateral(5, 1, "B", "test"))
    assert make_lateral(5, 1).shape == chest().shape
    assert np.array_equal(make_other_body_part(5, 1)[1], make_other_body_part(5, 1)[1])
    for make in (make_lateral, make_other_body_part):
        with pytest.raises(SettingsError):
            make(5, 1, "Z")
        with pytest.raises(SettingsError):
            make(5, 1, "A", "nowhere")


def test_equal_pixels_stay_equal_and_exposure_is_taken_out():
    ramp = np.tile(np.linspace(0, 1, 64), (64, 1))[None]
    ramp[:, :, :20] = 0
    seen = prepare_picture(ramp)
    assert seen.shape == (1, 2, 64, 64)
    assert np.ptp(seen[0, :, :, :20], axis=(1, 2)).max() == 0
    darker = prepare_picture(0.1 + 0.3 * ramp)
    assert np.abs(seen - darker).max() < 0.05


def test_a_batch_of_training_holds_every_kind_and_needs_no_real_film():
    rng = np.random.default_rng(0)
    films = rng.integers(0, 256, (3, FILM_EDGE, FILM_EDGE), dtype=np.uint8)
    patterns = np.stack([draw_pattern(rng) for _ in range(12)])
    material = ViewFilms(films, films[:0], films, films, patterns)
    squares, kinds = draw_batch(rng, material)
    assert squares.shape == (sum(SHARES.values()), 64, 64)
    assert 0 <= squares.min() <= squares.max() <= 1
    assert set(kinds) == set(range(len(KINDS)))
    assert (kinds == FRONTAL).sum() == SHARES["phantoms"] + SHARES["real"]


def test_the_weights_are_small():
    assert WEIGHTS.stat().st_size < 100_000


@pytest.mark.parametrize("backbone", ["toy", pytest.param(BACKBONE, marks=pytest.mark.long)])
def test_the_suite_measures_every_bar(backbone, tmp_path):
    backbone = toy_base(tmp_path) if backbone == "toy" else backbone
    results = evals.run("gate", backbone=backbone, n=2, seed=7)
    figures = {name.removeprefix("gate/"): f for name, f in results["figures"].items()}
    assert set(results["bars"]) == {f"gate/{name}" for name in suite.BARS}
    for name in suite.BARS:
        assert figures[name]["n"] + figures[name]["unscored"] == 2, name
    for correction in CORRECTIONS:
        assert figures[f"turned/{correction} is named"]["n"] == 2
    assert {case["gate"] for case in results["cases"]} <= {"pass", "warn", "refuse"}
