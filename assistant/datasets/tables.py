"""Finds and streams the tables of data sets, and finds their films; it knows no set.

Tables may be gzipped. What a whole table lacks is a `SettingsError`; a row that cannot be read is
counted and left out. No cell goes into a message.
"""

from __future__ import annotations

import csv
import fnmatch
import gzip
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from assistant.datasets.case import DatasetInfo, LeftOut
from assistant.errors import SettingsError
from retrieval.folders import cell_text, is_folder
from retrieval.parsing import encoding_of

Row = dict[str, str]  # cells by column, in lower case; the empty ones are ""
FILM_SUFFIXES = (".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".tif", ".tiff")  # the best first
NOT_THERE = "films that the tables name and that are not there"
BAD_ROW = "rows of a table that cannot be read"
NO_VIEW = "films that are neither frontal nor lateral"
_DEEPEST = 2  # folders below the root in which a table is looked for
_OLDEST = 120  # years; a greater age is a slip
_NUMBER = re.compile(r"\d+")


def require_folder(root: Path, info: DatasetInfo) -> None:
    """Raise SettingsError where the root of a set is no folder."""
    if not is_folder(root):
        raise SettingsError(
            f"{root} is not a folder; unpack {info.title} there, which is published at {info.url}."
        )


def find_file(root: Path, *patterns: str, deepest: int = _DEEPEST) -> Path | None:
    """The file in or below a folder whose name fits a pattern, gzipped or not; the nearest.

    An earlier pattern goes before a later one in the same folder.
    """
    level = [root]
    for _ in range(deepest + 1):
        names = [(folder, *_list_folder(folder)) for folder in level]
        for pattern in patterns:
            for folder, files, _folders in names:
                for name in files:
                    if fnmatch.fnmatch(name.lower().removesuffix(".gz"), pattern.lower()):
                        return folder / name
        level = [folder / name for folder, _files, folders in names for name in folders]
    return None


def _list_folder(folder: Path) -> tuple[list[str], list[str]]:
    """Names of files and of folders, sorted; none where the folder cannot be read."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((e.name, e.is_dir()) for e in entries if e.name[0] != ".")
    except OSError:
        return [], []
    return [name for name, is_dir in found if not is_dir], [
        name for name, is_dir in found if is_dir
    ]


def require_file(root: Path, info: DatasetInfo, *patterns: str) -> Path:
    """`find_file`; raises SettingsError, naming file and publisher, where there is none."""
    require_folder(root, info)
    if (found := find_file(root, *patterns)) is None:
        names = " or ".join(patterns)
        raise SettingsError(
            f"{root} has no {names}, which belongs to {info.title}; name the folder that holds it, "
            f"or get it from {info.url}."
        )
    return found


def rows_of(
    table: Path, info: DatasetInfo, left_out: LeftOut, required: Sequence[str] = ()
) -> Iterator[Row]:
    """The rows of a table by column, one after the other; any number takes no memory.

    Names of columns are in lower case. Raises SettingsError for a table that lacks a required
    column, or that cannot be read at all.
    """
    for header, cells in _lines_of(table, left_out):
        if cells is None:
            if missing := [name for name in required if name not in header]:
                raise SettingsError(
                    f"{table} has no column {' and no column '.join(missing)}; get the table of "
                    f"{info.title} as it is published at {info.url}."
                )
            continue
        yield dict(zip(header, map(cell_text, cells), strict=False))


def _lines_of(table: Path, left_out: LeftOut) -> Iterator[tuple[list[str], list[str] | None]]:
    """The header, with None, and then each row with the header."""
    try:
        with _open_text(table) as lines:
            reader = csv.reader(lines)
            header = [name.strip().lower() for name in next(reader, [])]
            while header and not header[-1]:
                header.pop()  # the published tables of NIH end every line with a comma
            yield header, None
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error:
                    left_out[BAD_ROW] += 1
                    continue
                if not any(cells):
                    continue
                if len(cells) < len(header) or any(cells[len(header) :]):
                    left_out[BAD_ROW] += 1
                    continue
                yield header, cells
    except UnicodeDecodeError:
        raise SettingsError(f"{table} is not text in UTF-8; get the table anew.") from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is cut short or damaged"
        raise SettingsError(f"{table} cannot be read ({reason}); get the table anew.") from None


def _open_text(table: Path) -> TextIO:
    opened = gzip.open if table.suffix.lower() == ".gz" else open
    with opened(table, "rb") as start:
        encoding = encoding_of(start.read(4))
    return opened(table, "rt", encoding=encoding, newline="")


class FilmFinder:
    """Finds the films that tables name by path, below any of some folders, in any format."""

    def __init__(self, bases: Sequence[Path], suffixes: Sequence[str] = FILM_SUFFIXES) -> None:
        self._ways = [(base, suffix) for base in bases for suffix in ("", *suffixes)]

    def find(self, path: str) -> Path | None:
        """The film at a path of a table, or None; the way that the last was found is tried first.

        A path that leads outside is none.
        """
        parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
        if not parts or ".." in parts or "\0" in path:
            return None
        for number, (base, suffix) in enumerate(self._ways):
            name = f"{os.path.splitext(parts[-1])[0]}{suffix}" if suffix else parts[-1]  # noqa: PTH122
            film = base.joinpath(*parts[:-1], name)
            if os.path.isfile(film):  # noqa: PTH113 - Path.is_file raises for a long name
                if number:
                    self._ways.insert(0, self._ways.pop(number))
                return film
        return None


def stem_of(name: str) -> str:
    """A film's name without folders and its suffixes, which may be several: `1.dcm.png`."""
    stem = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    while stem.lower().endswith(FILM_SUFFIXES):
        stem = stem.rsplit(".", 1)[0]
    return stem


def index_films(root: Path, info: DatasetInfo) -> dict[str, Path]:
    """All films in and below a folder by their stems, the best format of each.

    Raises SettingsError where there is none.
    """
    films: dict[str, Path] = {}
    known: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        status = os.stat(folder)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in known:  # a link back
            folders.clear()
            continue
        known.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if name[0] != ".")
        for name in sorted(names):
            if name.lower().endswith(FILM_SUFFIXES) and name[0] != ".":
                stem = stem_of(name)
                earlier = films.get(stem)
                if earlier is None or _rank(name) < _rank(earlier.name):
                    films[stem] = Path(folder) / name
    if not films:
        raise SettingsError(
            f"{root} holds no films; put those of {info.title} there, which are published at "
            f"{info.url}."
        )
    return films


def _rank(name: str) -> int:
    lower = name.lower()
    return next(n for n, suffix in enumerate(FILM_SUFFIXES) if lower.endswith(suffix))


def age_of(text: str) -> int | None:
    """Whole years of `058Y`, `58`, `58.0` or `85 or more`; None for none and for a slip."""
    digits = _NUMBER.match(text.strip())
    unit = text.strip()[-1:].upper()
    if digits is None or unit in ("W", "D"):
        return 0 if digits else None
    years = int(digits.group()) // (12 if unit == "M" else 1)
    return years if years <= _OLDEST else None


def sex_of(text: str) -> str:
    """F, M, or empty for anything else."""
    letter = text.strip()[:1].upper()
    return letter if letter in ("F", "M") else ""


def number_of(text: str) -> float | None:
    """A finite number, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def moment_of(date: str, time: str = "") -> float | None:
    """What sorts studies: a date as `21800506` or `2180-05-06`, and DICOM's time of day."""
    day = re.sub(r"\D", "", date.split(".")[0].split(" ")[0])
    if len(day) != 8:
        return None
    return int(day) * 1e6 + (number_of(time.replace(":", "")) or 0.0)


def split_name(text: str) -> str:
    """A set's own split as `train`, `val` or `test`; empty for any other."""
    word = text.strip().lower()
    if word.startswith("train"):
        return "train"
    return "val" if word.startswith(("val", "dev")) else "test" if word == "test" else ""
