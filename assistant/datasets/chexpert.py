"""CheXpert and CheXpert Plus: films by path, labels of 14 columns, and the reports of Plus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from assistant.datasets.case import (
    DatasetCase,
    DatasetInfo,
    FilmLabels,
    LeftOut,
    OpenedSet,
    Projection,
)
from assistant.datasets.labels import SignedLabels, label_columns
from assistant.datasets.tables import (
    BAD_ROW,
    NO_VIEW,
    NOT_THERE,
    FilmFinder,
    age_of,
    find_file,
    number_of,
    require_file,
    rows_of,
    sex_of,
    split_name,
)
from assistant.errors import SettingsError
from assistant.labeller.report_sections import ReportSections, split_report

_STUDY = re.compile(r"(patient\d+)/(study\d+)/")
_SIGNS = "1 present, 0 absent, -1 kept as uncertain, empty unmentioned"
INFO = DatasetInfo(
    name="chexpert",
    title="CheXpert",
    licence="Stanford University Dataset Research Use Agreement: non-commercial research, no "
    "sharing",
    citation="Irvin J, Rajpurkar P, Ko M, et al. CheXpert: a large chest radiograph dataset with "
    "uncertainty labels and expert comparison. AAAI 2019.",
    url="https://aimi.stanford.edu/datasets/chexpert-chest-x-rays",
    labels=f"read out of the reports by CheXpert's labeller, in valid and test by radiologists: "
    f"{_SIGNS}",
    order="the number of the study; the set does not say that it is one of time, so no prior is "
    "joined",
)
PLUS = DatasetInfo(
    name="chexpert-plus",
    title="CheXpert Plus",
    licence="Stanford University Dataset Research Use Agreement: non-commercial research, no "
    "sharing",
    citation="Chambon P, Delbrouck JB, Sounack T, et al. CheXpert Plus: augmenting a large chest "
    "X-ray dataset with text radiology reports, patient demographics and additional image formats. "
    "arXiv:2405.19538, 2024.",
    url="https://aimi.stanford.edu/datasets/chexpert-plus",
    labels=f"of chexbert_labels/report_fixed.json, read out of the reports by CheXbert: {_SIGNS}",
    order="patient_report_date_order, counted from 0",
    dated=True,
)
_TABLES = {"train": ("train.csv",), "val": ("valid.csv",), "test": ("test.csv", "test_labels.csv")}
_NO_REPORT = "reports with neither findings nor impression"


def open_chexpert(root: Path, reports: Path | None = None) -> OpenedSet:
    """Find train.csv, valid.csv and test.csv, of which one is enough."""
    require_file(root, INFO, "train.csv", "valid.csv", "test.csv", "test_labels.csv")
    tables = {
        split: found
        for split, names in _TABLES.items()
        if (found := find_file(root, *names)) is not None
    }
    return OpenedSet(tuple(tables.values()), partial(_cases, root, tables))


def _cases(root: Path, tables: dict[str, Path], left_out: LeftOut) -> Iterator[DatasetCase]:
    finder = FilmFinder(_bases(root), (".png",))
    for split, table in tables.items():
        signs: SignedLabels | None = None
        for row in rows_of(table, INFO, left_out, ("path",)):
            signs = signs or SignedLabels(label_columns(row))
            match = _STUDY.search(row["path"])
            if match is None:
                left_out[BAD_ROW] += 1
                continue
            # In the full set the folders of the batches are not those of the paths.
            part = row["path"][match.start() :]
            film = finder.find(row["path"]) or finder.find(f"{_folder_of(row['path'])}/{part}")
            if (film := film or finder.find(part)) is None:
                left_out[NOT_THERE] += 1
                continue
            projection = _projection_of(row.get("frontal/lateral", ""), row["path"])
            if projection is None:
                left_out[NO_VIEW] += 1
                continue
            yield DatasetCase(
                image=film,
                patient=match[1],
                study=match[2],
                projection=projection,
                view=row.get("ap/pa", ""),
                order=float(match[2].removeprefix("study")),
                sex=sex_of(row.get("sex", "")),
                age=age_of(row.get("age", "")),
                split=split,
                labels=signs.read(row, left_out),
            )


def _bases(root: Path) -> list[Path]:
    """The folders below which a path of the tables may begin."""
    inside = sorted(path for path in root.iterdir() if path.is_dir())
    deeper = [path / name for path in inside for name in ("train", "valid", "test")]
    return [root.parent, root, *inside, *(path for path in deeper if path.is_dir())]


def _folder_of(path: str) -> str:
    """The folder of the split in a path: CheXpert-v1.0-small/train/patient00001/..."""
    before = path[: path.index("patient")].strip("/").split("/")
    return before[-1]


def _projection_of(stated: str, path: str) -> Projection | None:
    """Frontal or Lateral as a table states it, else by the film's name; None for neither."""
    for text in (stated.lower(), path.rsplit("/", 1)[-1].lower()):
        if "frontal" in text:
            return "Frontal"
        if "lateral" in text:
            return "Lateral"
    return None


def open_chexpert_plus(root: Path, reports: Path | None = None) -> OpenedSet:
    """Find the table of reports; the labels of CheXbert may be missing."""
    table = require_file(root, PLUS, "df_chexpert_plus_*.csv")
    return OpenedSet((table,), partial(_plus_cases, root, table))


def _plus_cases(root: Path, table: Path, left_out: LeftOut) -> Iterator[DatasetCase]:
    films = [root / name for name in ("PNG", "PNG/PNG", "DICOM", "DICOM/DICOM", ".")]
    finder = FilmFinder([base for base in films if base.is_dir()])
    labels = _read_chexbert(root, left_out)
    required = ("path_to_image", "deid_patient_id")
    for row in rows_of(table, PLUS, left_out, required):
        path = row["path_to_image"]
        match = _STUDY.search(path)
        if match is None:
            left_out[BAD_ROW] += 1
            continue
        film = finder.find(path) or finder.find(row.get("path_to_dcm", ""))
        if film is None:
            left_out[NOT_THERE] += 1
            continue
        projection = _projection_of(row.get("frontal_lateral", ""), path)
        if projection is None:
            left_out[NO_VIEW] += 1
            continue
        text = _sections_of(row)
        if not text.report:
            left_out[_NO_REPORT] += 1  # the film stays
        yield DatasetCase(
            image=film,
            patient=row["deid_patient_id"] or match[1],
            study=match[2],
            projection=projection,
            view=row.get("ap_pa", ""),
            order=number_of(row.get("patient_report_date_order", "")),
            sex=sex_of(row.get("sex", "")),
            age=age_of(row.get("age", "")),
            split=split_name(row.get("split", "") or path.split("/")[0]),
            labels=labels.get(path, FilmLabels()),
            text=text,
        )


def _sections_of(row: dict[str, str]) -> ReportSections:
    """The set's own sections, or those of the whole report where it gives none."""
    histories = ("section_clinical_history", "section_history", "section_indication")
    sections = ReportSections(
        next((_plain(row[key]) for key in histories if row.get(key)), ""),
        *(_plain(row.get(f"section_{key}", "")) for key in ("comparison", "findings")),
        impression=_plain(row.get("section_impression", "")),
    )
    return sections if sections.report else split_report(row.get("report", ""))


def _read_chexbert(root: Path, left_out: LeftOut) -> dict[str, FilmLabels]:
    """The labels of each film by its path, from a file with an object of JSON on each line."""
    labels: dict[str, FilmLabels] = {}
    path = find_file(root, "report_fixed.json", "impression_fixed.json", "findings_fixed.json")
    if path is None:
        return labels
    signs: SignedLabels | None = None
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for line in lines:
                try:
                    cells = json.loads(line)
                    image = cells["path_to_image"]
                except (ValueError, KeyError, TypeError):
                    left_out[BAD_ROW] += bool(line.strip())
                    continue
                signs = signs or SignedLabels(label_columns(cells))
                labels[image] = signs.read(cells, left_out)
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{path} cannot be read; get it anew from {PLUS.url}.") from None
    return labels


def _plain(text: str) -> str:
    return " ".join(text.split())
