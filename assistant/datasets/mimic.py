"""MIMIC-CXR and MIMIC-CXR-JPG: films by patient and study, reports as texts, priors by date."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
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
from assistant.datasets.header import read_header
from assistant.datasets.labels import SignedLabels, label_columns
from assistant.datasets.tables import (
    BAD_ROW,
    NO_VIEW,
    NOT_THERE,
    FilmFinder,
    Row,
    age_of,
    find_file,
    moment_of,
    require_file,
    rows_of,
    sex_of,
    split_name,
)
from assistant.errors import SettingsError
from assistant.labeller.report_sections import ReportSections, split_report

INFO = DatasetInfo(
    name="mimic-cxr",
    title="MIMIC-CXR and MIMIC-CXR-JPG",
    licence="PhysioNet Credentialed Health Data License 1.5.0: no sharing, not with online "
    "services either",
    citation="Johnson AEW, Pollard TJ, Berkowitz SJ, et al. MIMIC-CXR, a de-identified publicly "
    "available database of chest radiographs with free-text reports. Sci Data 2019; 6: 317. "
    "Johnson AEW et al. MIMIC-CXR-JPG, arXiv:1901.07042.",
    url="https://physionet.org/content/mimic-cxr-jpg/ and (reports) "
    "https://physionet.org/content/mimic-cxr/",
    labels="read out of the reports by CheXpert's labeller (or NegBio), in the test set by a "
    "radiologist where that table is there: 1 present, 0 absent, -1 kept as uncertain, empty "
    "unmentioned",
    order="the studies of a patient by date and time, counted from 0",
    dated=True,
)
_FRONTAL = frozenset(("PA", "AP", "AP AXIAL", "POSTERO-ANTERIOR", "ANTERO-POSTERIOR"))
_LATERAL = frozenset(("LATERAL", "LL", "RL", "XTABLE LATERAL", "LEFT LATERAL", "RIGHT LATERAL"))
_NO_REPORT = "studies without a report below the root (see --reports)"
_EMPTY_REPORT = "reports with neither findings nor impression"
_LARGEST = 1_000_000  # bytes of a report
# The text of a study's report by its path, or None.
_ReadText = Callable[[str], str | None]


def open_mimic(root: Path, reports: Path | None = None) -> OpenedSet:
    """Find the metadata of MIMIC-CXR-JPG, or the record list of MIMIC-CXR with its DICOM films."""
    table = require_file(root, INFO, "mimic-cxr-2.*-metadata.csv", "cxr-record-list.csv")
    return OpenedSet((table,), partial(_cases, root, table, reports))


def _cases(
    root: Path, table: Path, reports: Path | None, left_out: LeftOut
) -> Iterator[DatasetCase]:
    finder = FilmFinder([table.parent, root])
    labels, splits, people = _read_labels(root, left_out), _read_splits(root, left_out), {}
    if (patients := find_file(root, "patients.csv")) is not None:  # of MIMIC-IV, if one has it
        people = {
            row["subject_id"]: row for row in rows_of(patients, INFO, left_out, ("subject_id",))
        }
    texts = _find_texts(root, reports)
    last, text = "", ReportSections()
    required = ("dicom_id", "subject_id", "study_id")
    for row in rows_of(table, INFO, left_out, required):
        film_id, subject, study = (row[key] for key in required)
        if not (subject.isdigit() and study.isdigit() and film_id):
            left_out[BAD_ROW] += 1
            continue
        folder = f"files/p{subject[:2]}/p{subject}/s{study}"
        if (film := finder.find(f"{folder}/{film_id}.jpg")) is None:
            left_out[NOT_THERE] += 1
            continue
        view, moment = _view_and_moment(row, film)
        projection = _projection_of(view, row)
        if projection is None:
            left_out[NO_VIEW] += 1
            continue
        if study != last:
            last, text = study, _sections_of(texts(f"{folder}.txt"), left_out)
        person = people.get(subject, {})
        yield DatasetCase(
            image=film,
            patient=subject,
            study=study,
            projection=projection,
            view=view,
            order=moment,
            sex=sex_of(person.get("gender", "")),
            age=_age_of(person, row),
            split=splits.get(film_id, ""),
            labels=labels.get(study, FilmLabels()),
            text=text,
        )


def _view_and_moment(row: Row, film: Path) -> tuple[str, float | None]:
    """As the metadata states them, or the DICOM file where the table has no such columns."""
    if "viewposition" in row or "studydate" in row:
        moment = moment_of(row.get("studydate", ""), row.get("studytime", ""))
        return row.get("viewposition", "").upper(), moment
    header = read_header(film)
    return (header.view, header.moment) if header else ("", None)


def _projection_of(view: str, row: Row) -> Projection | None:
    """Frontal or Lateral; "" where nothing is stated, None for another view."""
    view = view or row.get("viewcodesequence_codemeaning", "").upper()
    if view in _FRONTAL:
        return "Frontal"
    return "Lateral" if view in _LATERAL else None if view else ""


def _age_of(person: Row, row: Row) -> int | None:
    """The age at the study: MIMIC-IV gives the age in one year of the shifted dates."""
    anchor, year = age_of(person.get("anchor_age", "")), person.get("anchor_year", "")
    taken = row.get("studydate", "")[:4]
    if anchor is None or not (year.isdigit() and taken.isdigit()):
        return None
    return age_of(str(max(0, anchor + int(taken) - int(year))))


def _read_labels(root: Path, left_out: LeftOut) -> dict[str, FilmLabels]:
    """The labels of each study; those of the radiologist go before those of the labeller."""
    tables = (
        find_file(root, "mimic-cxr-2.*-chexpert.csv", "mimic-cxr-2.*-negbio.csv"),
        find_file(root, "mimic-cxr-2.*-test-set-labeled.csv"),
    )
    labels: dict[str, FilmLabels] = {}
    for table in filter(None, tables):
        signs: SignedLabels | None = None
        for row in rows_of(table, INFO, left_out, ("study_id",)):
            signs = signs or SignedLabels(label_columns(row))
            labels[row["study_id"]] = signs.read(row, left_out)
    return labels


def _read_splits(root: Path, left_out: LeftOut) -> dict[str, str]:
    if (table := find_file(root, "mimic-cxr-2.*-split.csv")) is None:
        return {}
    rows = rows_of(table, INFO, left_out, ("dicom_id", "split"))
    return {row["dicom_id"]: split_name(row["split"]) for row in rows}


def _find_texts(root: Path, reports: Path | None) -> _ReadText:
    """Where the reports lie: a tree of texts, or the archive of one."""
    places = [place for place in (reports, root) if place is not None]
    bases = [
        base
        for place in places
        if place.is_dir()
        for base in (place, place / "mimic-cxr-reports", place / "reports", place.parent)
        if (base / "files").is_dir()
    ]
    archive = next((place for place in places if place.is_file()), None)
    archive = archive or find_file(root, "mimic-cxr-reports.zip", deepest=1)
    in_archive = _read_zip(archive) if archive else lambda path: None

    def read(path: str) -> str | None:
        for base in bases:
            try:
                with (base / path).open("rb") as file:
                    return file.read(_LARGEST).decode("utf-8", "replace")
            except OSError:
                continue
        return in_archive(path)

    return read


def _read_zip(archive: Path) -> _ReadText:
    try:
        opened = zipfile.ZipFile(archive)
    except (OSError, zipfile.BadZipFile):
        raise SettingsError(f"{archive} is no ZIP archive; get it anew from {INFO.url}.") from None

    def read(path: str) -> str | None:
        try:
            with opened.open(path) as file:
                return file.read(_LARGEST).decode("utf-8", "replace")
        except (KeyError, OSError, zipfile.BadZipFile):
            return None

    return read


def _sections_of(text: str | None, left_out: LeftOut) -> ReportSections:
    if text is None:
        left_out[_NO_REPORT] += 1
        return ReportSections()
    sections = split_report(text)
    if not sections.report:
        left_out[_EMPTY_REPORT] += 1
    return sections
