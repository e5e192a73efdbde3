"""Films of every format, damaged: the whole film or a refusal, and never another film."""

from __future__ import annotations

import functools
from pathlib import Path
from random import Random

import numpy as np
from pydicom import uid

from assistant.errors import IntakeError
from assistant.intake import read_film_bytes
from tests.fuzz.mutations import CUT, mutate
from tests.fuzz.outcomes import PATIENT, Outcome, check_refusal
from tests.support.films import EIGHT, SIXTEEN, TRUTH, dicom, levels, picture, tiff, written

SYNTAXES = {
    "native": uid.ExplicitVRLittleEndian,
    "implicit": uid.ImplicitVRLittleEndian,
    "big-endian": uid.ExplicitVRBigEndian,
    "rle": uid.RLELossless,
    "jpeg-ls": uid.JPEGLSLossless,
    "jpeg-2000": uid.JPEG2000Lossless,
}


@functools.cache
def whole_films() -> dict[str, bytes]:
    """A small whole film in every format."""
    rgb = np.stack([EIGHT] * 3, axis=-1)
    made = {
        "png8": picture(EIGHT),
        "png16": picture(SIXTEEN),
        "png-rgb": picture(rgb),
        "jpeg": picture(EIGHT, "JPEG", quality=90),
        "jpeg-progressive": picture(EIGHT, "JPEG", quality=90, progressive=True),
        "jpeg-restarts": picture(EIGHT, "JPEG", quality=90, restart_marker_blocks=4),
        "tiff": tiff(SIXTEEN),
        "tiff-deflate": picture(SIXTEEN, "TIFF", compression="tiff_adobe_deflate"),
        "tiff-lzw": picture(EIGHT, "TIFF", compression="tiff_lzw"),
        "tiff-packbits": picture(EIGHT, "TIFF", compression="packbits"),
    }
    for name, syntax in SYNTAXES.items():
        found = dicom(levels(TRUTH, 12), PatientName=PATIENT)
        made[f"dicom-{name}"] = written(found, syntax)
    jpeg = dicom(EIGHT, 8, PatientName=PATIENT)
    made["dicom-jpeg"] = written(jpeg, uid.JPEGBaseline8Bit, codestream=made["jpeg"])
    return made


@functools.cache
def whole_pixels(kind: str) -> np.ndarray:
    """What the whole film of that format is read as."""
    return read_film_bytes(whole_films()[kind]).pixels


def fuzz_film(random: Random, folder: Path) -> Outcome:
    """Read a mutated film.

    PNG has checksums over everything, so that any mutation is told; a film of another format that
    was cut short is told by its length. Other damage may be beyond telling (a bit of an
    uncompressed pixel), and there the film must only be a film.
    """
    kind = random.choice([*whole_films()])
    name, data = mutate(whole_films()[kind], random)
    try:
        film = read_film_bytes(data, "film")
    except IntakeError as error:
        return check_refusal(error)
    assert film.pixels.dtype == np.float32
    assert np.isfinite(film.pixels).all()
    assert 0.0 <= film.pixels.min() <= film.pixels.max() <= 1.0
    if kind.startswith("png") or name == CUT:
        same = np.array_equal(film.pixels, whole_pixels(kind))
        assert same, f"{kind}, {name}: another film was read"
    return "read"
