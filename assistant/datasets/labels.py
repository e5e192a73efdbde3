"""Labels and boxes of data sets in the vocabulary's words; what names no finding is kept apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from assistant.chest.set_labels import finding_of_set_label
from assistant.chest.vocabulary import NORMAL
from assistant.datasets.case import FilmBox, FilmLabels, LeftOut

BAD_BOX = "boxes that are no area of their film"
_UNREADABLE = "cells of labels that are no 1, 0 or -1"
_LEAST = 1e-4  # of the film's edge; a smaller box is a slip


def sort_labels(
    present: Iterable[str], uncertain: Iterable[str] = (), absent: Iterable[str] = ()
) -> FilmLabels:
    """Sort labels of a set, each once; a finding is present before it is uncertain or absent.

    "No finding" is never absent or uncertain: it would name a finding that no one named.
    """
    sure = {label: finding_of_set_label(label) for label in present}
    keys = dict.fromkeys(key for key in sure.values() if key)
    doubtful = dict.fromkeys(
        key for key in map(finding_of_set_label, uncertain) if key not in (None, NORMAL, *keys)
    )
    denied = dict.fromkeys(
        key
        for key in map(finding_of_set_label, absent)
        if key not in (None, NORMAL, *keys, *doubtful)
    )
    return FilmLabels(
        present=tuple(keys),
        uncertain=tuple(key for key in doubtful if key),
        absent=tuple(key for key in denied if key),
        other=tuple(label for label, key in sure.items() if key is None),
    )


class SignedLabels:
    """Reads labels of CheXpert's kind: 1 present, 0 absent, -1 uncertain, empty unmentioned."""

    def __init__(self, columns: Iterable[str]) -> None:
        self._columns = tuple(columns)
        self._known: dict[tuple[str, ...], FilmLabels] = {}  # few rows differ

    def read(self, row: Mapping[str, object], left_out: LeftOut) -> FilmLabels:
        """The labels of a row; a cell of another kind is left out and counted."""
        cells = tuple(_signed(row.get(column)) for column in self._columns)
        if "?" in cells:
            left_out[_UNREADABLE] += cells.count("?")
        if cells not in self._known:
            by = {sign: [] for sign in ("1", "-1", "0", "", "?")}
            for column, sign in zip(self._columns, cells, strict=True):
                by[sign].append(column)
            self._known[cells] = sort_labels(by["1"], by["-1"], by["0"])
        return self._known[cells]


def _signed(cell: object) -> str:
    """A cell as 1, 0, -1, empty, or a question mark."""
    text = "" if cell is None else str(cell).strip()
    if text.lower() in ("", "nan", "none"):
        return ""
    try:
        number = float(text)
    except ValueError:
        return "?"
    return str(int(number)) if number in (1, 0, -1) else "?"


def label_columns(header: Iterable[str]) -> tuple[str, ...]:
    """The columns of a table that are named after findings."""
    return tuple(name for name in header if finding_of_set_label(name))


def boxes_of(
    label: str,
    corners: Sequence[float | None],
    size: tuple[float, float],
    left_out: LeftOut,
    reader: int = 1,
) -> tuple[FilmBox, ...]:
    """The box with these corners (left, top, right, bottom) on a film of a size (columns, rows).

    Corners are in the unit of the size; 1 by 1 for fractions. What lies outside the film is cut
    off. Empty, and counted, where no area is left.
    """
    numbers = [math.nan if corner is None else corner for corner in corners]
    if len(numbers) == 4 and all(map(math.isfinite, numbers)) and min(size) > 0:
        left, top, right, bottom = (
            round(min(max(number / edge, 0.0), 1.0), 5)
            for number, edge in zip(numbers, (*size, *size), strict=True)
        )
        if right - left > _LEAST and bottom - top > _LEAST:
            finding = finding_of_set_label(label) or ""
            return (FilmBox(label, finding, (left, top, right, bottom), reader),)
    left_out[BAD_BOX] += 1
    return ()


def boxes_of_extent(
    label: str,
    extent: Sequence[float | None],
    size: tuple[float, float],
    left_out: LeftOut,
) -> tuple[FilmBox, ...]:
    """`boxes_of` for a box that is stated as left, top, width and height."""
    left, top, width, height = (math.nan if number is None else number for number in extent)
    return boxes_of(label, (left, top, left + width, top + height), size, left_out)
