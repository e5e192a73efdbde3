"""VinDr-CXR: DICOM films, each read by several radiologists, with boxes in pixels of the film."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from assistant.datasets.case import (
    DatasetCase,
    DatasetInfo,
    FilmBox,
    FilmLabels,
    LeftOut,
    OpenedSet,
)
from assistant.datasets.header import FilmHeader, read_header
from assistant.datasets.labels import boxes_of, sort_labels
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
    name="vindr-cxr",
    title="VinDr-CXR",
    licence="PhysioNet Credentialed Health Data License 1.5.0: no sharing",
    citation="Nguyen HQ, Lam K, Le LT, et al. VinDr-CXR: an open dataset of chest X-rays with "
    "radiologist's annotations. Sci Data 2022; 9: 429.",
    url="https://physionet.org/content/vindr-cxr/",
    labels="read off the films by radiologists: present where more than half of a film's readers "
    "say so, uncertain where fewer do, absent where none does",
)
_NO_BOX = "no finding"
# A file with a table of labels, or of boxes, and the split that it is of.
_LABELS = {"train": "image_labels_train.csv", "test": "image_labels_test.csv"}
_BOXES = {"train": ("annotations_train.csv", "train.csv"), "test": ("annotations_test.csv",)}
_Corners = tuple[str, str, tuple[float | None, ...]]  # reader, label, corners in pixels


def open_vindr(root: Path, reports: Path | None = None) -> OpenedSet:
    """Find the tables of labels and of boxes, of PhysioNet or of Kaggle's challenge."""
    names = [*_LABELS.values(), *(name for names in _BOXES.values() for name in names)]
    require_file(root, INFO, *names)
    tables = [path for name in names if (path := find_file(root, name)) is not None]
    return OpenedSet(tuple(tables), partial(_cases, root))


def _cases(root: Path, left_out: LeftOut) -> Iterator[DatasetCase]:
    films, sizes = index_films(root, INFO), _read_sizes(root, left_out)
    for split, label_table in _LABELS.items():
        votes = _read_votes(find_file(root, label_table), left_out)
        boxes = _read_boxes(find_file(root, *_BOXES[split]), left_out)
        for name in dict.fromkeys((*votes, *boxes)):
            if (film := films.get(name)) is None:
                left_out[NOT_THERE] += 1
                continue
            header = read_header(film)
            size = sizes.get(name) or ((header.columns, header.rows) if header else (0, 0))
            yield DatasetCase(
                image=film,
                patient="",
                study=name,
                projection="Frontal",
                view=_view_of(header),
                sex=header.sex if header else "",
                age=(header.age if header else 0) or None,  # 000Y stands for none
                split=split,
                labels=_labels_of(votes.get(name) or _votes_of_boxes(boxes.get(name, []))),
                boxes=tuple(_boxes_of(boxes.get(name, []), size, left_out)),
            )


def _view_of(header: FilmHeader | None) -> str:
    """All films of the set are PA, says its paper; the files of most say nothing."""
    return (header.view if header else "") or "PA"


def _read_votes(table: Path | None, left_out: LeftOut) -> dict[str, dict[str, tuple[int, int]]]:
    """Of each film and label how many readers say that it is there, and how many there are."""
    votes: dict[str, dict[str, tuple[int, int]]] = {}
    if table is None:
        return votes
    for row in rows_of(table, INFO, left_out, ("image_id",)):
        counts = votes.setdefault(row["image_id"], {})
        for label, cell in row.items():
            if label in ("image_id", "rad_id"):
                continue
            if (number := number_of(cell)) not in (0, 1):
                left_out[BAD_ROW] += bool(cell)
                continue
            yes, readers = counts.get(label, (0, 0))
            counts[label] = yes + int(number), readers + 1
    return votes


def _votes_of_boxes(boxes: list[_Corners]) -> dict[str, tuple[int, int]]:
    """The same from Kaggle's table, which names the label of every box and every reader."""
    readers = {reader for reader, _, _ in boxes}
    labels = dict.fromkeys(label for _, label, _ in boxes)
    return {
        label: (len({reader for reader, named, _ in boxes if named == label}), len(readers))
        for label in labels
    }


def _labels_of(votes: dict[str, tuple[int, int]]) -> FilmLabels:
    present = [label for label, (yes, readers) in votes.items() if 2 * yes > readers]
    doubtful = [label for label, (yes, readers) in votes.items() if 0 < 2 * yes <= readers]
    return sort_labels(present, doubtful, [label for label, (yes, _) in votes.items() if not yes])


def _read_boxes(table: Path | None, left_out: LeftOut) -> dict[str, list[_Corners]]:
    """The boxes of each film, with a row for each reader who found nothing."""
    boxes: dict[str, list[_Corners]] = {}
    if table is None:
        return boxes
    for row in rows_of(table, INFO, left_out, ("image_id", "class_name")):
        corners = tuple(number_of(row.get(key, "")) for key in ("x_min", "y_min", "x_max", "y_max"))
        reader = row.get("rad_id", "")
        boxes.setdefault(row["image_id"], []).append((reader, row["class_name"], corners))
    return boxes


def _boxes_of(
    boxes: list[_Corners], size: tuple[float, float], left_out: LeftOut
) -> Iterator[FilmBox]:
    """Readers are numbered film by film: their names in the set are of no use elsewhere."""
    readers = sorted({reader for reader, _, _ in boxes})
    for reader, label, corners in boxes:
        if label.lower() != _NO_BOX:
            yield from boxes_of(label, corners, size, left_out, readers.index(reader) + 1)


def _read_sizes(root: Path, left_out: LeftOut) -> dict[str, tuple[float, float]]:
    """The true sizes of films that somebody has made smaller: Kaggle's `train_meta.csv`."""
    sizes: dict[str, tuple[float, float]] = {}
    for name in ("train_meta.csv", "test_meta.csv"):
        if (table := find_file(root, name)) is not None:
            for row in rows_of(table, INFO, left_out, ("image_id", "dim0", "dim1")):
                rows, columns = number_of(row["dim0"]), number_of(row["dim1"])
                if rows and columns:
                    sizes[row["image_id"]] = (columns, rows)
    return sizes
