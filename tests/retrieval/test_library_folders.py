"""A folder's table is read whole or refused in one sentence that names the row."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval import FaultyRow, FolderRow, LibraryError, folder_rows, read_folder

DATA = Path(__file__).parents[3] / "shared" / "data"


def made(folder: Path, name: str, table: str | bytes, images: tuple[str, ...] = ("a.png",)) -> Path:
    for image in images:
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        (folder / image).touch()
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(table if isinstance(table, bytes) else table.encode("utf-8"))
    return folder


@pytest.mark.parametrize("name", ["nih", "hannover", "covid"])
def test_the_real_folders_are_read(name: str) -> None:
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: the real films are not part of the project")
    rows = read_folder(folder)
    assert rows
    assert all(row.image.is_file() and row.patient for row in rows)
    with (folder / "cases.csv").open(encoding="utf-8", newline="") as table:
        for row, cells in zip(rows, csv.DictReader(table), strict=True):
            labels = cells.get("labels") or cells.get("finding") or ""
            parts = labels.replace(",", "|").split("|")
            assert row.labels == tuple(filter(None, map(str.strip, parts)))
            assert row.report == (cells.get("notes") or "").strip()


def test_every_column_of_cases_csv_is_read(tmp_path: Path) -> None:
    table = (
        "\ufeffImage,patient,report,labels,split,source\r\n"
        'd/a.png,007,"Two\nlines, ""quoted"".",A| B |A||,test,here\r\n'
        "\r\nd\\b.png,,,,,\r\n"
    )
    folder = made(tmp_path, "cases.csv", table, ("d/a.png", "d/b.png"))
    made(tmp_path, "metadata.csv", "file_name\nnone\n")  # cases.csv goes first
    a, b = tmp_path / "d" / "a.png", tmp_path / "d" / "b.png"
    assert read_folder(folder) == (
        FolderRow(a, "007", 'Two\nlines, "quoted".', ("A", "B"), "test", "here", 2),
        FolderRow(b, None, "", (), None, None, 4),
    )
    assert "007" not in repr(read_folder(folder))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("column", ["report", "text", "caption"])
def test_an_imagefolder_is_read_at_its_top_and_by_split(
    tmp_path: Path, kind: str, column: str
) -> None:
    def table(*names: str) -> str:
        if kind == "csv":
            return f"file_name,{column}\n" + "".join(f"{name},Clear.\n" for name in names)
        return "\n".join(json.dumps({"file_name": name, column: "Clear."}) for name in names)

    top = made(tmp_path / "top", f"metadata.{kind}", table("train/a.png", "a.png"))
    made(top, "x", "", ("train/a.png",))
    assert [(row.split, row.report) for row in read_folder(top)] == [
        ("train", "Clear."),
        (None, "Clear."),
    ]
    for split in ("train", "test"):
        made(tmp_path / "by" / split, f"metadata.{kind}", table("a.png"))
    assert [(row.split, row.image) for row in read_folder(tmp_path / "by")] == [
        (split, tmp_path / "by" / split / "a.png") for split in ("test", "train")
    ]


def test_json_cells_may_be_lists_and_numbers(tmp_path: Path) -> None:
    line = {"file_name": "a.png", "labels": ["x", 2, "x"], "patient_id": 12, "text": None}
    (row,) = read_folder(made(tmp_path, "metadata.jsonl", json.dumps(line) + "\n\n"))
    assert (row.labels, row.patient, row.report) == (("x", "2"), "12", "")


@pytest.mark.parametrize(
    ("name", "table", "words"),
    [
        ("cases.csv", "", "one column image"),
        ("cases.csv", "image,patient\n", "no rows"),
        ("cases.csv", "SECRET,file\na.png,x\n", "one column image"),
        ("cases.csv", "image;patient\na.png;SECRET\n", "one column image"),
        ("cases.csv", "image,image\na.png,a.png\n", "column image twice"),
        ("cases.csv", "image,report,Report \na.png,SECRET,SECRET\n", "column report twice"),
        ("cases.csv", "image, x,X\na.png,SECRET,SECRET\n", "column x twice"),
        ("cases.csv", "image,patient\na.png,1\n,SECRET\n", "row 3.*empty"),
        ("cases.csv", "image,report\na.png,SECRET, unquoted\n", "row 2.*3 cells"),
        ("cases.csv", "image,report\na.png\n", "row 2.*1 cells"),
        ("cases.csv", 'image,report\na.png,x\na.png,"SECRET\n', "row 3.*not a CSV"),
        ("cases.csv", 'image,report\na.png,"SECRET"x\n', "row 2.*not a CSV"),
        ("cases.csv", "image,report\na.png," + "x" * 200_000, "row 2.*not a CSV"),
        ("cases.csv", b"image,report\na.png,ok\na.png,SECRET \xe4\n", "line 3.*UTF-8"),
        ("cases.csv", "image\na.png\n".encode("utf-16")[:-1], "UTF-8"),
        ("cases.csv", f"image\na.png\n{'SECRET' * 99}.png\n", "row 3.*no such picture"),
        ("cases.csv", "image\na.png\nSECRET.png\n", "row 3.*no such picture"),
        ("cases.csv", "image\na.png\0\n", "row 2"),
        ("cases.csv", "image\n.\n", "row 2.*no such picture"),
        ("metadata.csv", "image\na.png\n", "one column file_name"),
        ("metadata.jsonl", '{"file_name": "a.png"}\n{"SECRET\n', "row 2.*JSON"),
        ("metadata.jsonl", '["SECRET"]\n', "row 1.*file_name"),
        ("metadata.jsonl", '{"text": "SECRET"}\n', "row 1.*file_name"),
        ("metadata.jsonl", '{"file_name": ["SECRET"]}\n', "row 1.*empty"),
        ("metadata.jsonl", "[" * 100_000, "row 1.*JSON"),
        ("metadata.jsonl", '{"file_name": "a.png", "SECRET": ' + "1" * 5000 + "}", "row 1.*JSON"),
        ("metadata.jsonl", '{"file_name": "a.png", "Text": 1, "text": 2}', "column text is there"),
        ("other.csv", "image\na.png\n", "no table"),
    ],
)
def test_a_bad_table_is_refused_by_row_without_repeating_it(
    tmp_path: Path, name: str, table: str | bytes, words: str
) -> None:
    with pytest.raises(LibraryError, match=words) as caught:
        read_folder(made(tmp_path, name, table))
    assert "SECRET" not in str(caught.value)
    assert "\n" not in str(caught.value)


LABELS = ("Pleural Effusion", "Edema", "Mass")
WRITTEN = [
    "Pleural Effusion|Edema| Mass",
    "Pleural Effusion, Edema,Mass",
    "Pleural Effusion; Edema;Mass;",
    "Pleural Effusion|Edema; Mass",
    json.dumps(LABELS),
    repr(list(LABELS)),
    repr(LABELS),
    "['Pleural Effusion' 'Edema' 'Mass']",
    "[Pleural Effusion, 'Edema', \"Mass\"]",
    "'Pleural Effusion', 'Edema', 'Mass', nan",
]


@pytest.mark.parametrize("cell", [*WRITTEN, list(LABELS), [*LABELS, None, float("nan"), "nan"]])
def test_labels_are_parted_however_they_are_written(tmp_path: Path, cell: object) -> None:
    line = json.dumps({"file_name": "a.png", "labels": cell})
    (row,) = read_folder(made(tmp_path / "j", "metadata.jsonl", line))
    assert row.labels == LABELS
    if isinstance(cell, str):
        folder = made(tmp_path / "c", "cases.csv", "")
        with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as table:
            csv.writer(table).writerows([("image", "labels"), ("a.png", cell)])
        assert read_folder(folder)[0].labels == LABELS


NOTHING = [
    None,
    float("nan"),
    float("inf"),
    "nan",
    "NaN",
    "NaT",
    "None",
    "<NA>",
    "null",
    "",
    " ",
    True,
]


@pytest.mark.parametrize("nothing", NOTHING)
def test_what_stands_for_nothing_is_nothing(tmp_path: Path, nothing: object) -> None:
    columns = ("patient", "report", "labels", "split", "source", "indication", "prior_report")
    line = {"file_name": "a.png"} | dict.fromkeys(columns, nothing)
    (row,) = read_folder(made(tmp_path / "j", "metadata.jsonl", json.dumps(line)))
    want = FolderRow(tmp_path / "j" / "a.png", None, "", (), None, None, 1)
    assert row == want
    if nothing is True:
        return  # the word "True" of a CSV is a word
    folder = made(tmp_path / "c", "cases.csv", "")
    with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows([("image", *columns), ("a.png", *[nothing] * 7)])
    if nothing not in (float("inf"),):
        assert read_folder(folder)[0].report == ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["cases.csv", "metadata.jsonl"])
def test_a_byte_order_mark_tells_the_encoding_and_is_no_text(
    tmp_path: Path, encoding: str, name: str
) -> None:
    table = "image,report\na.png,Größe.\n"
    if name == "metadata.jsonl":
        table = json.dumps({"file_name": "a.png", "report": "Größe."}, ensure_ascii=False)
    (row,) = read_folder(made(tmp_path, name, table.encode(encoding)))
    assert (row.image.name, row.report) == ("a.png", "Größe.")


def test_a_whole_number_among_floats_is_a_whole_number(tmp_path: Path) -> None:
    lines = [{"file_name": "a.png", "patient": patient} for patient in (12, 12.0, "12", 1.5)]
    rows = read_folder(made(tmp_path, "metadata.jsonl", "\n".join(map(json.dumps, lines))))
    assert [row.patient for row in rows] == ["12", "12", "12", "1.5"]


def test_a_row_that_does_not_hold_is_given_among_the_others(tmp_path: Path) -> None:
    table = "image,report\na.png,ok\n../x,SECRET\nlost.png,ok\nSECRET\n,SECRET\n"
    rows = list(folder_rows(made(tmp_path, "cases.csv", table), faulty=True))
    assert [row.row for row in rows] == [2, 3, 4, 5, 6]
    assert [isinstance(row, FaultyRow) for row in rows] == [False, True, False, True, True]
    assert "SECRET" not in "".join(row.reason for row in rows if isinstance(row, FaultyRow))


@pytest.mark.parametrize(
    "path",
    [
        "../a.png",
        "x/../../a.png",
        "/etc/passwd",
        "..\\a.png",
        "C:\\a.png",
        "C:a.png",
        "\\\\h\\s\\a",
    ],
)
@pytest.mark.parametrize("name", ["cases.csv", "metadata.jsonl"])
def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, path: str, name: str) -> None:
    (tmp_path / "a.png").touch()
    table = f"image\n{path}\n" if name == "cases.csv" else json.dumps({"file_name": path})
    with pytest.raises(LibraryError, match="outside"):
        read_folder(made(tmp_path / "in", name, table))


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none", made(tmp_path, "file", "") / "file"):
        with pytest.raises(LibraryError, match="not a folder"):
            read_folder(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["cases.csv", "metadata.csv", "metadata.jsonl"]),
    head=st.sampled_from([b"", b"image,report\n", b"file_name,text\n", b'{"file_name": "']),
    data=st.binary(max_size=60),
)
def test_no_bytes_of_a_table_do_worse_than_a_refusal(
    tmp_path: Path, name: str, head: bytes, data: bytes
) -> None:
    for old in tmp_path.glob("*.*"):
        old.unlink()
    try:
        rows = read_folder(made(tmp_path, name, head + data))
    except LibraryError:
        return
    assert all(row.image.is_relative_to(tmp_path) and row.image.is_file() for row in rows)
