"""Drafting a folder: a line for every film, whatever is wrong with one of them."""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from command import run
from conftest import BACKBONE

from assistant.batch.run import draft_folder, draft_rows, find_manifest, read_manifest
from assistant.errors import LibraryError, SettingsError, Stopped
from assistant.export.draft_json import draft_dict
from assistant.intake import read_film
from assistant.intake.zips import unpack
from assistant.types import Study


@pytest.fixture
def folder(tmp_path, phantoms):
    """Nine films (more than one batch) with indications, the third of them broken."""
    (tmp_path / "films" / "images").mkdir(parents=True)
    names = sorted(p.name for p in (phantoms / "images").iterdir())[:9]
    rows = [("image", "patient", "indication")]
    for number, name in enumerate(names):
        data = (phantoms / "images" / name).read_bytes()
        (tmp_path / "films" / "images" / name).write_bytes(b"no film" if number == 2 else data)
        rows.append((f"images/{name}", "Doe^Jane", "Cough, fever." if number == 4 else ""))
    with (tmp_path / "films" / "cases.csv").open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows(rows)
    return tmp_path / "films"


def lines_of(path):
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def without_time(line):
    if "draft" in line:
        line["draft"]["provenance"].pop("time")
    return line


def test_every_film_has_its_line_and_a_broken_one_says_why(folder, assistant, tmp_path):
    out = tmp_path / "drafts.jsonl"
    seen = []
    done = draft_folder(
        assistant, folder, out, neighbours=2, on_progress=lambda *at: seen.append(at)
    )
    assert (done.cases, done.drafted, done.failed) == (9, 8, 1)
    assert seen == [(n, 9) for n in range(10)]
    with (folder / "cases.csv").open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    lines = lines_of(out)
    assert [line["row"] for line in lines] == [*range(2, 11)]  # as a spreadsheet counts
    assert len({line["case"] for line in lines}) == 9
    assert [set(line) for line in lines].count({"case", "row", "error"}) == 1
    assert '"row 4"' in lines[2]["error"]
    gates = [line["draft"]["gate"]["answer"] for line in lines if "draft" in line]
    assert (done.warned, done.refused) == (gates.count("warn"), gates.count("refuse"))
    asked = [line["draft"]["study"]["indication"] for line in lines if "draft" in line]
    assert asked == ["", "", "", "Cough, fever.", "", "", "", ""]
    # The same walk as for one film alone.
    film = read_film(folder / rows[4]["image"])
    alone = draft_dict(assistant.draft(Study((film,), "Cough, fever."), neighbours=2))
    of_batch = lines[4]["draft"]
    assert [s["text"] for s in alone["sentences"]] == [s["text"] for s in of_batch["sentences"]]
    assert [n["case"] for n in alone["neighbours"]] == [n["case"] for n in of_batch["neighbours"]]
    text = out.read_text(encoding="utf-8")
    assert "Doe" not in text
    assert not [row["image"] for row in rows if Path(row["image"]).name in text]


def test_the_same_manifest_gives_the_same_lines(folder, assistant, tmp_path):
    first, again = tmp_path / "a.jsonl", tmp_path / "deep" / "b.jsonl"
    for out, path in ((first, folder), (again, folder / "cases.csv")):
        draft_folder(assistant, path, out, neighbours=0, seed=4)
    assert [without_time(x) for x in lines_of(first)] == [without_time(x) for x in lines_of(again)]


def test_a_run_that_is_stopped_leaves_what_was_there_and_a_way_to_go_on(
    folder, assistant, tmp_path
):
    out = tmp_path / "drafts.jsonl"
    out.write_text("whole\n", encoding="utf-8")

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draft_folder(assistant, folder, out, neighbours=0, on_progress=stop)
    assert out.read_text(encoding="utf-8") == "whole\n"
    draft_folder(assistant, folder, out, neighbours=0)
    assert len(lines_of(out)) == 9
    assert sorted(p.name for p in tmp_path.iterdir()) == ["drafts.jsonl", "films"]


def test_the_films_and_their_table_are_never_written_over(folder, assistant):
    image = next((folder / "images").iterdir())
    for out in (folder / "cases.csv", image):
        before = out.read_bytes()
        with pytest.raises(SettingsError, match="part of the manifest"):
            draft_folder(assistant, folder, out)
        assert out.read_bytes() == before


def test_the_command_line_tells_how_it_went(folder, capfd, tmp_path):
    out = tmp_path / "drafts.jsonl"
    words = ("batch", folder / "cases.csv", "--out", out, "--backbone", BACKBONE, "--neighbours", 0)
    told = json.loads(run(capfd, *words, "--json").out)
    assert (told["cases"], told["drafted"], told["failed"]) == (9, 8, 1)
    assert len(lines_of(out)) == 9


@pytest.mark.parametrize("what", ["nothing", "other.csv", "empty", "cases.csv/deep"])
def test_a_missing_manifest_ends_with_two_and_one_sentence(folder, capfd, tmp_path, what):
    (tmp_path / "films" / "other.csv").write_text("image\n", encoding="utf-8")
    (tmp_path / "films" / "empty").mkdir()
    outcome = run(capfd, "batch", folder / what, "--out", tmp_path / "drafts.jsonl")
    assert outcome.code == 2
    assert outcome.out == ""
    told = [line for line in outcome.err.splitlines() if line.startswith("wetread: ")]
    assert len(told) == 1, outcome.err
    assert not (tmp_path / "drafts.jsonl").exists()


def test_a_place_that_cannot_be_written_ends_with_two(folder, capfd):
    out = folder / "cases.csv" / "drafts.jsonl"
    outcome = run(capfd, "batch", folder, "--out", out, "--backbone", BACKBONE)
    assert outcome.code == 2
    assert "cannot be written" in outcome.err


def test_a_row_of_a_page_tells_its_number_and_no_name(folder, assistant):
    broken = find_manifest(folder).rows[2].image
    secret = broken.with_name("Doe^Jane.png")
    broken.rename(secret)
    table = folder / "cases.csv"
    table.write_text(table.read_text().replace(broken.name, secret.name), encoding="utf-8")
    manifest = find_manifest(folder)
    few = replace(manifest, rows=manifest.rows[:4])
    rows = list(draft_rows(assistant, few, neighbours=0))
    assert [row["case"] for row in rows] == ["film 1", "film 2", "film 3", "film 4"]
    assert '"film 3"' in rows[2]["error"]
    assert "Doe" not in json.dumps(rows)


def test_rows_can_be_stopped_within_a_batch_and_between(folder, assistant):
    calls = []

    def told(text):
        calls.append(text)
        if len(calls) == 5:
            raise Stopped

    with pytest.raises(Stopped):
        list(draft_rows(assistant, read_manifest(folder), neighbours=0, on_text=told))
    assert len(calls) == 5


def test_a_folder_without_a_table_is_read_in_the_order_of_its_paths(tmp_path, phantoms):
    data = next((phantoms / "images").iterdir()).read_bytes()
    for name in ("b/two.png", "b/a/one.dcm", "z", "a.TIFF", ".hidden", ".in/x.png", "b/notes.TXT"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    manifest = find_manifest(tmp_path)
    names = [row.image.relative_to(manifest.folder).as_posix() for row in manifest.rows]
    assert names == sorted(["a.TIFF", "b/a/one.dcm", "b/two.png", "z"])
    assert {(row.report, row.patient, row.labels) for row in manifest.rows} == {("", None, ())}


def test_a_table_is_found_in_the_folder_or_its_only_subfolder(folder, tmp_path):
    assert find_manifest(folder) == read_manifest(folder)
    outer = tmp_path / "outer"
    outer.mkdir()
    inner = folder.rename(outer / "Doe^Jane")
    assert find_manifest(outer) == read_manifest(inner)
    (inner / "cases.csv").write_text("image\nnothing.png\n", encoding="utf-8")
    with pytest.raises(LibraryError, match=r"cases\.csv, row 2") as caught:
        find_manifest(outer)
    assert "Doe" not in str(caught.value)
    (inner / "cases.csv").rename(inner / "metadata.csv")
    (inner / "metadata.csv").write_text("file_name\nnothing.png\n", encoding="utf-8")
    inner.rename(outer / "train")  # the folder of a split, whose table is bad too
    with pytest.raises(LibraryError, match="row 2"):
        find_manifest(outer)


@pytest.mark.parametrize("what", ["nothing", "empty"])
def test_a_folder_of_no_films_is_refused(tmp_path, what):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme.txt").write_text("none")
    with pytest.raises(SettingsError, match="folder"):
        find_manifest(tmp_path / what)


def test_a_zip_of_films_is_drafted_as_its_folder_is(folder, assistant, tmp_path):
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent))
    (tmp_path / "out").mkdir()
    both = (find_manifest(unpack(tmp_path / "films.zip", tmp_path / "out")), find_manifest(folder))
    told = [[row.indication for row in manifest.rows] for manifest in both]
    assert told[0] == told[1] != [""] * 9
    few = [replace(manifest, rows=manifest.rows[:3]) for manifest in both]
    rows = [list(draft_rows(assistant, manifest, neighbours=0)) for manifest in few]
    ours, theirs = ([without_time(row) for row in some] for some in rows)
    assert ours == theirs
