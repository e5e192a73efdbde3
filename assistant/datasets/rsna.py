"""RSNA Pneumonia Detection Challenge: boxes of lung opacities on films of NIH, DICOM."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from assistant.datasets.case import DatasetCase, DatasetInfo, LeftOut, OpenedSet
from assistant.datasets.header import read_header
from assistant.datasets.labels import boxes_of_extent, sort_labels
from assistant.datasets.tables import (
    BAD_ROW,
    NOT_THERE,
    find_file,
    index_films,
    number_of,
    require_file,
    rows_of,
)

INFO = DatasetInfo(
    name="rsna",
    title="RSNA Pneumonia Detection Challenge 2018",
    licence="RSNA's terms of the challenge: non-commercial and academic research, with the "
    "citation",
    citation="Shih G, Wu CC, Halabi SS, et al. Augmenting the National Institutes of Health chest "
    "radiograph dataset with expert annotations of possible pneumonia. Radiol Artif Intell 2019; "
    "1(1): e180041. The films are of NIH ChestX-ray14: Wang X et al., CVPR 2017.",
    url="https://www.kaggle.com/c/rsna-pneumonia-detection-challenge",
    labels="read off the films by radiologists: lung opacity suspicious of pneumonia, or normal; "
    "'No Lung Opacity / Not Normal' names no finding",
)
_OPACITY = "Lung Opacity"


def open_rsna(root: Path, reports: Path | None = None) -> OpenedSet:
    """Find the tables of the challenge; the one of detailed classes may be missing."""
    table = require_file(root, INFO, "stage_2_train_labels.csv", "stage_1_train_labels.csv")
    return OpenedSet((table,), partial(_cases, root, table))


def _cases(root: Path, table: Path, left_out: LeftOut) -> Iterator[DatasetCase]:
    films = index_films(root, INFO)
    classes: dict[str, str] = {}
    if (details := find_file(root, "stage_*_detailed_class_info.csv")) is not None:
        for row in rows_of(details, INFO, left_out, ("patientid", "class")):
            classes[row["patientid"]] = row["class"]
    extents: dict[str, list[tuple[float | None, ...]]] = {}
    positive: dict[str, bool] = {}
    for row in rows_of(table, INFO, left_out, ("patientid", "target")):
        name, target = row["patientid"], number_of(row["target"])
        if not name or target not in (0, 1):
            left_out[BAD_ROW] += 1
            continue
        positive[name] = positive.get(name, False) or target == 1
        extents.setdefault(name, [])
        if target == 1:
            edges = (number_of(row.get(key, "")) for key in ("x", "y", "width", "height"))
            extents[name].append(tuple(edges))
    for name, has_opacity in positive.items():
        if (film := films.get(name)) is None:
            left_out[NOT_THERE] += 1
            continue
        header = read_header(film)
        size = (float(header.columns), float(header.rows)) if header else (0.0, 0.0)
        present = [_OPACITY] if has_opacity else [classes[name]] if name in classes else []
        yield DatasetCase(
            image=film,
            patient=name,
            study=name,
            projection="Frontal",
            view=header.view if header else "",
            sex=header.sex if header else "",
            age=header.age if header else None,
            split="train",
            labels=sort_labels(present, absent=() if has_opacity else (_OPACITY,)),
            boxes=tuple(
                box
                for extent in extents[name]
                for box in boxes_of_extent(_OPACITY, extent, size, left_out)
            ),
        )
