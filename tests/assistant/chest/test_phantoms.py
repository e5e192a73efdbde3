"""Phantoms: the same for the same seed, true to what they say, and shaped like a chest."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import REPO
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.chest.phantoms import (
    DEVICES,
    DISTRACTORS,
    FINDINGS,
    SITES,
    make_phantom,
    truth_assertions,
    tube_positions,
    write_phantoms,
)
from assistant.chest.phantoms.pathology import SIZES, TIP_MM
from assistant.errors import SettingsError
from assistant.labeller.sentences import parse_sentences


def _digest(folder) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_another_process(tmp_path):
    write_phantoms(tmp_path / "here", 16, seed=4, workers=1)
    command = [sys.executable, "-m", "wetread", "phantom", "--n", "16", "--seed", "4", "--out"]
    subprocess.run([*command, str(tmp_path / "there")], cwd=REPO, check=True, capture_output=True)
    assert _digest(tmp_path / "here") == _digest(tmp_path / "there")


@given(st.integers(0, 2**31), st.integers(0, 10**6))
@settings(max_examples=12, deadline=None)
def test_any_seed_gives_a_film_with_truth_inside_it(seed, index):
    phantom = make_phantom(seed, index)
    assert phantom.film.shape == (256, 256)
    assert phantom.film.dtype == np.uint8
    assert phantom.film.std() > 20
    assert 0.3 < phantom.cardiothoracic_ratio < 0.75
    for lesions, known in (
        (phantom.lesions, FINDINGS),
        (phantom.distractors, DISTRACTORS),
        (phantom.devices, DEVICES),
    ):
        for lesion in lesions:
            assert lesion.finding in known
            assert lesion.mask.any()


def test_splits_and_seeds_and_numbers_are_different_people():
    films = [
        make_phantom(seed, index, split=split).film.tobytes()
        for seed in (1, 2)
        for index in (0, 1)
        for split in ("train", "validation", "test")
    ]
    assert len(set(films)) == len(films)


@pytest.fixture(scope="module")
def people():
    """Phantoms enough that each thing occurs and that two kinds of heart can be compared."""
    return [make_phantom(8, index) for index in range(100)]


def test_every_finding_device_side_zone_and_degree_occurs(people):
    seen = set()
    for phantom in people:
        for lesion in (*phantom.lesions, *phantom.distractors, *phantom.devices):
            seen |= {(lesion.finding, v) for v in (lesion.side, lesion.zone, lesion.degree) if v}
            seen.add((lesion.finding, None))
    for finding in (*FINDINGS, *DISTRACTORS, *DEVICES):
        assert (finding, None) in seen
    for finding in ("pleural_effusion", "pneumothorax", "consolidation", "nodule", "mass"):
        assert {(finding, "right"), (finding, "left")} <= seen
    for finding in ("consolidation", "nodule", "mass"):
        assert {(finding, zone) for zone in ("upper", "mid", "lower")} <= seen
    for finding in ("pleural_effusion", "pneumothorax", "cardiomegaly"):
        assert {(finding, degree) for degree in ("small", "moderate", "large")} <= seen
    assert {("endotracheal_tube", position) for position in TIP_MM} <= seen


def test_degree_follows_from_what_is_measured(people):
    names = {"pleural_effusion": "height_mm", "pneumothorax": "apical_gap_mm"}
    names["cardiomegaly"] = "cardiothoracic_ratio"
    checked = 0
    for phantom in people:
        for lesion in (*phantom.lesions, *phantom.devices):
            if lesion.finding == "endotracheal_tube":
                low, high = TIP_MM[lesion.degree]
                assert low - 0.1 <= dict(lesion.measurements)["tip_to_carina_mm"] <= high + 0.1
            if lesion.finding in names:
                low, high = SIZES[lesion.finding][lesion.degree]
                value = dict(lesion.measurements)[names[lesion.finding]]
                assert low - 0.1 <= value <= high + 0.1
                checked += 1
    assert checked > 20


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_report_asserts_the_truth_and_nothing_else(split):
    """Read by the labeller: every finding, variant and device, with side, zone and degree."""
    for index in range(30):
        phantom = make_phantom(17, index, split=split)
        told, true = set(), set()
        for sentence in parse_sentences(f"Findings: {phantom.findings}"):
            for a in sentence.assertions:
                if a.polarity == "absent" or a.finding == "no_finding":
                    continue
                sides = ("right", "left") if a.side == "bilateral" else (a.side,)
                told |= {(a.finding, a.polarity, s) for s in sides}
        for a in truth_assertions(phantom):
            true.add((a.finding, a.polarity, a.side))
        both = {("interstitial_pattern", "present", s) for s in ("right", "left")}
        told = {("interstitial_pattern", "present", None) if t in both else t for t in told}
        both = {("hyperinflation", "present", s) for s in ("right", "left")}
        told = {("hyperinflation", "present", None) if t in both else t for t in told}
        assert told == true, (index, phantom.findings)


def test_test_films_are_told_of_in_words_that_training_never_saw():
    from assistant.chest.phantoms import wording

    lists = [*wording.PRESENT.values(), *wording.TUBE.values(), wording.HEART_NORMAL]
    kept = {words[-1].split("{")[0] for words in lists if len(words[-1].split("{")[0]) > 12}
    train = " ".join(make_phantom(3, i, split="train").findings for i in range(25))
    test = " ".join(make_phantom(3, i, split="test").findings for i in range(25))
    assert not [words for words in kept if words in train]
    assert [words for words in kept if words in test]


def test_a_prior_is_the_same_patient_and_the_changes_are_those_of_its_film():
    compared = 0
    for index in range(40):
        now = make_phantom(12, index)
        if now.prior is None:
            assert not now.comparison
            continue
        then = make_phantom(12, index, earlier_film=True)
        assert then.spacing_mm == now.spacing_mm
        assert now.prior.days >= 1
        assert [(x.finding, x.side, x.zone, x.degree) for x in then.lesions] == [
            (x.finding, x.side, x.zone, x.degree) for x in now.prior.lesions
        ]
        assert then.report == now.prior.report
        assert now.comparison
        # Bones do not change from one day to the next.
        assert abs(then.cardiothoracic_ratio - now.cardiothoracic_ratio) < 0.36
        compared += 1
    assert compared > 5


def test_sites_differ_and_films_of_one_site_are_alike():
    """Grain, contrast and dark borders, as a physicist would tell machines apart."""
    looks = {}
    for site in SITES:
        films = np.stack([make_phantom(2, i, site).film for i in range(12)]).astype(float)
        grain = np.abs(np.diff(films, 2, axis=2)).mean()
        border = np.concatenate([films[:, :3].ravel(), films[:, :, :3].ravel()])
        looks[site] = (grain, films.std(axis=(1, 2)).mean(), (border < 12).mean())
    assert set(looks) == {"A", "B", "C", "D"}
    reference = looks.pop("A")
    for site, (grain, contrast, dark) in looks.items():
        apart = abs(grain / reference[0] - 1), abs(contrast / reference[1] - 1)
        assert max(*apart, abs(dark - reference[2])) > 0.15, (site, apart, dark, reference)


def test_tubes_have_a_position_and_only_tubes():
    for index in range(40):
        phantom = make_phantom(5, index, "C")
        tubes = [x for x in phantom.devices if x.finding == "endotracheal_tube"]
        assert set(tube_positions(phantom)) == {x.finding for x in tubes}


def test_a_lesion_lies_on_its_side_and_brightens_or_darkens_the_film(people):
    """The patient's right is the film's left, and a sided lesion must be there."""
    for index, phantom in enumerate(people):
        for lesion in phantom.lesions:
            if lesion.side and lesion.finding not in ("pleural_effusion", "mass"):
                centre = np.nonzero(lesion.mask)[1].mean()
                assert (centre < 128) == (lesion.side == "right"), (index, lesion.finding)


def test_the_heart_of_a_cardiomegaly_is_larger_than_every_normal_one(people):
    ratios = {True: [], False: []}
    for phantom in people:
        big = any(lesion.finding == "cardiomegaly" for lesion in phantom.lesions)
        ratios[big].append(phantom.cardiothoracic_ratio)
    assert max(ratios[False]) < 0.5 < min(ratios[True])


def test_the_folder_has_the_documented_tables(phantoms):
    rows = list(csv.DictReader((phantoms / "cases.csv").open(encoding="utf-8")))
    wanted = ["image", "patient", "split", "site", "view", "indication", "report", "prior", "days"]
    assert list(rows[0]) == wanted
    truths = [json.loads(line) for line in (phantoms / "truth.jsonl").open(encoding="utf-8")]
    assert [row["image"] for row in rows] == [truth["image"] for truth in truths]
    for row, truth in zip(rows, truths, strict=True):
        assert (phantoms / row["image"]).is_file()
        for assertion in (*truth["assertions"], *truth["devices"], *truth["distractors"]):
            x0, y0, x1, y1 = assertion["box"]
            assert 0 <= x0 < x1 <= 256
            assert 0 <= y0 < y1 <= 256
        assert "cardiothoracic_ratio" in truth["measurements"]
        nodules = [a for a in truth["assertions"] if a["finding"] == "nodule"]
        assert all(8 <= a["measurements"]["diameter_mm"] <= 30 for a in nodules)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"site": "Z"}, "site"), ({"split": "x"}, "split"), ({"count": 0}, "n = 0")],
)
def test_bad_requests_are_refused_in_one_sentence(tmp_path, change, word):
    options = {"count": 1, **change}
    with pytest.raises(SettingsError, match=word) as refused:
        write_phantoms(tmp_path / "x", options.pop("count"), **options)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "x").exists()
