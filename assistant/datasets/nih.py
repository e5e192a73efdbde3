"""NIH ChestX-ray14: one table of films, boxes on some, two lists of the split."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from assistant.datasets.case import DatasetCase, DatasetInfo, FilmBox, LeftOut, OpenedSet
from assistant.datasets.labels import boxes_of_extent, sort_labels
from assistant.datasets.tables import (
    BAD_ROW,
    NOT_THERE,
    age_of,
    find_file,
    index_films,
    number_of,
    require_file,
    rows_of,
    sex_of,
    stem_of,
)

INFO = DatasetInfo(
    name="nih",
    title="NIH ChestX-ray14",
    licence="free to use without restriction, with a link to the download site and the citation "
    "(NIH Clinical Center)",
    citation="Wang X, Peng Y, Lu L, Lu Z, Bagheri M, Summers RM. ChestX-ray8: hospital-scale chest "
    "X-ray database and benchmarks. CVPR 2017.",
    url="https://nihcc.app.box.com/v/ChestXray-NIHCC",
    labels="read out of the reports by a program; each of the 14 that is not named is absent",
    order="the set's own follow-up number, counted from 0 over the films that are here",
    dated=True,
)
# The 14 as the table writes them; what is not named of them is absent.
_ALL = (
    *("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema"),
    *("Fibrosis", "Hernia", "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia"),
    "Pneumothorax",
)
_EDGE = 1024.0  # pixels of the published films, in which the boxes are stated
_LISTS = {"train": "train_val_list*.txt", "test": "test_list*.txt"}


def open_nih(root: Path, reports: Path | None = None) -> OpenedSet:
    """Find the tables of ChestX-ray14; boxes and lists may be missing."""
    table = require_file(root, INFO, "Data_Entry_2017*.csv")
    return OpenedSet((table,), partial(_cases, root, table))


def _cases(root: Path, table: Path, left_out: LeftOut) -> Iterator[DatasetCase]:
    films = index_films(root, INFO)
    boxes, splits = _read_boxes(root, left_out), _read_splits(root)
    required = ("image index", "finding labels", "patient id")
    for row in rows_of(table, INFO, left_out, required):
        name = stem_of(row["image index"])
        if not name or not row["patient id"]:
            left_out[BAD_ROW] += 1
            continue
        if (film := films.get(name)) is None:
            left_out[NOT_THERE] += 1
            continue
        labels = [label.strip() for label in row["finding labels"].split("|") if label.strip()]
        yield DatasetCase(
            image=film,
            patient=row["patient id"],
            study=name,
            projection="Frontal",
            view=row.get("view position", ""),
            order=number_of(row.get("follow-up #", "")),
            sex=sex_of(row.get("patient gender", row.get("patient sex", ""))),
            age=age_of(row.get("patient age", "")),
            split=splits.get(name, ""),
            labels=sort_labels(labels, absent=_ALL if labels else ()),
            boxes=tuple(boxes.get(name, ())),
        )


def _read_boxes(root: Path, left_out: LeftOut) -> dict[str, list[FilmBox]]:
    """The boxes of each film. The header has commas in its names: `Bbox [x,y,w,h],,,`."""
    boxes: dict[str, list[FilmBox]] = {}
    if (table := find_file(root, "BBox_List_2017*.csv")) is None:
        return boxes
    for row in rows_of(table, INFO, left_out, ("image index", "finding label")):
        extent = [number_of(row.get(key, "")) for key in ("bbox [x", "y", "w", "h]")]
        boxes.setdefault(stem_of(row["image index"]), []).extend(
            boxes_of_extent(row["finding label"], extent, (_EDGE, _EDGE), left_out)
        )
    return boxes


def _read_splits(root: Path) -> dict[str, str]:
    splits: dict[str, str] = {}
    for split, pattern in _LISTS.items():
        if (path := find_file(root, pattern)) is not None:
            with path.open(encoding="utf-8-sig", errors="replace") as names:
                splits.update((stem_of(name), split) for name in names if name.strip())
    return splits
