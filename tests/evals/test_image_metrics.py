"""Made films against real ones: every metric against cases known by hand, and by reference."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import shutil
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from toy_janus import dressed_toy

from assistant import Assistant
from assistant.chest.phantoms import make_phantom
from assistant.errors import SettingsError
from assistant.intake.png import png
from evals.data.phantoms import as_film
from evals.image import feature, measure, measure_folders, pixel, task
from evals.image.encoders import list_encoders
from evals.image.feature import compare_manifolds, frechet_distance
from evals.image.pixel import error_map, fit_to, pixel_scores, scales_for
from evals.image.task import LabelledFilms, score_read_back, split_by_person, train_on_synthetic
from evals.image.tiers import findings_of_labels, labels_of

FLAT = np.full((128, 128), 0.5, np.float32)


def _textured(side: int, seed: int = 0) -> np.ndarray:
    coarse = torch.from_numpy(np.random.default_rng(seed).random((1, 1, 16, 16)))
    return (
        torch.nn.functional.interpolate(coarse, size=side, mode="bicubic")[0, 0].clamp(0, 1).numpy()
    )


def _people(count: int) -> list[str]:
    return [str(i) for i in range(count)]


# Pixels.


@given(offset=st.floats(0.01, 0.4))
@settings(max_examples=20, deadline=None)
def test_psnr_of_a_constant_offset_is_its_closed_form(offset):
    found = pixel_scores(FLAT, FLAT + np.float32(offset))
    assert found.psnr == pytest.approx(-20 * math.log10(offset), abs=1e-3)


def test_ssim_of_two_flat_films_is_its_closed_form():
    # Without variance only the term of the means is left: Wang et al. 2004, equation 6.
    found = pixel_scores(FLAT, np.full_like(FLAT, 0.25))
    c1 = 0.01**2
    assert found.ssim == pytest.approx((2 * 0.5 * 0.25 + c1) / (0.5**2 + 0.25**2 + c1), abs=1e-5)


@pytest.mark.parametrize(("side", "scales"), [(256, 5), (176, 5), (175, 4), (128, 4), (64, 3)])
def test_ms_ssim_takes_the_scales_that_a_film_has_room_for(side, scales):
    film = _textured(side)
    assert scales_for(film.shape) == scales
    found = pixel_scores(film, film)
    assert found.scales == scales
    assert (found.psnr, found.ssim, found.ms_ssim) == pytest.approx((100, 1, 1), abs=1e-5)
    worse = pixel_scores(film, (film + _textured(side, 1)) / 2)
    assert worse.ms_ssim < 0.99


def test_ms_ssim_with_all_scales_is_the_reference():
    reference = pytest.importorskip("torchmetrics.image")
    film = _textured(192)
    made = (0.8 * film + 0.2 * _textured(192, 1)).astype(np.float32)
    metric = reference.MultiScaleStructuralSimilarityIndexMeasure(data_range=1.0)
    wanted = metric(*(torch.from_numpy(p)[None, None].float() for p in (made, film)))
    assert pixel_scores(film, made).ms_ssim == pytest.approx(float(wanted), abs=1e-4)


def test_ms_ssim_is_the_product_of_its_scales():
    """The definition, equation 7 of Wang et al. 2003, at 128 pixels with weights that sum to 1."""
    from scipy.ndimage import gaussian_filter

    film = _textured(128).astype(np.float64)
    made = 0.7 * film + 0.3 * _textured(128, 1)

    def blurred(x):
        return gaussian_filter(x, 1.5, truncate=3.5, mode="mirror")

    weights = np.array(pixel.WEIGHTS[:4]) / sum(pixel.WEIGHTS[:4])
    product, one, two = 1.0, film, made
    for scale, weight in enumerate(weights):
        m1, m2 = blurred(one), blurred(two)
        v1, v2 = blurred(one**2) - m1**2, blurred(two**2) - m2**2
        both = blurred(one * two) - m1 * m2
        part = (2 * both + 0.03**2) / (v1 + v2 + 0.03**2)
        if scale < 3:  # torchmetrics leaves the margin out but at the last scale
            part = part[5:-5, 5:-5]
        else:
            part = part * (2 * m1 * m2 + 0.01**2) / (m1**2 + m2**2 + 0.01**2)
        product *= part.mean() ** weight
        one, two = (p.reshape(len(p) // 2, 2, -1, 2).mean(axis=(1, 3)) for p in (one, two))
    assert pixel_scores(film, made).ms_ssim == pytest.approx(product, abs=1e-4)


def test_an_error_map_is_where_and_how_much_two_films_differ():
    made = FLAT.copy()
    made[3, 5] = 0.1
    found = error_map(FLAT, made)
    assert found[3, 5] == pytest.approx(0.4)
    assert np.count_nonzero(found) == 1
    assert found.dtype == np.float32


def test_films_of_different_size_are_refused_or_fitted_and_never_cut():
    with pytest.raises(SettingsError, match="one size"):
        pixel_scores(FLAT, _textured(64))
    with pytest.raises(SettingsError, match="too small"):
        pixel_scores(FLAT[:8], FLAT[:8])
    one, other = fit_to(_textured(256), _textured(64))
    assert one.shape == other.shape == (64, 64)
    assert fit_to(FLAT, FLAT) == (FLAT, FLAT)


def test_figures_of_pairs_are_means_with_n_and_unscored():
    pairs = [
        pixel_scores(FLAT, FLAT + np.float32(0.1)),
        pixel_scores(FLAT, FLAT + np.float32(0.01)),
    ]
    small = pixel_scores(FLAT[:16, :16], FLAT[:16, :16])
    assert small.ms_ssim is None
    found = pixel.measure([*pairs, small], ["a", "b", "c"], name="x", unscored=2)
    noise, many = found.figures["x, PSNR, dB"], found.figures["x, MS-SSIM"]
    assert noise["value"] == pytest.approx((20 + 40 + 100) / 3, abs=1e-2)
    assert (noise["n"], noise["unscored"]) == (3, 2)
    assert (many["n"], many["unscored"]) == (2, 3)
    assert "1 or 4 of the five scales" in found.notes["x, MS-SSIM"]
    assert found.counts["x, PSNR, dB"].patients == ("a", "b", "c")


# Features.


def _exactly(mean, covariance, count: int, seed: int = 0) -> np.ndarray:
    """Rows whose sample mean and covariance are what is asked, to rounding."""
    rows = np.random.default_rng(seed).normal(size=(count, len(mean)))
    rows -= rows.mean(axis=0)
    white = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False))).T
    return white @ np.linalg.cholesky(np.asarray(covariance, float)).T + mean


def test_frechet_of_gaussians_is_its_closed_form():
    # Commuting covariances: the roots of the variances differ.
    one = _exactly([0, 0, 0], np.diag([1, 4, 9]), 50)
    other = _exactly([1, 0, 2], np.diag([4, 4, 1]), 70, seed=1)
    assert frechet_distance(one, other) == pytest.approx(1 + 4 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)
    # Of two by two, the trace of the root of a product is known too.
    a, b = np.array([[2, 1], [1, 3]]), np.array([[1, -0.5], [-0.5, 2]])
    root = math.sqrt(np.trace(a @ b) + 2 * math.sqrt(np.linalg.det(a @ b)))
    found = frechet_distance(_exactly([0, 0], a, 30), _exactly([0, 1], b, 40, seed=2))
    assert found == pytest.approx(1 + np.trace(a) + np.trace(b) - 2 * root)


@given(seed=st.integers(0, 10_000), rows=st.integers(3, 40), width=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_frechet_is_zero_to_itself_and_the_same_from_both_sides(seed, rows, width):
    """With fewer films than features too, where the covariance is singular."""
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=(rows, width)), rng.normal(size=(rows + 3, width)) + 1
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one), rel=1e-9)
    assert frechet_distance(one, one + 3) == pytest.approx(9 * width)


def test_frechet_is_the_reference():
    reference = pytest.importorskip("torchmetrics.image.fid")

    class Identity(torch.nn.Identity):
        num_features = 6

    rng = np.random.default_rng(3)
    mix = rng.normal(size=(6, 6))
    real, made = rng.normal(size=(200, 6)), rng.normal(size=(150, 6)) @ mix + 0.3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metric = reference.FrechetInceptionDistance(Identity()).set_dtype(torch.float64)
        metric.update(torch.from_numpy(real), real=True)
        metric.update(torch.from_numpy(made), real=False)
        wanted = float(metric.compute())
    assert frechet_distance(real, made) == pytest.approx(wanted, rel=1e-5)


def test_identical_sets_overlap_wholly_and_distant_ones_not_at_all():
    rows = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    same, far = compare_manifolds(rows, rows.copy()), compare_manifolds(rows, rows + 1000)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    assert same.density == pytest.approx((feature.K + 1) / feature.K, rel=0.35)
    assert (far.precision, far.recall, far.density, far.coverage) == (0, 0, 0, 0)


def test_the_overlap_of_points_on_a_line_is_the_one_counted_by_hand():
    # With k = 1 the balls of the real reach: 0, 1 each to 1; 10 and 12 each to 2; 30 to 18.
    real = np.array([[0.0], [1], [10], [12], [30]])
    # Of the made: 0.5 in balls of 0 and 1; 11 in those of 10 and 12; 13.5 in those of 12 and 30
    # (12 to 48); 60 in none. Their own balls: 0.5 to 10.5; 11 and 13.5 to 2.5; 60 to 46.5.
    made = np.array([[0.5], [11], [13.5], [60]])
    found = compare_manifolds(real, made, k=1)
    assert found.precision == 3 / 4
    assert found.density == (2 + 2 + 2 + 0) / (1 * 4)
    assert found.coverage == 5 / 5
    # All real are in the ball of one made film or another: 0 and 1 of 0.5's, 30 of 60's.
    assert found.recall == 5 / 5
    # Of one made film that is an outlier's neighbour, only that outlier's ball holds it.
    few = compare_manifolds(real, np.array([[31.0], [32.0]]), k=1)
    assert (few.precision, few.coverage, few.density) == (1, 1 / 5, 1)
    assert few.recall == 1 / 5


@given(seed=st.integers(0, 10_000), shift=st.floats(0, 3))
@settings(max_examples=20, deadline=None)
def test_the_overlap_is_the_reference(seed, shift):
    prdc = pytest.importorskip("prdc", reason="the reference implementation is not installed")
    rng = np.random.default_rng(seed)
    real, made = rng.normal(size=(60, 5)), rng.normal(size=(40, 5)) + shift
    wanted = prdc.compute_prdc(real_features=real, fake_features=made, nearest_k=5)
    found = compare_manifolds(real, made, k=5)
    for key, value in wanted.items():
        assert getattr(found, key) == pytest.approx(value)


def _compared(made: np.ndarray, real: np.ndarray, **options):
    patients = options.pop("patients", _people(len(real)))
    return feature.measure(real, made, patients, name="image", encoder="mini", **options)


def test_films_of_one_source_reach_the_floor_and_others_do_not():
    rng = np.random.default_rng(5)
    real = rng.normal(size=(200, 80))
    same, other = (
        _compared(rng.normal(size=(100, 80)) * spread, real).figures for spread in (1.0, 0.3)
    )
    assert len(same) == 2 * len(feature.LIMITS)
    for key in feature.LIMITS:
        name = f"image/{key.format('mini')}"
        floor = same[feature.FLOOR.format(name)]
        assert floor["ci_low"] <= floor["value"] <= floor["ci_high"]
        assert same[name]["ci_low"] <= floor["value"] <= same[name]["ci_high"], name
        if key not in (feature.PRECISION, feature.DENSITY):  # narrow films are all typical
            apart = other[name]
            assert not apart["ci_low"] <= floor["value"] <= apart["ci_high"], name


def test_a_few_films_are_unscored_and_small_sets_said_to_be_biased():
    rng = np.random.default_rng(6)
    few = _compared(rng.normal(size=(4, 8)), rng.normal(size=(40, 8)), unscored=2)
    assert set(few.figures) == {f"image/{key.format('mini')}" for key in feature.LIMITS}
    assert all(f["value"] is None and f["unscored"] == 6 for f in few.figures.values())
    assert few.notes
    small = _compared(rng.normal(size=(20, 80)), rng.normal(size=(40, 80)))
    assert "biased upward" in small.notes["image/fid[mini]"]
    short = small.figures["image/fid[mini, 64 components]"]
    assert (short["value"], short["unscored"]) == (None, 20)
    wide = _compared(rng.normal(size=(40, 4)), rng.normal(size=(80, 4)))
    assert "biased" not in wide.notes["image/fid[mini]"]


def test_the_floor_never_holds_a_patient_against_himself():
    """Each patient has two films that are the same: split by film, the halves would be alike."""
    rng = np.random.default_rng(7)
    own = rng.normal(size=(60, 40))
    real, made = np.concatenate([own, own]), rng.normal(size=(60, 40))
    apart = _compared(made, real, patients=[*_people(60), *_people(60)]).figures
    mixed = _compared(made, real).figures
    name = feature.FLOOR.format("image/coverage[mini]")
    fid = feature.FLOOR.format("image/fid[mini]")
    assert apart[fid]["value"] > 1.2 * mixed[fid]["value"]
    assert apart[name]["value"] != mixed[name]["value"]
    one = _compared(made, real, patients=["x"] * 120).figures
    assert one["image/fid[mini]"]["value"] is None


# What the films are good for.


def test_what_is_read_back_is_counted_by_hand():
    asked = [{("nodule", "left")}, {("mass", "right"), ("cardiomegaly", None)}, set()]
    hedged = [set(), set(), {("nodule", "right")}]
    seen = [{("nodule", "left")}, {("mass", "left")}, {("nodule", "right")}]
    found = score_read_back(asked, hedged, seen, name="image", patients=_people(3)).figures

    def value(words: str) -> float:
        return found[f"image/asked findings read back by the probe, {words}"]["value"]

    # One hit, one on the wrong side, two missed; the hedged one is neither.
    assert value("precision") == pytest.approx(1 / 2)
    assert value("recall") == pytest.approx(1 / 3, abs=1e-6)
    assert value("micro-F1") == pytest.approx(2 / 5)
    assert value("F1 nodule") == 1
    assert value("F1 mass") == 0
    assert value("macro-F1") == pytest.approx(1 / 3, abs=1e-6)
    assert found[f"image/{task.SHUFFLED}"]["value"] == 0
    none = score_read_back(asked, hedged, None, name="image", patients=_people(3))
    (only,) = none.figures.values()
    assert (only["value"], only["n"], only["unscored"]) == (None, 0, 3)


def _films(count: int, seed: int, name: str, signal=(2.0, 0.0), **changes) -> LabelledFilms:
    """Films of two findings, of which a feature each tells with a strength."""
    rng = np.random.default_rng(seed)
    labels = rng.random((count, 2)) < 0.4
    features = rng.normal(size=(count, 6))
    features[:, :2] += labels * np.array(signal)
    known = {
        "features": features,
        "labels": labels,
        "findings": ("nodule", "mass"),
        "patients": tuple(f"{name} {i}" for i in range(count)),
    }
    return LabelledFilms(**{**known, **changes})


def test_films_that_teach_as_real_ones_do_score_as_they_do():
    test = _films(300, 1, "test")
    found = train_on_synthetic(_films(200, 2, "made"), _films(200, 3, "real"), test).figures
    assert len(found) == 3 * 3
    # Two normal populations that lie two standard deviations apart: Phi(2 / sqrt 2) = 0.921.
    for form in (task.SYNTHETIC, task.REAL):
        assert found[f"image/{form.format('nodule')}"]["value"] == pytest.approx(0.921, abs=0.04)
        assert found[f"image/{form.format('mass')}"]["value"] == pytest.approx(0.5, abs=0.1)
        both = [found[f"image/{form.format(f)}"]["value"] for f in ("nodule", "mass")]
        assert found[f"image/{form.format('macro mean')}"]["value"] == pytest.approx(np.mean(both))
    gain = found[f"image/{task.GAIN.format('nodule')}"]
    assert gain["ci_low"] <= 0 <= gain["ci_high"]
    assert gain["n"] == 300


def test_films_with_labels_at_random_teach_nothing_and_are_seen_to():
    made = _films(200, 2, "made", signal=(0, 0))
    found = train_on_synthetic(made, _films(200, 3, "real"), _films(300, 1, "test")).figures
    gain = found[f"image/{task.GAIN.format('nodule')}"]
    assert gain["ci_high"] < 0
    pair = [found[f"image/{f.format('nodule')}"]["value"] for f in (task.SYNTHETIC, task.REAL)]
    assert gain["value"] == pytest.approx(pair[0] - pair[1])


@pytest.mark.parametrize(("where", "there"), [(0, True), (1, False), (2, False)])
def test_a_finding_of_one_class_is_unscored_and_no_zero(where, there):
    sets = [_films(60, seed, name) for seed, name in enumerate(("made", "real", "test"))]
    sets[where].labels[:, 1] = there
    found = train_on_synthetic(*sets, unscored=4).figures
    for form in (task.SYNTHETIC, task.REAL, task.GAIN):
        mass = found[f"image/{form.format('mass')}"]
        assert (mass["value"], mass["n"], mass["unscored"]) == (None, 0, 64)
        mean, nodule = (found[f"image/{form.format(w)}"] for w in ("macro mean", "nodule"))
        assert mean["value"] == nodule["value"] is not None
        assert mean["unscored"] == 4


def test_a_finding_of_one_patient_is_learnt_without_choosing():
    made = _films(40, 0, "made")
    made.labels[:] = False
    made.labels[0] = True
    found = train_on_synthetic(made, _films(60, 1, "real"), _films(60, 2, "test")).figures
    assert found[f"image/{task.SYNTHETIC.format('nodule')}"]["value"] is not None


def test_sets_that_cannot_be_compared_are_refused_in_one_sentence():
    made, real, test = (_films(30, seed, name) for seed, name in enumerate("abc"))
    with pytest.raises(SettingsError, match="split by patient"):
        train_on_synthetic(made, real, _films(30, 2, "b"))
    with pytest.raises(SettingsError, match="same findings"):
        train_on_synthetic(made, real, _films(30, 2, "c", findings=("mass", "nodule")))
    with pytest.raises(SettingsError, match="rows of features"):
        _films(30, 0, "a", features=test.features[:4])


@given(seed=st.integers(0, 1000), people=st.integers(2, 30))
@settings(max_examples=30, deadline=None)
def test_halves_share_no_patient_and_lose_no_film(seed, people):
    patients = tuple(str(i % people) for i in range(40))
    films = _films(40, 0, "x", patients=patients)
    one, other = split_by_person(films, seed)
    assert not set(one.patients) & set(other.patients)
    assert sorted(one.patients + other.patients) == sorted(patients)
    rows = np.concatenate([one.features, other.features])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, films.features))


def test_labels_of_data_sets_are_read_as_findings():
    told = [("Effusion", "Pleural_Thickening"), ("No Finding",), ("Cardiomegaly", "Something")]
    assert findings_of_labels(told) == {"pleural_effusion", "pleural_thickening", "cardiomegaly"}
    found = labels_of(told, ("cardiomegaly", "pleural_effusion"))
    assert found.tolist() == [[False, True], [False, False], [True, False]]
    assert labels_of([], ("mass",)).shape == (0, 1)


# With the backbone.


@pytest.fixture(scope="module", params=["toy", pytest.param("mini", marks=pytest.mark.long)])
def painter(request, tmp_path_factory):
    """A toy, whose pictures are of 16 pixels, or what ships."""
    if request.param == "mini":
        yield request.getfixturevalue("assistant")
    else:
        with Assistant.load(dressed_toy(tmp_path_factory.mktemp("toy"))) as toy:
            yield toy


def test_an_encoder_that_is_not_there_says_why(assistant):
    own, xrv = list_encoders(assistant)
    assert own.name == "mini"
    assert own.features is not None
    if xrv.features is None:
        assert xrv.missing.startswith("unavailable: ")


def _folder(path, phantoms, rows, *, report=False, labels=()):
    """A folder of some of the phantoms, in 128 pixels, with a table."""
    with (phantoms / "cases.csv").open(encoding="utf-8", newline="") as table:
        known = list(csv.DictReader(table))
    path.mkdir()
    with (path / "cases.csv").open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["image", "patient", "report", "labels"])
        for at, row in enumerate(rows):
            with Image.open(phantoms / known[row]["image"]) as film:
                film.resize((128, 128)).save(path / f"{row}.png")
            told = labels[at % len(labels)] if labels else ""
            writer.writerow([f"{row}.png", f"patient-{row}", known[row]["report"] * report, told])
    return path


def test_folders_are_compared_by_all_that_they_tell(painter, phantoms, tmp_path):
    labels = ("Nodule", "No Finding", "Cardiomegaly|Nodule")
    made = _folder(tmp_path / "made", phantoms, range(12), report=True, labels=labels)
    real = _folder(tmp_path / "real", phantoms, range(24), labels=labels)
    (made / "5.png").write_bytes(b"not a film")
    steps: list[tuple[int, int]] = []
    name = list_encoders(painter)[0].name
    found = measure_folders(
        painter, made, real, n=None, seed=1, on_progress=lambda *step: steps.append(step)
    )
    noise = found.figures["image/pairs of the same name, PSNR, dB"]
    assert (noise["value"], noise["n"], noise["unscored"]) == (100, 11, 1)
    assert (
        found.figures[f"image/fid[{name}]"]["unscored"] == 12
    )  # eleven are too few, one is broken
    assert found.figures["image/fid[xrv]"]["value"] is None
    assert found.figures["image/asked findings read back by the probe, micro-F1"]["n"] == 11
    assert found.figures[f"image/{task.GAIN.format('nodule')}"]["n"] == 12
    assert "1 made films and 0 real ones" in found.notes["image"]
    assert steps[-1] == (48, 48)
    shown = [case for case in found.cases if case["part"] == "image"]
    assert len(shown) == 11
    assert all(case["similarity"] == pytest.approx(1, abs=1e-3) for case in shown)
    for case in shown:
        for key in ("picture", "nearest"):
            kind, data = case[key].split(",")
            assert kind == "data:image/png;base64"
            with Image.open(io.BytesIO(base64.b64decode(data))) as film:
                assert film.size == (128, 128)
    assert shown[0]["nearest"] is not None
    assert "patient-" not in json.dumps(found.cases)  # base64 has no hyphen


def test_folders_of_other_films_are_searched_for_copies(painter, phantoms, tmp_path):
    real = _folder(tmp_path / "real", phantoms, range(24))
    made = tmp_path / "made"
    made.mkdir()
    shutil.copy(real / "3.png", made / "copied.png")
    rng = np.random.default_rng(0)
    for number in range(12):
        (made / f"noise{number}.png").write_bytes(png(rng.random((128, 128), dtype=np.float32)))
    (made / "notes.txt").write_text("no film")
    name = list_encoders(painter)[0].name
    found = measure_folders(
        painter, made, real, n=None, seed=1, on_progress=lambda done, total: None
    ).figures
    copies = next(f for name, f in found.items() if "near copies" in name)
    assert (copies["value"], copies["n"]) == (pytest.approx(1 / 13, abs=1e-6), 13)
    assert not any("pairs" in name for name in found)
    own = found[f"image/coverage[{name}], real against real (floor)"]["value"]
    # An untrained encoder tells films from noise less well.
    assert found[f"image/coverage[{name}]"]["value"] < own / (2 if name == "mini" else 1.5)
    floor = found[feature.FLOOR.format(f"image/coverage[{name}]")]["value"]
    assert floor > 0.5
    assert found[f"image/kid[{name}]"]["ci_low"] > 0


def test_a_reconstructed_film_is_nearly_the_film(assistant):
    film = as_film(make_phantom(9, 0, split="test"))
    (made,) = assistant.backbone.reconstruct([film])
    assert pixel_scores(*fit_to(film.pixels, made)).psnr > 25


def test_a_folder_without_films_is_refused(assistant, tmp_path, phantoms):
    def compare(made, real):
        measure_folders(assistant, made, real, n=4, seed=0, on_progress=lambda done, total: None)

    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "one.png").write_bytes(b"no film")
    with pytest.raises(SettingsError, match="not a folder"):
        compare(tmp_path / "none", phantoms)
    with pytest.raises(SettingsError, match="holds no films"):
        compare(phantoms, tmp_path / "empty")
    with pytest.raises(SettingsError, match="can be read"):
        compare(tmp_path / "bad", phantoms)


def test_the_suite_paints_reconstructs_and_learns(painter, phantoms, tmp_path):
    """A handful of films: that all parts run and hang together, not how good they are."""
    data = _folder(tmp_path / "real", phantoms, range(16), labels=("Nodule", "No Finding"))
    found = measure(painter, data=data, n=2, seed=9, site="A", on_progress=lambda done, total: None)
    name = list_encoders(painter)[0].name
    noise, many = (
        found.figures[f"image/reconstruction, {words}"] for words in ("PSNR, dB", "MS-SSIM")
    )
    assert noise["n"] == many["n"] + many["unscored"] == 6
    if name == "mini":
        assert noise["value"] > 25
        assert many["n"] == 6
    assert found.figures[f"image/fid[{name}]"]["unscored"] == 2
    assert found.figures["image/fid[xrv]"]["value"] is None
    assert f"image/{task.SYNTHETIC.format('macro mean')}" in found.figures
    real = [name for name in found.figures if name.startswith("image/real/")]
    assert f"image/real/{task.GAIN.format('nodule')}" in real
    painted = [case for case in found.cases if case["part"] == "image"]
    assert [case["case"] for case in painted] == [0, 1]
    assert all(case["prompt"] and case["picture"] and case["nearest"] for case in painted)
    assert any("error" in case for case in found.cases)
