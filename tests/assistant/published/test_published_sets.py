"""What each published set says, and what of it stands in its case folder."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st
from published_sets import (
    LAYOUTS,
    MIMIC_REPORTS,
    put_film,
    put_table,
    write_chexpert,
    write_mimic,
    write_openi_kaggle,
    write_openi_png,
)

from assistant.chest.set_labels import HEADINGS, QUALIFIED, SET_LABELS
from assistant.chest.vocabulary import finding_named
from assistant.datasets.case import DatasetCase
from assistant.datasets.joining import CaseJoiner
from assistant.datasets.nih import INFO as NIH
from assistant.datasets.writing import write_cases
from assistant.errors import SettingsError
from assistant.labeller.report_sections import split_report


def rows_of(folder: Path, table: str = "cases.csv") -> list[dict[str, str]]:
    with (folder / table).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture
def cases(tmp_path):
    """A function that writes a layout and gives the rows of its case folder."""

    def make(layout: str) -> list[dict[str, str]]:
        name, write = LAYOUTS[layout]
        write(tmp_path / "data")
        write_cases(name, tmp_path / "data", tmp_path / "cases")
        return rows_of(tmp_path / "cases")

    return make


def only(rows: list[dict[str, str]], **cells: str) -> dict[str, str]:
    """The one row that has these cells."""
    (row,) = [row for row in rows if all(row[name] == text for name, text in cells.items())]
    return row


def test_every_label_of_a_table_is_a_finding_of_the_vocabulary():
    for key in (*SET_LABELS.values(), *HEADINGS.values(), *(key for _, _, key in QUALIFIED)):
        finding_named(key)


def test_nih_has_boxes_in_parts_of_the_film_splits_and_priors_by_follow_up(cases):
    rows = cases("nih")
    first = only(rows, labels="cardiomegaly|pleural_effusion")
    assert json.loads(first["boxes"]) == [["cardiomegaly", 0.25, 0.5, 0.5, 0.25]]
    assert (first["sex"], first["age"], first["view"], first["split"]) == ("M", "58", "PA", "train")
    assert "pneumothorax" in first["absent"].split("|")
    second = only(rows, labels="no_finding")
    assert (second["follow_up"], second["prior_image"]) == ("1", first["image"])
    assert second["patient"] == first["patient"]
    third = only(rows, split="test")
    assert json.loads(third["boxes"]) == [["infiltration", 0, 0.1, 0.2, 0.5]]
    assert third["patient"] != first["patient"]


@pytest.mark.parametrize("layout", ["openi-png", "openi-dicom", "openi-kaggle"])
def test_openi_has_sections_and_findings_of_mesh_codes_with_their_places(layout, cases):
    for row in [row for row in cases(layout) if row["indication"] == "Chest pain"]:
        assert row["findings"] == "There is a XXXX opacity in the right upper lobe."
        assert row["report"] == f"Findings: {row['findings']}\nImpression: Opacity."
        assert row["labels"] == "lung_opacity|aortic_abnormality"
        assert row["other_labels"] == "Markings/bronchovascular"
        assert json.loads(row["places"]) == [["lung_opacity", "right", "upper"]]


def test_openi_knows_laterals_by_kaggles_table_or_by_dicom_and_guesses_none(cases, tmp_path):
    for number, write in enumerate((write_openi_kaggle, LAYOUTS["openi-dicom"][1])):
        write(tmp_path / f"set{number}")
        written = write_cases("openi", tmp_path / f"set{number}", tmp_path / f"cases{number}")
        assert (written.films, written.laterals) == (2, 2)
        (joined,) = [row for row in rows_of(written.folder) if row["laterals"]]
        assert joined["indication"] == "Chest pain"
    write_openi_png(tmp_path / "png")
    written = write_cases("openi", tmp_path / "png", tmp_path / "unknown")
    assert dict(written.counts)["of unknown view"] == written.films == 4
    shutil.copy(tmp_path / "set0" / "indiana_projections.csv", tmp_path / "png")
    written = write_cases("openi", tmp_path / "png", tmp_path / "known")
    assert (written.films, written.laterals) == (2, 2)


def test_openi_takes_the_split_of_r2gen_where_its_file_is_there(tmp_path):
    write_openi_png(tmp_path / "data")
    annotation = {
        "train": [{"id": "CXR9101_IM-0001", "image_path": [], "split": "train"}],
        "val": [{"id": "CXR9102_IM-0652", "image_path": [], "split": "val"}],
        "test": [],
    }
    (tmp_path / "data" / "annotation.json").write_text(json.dumps(annotation))
    write_cases("openi", tmp_path / "data", tmp_path / "cases")
    rows = rows_of(tmp_path / "cases")
    assert [row["split"] for row in rows if row["indication"] == "Chest pain"] == ["train"] * 2
    assert only(rows, labels="no_finding")["split"] == "val"
    assert only(rows, indication="Cough")["split"] == ""


def test_chexpert_keeps_uncertain_labels_apart_and_joins_laterals(cases):
    rows = cases("chexpert")
    first = only(rows, view="AP", split="train")
    assert first["labels"] == "cardiomegaly|support_device"
    assert (first["uncertain"], first["absent"]) == ("oedema", "pneumothorax")
    assert first["laterals"]
    # The set does not say that its studies are numbered in the order of time.
    assert not any(row["prior_image"] for row in rows)
    assert only(rows, split="val")["labels"] == "no_finding"


def test_chexpert_is_found_from_its_own_folder_and_in_the_folders_of_its_batches(tmp_path):
    write_chexpert(tmp_path / "data")
    small = tmp_path / "data" / "CheXpert-v1.0-small"
    assert write_cases("chexpert", small, tmp_path / "a").films == 3
    full = tmp_path / "full"
    full.mkdir()
    for name in ("train.csv", "valid.csv"):
        text = (small / name).read_text().replace("CheXpert-v1.0-small", "CheXpert-v1.0")
        (full / name).write_text(text)
    (small / "train").rename(full / "CheXpert-v1.0 batch 2 (train 1)")
    (full / "CheXpert-v1.0 batch 1 (validate & csv)").mkdir()
    (small / "valid").rename(full / "CheXpert-v1.0 batch 1 (validate & csv)" / "valid")
    assert write_cases("chexpert", full, tmp_path / "b").films == 3


def test_chexpert_plus_orders_studies_by_date_and_splits_reports_without_sections(cases):
    rows = cases("chexpert-plus")
    first, second = only(rows, follow_up="0"), only(rows, follow_up="1")
    assert (first["findings"], first["impression"]) == ("Lungs are clear.", "No acute disease.")
    assert (first["indication"], first["labels"]) == ("Cough.", "no_finding")
    assert second["findings"] == "Small left effusion."
    assert second["uncertain"] == "pleural_effusion"
    assert (second["prior_image"], second["prior_report"]) == (first["image"], first["report"])


def test_mimic_joins_reports_labels_split_and_priors_by_date_and_time(cases):
    rows = cases("mimic-cxr")
    first, second = only(rows, view="PA"), only(rows, view="AP")
    assert first["findings"] == "The heart is mildly enlarged. There is no pleural effusion."
    assert first["indication"] == "___F with cough // pneumonia?"
    assert (first["labels"], first["absent"]) == ("cardiomegaly", "pleural_effusion")
    assert first["laterals"]
    assert second["findings"] == "A right pleural effusion is new."
    assert (second["labels"], second["uncertain"]) == ("pleural_effusion", "pneumonia")
    assert (first["follow_up"], second["follow_up"]) == ("0", "1")
    assert (second["prior_image"], second["prior_report"]) == (first["image"], first["report"])
    assert {row["split"] for row in rows} == {"val"}


@pytest.mark.parametrize("kind", ["folder", "files", "zip"])
def test_mimic_finds_its_reports_in_another_folder_or_in_their_archive(kind, tmp_path):
    write_mimic(tmp_path / "data")
    texts = {}
    for path in (tmp_path / "data").rglob("*.txt"):
        texts[path.relative_to(tmp_path / "data")] = path.read_text()
        path.unlink()
    place = tmp_path / "mimic-cxr-reports"
    for path, text in texts.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "mimic-cxr-reports.zip", "w") as archive:
            for path, text in texts.items():
                archive.writestr(path.as_posix(), text)
        place = tmp_path / "mimic-cxr-reports.zip"
    write_cases(
        "mimic-cxr",
        tmp_path / "data",
        tmp_path / "cases",
        reports=place / "files" if kind == "files" else place,
    )
    assert all(row["report"] for row in rows_of(tmp_path / "cases"))
    with pytest.raises(SettingsError, match="--reports"):
        write_cases("mimic-cxr", tmp_path / "data", tmp_path / "b", reports=tmp_path / "none")


def test_mimic_without_jpg_is_read_by_its_record_list_and_its_dicom_headers(tmp_path):
    films = [("aa-9001", "90000011", "PA", "21800506"), ("aa-9002", "90000005", "AP", "21810506")]
    rows = []
    for seed, (name, study, view, date) in enumerate(films):
        path = f"files/p90/p90000001/s{study}/{name}.dcm"
        rows.append(("90000001", study, name, path))
        put_film(tmp_path / "data" / path, seed, ViewPosition=view, StudyDate=date)
        text = tmp_path / "data" / f"files/p90/p90000001/s{study}.txt"
        text.write_text(MIMIC_REPORTS[study])
    header = ("subject_id", "study_id", "dicom_id", "path")
    put_table(tmp_path / "data" / "cxr-record-list.csv.gz", header, rows)
    write_cases("mimic-cxr", tmp_path / "data", tmp_path / "cases")
    first, second = (only(rows_of(tmp_path / "cases"), view=view) for view in ("PA", "AP"))
    assert second["prior_image"] == first["image"]
    assert first["report"].startswith("Findings: The heart is mildly enlarged.")


def test_padchest_keeps_spanish_reports_and_gives_labels_their_sides(cases):
    rows = cases("padchest")
    later = only(rows, follow_up="1")
    assert later["language"] == "es"
    assert later["report"] == "Ligero derrame pleural izquierdo . cardiomegalia ."
    assert later["labels"] == "pleural_effusion|cardiomegaly"
    assert later["other_labels"] == "gynecomastia"
    assert json.loads(later["places"]) == [["pleural_effusion", "left", ""]]
    assert (later["age"], later["sex"]) == ("64", "F")
    assert later["prior_report"] == "sin hallazgos"
    assert later["laterals"]


def test_padchest_gr_has_boxes_of_both_readers_and_both_languages(cases):
    (row,) = cases("padchest-gr")
    assert row["report"] == "Findings: Small left pleural effusion. No pneumothorax."
    assert row["original_report"] == "Pequeño derrame pleural izquierdo. Sin neumotórax."
    assert (row["labels"], row["split"]) == ("pleural_effusion", "val")
    assert json.loads(row["boxes"]) == [
        ["pleural_effusion", 0.55, 0.6, 0.25, 0.15],
        ["pleural_effusion", 0.56, 0.61, 0.23, 0.19],
    ]
    assert row["box_readers"] == "1|2"
    assert row["prior_image"]


def test_vindr_weighs_its_readers_and_measures_boxes_by_the_films_own_size(cases):
    rows = cases("vindr-cxr")
    first = only(rows, split="train")
    assert (first["labels"], first["uncertain"]) == ("cardiomegaly", "aortic_abnormality")
    assert (first["sex"], first["age"]) == ("F", "61")
    assert json.loads(first["boxes"])[0] == ["cardiomegaly", 0.5, 0.5, 0.5, 0.5]
    assert len(json.loads(first["boxes"])) == len(first["box_readers"].split("|")) == 3
    assert only(rows, split="test")["labels"] == "no_finding"
    assert only(rows, split="test")["age"] == ""


def test_vindr_of_kaggle_takes_the_true_size_of_small_copies_from_its_table(tmp_path):
    data = tmp_path / "data"
    header = ("image_id", "class_name", "class_id", "rad_id", "x_min", "y_min", "x_max", "y_max")
    boxes = [("a1", "Cardiomegaly", 3, f"R{n}", 691.0, 1375.0, 1382.0, 1650.0) for n in (8, 9)]
    put_table(data / "train.csv", header, [*boxes, ("a1", "No finding", 14, "R10", *("",) * 4)])
    put_table(data / "train_meta.csv", ("image_id", "dim0", "dim1"), [("a1", 2750, 2764)])
    put_film(data / "train" / "a1.png", 1)
    write_cases("vindr-cxr", data, tmp_path / "cases")
    (row,) = rows_of(tmp_path / "cases")
    assert row["labels"] == "cardiomegaly"
    assert json.loads(row["boxes"]) == [["cardiomegaly", 0.25, 0.5, 0.25, 0.1]] * 2


def test_rsna_joins_its_boxes_and_never_names_what_is_not_normal(cases):
    rows = cases("rsna")
    sick = only(rows, labels="lung_opacity")
    assert json.loads(sick["boxes"]) == [
        ["lung_opacity", 0.25, 0.25, 0.25, 0.5],
        ["lung_opacity", 0.625, 0.25, 0.375, 0.5],
    ]
    assert (sick["view"], sick["sex"], sick["age"]) == ("AP", "M", "51")
    odd = only(rows, other_labels="No Lung Opacity / Not Normal")
    assert (odd["labels"], odd["absent"]) == ("", "lung_opacity")
    assert only(rows, labels="no_finding")["absent"] == "lung_opacity"


def test_brax_joins_laterals_and_priors_and_reads_signed_labels(cases):
    rows = cases("brax")
    first, second = only(rows, view="PA"), only(rows, view="AP")
    assert (first["labels"], first["uncertain"]) == ("lung_opacity", "fracture")
    assert (first["absent"], first["age"]) == ("oedema", "85")
    assert first["laterals"]
    assert second["prior_image"] == first["image"]


WORDS = st.sampled_from(["The heart is large.", "No effusion.", "Cough and fever.", "None."])
TITLES = {
    "INDICATION": "indication",
    "HISTORY": "indication",
    "COMPARISON": "comparison",
    "FINDINGS": "findings",
    "IMPRESSION": "impression",
}


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(TITLES)), WORDS), unique_by=lambda part: TITLES[part[0]]
    ),
    st.sampled_from(["\n\n ", "\n", " "]),
)
def test_sections_are_found_under_their_titles_in_any_order(parts, between):
    text = between.join(f"{title}:  {words}" for title, words in parts)
    sections = split_report(text)
    expected = {TITLES[title]: words for title, words in parts}
    for name in ("indication", "comparison", "findings", "impression"):
        assert getattr(sections, name) == expected.get(name, "")


@given(st.text(max_size=300))
def test_any_text_is_split_and_no_word_is_added(text):
    sections = split_report(text)
    for part in (sections.indication, sections.comparison, sections.findings, sections.impression):
        assert all(word in text for word in part.split())


MOMENTS = st.one_of(st.none(), st.integers(0, 5).map(float))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), MOMENTS), max_size=12))
def test_a_prior_is_the_nearest_study_that_is_strictly_earlier(studies):
    with tempfile.TemporaryDirectory() as folder:
        joiner = CaseJoiner(Path(folder) / "films.db", NIH, b"key")
        joiner.add_all(
            (
                DatasetCase(Path(f"/{n}"), patient, str(n), "Frontal", order=moment)
                for n, (patient, moment) in enumerate(studies)
            ),
            Counter(),
        )
        films = {int(film.image.name): film for film in joiner.joined()}
    assert len(films) == len(studies)
    for number, (patient, moment) in enumerate(studies):
        earlier = [
            (other, n)
            for n, (whose, other) in enumerate(studies)
            if whose == patient and None not in (moment, other) and other < moment
        ]
        prior = films[number].prior_image
        assert (prior is None) == (not earlier)
        assert films[number].follow_up == (
            None if moment is None else len({other for other, _ in earlier})
        )
        if prior is not None:
            assert studies[int(prior.name)] == (patient, max(earlier)[0])


def test_open_i_itself_is_read_whole(tmp_path):
    """The real archive and films: every report, every lateral with its study."""
    if not (SHARED / "openi" / "NLMCXR_reports.tgz").is_file():
        pytest.skip("the real films are not on this machine")
    truth = {}
    films = []
    for table in ("cases.csv", "laterals.csv"):
        with (SHARED / "openi" / table).open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                name = Path(row["image"]).stem
                truth[name] = row
                films.append((row["patient"], f"{name}.dcm.png", row["projection"]))
    data = tmp_path / "data"
    data.mkdir()
    for name in ("images", "lateral", "NLMCXR_reports.tgz"):
        (data / name).symlink_to(SHARED / "openi" / name)
    put_table(data / "indiana_projections.csv", ("uid", "filename", "projection"), films)
    written = write_cases("openi", data, tmp_path / "cases")
    assert (written.films, written.laterals) == (3179, 3024)
    assert written.patients == len({row["patient"] for row in truth.values()})
    for row in rows_of(tmp_path / "cases"):
        original = truth[(tmp_path / "cases" / row["image"]).resolve().stem]
        assert row["findings"] == " ".join(original["findings"].split())
        assert row["impression"] == " ".join(original["impression"].split())
        assert (row["labels"] == "no_finding") == (original["mesh"].lower() == "normal")


def test_nih_films_are_read_from_tables_of_the_published_form(tmp_path):
    """The real films under their own names, with the official labels and boxes."""
    table = SHARED / "nih" / "cases.csv"
    if not table.is_file():
        pytest.skip("the real films are not on this machine")
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender"
    put_table(
        tmp_path / "data" / "Data_Entry_2017_v2020.csv",
        [*header.split(","), "View Position"],
        [
            (
                f"{Path(row['image']).stem}.png",
                row["labels"],
                row["follow_up"],
                *(row["patient"], row["age"], row["sex"], row["view"]),
            )
            for row in rows
        ],
    )
    boxes = [
        (f"{Path(row['image']).stem}.png", *box)
        for row in rows
        for box in json.loads(row["nih_boxes_1024"] or "[]")
    ]
    put_table(
        tmp_path / "data" / "BBox_List_2017.csv",
        ["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]", "", "", ""],
        [(*box, "", "", "") for box in boxes],
    )
    (tmp_path / "data" / "images").symlink_to(SHARED / "nih" / "images")
    written = write_cases("nih", tmp_path / "data", tmp_path / "cases")
    assert written.films == len(rows) == 671
    assert written.patients == len({row["patient"] for row in rows})
    assert not written.left_out
    assert not written.other_labels
    made = rows_of(tmp_path / "cases")
    assert sum(len(json.loads(row["boxes"] or "[]")) for row in made) == len(boxes) > 0
