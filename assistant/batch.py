"""Drafts of a whole folder of films, one line of JSON a case.

It knows tables and lines; every draft comes from `Assistant.draft_many`. A film that cannot be
read becomes a line that says why, and the rest goes on.
"""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.backbones.base import Told
from assistant.errors import IntakeError, LibraryError, SettingsError, WetreadError
from assistant.exports import draft_dict
from assistant.intake import MAX_BYTES, read_film, read_film_bytes
from assistant.types import Film, Study
from assistant.walk import Assistant
from retrieval import FolderRow, read_folder
from retrieval.folders import TABLES, tables_of

SIZE = 8  # films that are drafted together
# What lies beside films without being one; anything else that cannot be read counts as a film.
ASIDE = frozenset(
    (".csv", ".html", ".json", ".jsonl", ".log", ".md", ".toml", ".tsv", ".txt", ".xml", ".yaml")
)


@dataclass(frozen=True, slots=True)
class Drafted:
    """How drafting a folder went."""

    cases: int
    drafted: int
    failed: int  # films that could not be read; each has its line
    warned: int  # drafts whose film the backbone does not know
    refused: int = 0  # films that the gate refused: nothing is written of them


@dataclass(frozen=True, slots=True)
class Manifest:
    """The films of a folder, in the order of its table."""

    folder: Path
    table: Path | None  # None: a table in each folder of a split
    rows: tuple[FolderRow, ...]
    indications: Mapping[int, str]  # by the row's number


def read_manifest(path: Path) -> Manifest:
    """Read a folder's table of films; `path` is the folder or the table.

    The table is that of `retrieval.read_folder`; a `cases.csv` or `metadata.csv` may have a
    column `indication` too. Raises SettingsError where there is no such table, LibraryError
    naming the row for one that cannot be read.
    """
    folder = path if path.is_dir() else path.parent
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if not path.is_dir() and path != table:
        raise SettingsError(
            f"{path} is no manifest; name a folder that holds {' or '.join(TABLES)}, or that file."
        )
    rows = read_folder(folder)
    return Manifest(folder, table, rows, _indications(table) if table else {})


def manifest_of(folder: Path) -> Manifest:
    """The films of a folder with or without a table, as `unpack` leaves one.

    A table is read as `read_manifest` does, also where it lies in the folder's only subfolder;
    without one every file in and below the folder that may be a film is a row that has no
    report, sorted by path. Raises SettingsError where there is no folder or no file, LibraryError
    naming the row for a table that cannot be read; neither names the folder.
    """
    if not folder.is_dir():
        raise SettingsError("There is no such folder of films; name one that is there.")
    inside = [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
    for place in (folder, *(inside if len(inside) == 1 else ())):
        if tables_of(place):
            try:
                return read_manifest(place)
            except LibraryError as error:
                raise LibraryError(str(error).replace(f"{place}{os.sep}", "")) from None
    found = (path for path in folder.rglob("*") if may_be_film(path.relative_to(folder)))
    files = sorted(path for path in found if path.is_file())
    if not files:
        raise SettingsError("The folder holds no films; give DICOM, PNG, JPEG or TIFF files.")
    rows = (FolderRow(path, None, "", (), None, None, n) for n, path in enumerate(files, start=1))
    return Manifest(folder, None, tuple(rows), {})


def may_be_film(path: Path) -> bool:
    """Whether a file may be a film by its path in its folder: not hidden, and of no other kind."""
    return path.suffix.lower() not in ASIDE and not any(part[0] == "." for part in path.parts)


def _indications(table: Path) -> dict[int, str]:
    """The column `indication` by the number of the row, as a spreadsheet counts."""
    if table.suffix != ".csv":
        return {}
    with table.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines)
        header = [name.strip().lower() for name in next(rows)]
        if "indication" not in header:
            return {}
        at = header.index("indication")
        return {number: row[at].strip() for number, row in enumerate(rows, start=2) if row[at:]}


def draft_folder(
    assistant: Assistant,
    path: Path,
    out: Path,
    *,
    neighbours: int = 5,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Drafted:
    """Draft every film of a manifest into a file of JSON lines, in the manifest's order.

    A line is `{"image": ..., "draft": ...}`, the draft as `wetread draft --json` gives it, or
    `{"image": ..., "error": ...}` with the sentence that says why there is none. The file is
    written beside its place and renamed when it is whole. The same films, versions, library and
    seed give the same lines but for the drafts' times. Raises SettingsError for no manifest or a
    file that cannot be written.
    """
    manifest = read_manifest(path)
    taken = [row.image for row in manifest.rows] + ([manifest.table] if manifest.table else [])
    if out.resolve() in {file.resolve() for file in taken}:
        raise SettingsError(f"{out} is part of the manifest; name another file for the drafts.")
    beside = out.with_name(f".{out.name}.part")
    total, failed = len(manifest.rows), 0
    gates: Counter[str] = Counter()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8") as lines:
            drafts = draft_rows(assistant, manifest, neighbours=neighbours, seed=seed)
            for done, line in enumerate(drafts, start=1):
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")
                failed += "error" in line
                if "draft" in line:
                    gates[line["draft"]["gate"]["answer"]] += 1
                progress(done, total)
        beside.replace(out)
    except OSError as error:
        raise SettingsError(f"{out} cannot be written ({error.strerror}); name another.") from None
    finally:
        with suppress(OSError):  # renamed already, or never made
            beside.unlink()
    drafted = total - failed - gates["refuse"]
    return Drafted(total, drafted, failed, gates["warn"], gates["refuse"])


def draft_rows(
    assistant: Assistant,
    manifest: Manifest,
    *,
    neighbours: int = 5,
    seed: int = 0,
    told: Told | None = None,
    named: bool = True,
    batch: int = SIZE,
) -> Iterator[dict[str, Any]]:
    """Draft the films of a manifest, one `{"image": ..., "draft" or "error": ...}` for each row.

    `batch` films are drafted together. `image` is the film's path in the manifest's folder; with
    `named` False it is "film 3", by its number from 1, and no error names a file either. `told`
    hears, while a batch is written, the text of its first film; what it raises (`Stopped`, say)
    ends the run and goes through.
    """
    for start in range(0, len(manifest.rows), batch):
        rows = manifest.rows[start : start + batch]
        names = [
            row.image.relative_to(manifest.folder).as_posix() if named else f"film {number}"
            for number, row in enumerate(rows, start=start + 1)
        ]
        read = [
            _study(row, None if named else name, manifest.indications.get(row.row, ""))
            for row, name in zip(rows, names, strict=True)
        ]
        studies = [study for study in read if isinstance(study, Study)]
        drafts = assistant.draft_many(
            studies, neighbours=neighbours, seed=seed, batch=batch, told=told
        )
        for name, study in zip(names, read, strict=True):
            if isinstance(study, Study):
                yield {"image": name, "draft": draft_dict(next(drafts))}
            else:
                yield {"image": name, "error": study}


def _study(row: FolderRow, name: str | None, indication: str) -> Study | str:
    """The study of a row, or the sentence that says why there is none, calling the film `name`."""
    try:
        film = read_film(row.image) if name is None else _film_called(name, row.image)
        return Study((film,), indication)
    except WetreadError as error:
        return str(error)


def _film_called(name: str, path: Path) -> Film:
    """The film of a file whose own name is not to be told."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise IntakeError(f'"{name}" cannot be opened ({error.strerror}).') from None
    return read_film_bytes(data, name)
