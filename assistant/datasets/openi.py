"""Open-i, the Indiana University collection: reports as XML, or Kaggle's two tables of them."""

from __future__ import annotations

import re
import tarfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from assistant.chest.set_labels import finding_of_heading, place_of
from assistant.datasets.case import (
    DatasetCase,
    DatasetInfo,
    FilmLabels,
    LeftOut,
    OpenedSet,
    Projection,
)
from assistant.datasets.header import read_header
from assistant.datasets.tables import (
    NOT_THERE,
    find_file,
    index_films,
    require_folder,
    rows_of,
    split_name,
    stem_of,
)
from assistant.errors import SettingsError
from assistant.labeller.report_sections import ReportSections
from assistant.parsing import read_json

INFO = DatasetInfo(
    name="openi",
    title="Indiana University Chest X-ray Collection (Open-i)",
    licence="CC BY-NC-ND 4.0",
    citation="Demner-Fushman D, Kohli MD, Rosenman MB, et al. Preparing a collection of radiology "
    "examinations for distribution and retrieval. J Am Med Inform Assoc 2016; 23(2): 304-310.",
    url="https://openi.nlm.nih.gov/faq (NLMCXR_reports, NLMCXR_png or NLMCXR_dcm)",
    labels="MeSH headings that people gave the reports, with their places",
)
_REPORTS, _PROJECTIONS = "indiana_reports.csv", "indiana_projections.csv"
_ARCHIVE = "NLMCXR_reports.tgz"
_FILM = re.compile(r"\d+_IM-\S*")
_NOT_CODED = ("", "no indexing")
_LARGEST = 1_000_000  # bytes; a report has a few thousand
_UNREADABLE = "reports that cannot be read"
_LATERAL = frozenset(("LATERAL", "LL", "RL"))


@dataclass(frozen=True, slots=True)
class _Report:
    """One report with the names of its films, as the set calls them."""

    name: str
    text: ReportSections
    codes: tuple[str, ...]
    films: tuple[str, ...]


_ReadReports = Callable[[LeftOut], Iterator[_Report]]


def open_openi(root: Path, reports: Path | None = None) -> OpenedSet:
    """Find the reports: Kaggle's tables, or else the folder or the archive of XML files."""
    require_folder(root, INFO)
    table, projections = find_file(root, _REPORTS), find_file(root, _PROJECTIONS)
    if table and projections:
        read = partial(_read_tables, table, projections)
        return OpenedSet((table, projections), partial(_cases, root, read, projections))
    at = reports or root
    folder = next(filter(_has_xml, _folders_in(at)), None)
    if folder is not None:
        files = tuple(sorted(folder.glob("*.xml")))
        return OpenedSet(files, partial(_cases, root, partial(_read_files, files), projections))
    archive = at if at.is_file() else find_file(at, _ARCHIVE, "NLMCXR_reports.tar")
    if archive is None:
        raise SettingsError(
            f"{root} has neither {_REPORTS} with {_PROJECTIONS}, nor {_ARCHIVE}, nor its XML files "
            f"(ecgen-radiology); get them from {INFO.url}."
        )
    return OpenedSet(
        (archive,), partial(_cases, root, partial(_read_archive, archive), projections)
    )


def _folders_in(place: Path) -> list[Path]:
    """The folders in which the XML files may lie: this one, or one of two levels below."""
    if not place.is_dir():
        return []
    inside = [path for path in sorted(place.iterdir()) if path.is_dir()]
    return [place, *inside, *(path / "ecgen-radiology" for path in inside)]


def _has_xml(folder: Path) -> bool:
    return folder.is_dir() and next(folder.glob("*.xml"), None) is not None


def _cases(
    root: Path, read: _ReadReports, projections: Path | None, left_out: LeftOut
) -> Iterator[DatasetCase]:
    films = {_name_of(stem): path for stem, path in index_films(root, INFO).items()}
    stated = _read_projections(projections, left_out) if projections else {}
    splits = _read_splits(root)
    for report in read(left_out):
        labels = _labels_of(report.codes)
        for name in report.films:
            if (film := films.get(name)) is None:
                left_out[NOT_THERE] += 1
                continue
            view = _lateral_of(film)
            yield DatasetCase(
                image=film,
                patient=report.name,
                study=report.name,
                projection=_projection_of(stated.get(name, ""), view),
                view=view,
                split=splits.get(_number_of(report.name), ""),
                labels=labels,
                text=report.text,
            )


def _projection_of(stated: str, view: str) -> Projection:
    """What Kaggle's table states, else Lateral for a view that is one; empty where neither does."""
    if stated:
        return "Lateral" if stated == "Lateral" else "Frontal" if stated == "Frontal" else ""
    return "Lateral" if view else ""


def _lateral_of(film: Path) -> str:
    """The view of a DICOM file that calls itself a lateral; a third of the laterals say PA.

    The captions of the XML are of no use: they name the views of the whole study.
    """
    if film.suffix.lower() not in (".dcm", ".dicom"):
        return ""
    header = read_header(film)
    return header.view if header and header.view in _LATERAL else ""


def _name_of(name: str) -> str:
    """What all copies of a film are called: XML and PNG put `CXR1_` before it, DICOM does not."""
    match = _FILM.search(stem_of(name))
    return match.group() if match else stem_of(name)


def _labels_of(codes: Sequence[str]) -> FilmLabels:
    """The findings of MeSH codes, as "Opacity/lung/upper lobe/right", with their places."""
    named = [(code, finding_of_heading(code)) for code in codes if code.lower() not in _NOT_CODED]
    places = [(finding, *place_of(code.split("/")[1:])) for code, finding in named if finding]
    return FilmLabels(
        present=tuple(dict.fromkeys(finding for _, finding in named if finding)),
        other=tuple(dict.fromkeys(code for code, finding in named if not finding)),
        places=tuple(dict.fromkeys(place for place in places if any(place[1:]))),
    )


def _read_splits(root: Path) -> dict[str, str]:
    """The split of each report by R2Gen (Chen et al. 2020), if its `annotation.json` is there.

    The set itself has none, and most papers report on this one.
    """
    if (path := find_file(root, "annotation.json")) is None:
        return {}
    annotation = read_json(path)
    parts = annotation.items() if isinstance(annotation, dict) else ()
    return {
        _number_of(str(entry.get("id", "")).split("_")[0]): split_name(part)
        for part, entries in parts
        if isinstance(entries, list)
        for entry in entries
        if isinstance(entry, dict)
    }


def _number_of(name: str) -> str:
    """A report's number: the XML and R2Gen put `CXR` before it."""
    return name.removeprefix("CXR")


def _read_projections(table: Path, left_out: LeftOut) -> dict[str, str]:
    rows = rows_of(table, INFO, left_out, ("uid", "filename", "projection"))
    return {_name_of(row["filename"]): row["projection"].title() for row in rows}


def _read_tables(table: Path, projections: Path, left_out: LeftOut) -> Iterator[_Report]:
    films: dict[str, list[str]] = {}
    for row in rows_of(projections, INFO, left_out, ("uid", "filename", "projection")):
        films.setdefault(row["uid"], []).append(_name_of(row["filename"]))
    for row in rows_of(table, INFO, left_out, ("uid", "findings", "impression")):
        yield _Report(
            row["uid"],
            ReportSections(
                *(_plain(row.get(key, "")) for key in ("indication", "comparison")),
                findings=_plain(row["findings"]),
                impression=_plain(row["impression"]),
            ),
            tuple(code.strip() for code in row.get("mesh", "").split(";")),
            tuple(films.get(row["uid"], ())),
        )


def _read_files(files: Sequence[Path], left_out: LeftOut) -> Iterator[_Report]:
    for path in files:
        with path.open("rb") as file:
            yield from _read_xml(file, left_out)


def _read_archive(archive: Path, left_out: LeftOut) -> Iterator[_Report]:
    try:
        with tarfile.open(archive) as members:
            for member in members:
                if member.name.endswith(".xml") and member.size <= _LARGEST:
                    file = members.extractfile(member)
                    if file is not None:
                        yield from _read_xml(file, left_out)
    except (OSError, EOFError, tarfile.TarError):
        raise SettingsError(f"{archive} is damaged; get it anew from {INFO.url}.") from None


def _read_xml(file: IO[bytes], left_out: LeftOut) -> Iterator[_Report]:
    """The report of one file; none, and counted, where it holds none."""
    try:
        root = ElementTree.fromstring(file.read(_LARGEST))  # noqa: S314 (the user's own file)
    except (ElementTree.ParseError, ValueError):
        left_out[_UNREADABLE] += 1
        return
    name = root.find("uId")
    if name is None or not name.get("id"):
        left_out[_UNREADABLE] += 1
        return
    parts = {part.get("Label", ""): part.text or "" for part in root.iter("AbstractText")}
    sections = (
        parts.get(key, "") for key in ("INDICATION", "COMPARISON", "FINDINGS", "IMPRESSION")
    )
    yield _Report(
        name.get("id", ""),
        ReportSections(*map(_plain, sections)),
        tuple((code.text or "").strip() for code in root.iter("major")),
        tuple(_name_of(film.get("id", "")) for film in root.iter("parentImage")),
    )


def _plain(text: str) -> str:
    return " ".join(text.split())
