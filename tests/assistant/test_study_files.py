"""Studies as they lie on a disk: DICOM files, folders, rows of a batch, the command line."""

from __future__ import annotations

import csv
import json
import re
import shutil

import numpy as np
import pytest
from command import run
from conftest import BACKBONE
from films import SECRETS, dicom, levels, written

from assistant.batch.run import draft_folder
from assistant.chest.lateral import make_lateral
from assistant.chest.phantoms import make_phantom
from assistant.drafting.sources import as_study
from assistant.errors import IntakeError, SettingsError
from assistant.export.draft_json import draft_dict
from assistant.intake import read_film, read_film_bytes
from assistant.intake.png import png

NAME = "DOE^JANE"
DAY = "20190213"
PERSON = {**SECRETS, "StudyDate": DAY}
QUICK = {"neighbours": 0, "samples": 0}


def dicom_file(pixels: np.ndarray, **elements) -> bytes:
    stated = {k: v for k, v in {**PERSON, **elements}.items() if v is not None}
    return written(dicom(levels(pixels / 255, 12), 12, **stated))


@pytest.fixture(scope="module")
def pictures():
    front, before = (make_phantom(7, i, split="test").film for i in (0, 7))
    return {"front": front, "lateral": make_lateral(7, 0, split="test"), "before": before}


@pytest.fixture
def medium(tmp_path, pictures):
    """A study as a CD holds it: a DICOMDIR, a folder for each series, a viewer's files beside."""
    folder = tmp_path / NAME
    for series, (view, name) in enumerate((("PA", "front"), ("LL", "lateral"))):
        inside = folder / "DICOM" / f"SER{series}"
        inside.mkdir(parents=True)
        data = dicom_file(pictures[name], ViewPosition=view, SOPInstanceUID=f"1.2.{series}")
        (inside / "IMG0").write_bytes(data)
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 64)
    (folder / "viewer.exe").write_bytes(b"MZ" + b"\0" * 100)
    (folder / "README.txt").write_text(NAME)
    (folder / ".hidden.png").write_bytes(png(np.zeros((256, 256), np.float32)))
    return folder


def test_a_medium_is_one_study_with_its_frontal_first(assistant, medium):
    report = assistant.draft(medium, **QUICK)
    assert [(use.view, use.kind) for use in report.provenance.films] == [
        ("PA", "frontal"), ("LL", "lateral")
    ]  # fmt: skip
    assert "1 of the folder's 3 files were left out" in draft_dict(report)["notes"][0]
    by_directory = assistant.draft(medium / "DICOMDIR", **QUICK)
    assert by_directory.text() == report.text()
    alone = assistant.draft(medium / "DICOM" / "SER0" / "IMG0", **QUICK)
    assert alone.text() == report.text()


def test_nothing_of_the_person_reaches_a_draft_of_a_folder(assistant, medium, tmp_path, pictures):
    prior = tmp_path / f"{NAME}.dcm"
    prior.write_bytes(dicom_file(pictures["before"], StudyDate="20200101"))
    report = assistant.draft(medium, prior=prior, **QUICK)
    text = json.dumps(draft_dict(report)) + repr(report)
    assert "dates it after the study" in text
    day = report.study.films[0].day
    assert day is not None
    for secret in (NAME, *PERSON.values(), "2019", "20200101", str(day)):
        assert secret not in re.sub(r'"time": "[^"]+"', "", text), secret


def test_films_of_two_studies_are_refused_and_those_of_one_are_not(tmp_path, pictures):
    files = []
    for number, study in enumerate(("1.2.3", "1.2.3", "1.2.4", "", None)):
        files.append(tmp_path / f"{number}.dcm")
        data = dicom_file(pictures["front"], StudyInstanceUID=study, SOPInstanceUID=f"1.{number}")
        files[-1].write_bytes(data)
    for count in (0, 1, 3, 4):
        as_study([files[0], files[count]])
    for several in ([files[0], files[2]], tmp_path):
        with pytest.raises(IntakeError, match="are of 2 studies") as refused:
            as_study(several)
        assert "1.2.3" not in str(refused.value)
    as_study(files[0], prior=files[2])  # an earlier film is of another study


def test_marks_of_a_study_tell_films_apart_and_nothing_else(pictures):
    films = [
        read_film_bytes(dicom_file(pictures["front"], StudyInstanceUID=uid, StudyDate=day))
        for uid, day in (("1.2.3", DAY), ("1.2.3", "20190214"), ("1.2.4", ""), (None, "20191399"))
    ]
    assert films[0].study == films[1].study != films[2].study
    assert films[3].study is None
    assert films[1].day - films[0].day == 1
    assert films[2].day is films[3].day is None
    assert films[0].study not in repr(films[0])


@pytest.mark.parametrize("case", ["empty", "table", "no films", "many files", "many films"])
def test_a_folder_that_is_no_study_is_refused_without_a_file_name(tmp_path, pictures, case):
    folder = tmp_path / "study"
    folder.mkdir()
    film = png(pictures["front"].astype(np.float32) / 255)
    if case == "table":
        (folder / "cases.csv").write_text("image\na.png\n")
    for number in range({"no films": 2, "many files": 101, "many films": 9}.get(case, 0)):
        (folder / f"{NAME}-{number}.dat").write_bytes(film if case == "many films" else b"none")
    words = {
        "empty": "holds no film", "table": "wetread batch", "no films": "file 1 of the folder",
        "many files": "over 100 files", "many films": "more than the 8",
    }  # fmt: skip
    with pytest.raises((IntakeError, SettingsError), match=words[case]) as refused:
        as_study(folder)
    assert NAME not in str(refused.value)


# ---- batches -----------------------------------------------------------------------------------


@pytest.fixture
def rows(tmp_path, pictures):
    for name, pixels in pictures.items():
        (tmp_path / f"{name}.png").write_bytes(png(pixels.astype(np.float32) / 255))
    with (tmp_path / "cases.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(["image", "laterals", "prior_image", "prior_report"])
        writer.writerow(["front.png", "lateral.png", "before.png", "Normal."])
        writer.writerow(["front.png", "", "", ""])
        writer.writerow(["front.png", f"lateral.png|{NAME}.png", f"{NAME}.png", ""])
        writer.writerow(["front.png", f"../{NAME}.png", "", ""])
        writer.writerow(["lateral.png", "front.png", "", ""])
        writer.writerow(["lateral.png", "", "nan", ""])
    return tmp_path


def lines_of(out):
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def test_rows_of_a_batch_have_laterals_and_an_earlier_film(assistant, rows):
    out = rows / "out.jsonl"
    done = draft_folder(assistant, rows, out, neighbours=0)
    assert (done.cases, done.drafted, done.refused, done.failed) == (6, 3, 2, 1)
    whole, alone, broken, outside, swapped, lateral = lines_of(out)
    kinds = [(f["kind"], f["prior"]) for f in whole["draft"]["provenance"]["films"]]
    assert kinds == [("frontal", False), ("lateral", False), ("frontal", True)]
    assert "films" not in alone["draft"]["provenance"]
    notes = broken["draft"]["notes"]
    assert sum("does not exist" in note for note in notes) == 2
    assert "leads outside the folder" in outside["error"]
    assert "one; give a frontal film" in lateral["draft"]["gate"]["reason"]
    assert swapped["draft"]["gate"]["answer"] == "refuse"  # by its column, its frontal is none
    assert whole["draft"]["study"]["films"][1]["view"] == "LATERAL"
    measured = [
        [e["detail"] for s in row["draft"]["sentences"] for e in s["evidence"]
         if e["kind"] == "measurement"]
        for row in (whole, alone, broken)
    ]  # fmt: skip
    assert measured[0] == measured[1] == measured[2] != []  # on the frontal alone
    assert [f["read"] for f in whole["draft"]["provenance"]["films"]] == [True] * 3
    assert NAME not in out.read_text(encoding="utf-8")


def test_parquet_rows_have_laterals_and_an_earlier_film(assistant, rows, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    folder = tmp_path / "parquet"
    folder.mkdir()
    for name in ("front", "lateral", "before"):
        shutil.copy(rows / f"{name}.png", folder)
    data = (rows / "lateral.png").read_bytes()
    write_table(
        pyarrow.table(
            {
                "image": ["front.png"] * 3,
                "laterals": [[{"bytes": data, "path": None}], [], None],
                "prior_image": ["before.png", None, "../before.png"],
            }
        ),
        folder / "films.parquet",
    )
    out = tmp_path / "out.jsonl"
    draft_folder(assistant, folder, out, neighbours=0)
    whole, alone, outside = lines_of(out)
    assert [f["kind"] for f in whole["draft"]["provenance"]["films"]] == [
        "frontal", "lateral", "frontal"
    ]  # fmt: skip
    assert "films" not in alone["draft"]["provenance"]
    assert "leads outside" in outside["error"]


# ---- the command line --------------------------------------------------------------------------


def test_the_command_takes_films_in_any_order_and_an_earlier_film(rows, tmp_path, capfd):
    words = ["--json", "--backbone", BACKBONE, "--library", tmp_path / "library"]
    front, lateral = rows / "front.png", rows / "lateral.png"
    prior = ("--prior", rows / "before.png")
    drafts = []
    for films in ((front, lateral), (lateral, front)):
        draft = json.loads(run(capfd, "draft", *films, *prior, *words).out)
        draft["provenance"].pop("time")
        drafts.append(draft)
    assert drafts[0] == drafts[1]
    films = drafts[0]["provenance"]["films"]
    assert films[0]["sha256"] == read_film(front).sha256
    assert [f["prior"] for f in films] == [False, False, True]
    refused = json.loads(run(capfd, "draft", lateral, *words).out)
    assert "one; give a frontal film" in refused["gate"]["reason"]
    shown = run(capfd, "draft", lateral, front, *words[1:]).out
    assert "read" in shown
    missing = run(capfd, "draft", front, rows / "nothing.png", *words)
    assert missing.code == 2
    assert "does not exist" in missing.err
