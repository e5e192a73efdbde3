"""Paintings: the same for the same seed, marked as synthetic from birth, checked, and written."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from command import run
from conftest import BACKBONE
from PIL import Image
from pydicom import uid

from assistant.errors import SettingsError
from assistant.export.draft_json import draft_json
from assistant.intake import read_film, read_film_bytes
from assistant.intake.synthetic_mark import bears_mark
from assistant.painting.painting import caption_of, file_of, painting_dict, prompt_of_report
from assistant.types import (
    CopyCheck,
    Film,
    Painting,
    PaintRequest,
    ProbeFinding,
    Provenance,
    ReadBack,
    RequestedFinding,
)

PROMPT = "Large right pleural effusion."
NAMES = ("Quizzical", "Zebedee", "PID-7719283")


@pytest.fixture(scope="module")
def painting(assistant) -> Painting:
    return assistant.paint(PROMPT, seed=5)[0]


def made(readback: ReadBack, copy: CopyCheck) -> Painting:
    provenance = Provenance("mini", "0" * 64, "none", "0" * 64, 0, (), "now")
    pixels = np.zeros((128, 128), np.float32)
    return Painting(pixels, PaintRequest("prompt"), provenance, 0, readback, copy)


def test_a_painting_is_a_marked_film_and_the_same_for_its_seed(painting, tmp_path, capfd):
    outcome = run(
        capfd, "paint", PROMPT, "--seed", 5, "--out", tmp_path, "--json",
        "--backbone", BACKBONE, "--library", tmp_path / "library",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    item = json.loads(outcome.out)["paintings"][0]
    assert item["provenance"]["seed"] == 5
    assert item["copy"]["verdict"] == "unchecked"  # the library is empty
    assert [one["finding"] for one in item["readback"]["asked"]] == ["pleural_effusion"]
    film = read_film(item["file"])
    assert film.flags == ("synthetic",)
    assert film.pixels.shape[0] >= 128
    assert film.pixels.std() > 0.05
    assert Path(item["file"]).read_bytes() == file_of(painting)
    assert [p.suffix for p in tmp_path.iterdir() if p.is_file()] == [".png"]


def test_the_prompt_and_the_seed_matter(assistant, painting):
    one = assistant.paint(PROMPT, seed=1, count=2)
    assert not np.array_equal(one[0].pixels, one[1].pixels)
    assert not np.array_equal(one[0].pixels, painting.pixels)
    assert not one[0].pixels.flags.writeable
    assert [p.number for p in one] == [0, 1]


def test_the_visible_mark_is_there_from_birth_and_only_the_api_leaves_it_out(
    assistant, painting, capfd, tmp_path
):
    assert bears_mark(painting.pixels)
    bare = assistant.paint(PROMPT, seed=5, mark=False)[0]
    assert not bears_mark(bare.pixels)
    assert bare.copy == painting.copy  # the checks saw the film, not the mark
    assert bare.readback == painting.readback
    for form in ("png", "dicom"):  # and the file says what it is all the same
        assert read_film_bytes(file_of(bare, form)).flags == ("synthetic",)
    outcome = run(capfd, "paint", PROMPT, "--out", tmp_path, "--no-mark")
    assert outcome.code == 2
    assert not list(tmp_path.iterdir())


def test_every_painting_is_read_back_and_compared_with_the_library(assistant, painting):
    read, copy = painting.readback, painting.copy
    assert [(a.finding, a.side) for a in read.asked] == [("pleural_effusion", "right")]
    if assistant.backbone.probe_findings([Film(painting.pixels, "0" * 64)]) is None:
        assert read.verdict == "unchecked"
        assert "no probe" in read.reason
    else:
        assert read.verdict in ("shown", "not shown")
        assert 0 <= read.asked[0].probability <= 1
    assert copy.compared == assistant.library.stats().cases
    assert copy.verdict == ("copy" if copy.similarity >= copy.limit else "original")
    assert assistant.library.get(copy.film)
    json.dumps(painting_dict(painting))


def test_a_dicom_painting_is_a_valid_synthetic_film_of_nobody(painting):
    data = file_of(painting, "dicom")
    found = pydicom.dcmread(io.BytesIO(data))
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID
    assert found.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
    assert found.SOPClassUID == uid.SecondaryCaptureImageStorage
    assert found[0x0008001C].value == "YES"
    assert found.ConversionType == "SYN"
    assert str(found.PatientName) == found.PatientID == "SYNTHETIC"
    for empty in ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyDate"):
        assert not found[empty].value
    uids = {found.StudyInstanceUID, found.SeriesInstanceUID, found.SOPInstanceUID}
    assert len(uids) == 3
    assert all(uid.UID(u).is_valid for u in uids)
    assert PROMPT.encode() not in data  # a prompt may come from a patient's report
    assert found.pixel_array.dtype == np.uint16
    film = read_film_bytes(data)
    assert film.flags == ("synthetic",)
    assert np.abs(film.pixels - painting.pixels).max() <= 1 / 4095
    assert file_of(painting, "dicom") == data


def test_the_command_line_writes_dicom_whole_and_nothing_beside(tmp_path, capfd):
    outcome = run(
        capfd, "paint", "Cardiomegaly.", "--out", tmp_path / "out", "--format", "dicom",
        "--count", 2, "--guidance", 2, "--backbone", BACKBONE, "--library", tmp_path / "library",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    paths = sorted((tmp_path / "out").iterdir())
    assert [p.suffix for p in paths] == [".dcm", ".dcm"]
    films = [read_film(path) for path in paths]
    assert all(film.flags == ("synthetic",) for film in films)
    assert films[0].sha256 != films[1].sha256
    assert outcome.out.count("Asked: cardiomegaly") == 2
    again = run(
        capfd, "library", "add", paths[0], "--backbone", BACKBONE, "--library", tmp_path / "library"
    )
    assert again.code == 2
    assert "synthetic" in again.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "one of the two"),
        (("Cardiomegaly.", "--report", "report.txt"), "one of the two"),
        (("--report", "missing.txt"), "missing.txt"),
        (("--report", "hello.txt"), "names no finding"),
        (("--report", "other.json"), "no draft"),
        (("Cardiomegaly.", "--format", "gif"), "png or dicom"),
        (("Cardiomegaly.", "--site", "Q"), "There is no site 'Q'"),
        (("Cardiomegaly. " * 500,), "characters"),
    ],
)
def test_what_a_user_can_put_right_is_one_sentence(tmp_path, capfd, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.txt").write_text("Cardiomegaly.")
    (tmp_path / "hello.txt").write_text("Hello.")
    (tmp_path / "other.json").write_text('{"sentences": [{"text": "Cardiomegaly."}]}')
    outcome = run(capfd, "paint", *words, "--out", "out", "--backbone", BACKBONE)
    assert outcome.code == 2
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_report_or_a_draft_is_painted_by_what_it_claims(assistant, phantoms, tmp_path, capfd):
    report = (
        f"Patient: {' '.join(NAMES)}\n\nFINDINGS:\nThere is a large right\neffusion. Dr Zebedee "
        "was told.\nNo pneumothorax.\n\nIMPRESSION: There is a large right effusion."
    )
    expected = "There is a large right effusion. No pneumothorax."
    assert prompt_of_report(report) == expected
    (tmp_path / "report.txt").write_text(report)
    outcome = run(
        capfd, "paint", "--report", tmp_path / "report.txt", "--out", tmp_path / "out", "--json",
        "--backbone", BACKBONE, "--library", tmp_path / "library",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["paintings"][0]["prompt"] == expected
    assert not any(name in outcome.out for name in NAMES)
    drafted = assistant.draft(sorted(phantoms.glob("images/*.png"))[0], neighbours=0)
    claims = [" ".join(s.text.split()) for s in drafted.sentences if s.assertions]
    assert prompt_of_report(draft_json(drafted)) == " ".join(dict.fromkeys(claims))


def test_a_report_that_claims_nothing_or_never_ends_is_refused():
    for text in ("", "Hello.", "{", "{}", '{"schema": 1}', "[" * 5000, "x" * 100_001):
        with pytest.raises(SettingsError):
            prompt_of_report(text)


@pytest.mark.parametrize(
    ("readback", "copy", "words"),
    [
        (
            ReadBack(
                "shown", "", (RequestedFinding("pleural_effusion", "left", None, 0.97, True),)
            ),
            CopyCheck("original", "", "library", "a" * 16, 0.61, 0.9, 24),
            "Asked: left pleural effusion: seen (0.97). "
            "Nearest library film 0.61 alike, not a copy.",
        ),
        (
            ReadBack(
                "not shown",
                "",
                (RequestedFinding("cardiomegaly", None, None, 0.2, False),),
                (ProbeFinding("nodule", "right", "upper", 0.8, True),),
            ),
            CopyCheck("copy", "", "library", "a" * 16, 0.95, 0.9, 24),
            "Asked: cardiomegaly: not seen (0.20). Not asked for, but seen: right upper zone "
            "nodule (0.80). Nearest library film 0.95 alike, NEARLY A COPY of it.",
        ),
        (
            ReadBack("shown", ""),
            CopyCheck(reason="No library is open."),
            "Asked: no abnormal finding. None seen. Not compared: no library is open.",
        ),
        (
            ReadBack(reason="The prompt names no finding to look for."),
            CopyCheck(),
            "Not read back: the prompt names no finding to look for. "
            "Not compared: the film was not compared with any other.",
        ),
    ],
)
def test_the_caption_says_in_plain_words_what_was_checked(readback, copy, words):
    assert caption_of(made(readback, copy)) == words


def test_any_square_or_oblong_picture_keeps_its_mark_in_both_forms(painting):
    tall = np.asarray(Image.fromarray(painting.pixels).resize((150, 200)), np.float32).clip(0, 1)
    one = made(ReadBack(), CopyCheck())
    for form in ("png", "dicom"):
        shaped = Painting(tall, one.request, one.provenance)
        film = read_film_bytes(file_of(shaped, form))
        assert film.pixels.shape == (200, 150)
        assert film.flags == ("synthetic",)
