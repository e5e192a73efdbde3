"""The door: a file becomes a `Film`, or is refused in one sentence.

Everything that identifies a person stays outside. Only the attributes that the picture needs
are parsed at all, nothing of the file is kept but pixels, view, laterality, spacing and secret
marks of its study and day (`study_marks`), and an error names the file and the trouble, never a
value out of the file. This package knows file
formats; it knows no anatomy and no model.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from assistant.errors import IntakeError
from assistant.intake.decoding import decode_bytes
from assistant.intake.limits import MAX_BYTES, MAX_PIXELS, MIN_SIDE, RefusedFile
from assistant.types import Film

__all__ = ["MAX_BYTES", "MAX_PIXELS", "MIN_SIDE", "read_film", "read_film_bytes"]

_TOO_LARGE = f"is over {MAX_BYTES // 1_000_000} MB: give a smaller copy"


def read_film(path: str | os.PathLike[str], name: str | None = None) -> Film:
    """Read one radiograph from a DICOM, PNG, JPEG or TIFF file.

    The format is told from the content, not from the name. Returns a `Film`: pixels float32
    (H, W) in [0, 1], air dark, read-only; sha256 of the file's bytes; view, laterality and
    spacing in mm (row, column) where a DICOM file states them; flag "synthetic" where a DICOM
    file (0008,001C) or a PNG text chunk says so, or the visible mark is in a lower corner. Grey
    scale follows DICOM PS3.3 C.7.6.3.1.2 (photometric interpretation), C.11.1 (modality LUT)
    and C.11.2 (VOI LUT).

    Raises `IntakeError`, one sentence with `name`, else the file's base name, for what is not a
    whole, single, grey radiograph of 64 pixels a side up to 40 megapixels and 200 MB.
    """
    # Path would drop what the user typed.
    name = name or os.path.basename(os.fspath(path)) or os.fspath(path)  # noqa: PTH119
    trouble = ""
    data = b""
    try:
        data = _bytes_of(Path(path))
    except RefusedFile as refusal:
        trouble = str(refusal)
    if trouble:
        raise IntakeError(_sentence(name, trouble))
    return read_film_bytes(data, name)


def read_film_bytes(data: bytes, name: str = "film") -> Film:
    """Read one radiograph from the bytes of a DICOM, PNG, JPEG or TIFF file.

    `name` is what an error calls the film. Returns and raises as `read_film` does.
    """
    trouble = ""
    picture = None
    try:
        if not data:
            raise RefusedFile("is empty: fetch it again")
        if len(data) > MAX_BYTES:
            raise RefusedFile(_TOO_LARGE)
        picture = decode_bytes(data)
    except RefusedFile as refusal:
        trouble = str(refusal)
    # Raised here and not in the handler above: the new error then holds no reference to the
    # refused one, whose traceback holds the parsed file.
    if picture is None:
        raise IntakeError(_sentence(name, trouble))
    picture.pixels.flags.writeable = False
    return Film(
        pixels=picture.pixels,
        sha256=hashlib.sha256(data).hexdigest(),
        view=picture.view,
        laterality=picture.laterality,
        spacing_mm=picture.spacing_mm,
        flags=(*["synthetic"] * picture.synthetic, *picture.notes),
        study=picture.study,
        day=picture.day,
    )


def _sentence(name: str, trouble: str) -> str:
    """One printable line: the file's name in quotes, what is wrong and what to do."""
    shown = "".join(c if c.isprintable() else "?" for c in name) or "film"
    if len(shown) > 120:
        shown = f"{shown[:60]}...{shown[-50:]}"
    return f'"{shown}" {trouble}.'


def _bytes_of(path: Path) -> bytes:
    """The bytes of a regular file within the limit; raises `RefusedFile`."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise RefusedFile("is a folder: give one film file in it")
        if not stat.S_ISREG(found.st_mode):  # a pipe or a device may never end
            raise RefusedFile("is not a regular file: give one film file")
        if found.st_size > MAX_BYTES:
            raise RefusedFile(_TOO_LARGE)
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise RefusedFile("does not exist: check the path") from None
    except PermissionError:
        raise RefusedFile("may not be read: check its permissions") from None
    except (OSError, ValueError):  # ValueError: a NUL in the path
        raise RefusedFile("cannot be opened: check the path and the disk") from None
