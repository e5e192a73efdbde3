"""BRAX: Brazilian films with labels of CheXpert's kind, as PNG or DICOM."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from assistant.datasets.case import DatasetCase, DatasetInfo, LeftOut, OpenedSet, Projection
from assistant.datasets.labels import SignedLabels, label_columns
from assistant.datasets.tables import (
    BAD_ROW,
    NO_VIEW,
    NOT_THERE,
    FilmFinder,
    age_of,
    moment_of,
    require_file,
    rows_of,
    sex_of,
)

INFO = DatasetInfo(
    name="brax",
    title="BRAX",
    licence="PhysioNet Credentialed Health Data License 1.5.0: no sharing",
    citation="Reis EP, de Paiva JPQ, da Silva MCB, et al. BRAX, Brazilian labeled chest x-ray "
    "dataset. Sci Data 2022; 9: 487.",
    url="https://physionet.org/content/brax/",
    labels="read out of the Portuguese reports by CheXpert's labeller, translated: 1 present, 0 "
    "absent, -1 kept as uncertain, empty unmentioned; the reports are not published",
    order="the studies of a patient by date, counted from 0",
    dated=True,
    language="",
)
_STUDY = re.compile(r"[/\\](Study_[^/\\]+)[/\\]")
_LATERAL = frozenset(("L", "LL", "RL", "LATERAL", "LLD"))


def open_brax(root: Path, reports: Path | None = None) -> OpenedSet:
    """Find the master spreadsheet, in its newer form where both are there."""
    table = require_file(root, INFO, "master_spreadsheet_update.csv", "master_spreadsheet.csv")
    return OpenedSet((table,), partial(_cases, root, table))


def _cases(root: Path, table: Path, left_out: LeftOut) -> Iterator[DatasetCase]:
    finder = FilmFinder([table.parent, root], (".png", ".dcm"))
    signs: SignedLabels | None = None
    for row in rows_of(table, INFO, left_out, ("patientid", "viewposition")):
        signs = signs or SignedLabels(label_columns(row))
        paths = [row.get(key, "") for key in ("pngpath", "dicompath")]
        if not any(paths):
            left_out[BAD_ROW] += 1
            continue
        film = next(filter(None, map(finder.find, paths)), None)
        film = film or finder.find(re.sub(r"\.dcm$", "", paths[1]))
        if film is None:
            left_out[NOT_THERE] += 1
            continue
        view = row["viewposition"].upper()
        projection = _projection_of(view)
        if projection is None:
            left_out[NO_VIEW] += 1
            continue
        study = _STUDY.search("/".join(paths))
        yield DatasetCase(
            image=film,
            patient=row["patientid"],
            study=row.get("accessionnumber") or (study[1] if study else str(film)),
            projection=projection,
            view=view,
            order=moment_of(row.get("studydate", ""), row.get("studytime", "")),
            sex=sex_of(row.get("patientsex", "")),
            age=age_of(row.get("patientage", "")),
            labels=signs.read(row, left_out),
        )


def _projection_of(view: str) -> Projection | None:
    """Frontal or Lateral; "" where nothing is stated, None for another view."""
    if view in ("PA", "AP"):
        return "Frontal"
    return "Lateral" if view in _LATERAL else None if view else ""
