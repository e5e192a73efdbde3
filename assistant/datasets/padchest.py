"""PadChest: films with Spanish reports as they are, and labels of 174 kinds with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from assistant.chest.set_labels import finding_of_set_label, place_of
from assistant.datasets.case import (
    DatasetCase,
    DatasetInfo,
    FilmLabels,
    LeftOut,
    OpenedSet,
    Projection,
)
from assistant.datasets.labels import sort_labels
from assistant.datasets.tables import (
    BAD_ROW,
    NO_VIEW,
    NOT_THERE,
    Row,
    index_films,
    moment_of,
    require_file,
    rows_of,
    sex_of,
    stem_of,
)
from retrieval.folders import split_labels

INFO = DatasetInfo(
    name="padchest",
    title="PadChest",
    licence="BIMCV PadChest Research Use Agreement (CC BY-SA 3.0 in the paper): research, with the "
    "citation",
    citation="Bustos A, Pertusa A, Salinas JM, de la Iglesia-Vaya M. PadChest: a large chest x-ray "
    "image dataset with multi-label annotated reports. Med Image Anal 2020; 66: 101797.",
    url="https://bimcv.cipf.es/bimcv-projects/padchest/",
    labels="of the reports, 27 % by physicians and the rest by a network; what is not named is "
    "unmentioned",
    order="the studies of a patient by date, counted from 0; two of one day have one number",
    dated=True,
    language="es",
)
_FRONTAL = frozenset(("PA", "AP", "AP_HORIZONTAL"))
_LATERAL = frozenset(("L", "LL", "LATERAL", "AP_LATERAL"))
_LIST = re.compile(r"\[([^\[\]]*)\]")
_NOT_LABELS = frozenset(("", "exclude", "unchanged"))  # of the report, not of the film


def open_padchest(root: Path, reports: Path | None = None) -> OpenedSet:
    """Find the table of films."""
    table = require_file(root, INFO, "PADCHEST_chest_x_ray_images_labels_160K*.csv")
    return OpenedSet((table,), partial(_cases, root, table))


def _cases(root: Path, table: Path, left_out: LeftOut) -> Iterator[DatasetCase]:
    films = index_films(root, INFO)
    required = ("imageid", "studyid", "patientid", "projection", "labels")
    for row in rows_of(table, INFO, left_out, required):
        if not row["imageid"] or not row["studyid"]:
            left_out[BAD_ROW] += 1
            continue
        if (film := films.get(stem_of(row["imageid"]))) is None:
            left_out[NOT_THERE] += 1
            continue
        projection = projection_of(row["projection"])
        if projection is None:
            left_out[NO_VIEW] += 1
            continue
        yield DatasetCase(
            image=film,
            patient=row["patientid"],
            study=row["studyid"],
            projection=projection,
            view=_view_of(row),
            order=moment_of(row.get("studydate_dicom", "")),
            sex=sex_of(row.get("patientsex_dicom", "")),
            age=_age_of(row),
            labels=_labels_of(row),
            report=row.get("report", ""),
        )


def projection_of(stated: str) -> Projection | None:
    """Frontal or Lateral, "" where nothing is stated, None for ribs and what was excluded."""
    word = stated.strip().upper()
    if word in _FRONTAL:
        return "Frontal"
    return "Lateral" if word in _LATERAL else None if word else ""


def _view_of(row: Row) -> str:
    return row["projection"].upper().removesuffix("_HORIZONTAL")


def _age_of(row: Row) -> int | None:
    """The age in the year of the study: the set gives the year of birth alone."""
    born, taken = row.get("patientbirth", "")[:4], row.get("studydate_dicom", "")[:4]
    if not (born.isdigit() and taken.isdigit()):
        return None
    years = int(taken) - int(born)
    return years if 0 <= years <= 120 else None


def _labels_of(row: Row) -> FilmLabels:
    """The labels of a film, and the places that its sentences give them."""
    labels = [label for label in split_labels(row["labels"]) if label.lower() not in _NOT_LABELS]
    sorted_labels = sort_labels(labels)
    sentences = _LIST.findall(row.get("labelslocalizationsbysentence", ""))
    places = dict.fromkeys(
        place
        for sentence in sentences
        for place in places_of(split_labels(f"[{sentence}]"))
        if place[0] in sorted_labels.present
    )
    return FilmLabels(sorted_labels.present, (), (), sorted_labels.other, tuple(places))


def places_of(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Finding, side and zone of each label that the `loc` words after it give a place."""
    label, locations = "", []
    for word in (*words, ""):
        if word.lower().startswith("loc "):
            locations.append(word)
            continue
        finding, place = finding_of_set_label(label), place_of(locations)
        if finding and any(place):
            yield (finding, *place)
        label, locations = word, []
