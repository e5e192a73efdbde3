"""Reads what the header of a film says of its size, its view, and the patient's age and sex.

Pixels and all other elements, names and numbers of people among them, are skipped unread.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from pydicom import dcmread

from assistant.datasets.tables import age_of, moment_of, sex_of
from assistant.intake.acquisition import view_of
from assistant.intake.decode import DICOM_ERRORS

_WANTED = ["Rows", "Columns", "PatientSex", "PatientAge", "ViewPosition", "StudyDate", "StudyTime"]


@dataclass(frozen=True, slots=True)
class FilmHeader:
    """What a film's own file states; a picture states its size alone."""

    columns: int
    rows: int
    view: str = ""
    sex: str = ""
    age: int | None = None
    moment: float | None = None  # when it was taken; sorts films and is not written


def read_header(film: Path) -> FilmHeader | None:
    """The header of a DICOM file or of a picture; None where it cannot be read."""
    if film.suffix.lower() not in (".png", ".jpg", ".jpeg", ".tif", ".tiff"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they quote the file
                return _header_of(film)
        except DICOM_ERRORS:
            return None
    try:
        with Image.open(film) as picture:
            return FilmHeader(*picture.size)
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        return None


def _header_of(film: Path) -> FilmHeader:
    found = dcmread(film, stop_before_pixels=True, force=True, specific_tags=_WANTED)
    columns, rows = int(found.Columns), int(found.Rows)
    date, time = str(found.get("StudyDate") or ""), str(found.get("StudyTime") or "")
    return FilmHeader(
        columns,
        rows,
        view_of(str(found.get("ViewPosition") or ""), "", ()) or "",
        sex_of(str(found.get("PatientSex") or "")),
        age_of(str(found.get("PatientAge") or "")),
        moment_of(date, time),
    )
