"""Rows that do not hold: each is a refused row of its own, and names no file and no cell."""

from __future__ import annotations

import csv
import json
import os
import stat

import films
import pytest
from command import run
from conftest import BACKBONE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.batch.manifest import list_rows
from assistant.batch.run import draft_folder
from assistant.drafting.sources import FailedStudy, FileSource
from assistant.errors import WetreadError

BLANK = films.picture(films.EIGHT)  # no chest: the gate refuses it, which is quick
NAME = "DOE^JANE"


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("show_paths", [False, True])
def test_names_that_are_no_utf8_are_films_like_others(assistant, tmp_path, show_paths):
    folder = tmp_path / "films"
    folder.mkdir()
    for name in (b"a.png", b"\xff\xfe\x80.png", b"sub\xe4.png"):
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:  # noqa: PTH123 - no UTF-8
            file.write(BLANK)
    (folder / "z.png").write_bytes(b"none")
    out = tmp_path / "out.jsonl"
    done = draft_folder(assistant, folder, out, neighbours=0, show_paths=show_paths)
    assert (done.cases, done.failed) == (4, 1)
    lines = lines_of(out)
    assert [line["row"] for line in lines] == [1, 2, 3, 4]
    assert len({line["case"] for line in lines}) == 4
    images = ["a.png", "sub\ufffd.png", "z.png", "\ufffd\ufffd\ufffd.png"]
    assert [line.get("image") for line in lines] == (images if show_paths else [None] * 4)


def test_a_row_that_does_not_hold_is_one_refused_row(assistant, tmp_path):
    good = tmp_path / "a.png"
    good.write_bytes(BLANK)
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    names = ["a.png", f"{NAME * 60}.png", f"{NAME}\0.png", f"../{NAME}.png", f"{NAME}.png",
             "folder.png", "pipe.png", "", "a.png"]  # fmt: skip
    with (tmp_path / "cases.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(["image", "indication"])
        writer.writerows([name, "Cough." if n else "nan"] for n, name in enumerate(names))
        table.write(f"{NAME}\n")
    out = tmp_path / "out.jsonl"
    done = draft_folder(assistant, tmp_path, out, neighbours=0)
    lines = lines_of(out)
    assert (done.cases, done.failed) == (10, 8)
    assert [line["row"] for line in lines if "draft" in line] == [2, 10]
    assert lines[0]["draft"]["study"]["indication"] == ""
    assert NAME not in out.read_text(encoding="utf-8")
    for line in lines:
        if "error" in line:
            assert f"row {line['row']}" in line["error"].lower()
            assert line["error"].endswith(".")


def test_lines_of_json_that_cannot_be_parsed_are_refused_rows(tmp_path):
    first, *bad = [
        '{"file_name": "a.png", "text": NaN}',
        "[" * 100_000,
        "{",
        "[1]",
        '{"file_name": "a.png", "x": ' + "9" * 5000 + "}",
        '{"file_name": 1e999}',
    ]
    halves = '{"file_name": "\\ud800.png", "indication": "\\udfff Cough", "prior_report": null}'
    rows = [first, *bad, halves]
    (tmp_path / "metadata.jsonl").write_text("\n".join(rows), encoding="utf-8")
    found = list(list_rows(tmp_path).rows())
    failed = [isinstance(row.source, FailedStudy) for row in found]
    assert failed == [False, *[True] * 5, False]
    source = found[-1].source
    assert isinstance(source, FileSource)
    assert source.indication == "\ufffd Cough"
    json.dumps([row.head for row in found], ensure_ascii=False).encode()


def test_the_users_own_name_of_a_case_is_kept_and_others_cannot_be_guessed(tmp_path):
    (tmp_path / "cases.csv").write_text("image,case\na.png,study 7\nb.png,\n", encoding="utf-8")
    first, second = (row.case for row in list_rows(tmp_path).rows())
    assert first == "study 7"
    assert [row.case for row in list_rows(tmp_path).rows()] == [first, second]
    assert len(second) == 16
    (tmp_path / "cases.csv").write_text("image,case\na.png,study 8\nb.png,\n", encoding="utf-8")
    assert [row.case for row in list_rows(tmp_path).rows()][1] != second


def test_a_film_whose_text_may_name_the_patient_carries_a_note_in_its_row(assistant, tmp_path):
    found = films.dicom(films.levels(films.TRUTH, 12), BurnedInAnnotation="YES")
    (tmp_path / "a.dcm").write_bytes(films.written(found))
    draft_folder(assistant, tmp_path, tmp_path / "out.jsonl", neighbours=0)
    film = lines_of(tmp_path / "out.jsonl")[0]["draft"]["study"]["films"][0]
    assert film["flags"] == ["burned-in text"]
    assert "may name the patient" in film["notes"][0]


# ---- Parquet ----------------------------------------------------------------------------------


@pytest.fixture
def parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    def write(columns, **options):
        path = tmp_path / "films.parquet"
        write_table(pyarrow.table(columns), path, **options)
        return path

    return write


def test_no_cell_of_parquet_becomes_the_text_nan(parquet):
    import pyarrow

    nothing = pyarrow.array([float("nan"), None, float("inf"), 3.0])
    path = parquet({"image": ["a.png"] * 4, "indication": nothing,
                    "prior_report": ["nan", "NaT", "None", "Clear."]})  # fmt: skip
    sources = [row.source for row in list_rows(path).rows()]
    assert [s.indication for s in sources] == ["", "", "", "3"]
    assert [s.prior_report for s in sources] == ["", "", "", "Clear."]


def test_texts_of_parquet_that_are_no_utf8_are_refused_rows(parquet):
    import pyarrow

    bad = pyarrow.array([b"a.png", b"\xff\xfe.png", b"c.png"]).view(pyarrow.string())
    path = parquet({"image": bad})
    rows = list(list_rows(path).rows())
    assert [isinstance(row.source, FailedStudy) for row in rows] == [False, True, False]
    assert "row 2" in rows[1].source.reason.lower()


def test_a_column_that_parquet_has_twice_is_named(parquet, tmp_path):
    import pyarrow

    table = [pyarrow.array(["a.png"]), pyarrow.array(["b.png"])]
    columns = pyarrow.Table.from_arrays(table, names=["image", "Image "])
    from pyarrow.parquet import write_table

    write_table(columns, tmp_path / "films.parquet")
    with pytest.raises(WetreadError, match="column image twice"):
        list_rows(tmp_path / "films.parquet")


@settings(max_examples=60, deadline=None, suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_a_damaged_parquet_file_is_refused_or_some_of_its_rows_are(parquet, data):
    path = parquet({"image": [{"bytes": b"x" * n, "path": None} for n in range(40)]},
                   row_group_size=20)  # fmt: skip
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole[: data.draw(st.sampled_from([None, 0, 3, 10, len(whole) // 2]))])
    try:
        listing = list_rows(path)
        rows = list(listing.rows())
    except WetreadError as error:
        assert "\n" not in str(error)
        return
    assert len(rows) == listing.total


# ---- whole-run mistakes -----------------------------------------------------------------------

MISTAKES = {
    "no header": ("cases.csv", f"{NAME}.png,x\n"),
    "column twice": ("cases.csv", f"image,Report,report\na.png,{NAME},{NAME}\n"),
    "no rows": ("cases.csv", "image\n"),
    "empty": ("cases.csv", ""),
    "no utf-8": ("cases.csv", b"image\n\xff\xfe\xff.png\n"),
    "open quote": ("cases.csv", f'image,report\na.png,"{NAME}\n'),
    "long field": ("cases.csv", f"image,report\na.png,{NAME * 30_000}\n"),
    "empty parquet": ("films.parquet", ""),
    "no parquet": ("films.parquet", NAME * 99),
}


@pytest.mark.parametrize("case", [*MISTAKES, "fifo", "device", "long name", "table is a fifo"])
def test_a_mistake_about_the_whole_run_is_one_sentence(tmp_path, capfd, case):
    path = tmp_path / "films"
    path.mkdir()
    if case in MISTAKES:
        name, content = MISTAKES[case]
        (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        path = path / name if name.endswith(".parquet") else path
    elif case == "fifo":
        path = tmp_path / "pipe"
        os.mkfifo(path)
    elif case == "table is a fifo":
        os.mkfifo(path / "cases.csv")
    else:
        path = "/dev/zero" if case == "device" else tmp_path / ("x" * 300)
    done = run(capfd, "batch", path, "--out", tmp_path / "out", "--backbone", BACKBONE)
    assert done.code == 2
    sentences = [line for line in done.err.splitlines() if line.startswith("wetread: ")]
    assert len(sentences) == 1, done.err
    assert NAME not in done.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_may_not_be_read_is_one_sentence(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read every folder")
    inner = tmp_path / NAME
    inner.mkdir()
    (tmp_path / "a.png").write_bytes(BLANK)
    inner.chmod(0)
    with pytest.raises(WetreadError) as caught:
        list_rows(tmp_path)
    inner.chmod(stat.S_IRWXU)
    assert NAME not in str(caught.value)
