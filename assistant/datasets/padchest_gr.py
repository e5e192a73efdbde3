"""PadChest-GR: grounded reports, each sentence in English and Spanish with boxes and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from assistant.chest.set_labels import finding_of_set_label, place_of
from assistant.datasets.case import (
    DatasetCase,
    DatasetInfo,
    FilmBox,
    FilmLabels,
    LeftOut,
    OpenedSet,
)
from assistant.datasets.labels import boxes_of, sort_labels
from assistant.datasets.tables import (
    BAD_ROW,
    NOT_THERE,
    Row,
    age_of,
    find_file,
    index_films,
    moment_of,
    number_of,
    require_file,
    rows_of,
    sex_of,
    split_name,
    stem_of,
)
from assistant.errors import SettingsError
from assistant.labeller.report_sections import ReportSections
from assistant.parsing import read_json

INFO = DatasetInfo(
    name="padchest-gr",
    title="PadChest-GR",
    licence="BIMCV PadChest-GR Research Use Agreement: research, no sharing",
    citation="Castro DC, Bustos A, Bannur S, et al. PadChest-GR: a bilingual chest X-ray dataset "
    "for grounded radiology report generation. NEJM AI 2025; arXiv:2411.05085.",
    url="https://bimcv.cipf.es/bimcv-projects/padchest-gr/",
    labels="of the sentences that report something abnormal; what is not named is unmentioned",
    order="the studies of a patient by date, counted from 0",
    dated=True,
)
_UNIT = (1.0, 1.0)  # the boxes are fractions already


def open_padchest_gr(root: Path, reports: Path | None = None) -> OpenedSet:
    """Find the grounded reports; the master table, with patients and split, may be missing."""
    grounded = require_file(root, INFO, "grounded_reports_*.json")
    return OpenedSet((grounded,), partial(_cases, root, grounded))


def _cases(root: Path, grounded: Path, left_out: LeftOut) -> Iterator[DatasetCase]:
    films = index_films(root, INFO)
    people: dict[str, Row] = {}
    if (table := find_file(root, "master_table.csv")) is not None:
        for row in rows_of(table, INFO, left_out, ("imageid", "patientid")):
            people[row["imageid"]] = row
    records = read_json(grounded)
    if not isinstance(records, list):
        raise SettingsError(f"{grounded} is no list of reports; get it anew from {INFO.url}.")
    for record in records:
        if not _is_report(record):
            left_out[BAD_ROW] += 1
            continue
        if (film := films.get(stem_of(record["ImageID"]))) is None:
            left_out[NOT_THERE] += 1
            continue
        findings = [finding for finding in record["findings"] if isinstance(finding, dict)]
        row = people.get(record["ImageID"], {})
        yield DatasetCase(
            image=film,
            patient=row.get("patientid", ""),
            study=str(record.get("StudyID") or record["ImageID"]),
            projection="Frontal",
            order=moment_of(row.get("studydate_dicom", "")),
            sex=sex_of(row.get("patientsex_dicom", "")),
            age=age_of(row.get("patientage", "")),
            split=split_name(row.get("split", "")),
            labels=_labels_of(findings),
            boxes=tuple(box for finding in findings for box in _boxes_of(finding, left_out)),
            text=ReportSections(findings=_joined(findings, "sentence_en")),
            original_report=_joined(findings, "sentence_es"),
            prior=films.get(stem_of(str(record.get("PreviousImageID") or ""))),
        )


def _is_report(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and isinstance(record.get("ImageID"), str)
        and isinstance(record.get("findings"), list)
    )


def _joined(findings: list[dict[str, Any]], key: str) -> str:
    sentences = (" ".join(str(finding.get(key) or "").split()) for finding in findings)
    return " ".join(
        sentence if sentence.endswith(".") else f"{sentence}." for sentence in sentences if sentence
    )


def _texts(finding: Mapping[str, Any], key: str) -> list[str]:
    values = finding.get(key)
    return [str(value) for value in values] if isinstance(values, list) else []


def _labels_of(findings: list[dict[str, Any]]) -> FilmLabels:
    """The labels of the abnormal sentences; those of the normal ones where there is no other."""
    abnormal = [finding for finding in findings if finding.get("abnormal")]
    named = [label for finding in abnormal or findings for label in _texts(finding, "labels")]
    labels = sort_labels(named)
    places = dict.fromkeys(
        (key, *place)
        for finding in abnormal
        for label in _texts(finding, "labels")
        if (key := finding_of_set_label(label))
        and any(place := place_of(_texts(finding, "locations")))
    )
    return FilmLabels(labels.present, (), (), labels.other, tuple(places))


def _boxes_of(finding: dict[str, Any], left_out: LeftOut) -> Iterator[FilmBox]:
    """The boxes of both readers, each once for every label of the sentence."""
    for reader, key in enumerate(("boxes", "extra_boxes"), start=1):
        for corners in finding.get(key) or ():
            numbers = (
                [number_of(str(number)) for number in corners] if isinstance(corners, list) else []
            )
            for label in _texts(finding, "labels"):
                yield from boxes_of(label, numbers, _UNIT, left_out, reader)
