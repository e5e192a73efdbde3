"""Nothing of a person passes the door, and no damage gets through it as a traceback."""

from __future__ import annotations

import gc
import hashlib
import logging
import math
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import films
import numpy as np
import pytest
from films import EIGHT, SIXTEEN, TRUTH, refusal, tiff
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from pydicom import Dataset, Sequence, uid
from pydicom.data import get_testdata_files

from assistant.errors import IntakeError
from assistant.intake import read_film, read_film_bytes
from assistant.types import Film

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

# ---- identity ---------------------------------------------------------------------------------


def with_secrets() -> Dataset:
    found = films.dicom(films.levels(TRUTH, 12), **dict[str, Any](films.SECRETS))
    block = found.private_block(0x0011, "ZEBEDEE CORP", create=True)
    block.add_new(1, "LO", films.SECRETS["PatientName"])
    nested = Dataset()
    nested.PatientID = films.SECRETS["PatientID"]
    found.OtherPatientIDsSequence = Sequence([nested])
    return found


def spilled(text: str) -> list[str]:
    """The planted words a text holds."""
    words = [w for s in films.SECRETS.values() for w in (s, *s.split("^"))]
    return [w for w in [*words, "ZEBEDEE"] if w.lower() in text.lower()]


def everything_in(film: Film) -> str:
    """All that a film says of itself, and all that hangs on it."""
    values = [getattr(film, name) for name in Film.__slots__]
    return f"{film!r} {film!s} {values!r} {gc.get_referents(film)!r}"


def test_no_planted_identity_passes_the_door(caplog: pytest.LogCaptureFixture) -> None:
    text = PngImagePlugin.PngInfo()
    exif = Image.Exif()
    for word, secret in films.SECRETS.items():
        text.add_text(word, secret)
    exif[270], exif[315] = films.SECRETS["PatientName"], films.SECRETS["PatientID"]
    cases = [
        films.written(with_secrets()),
        films.written(with_secrets(), uid.ImplicitVRLittleEndian),
        films.picture(EIGHT, pnginfo=text),
        films.picture(EIGHT, "JPEG", exif=exif),
        films.picture(EIGHT, "TIFF", description=films.SECRETS["PatientName"]),
    ]
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for data in cases:
            film = read_film_bytes(data)
            assert spilled(everything_in(film)) == []
            said = refusal(data[: len(data) * 2 // 3])
            assert spilled(said) == []
    assert spilled(caplog.text) == []
    assert not warned


def test_invalid_values_are_quoted_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    found = with_secrets()
    data = films.written(found)
    for good, bad in ((b"CS\x0c\x00MONOCHROME2 ", b"CS\x0c\x00zebedee quiz"),):
        assert good in data
        data = data.replace(good, bad)
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        said = refusal(data)
    assert spilled(said + caplog.text) == []
    assert not warned


def test_silence_ends_with_the_read(caplog: pytest.LogCaptureFixture) -> None:
    before = list(warnings.filters)
    read_film_bytes(films.written(with_secrets()))
    refusal(b"\x89PNG\r\n\x1a\n")
    assert warnings.filters == before
    logger = logging.getLogger("pydicom")
    assert logger.filters == []
    with caplog.at_level(logging.WARNING):
        logger.warning("heard again")
    assert "heard again" in caplog.text


def test_importing_the_assistant_loads_no_reader() -> None:
    code = (
        "import sys, assistant, assistant.intake;"
        "print([m for m in ('torch', 'pydicom', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[3],
    )
    assert done.stdout.strip() == "[]"


# ---- damage, and files of others --------------------------------------------------------------


def film_or_sentence(read: Callable[[], Film]) -> tuple[Film | None, str]:
    """What a reader answers: a film, or the sentence that refuses it."""
    try:
        return read(), ""
    except IntakeError as refused:
        return None, str(refused)


WHOLE = {
    "dicom": films.written(films.dicom(films.levels(TRUTH, 12))),
    "implicit": films.written(films.dicom(films.levels(TRUTH, 12)), uid.ImplicitVRLittleEndian),
    "deflated": films.written(
        films.dicom(films.levels(TRUTH, 12)), uid.DeflatedExplicitVRLittleEndian
    ),
    "rle": films.written(films.dicom(films.levels(TRUTH, 12)), uid.RLELossless),
    "j2k": films.written(films.dicom(films.levels(TRUTH, 12)), uid.JPEG2000Lossless),
    "jls": films.written(films.dicom(films.levels(TRUTH, 12)), uid.JPEGLSLossless),
    "png": films.picture(SIXTEEN),
    "jpeg": films.picture(EIGHT, "JPEG"),
    "tiff": tiff(SIXTEEN, compression="zlib"),
}


@given(kind=st.sampled_from(sorted(WHOLE)), share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=150, deadline=None)
def test_a_truncated_film_is_refused(kind: str, share: float) -> None:
    whole = WHOLE[kind]
    refusal(whole[: math.floor(share * len(whole))])


@given(kind=st.sampled_from(sorted(WHOLE)), seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_a_damaged_film_is_a_film_or_a_refusal(kind: str, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - damage, not secrets
    damaged = bytearray(WHOLE[kind])
    for _ in range(dice.randint(1, 8)):
        damaged[dice.randrange(min(len(damaged), 2000))] = dice.randrange(256)
    film, said = film_or_sentence(lambda: read_film_bytes(bytes(damaged)))
    assert said.isprintable()
    assert film is None or np.isfinite(film.pixels).all()


def on_disk() -> list[str]:
    """The test files of pydicom that are already here: nothing is fetched."""
    return [f for f in get_testdata_files() if Path(f).is_file()]


def test_pydicoms_own_files_are_films_or_refusals() -> None:
    films_read = 0
    for path in on_disk():
        film, said = film_or_sentence(lambda path=path: read_film(path))
        assert said.isprintable()
        assert film is not None or Path(path).name in said
        films_read += film is not None
        assert film is None or np.isfinite(film.pixels).all()
    assert films_read > 0


@pytest.mark.parametrize("source", ["nih", "hannover", "covid"])
def test_real_films_are_readable(source: str) -> None:
    paths = sorted((DATA / source / "images").glob("*"))[::40]
    if not paths:
        pytest.skip(f"no real films at {DATA / source}")
    for path in paths:
        film = read_film(path)
        assert film.pixels.std() > 0.02
        assert film.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
