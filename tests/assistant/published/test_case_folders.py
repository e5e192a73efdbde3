"""Case folders of published sets: what holds of each set, in exactly its published layout."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from command import run
from hypothesis import given, settings
from hypothesis import strategies as st
from published_sets import LAYOUTS, put_film, write_nih

from assistant.batch.manifest import read_manifest
from assistant.chest.vocabulary import finding_named, finding_of_label
from assistant.datasets.card import CaseFolder
from assistant.datasets.labels import boxes_of, sort_labels
from assistant.datasets.sets import OPENERS
from assistant.datasets.writing import COLUMNS, write_cases
from assistant.errors import SettingsError, Stopped
from assistant.intake import read_film

TABLE_SUFFIXES = (".csv", ".gz", ".json", ".xml", ".tgz")


def rows_of(folder: Path, table: str = "cases.csv") -> list[dict[str, str]]:
    with (folder / table).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def made(layout: str, home: Path, **options) -> tuple[CaseFolder, tuple[str, ...]]:
    """The case folder `home/cases` of a layout, and the identifiers that its set has."""
    name, write = LAYOUTS[layout]
    secrets = write(home / "data")
    return write_cases(name, home / "data", home / "cases", **options), secrets


def contents(folder: Path) -> dict[str, bytes | str]:
    """All files and links of a folder, by path."""
    paths = [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]
    return {
        path.relative_to(folder).as_posix(): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        for path in paths
    }


def test_every_set_has_a_layout_here():
    assert {name for name, _ in LAYOUTS.values()} == set(OPENERS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_folder_is_one_that_every_command_reads(layout, tmp_path):
    """Its rows, films, labels and links are whole, and join within the folder."""
    summary, _ = made(layout, tmp_path)
    folder = tmp_path / "cases"
    rows, laterals = rows_of(folder), rows_of(folder, "laterals.csv")
    manifest = read_manifest(folder)
    assert len(rows) == len(manifest.rows) == summary.films > 0
    assert len(laterals) == summary.laterals
    assert tuple(rows[0]) == COLUMNS
    known = {row["image"] for row in (*rows, *laterals)}
    for row, listed in zip(rows, manifest.rows, strict=True):
        assert read_film(listed.image).pixels.shape == (80, 64)
        assert listed.case == row["case"]
        assert listed.report == row["report"]
        assert "|".join(listed.labels) == row["labels"]
        assert row["projection"] in ("Frontal", "")
        assert row["sex"] in ("F", "M", "")
        assert row["split"] in ("train", "val", "test", "")
        for column in ("labels", "uncertain", "absent"):
            for key in filter(None, row[column].split("|")):
                finding_named(key)
        assert all(not finding_of_label(label) for label in row["other_labels"].split("|"))
        for label, left, top, width, height in json.loads(row["boxes"] or "[]"):
            assert isinstance(label, str)
            assert 0 <= left < left + width <= 1.0001
            assert 0 <= top < top + height <= 1.0001
        for path in filter(None, (*row["laterals"].split("|"), row["prior_image"])):
            assert path in known or layout == "padchest-gr"
            assert (folder / path).is_file()
    lateral_of = {path: row["study_id"] for row in rows for path in row["laterals"].split("|")}
    for row in laterals:
        assert row["projection"] == "Lateral"
        assert lateral_of.get(row["image"], row["study_id"]) == row["study_id"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_identifier_and_no_date_of_the_set_is_written(layout, tmp_path):
    """A link's own target is the set's file; all that is written and all names are free of it."""
    _, secrets = made(layout, tmp_path)
    for path, content in contents(tmp_path / "cases").items():
        for secret in secrets:
            assert secret.lower() not in path.lower()
            if isinstance(content, bytes):
                assert secret.encode().lower() not in content.lower()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_set_gives_the_same_folder(layout, tmp_path):
    made(layout, tmp_path)
    first = contents(tmp_path / "cases")
    write_cases(LAYOUTS[layout][0], tmp_path / "data", tmp_path / "cases")
    assert contents(tmp_path / "cases") == first


@pytest.mark.parametrize("layout", LAYOUTS)
def test_films_without_their_tables_are_refused_in_one_sentence(layout, tmp_path):
    """So is a set without its films; both say where the set is published."""
    name, write = LAYOUTS[layout]
    write(tmp_path / "data")
    url = OPENERS[name][0].url.split()[0]
    shutil.copytree(tmp_path / "data", tmp_path / "bare")
    for path in (tmp_path / "bare").rglob("*"):
        if path.suffix in (".csv", ".gz", ".json", ".xml", ".tgz", ".txt"):
            path.unlink()
    for path in (tmp_path / "data").rglob("*"):
        if path.suffix in (".png", ".jpg", ".dcm", ".dicom"):
            path.unlink()
    for root in ("bare", "data", "nowhere"):
        with pytest.raises(SettingsError) as refusal:
            write_cases(name, tmp_path / root, tmp_path / "cases")
        assert url in str(refusal.value)
        assert "\n" not in str(refusal.value)
        assert not (tmp_path / "cases").exists()


def test_laterals_alone_make_no_case_folder(tmp_path):
    LAYOUTS["openi-kaggle"][1](tmp_path / "data")
    table = tmp_path / "data" / "indiana_projections.csv"
    table.write_text(table.read_text().replace("Frontal", "Lateral"))
    with pytest.raises(SettingsError, match="all lateral: 4"):
        write_cases("openi", tmp_path / "data", tmp_path / "cases")
    assert not (tmp_path / "cases").exists()


def test_rows_that_cannot_be_read_are_counted_and_the_rest_is_written(tmp_path):
    write_nih(tmp_path / "data")
    with (tmp_path / "data" / "Data_Entry_2017.csv").open("a") as table:
        table.write("00090001_000.png,Cardiomegaly,0,90001\n")  # cut off
        table.write("00090001_000.png,Mass,0,90001,58,M,PA,1,1,1,1,\n")  # once more
        table.write(",Mass,0,90001,58,M,PA,1,1,1,1,\n")
    with (tmp_path / "data" / "BBox_List_2017.csv").open("a") as table:
        table.write("00090002_000.png,Nodule,5,5,0,5,,,\n00090002_000.png,Mass,x,5,1,5,,,\n")
    written = write_cases("nih", tmp_path / "data", tmp_path / "cases")
    assert written.films == 3
    assert dict(written.left_out) == {
        "rows of a table that cannot be read": 2,
        "films that the tables name and that are not there": 1,
        "films that are listed twice": 1,
        "boxes that are no area of their film": 2,
    }


@settings(max_examples=6, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_damaged_table_ends_in_a_folder_or_in_one_sentence(layout, data):
    name, write = LAYOUTS[layout]
    with tempfile.TemporaryDirectory() as home:
        root = Path(home) / "data"
        write(root)
        tables = [path for path in sorted(root.rglob("*")) if path.suffix in TABLE_SUFFIXES]
        table = data.draw(st.sampled_from(tables))
        whole = table.read_bytes()
        start = data.draw(st.integers(0, len(whole)))
        end = data.draw(st.integers(start, min(len(whole), start + 60)))
        put = data.draw(
            st.binary(max_size=6) | st.sampled_from([b'"', b"nan", b"\0", b"1e400", b"["])
        )
        table.write_bytes(whole[:start] + put + whole[end:])
        try:
            written = write_cases(name, root, Path(home) / "cases")
        except SettingsError as refusal:
            assert "\n" not in str(refusal)
        else:
            assert len(read_manifest(written.folder).rows) == written.films


@pytest.mark.parametrize("mode", ["link", "hard", "copy"])
def test_films_are_linked_or_copied_as_is_asked(mode, tmp_path):
    made("nih", tmp_path, films=mode)
    for row in rows_of(tmp_path / "cases"):
        film = tmp_path / "cases" / row["image"]
        original = next(
            path
            for path in (tmp_path / "data").rglob("*.png")
            if path.read_bytes() == film.read_bytes()
        )
        assert film.is_symlink() == (mode == "link")
        assert film.samefile(original) == (mode != "copy")
    # Set and cases lie in one folder: it can be moved as a whole.
    (tmp_path / "moved").mkdir()
    for name in ("cases", "data"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    assert all(row.image.is_file() for row in read_manifest(tmp_path / "moved" / "cases").rows)


def test_a_run_that_is_stopped_leaves_what_was_there(tmp_path):
    made("nih", tmp_path)
    before = contents(tmp_path)

    def stop(done, total):
        raise Stopped

    for _ in range(2):
        with pytest.raises(Stopped):
            write_cases("nih", tmp_path / "data", tmp_path / "cases", on_progress=stop)
        assert contents(tmp_path) == before
    put_film(tmp_path / "data" / "images_002" / "images" / "00090003_000.png", 4)
    assert write_cases("nih", tmp_path / "data", tmp_path / "cases").films == 4


@pytest.mark.parametrize("out", [".", "data", "data/cases", "mine", "mine/notes.txt"])
def test_nothing_of_the_user_is_ever_replaced(out, tmp_path):
    write_nih(tmp_path / "data")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(SettingsError, match="--out"):
        write_cases("nih", tmp_path / "data", tmp_path / out)
    assert contents(tmp_path) == before


def test_the_command_prints_licence_citation_and_what_is_left_out(capfd, tmp_path):
    write_nih(tmp_path / "data")
    shown = run(capfd, "cases", "nih", tmp_path / "data", "--out", tmp_path / "cases")
    info = OPENERS["nih"][0]
    notice = (tmp_path / "cases" / "SOURCE.md").read_text(encoding="utf-8")
    assert shown.code == 0
    for text in (shown.err, notice):
        words = " ".join(text.split())
        assert " ".join(info.licence.split()) in words
        assert " ".join(info.citation.split()) in words
    assert "films that the tables name and that are not there: 1" in shown.out
    assert "films that the tables name and that are not there: 1" in notice
    card = json.loads(
        run(capfd, "cases", "nih", tmp_path / "data", "--out", tmp_path / "b", "--json").out
    )
    assert card == json.loads((tmp_path / "b" / "source.json").read_text(encoding="utf-8"))
    assert (card["films"], card["patients"]) == (3, 2)
    wrong = run(capfd, "cases", "nhi", tmp_path / "data", "--out", tmp_path / "c")
    assert wrong.code == 2
    assert "name one of openi, nih" in wrong.err


@pytest.mark.parametrize("name", OPENERS)
def test_the_docs_give_each_set_its_line_and_its_command(name):
    text = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text(encoding="utf-8")
    assert f"wetread cases {name} " in text
    assert OPENERS[name][0].url.split()[0] in text


LABELS = st.sampled_from(
    ["Edema", "Effusion", "Cardiomegaly", "No Finding", "goiter", "COPD", "nsg tube", "Mass"]
)


@given(st.lists(LABELS), st.lists(LABELS), st.lists(LABELS))
def test_a_label_is_sorted_into_one_place_and_none_is_lost_or_guessed(present, doubtful, denied):
    labels = sort_labels(present, doubtful, denied)
    sorted_keys = (*labels.present, *labels.uncertain, *labels.absent)
    assert len(set(sorted_keys)) == len(sorted_keys)
    assert len(labels.present) + len(labels.other) == len(set(present))
    assert set(labels.other) == set(present) & {"goiter"}
    assert "no_finding" not in (*labels.uncertain, *labels.absent)


@given(
    st.integers(1, 4000),
    st.integers(1, 4000),
    *[st.floats(-0.2, 1.2) for _ in range(4)],
)
def test_a_box_is_the_same_part_of_the_film_at_any_size(columns, rows, left, top, right, bottom):
    left_out = Counter()
    at = (left * columns, top * rows, right * columns, bottom * rows)
    boxes = boxes_of("Mass", at, (columns, rows), left_out)
    assert len(boxes) + left_out.total() == 1  # given, or counted
    parts = boxes_of("Mass", (left, top, right, bottom), (1, 1), left_out)
    for box, part in zip(boxes, parts, strict=False):
        assert box.corners == pytest.approx(part.corners, abs=2e-5)
        assert all(0 <= corner <= 1 for corner in box.corners)
