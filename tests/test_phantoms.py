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

from assistant.chest.phantoms import make_phantom, write_phantoms
from assistant.errors import SettingsError

FINDINGS = {
    "cardiomegaly", "oedema", "pleural_effusion", "pneumothorax", "consolidation", "nodule",
}  # fmt: skip


def _digest(folder) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_another_process(tmp_path):
    write_phantoms(tmp_path / "here", 20, seed=4, workers=1)
    command = [sys.executable, "-m", "wetread", "phantom", "--n", "20", "--seed", "4", "--out"]
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
    for lesion in phantom.lesions:
        assert lesion.finding in FINDINGS
        assert lesion.mask.any()


def test_splits_and_seeds_and_numbers_are_different_people():
    films = [
        make_phantom(seed, index, split=split).film.tobytes()
        for seed in (1, 2)
        for index in (0, 1)
        for split in ("train", "validation", "test")
    ]
    assert len(set(films)) == len(films)


def test_every_finding_side_zone_and_degree_occurs():
    seen = set()
    for index in range(250):
        for lesion in make_phantom(8, index).lesions:
            seen |= {(lesion.finding, v) for v in (lesion.side, lesion.zone, lesion.degree) if v}
            seen.add((lesion.finding, None))
    for finding in FINDINGS:
        assert (finding, None) in seen
    for finding in ("pleural_effusion", "pneumothorax", "consolidation", "nodule"):
        assert {(finding, "right"), (finding, "left")} <= seen
    for finding in ("consolidation", "nodule"):
        assert {(finding, zone) for zone in ("upper", "mid", "lower")} <= seen
    for degree in ("small", "moderate", "large"):
        assert ("pleural_effusion", degree) in seen


def test_a_lesion_lies_on_its_side_and_brightens_or_darkens_the_film():
    """The patient's right is the film's left, and a sided lesion must be there."""
    for index in range(80):
        for lesion in make_phantom(21, index).lesions:
            if lesion.side and lesion.finding != "pleural_effusion":
                centre = np.nonzero(lesion.mask)[1].mean()
                assert (centre < 128) == (lesion.side == "right"), (index, lesion.finding)


def test_the_heart_of_a_cardiomegaly_is_larger_than_every_normal_one():
    ratios = {True: [], False: []}
    for index in range(120):
        phantom = make_phantom(33, index)
        big = any(lesion.finding == "cardiomegaly" for lesion in phantom.lesions)
        ratios[big].append(phantom.cardiothoracic_ratio)
    assert max(ratios[False]) < 0.5 < min(ratios[True])


def test_the_folder_has_the_documented_tables(phantoms):
    rows = list(csv.DictReader((phantoms / "cases.csv").open(encoding="utf-8")))
    assert list(rows[0]) == ["image", "patient", "split", "site", "report"]
    truths = [json.loads(line) for line in (phantoms / "truth.jsonl").open(encoding="utf-8")]
    assert [row["image"] for row in rows] == [truth["image"] for truth in truths]
    for row, truth in zip(rows, truths, strict=True):
        assert (phantoms / row["image"]).is_file()
        for assertion in truth["assertions"]:
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
