"""Reads tables in a report: rows of cells, parted by bars or tabs, as sentences of their own.

A cell that names a finding and the cell with its value become one statement ("Effusion: small"),
whichever way the table runs. This module knows rows and columns; what a cell names it is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_LINE = re.compile(r"[^\n]*\n?")
_CELL = re.compile(r"[^|\t]+")
_RULE = re.compile(r"[\s|:+=-]*[-=]{2,}[\s|:+=-]*")
_YES = frozenset(("x", "yes", "y", "present", "positive", "+", "\u2713", "\u2714", "1", "true"))
_NO = frozenset(("no", "n", "absent", "negative", "-", "\u2013", "none", "nil", "0", "false"))
_SEVERAL = _PAIR = 2  # cells


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement, made of parts of the text, each with the place where it stands there."""

    text: str
    parts: tuple[tuple[int, int, int], ...]  # (start here, end here, start in the text)

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return the characters of the text that a span of the statement stands for."""
        spans = [
            (max(start, a) - a + origin, min(end, b) - a + origin)
            for a, b, origin in self.parts
            if start < b and a < end
        ]
        return spans[0] if spans else (self.parts[0][2], self.parts[0][2] + 1)


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    start: int

    @property
    def value(self) -> str:
        return self.text.strip(" *_.()").casefold()


def split_tables(text: str, is_finding: Callable[[str], bool]) -> Iterator[tuple[int, int] | Piece]:
    """Yield a text in order: the spans of running text, and the statements of its tables."""
    begin, rows, at = 0, [], 0
    for match in _LINE.finditer(text):
        line, start = match.group(), match.start()
        if cells := _cells_of(line, start):
            if not rows:
                yield begin, start
            rows.append(cells)
            begin = match.end()
        elif rows and _RULE.fullmatch(line.strip()):
            begin = match.end()
        elif rows:
            yield from _read_rows(rows, is_finding)
            rows, begin = [], start
        at = match.end()
    if rows:
        yield from _read_rows(rows, is_finding)
    yield begin, at


def _cells_of(line: str, start: int) -> list[_Cell]:
    """Return the cells of a line of a table; [] for a line of running text."""
    if ("|" not in line and "\t" not in line.strip()) or _RULE.fullmatch(line.strip()):
        return []
    if "|" not in line and line.partition("\t")[0].rstrip().endswith(":"):
        return []  # a title, a tab and its text
    inside = line.strip().strip("|")
    offset = start + line.index(inside) if inside else start
    cells, at = [], 0
    for piece in re.split(r"[|\t]", inside):
        stripped = piece.strip().removesuffix(":").rstrip()
        cells.append(_Cell(stripped, offset + at + len(piece) - len(piece.lstrip())))
        at += len(piece) + 1
    return cells if sum(bool(cell.text) for cell in cells) >= 1 and len(cells) > 1 else []


def _read_rows(
    rows: Sequence[Sequence[_Cell]], is_finding: Callable[[str], bool]
) -> Iterator[Piece]:
    """Yield the statements of a table, by its rows or by its columns."""
    head = rows[0]
    names = [is_finding(cell.text) for cell in head]
    if len(rows) > 1 and sum(names) >= _SEVERAL and not any(is_finding(c.text) for c in rows[1]):
        for row in rows[1:]:
            title = None if names[0] else row[0]  # "right", of a row for each side
            for name, cell in zip(head, row, strict=False):
                if name.text and cell.text and is_finding(name.text):
                    yield from _state(name, cell, title)
        return
    headed = len(rows) > 1 and not is_finding(": ".join(cell.text for cell in head))
    for row in rows[1:] if headed else rows:
        yield from _read_row(row, head if headed else (), is_finding)


def _read_row(
    row: Sequence[_Cell], head: Sequence[_Cell], is_finding: Callable[[str], bool]
) -> Iterator[Piece]:
    """Yield the statements of a row: names and their values, or cells that speak for themselves."""
    named = [i for i, cell in enumerate(row) if is_finding(cell.text) and ":" not in cell.text]
    if not named and len(row) == _PAIR and ":" not in row[0].text:  # "heart", and "enlarged"
        yield _join([(row[0].text, row[0].start), (": ", -1), (row[1].text, row[1].start)])
        return
    if not named or len(named) == len(row):
        for cell in row:
            if cell.text:
                yield _join([(cell.text, cell.start)])
        return
    for number, i in enumerate(named):
        until = named[number + 1] if number + 1 < len(named) else len(row)
        values = [(j, row[j]) for j in range(i + 1, until) if row[j].text]
        before = row[i - 1] if i else None
        for j, cell in values:
            yield from _state(row[i], cell, head[j] if j < len(head) else None)
        if values or before is None or not before.text or until < len(row):
            continue
        if before.value in _NO | _YES:
            yield from _state(row[i], before, None)
        else:  # a title, or the name of an organ, and what is said of it
            yield _join([(f"{before.text}: ", -1), (row[i].text, row[i].start)])


def _state(name: _Cell, cell: _Cell, head: _Cell | None) -> Iterator[Piece]:
    """Yield what a cell says of a finding, under the head of its column."""
    kind = "no" if cell.value in _NO else "yes" if cell.value in _YES else ""
    column = head.value if head else ""
    if column in _NO:  # a mark under "absent" denies, "no" under it says nothing
        if kind == "yes":
            yield _join([(name.text, name.start), (": no", -1)])
        return
    place = [(f"{head.text} ", -1)] if head and kind and column not in _YES else []
    name_part = (name.text, name.start)
    if kind == "no":
        yield _join([*place, name_part, (": no", -1)])
    elif kind == "yes":
        yield _join([*place, name_part])
    else:
        side = [(f"{head.text} ", -1)] if head and column not in _YES else []
        yield _join([*side, name_part, (": ", -1), (cell.text, cell.start)])


def _join(parts: Sequence[tuple[str, int]]) -> Piece:
    text, places = "", []
    for part, origin in parts:
        if origin >= 0:
            places.append((len(text), len(text) + len(part), origin))
        text += part
    return Piece(text, tuple(places))
