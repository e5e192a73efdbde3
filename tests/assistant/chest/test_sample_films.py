"""The real films that ship: readable, without anything of the patient, and never trained on."""

from __future__ import annotations

import csv
import hashlib
import re
import struct

import pytest
from conftest import SHARED

from assistant.chest.samples.films import read_samples
from assistant.chest.view_classifier import classify_view
from assistant.chest.vocabulary import finding_of_label
from assistant.errors import SettingsError
from assistant.intake import read_film

FILMS = read_samples().films
# Of a JPEG's segments: the head of JFIF, tables, the frame and the scan.
PICTURE_ALONE = {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}

each_film = pytest.mark.parametrize("sample", FILMS, ids=lambda film: film.name)


@each_film
def test_a_sample_is_read_as_an_upright_frontal_film(sample):
    film = read_film(sample.file)
    assert min(film.pixels.shape) >= 512
    assert not film.flags
    view = classify_view(film)
    assert (view.kind, view.correction) == ("frontal", None)


@each_film
def test_a_sample_holds_its_picture_and_nothing_else(sample):
    data, place, segments = sample.file.read_bytes(), 2, []
    while not segments or segments[-1] != 0xDA:
        marker, length = struct.unpack(">xBH", data[place : place + 4])
        segments.append(marker)
        place += 2 + length
    assert set(segments) <= PICTURE_ALONE
    assert data.endswith(b"\xff\xd9")


def test_the_samples_are_several_kinds_and_their_names_and_ages_tell_nobody():
    assert 4 <= len(FILMS) <= 6
    assert sum(film.file.stat().st_size for film in FILMS) < 1_000_000
    assert {film.view for film in FILMS} >= {"PA", "AP"}
    assert {film.sex for film in FILMS} == {"F", "M"}
    assert len({film.chosen_for for film in FILMS}) == len(FILMS)
    for film in FILMS:
        assert re.fullmatch(r"nih-\d", film.name)
        youngest, oldest = map(int, film.age_group.split(" to "))
        assert youngest % 10 == 0
        assert oldest == youngest + 9
        assert film.chosen_for in film.labels
        assert all(finding_of_label(label) for label in film.labels)


def test_a_wrong_name_is_refused_with_the_right_ones():
    with pytest.raises(SettingsError, match="nih-1"):
        read_samples().find("nih-99")


@pytest.mark.skipif(not (SHARED / "nih").is_dir(), reason="the NIH films are not here")
@each_film
def test_a_sample_is_of_a_patient_whom_no_training_takes_and_has_the_labels_of_its_set(sample):
    from adapters.generator import films as generator
    from adapters.view_classifier import films as view_classifier

    digest = hashlib.sha256(sample.file.read_bytes()).digest()
    with (SHARED / "nih" / "cases.csv").open(encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["view"] == sample.view]
    row = next(
        row
        for row in rows
        if hashlib.sha256((SHARED / "nih" / row["image"]).read_bytes()).digest() == digest
    )
    assert generator.is_held_out(row["patient"])
    assert view_classifier.is_held_out(f"nih/{row['patient']}")
    assert row["labels"].replace("_", " ").split("|") == list(sample.labels)
    assert row["sex"] == sample.sex
    assert sample.age_group.startswith(str(int(row["age"]) // 10 * 10))
