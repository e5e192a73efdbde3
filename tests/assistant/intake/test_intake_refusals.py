"""What the door turns away, and that each refusal is one sentence that names the file."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import films
import numpy as np
import pytest
from films import EIGHT, SIXTEEN, TRUTH, refusal, tiff
from PIL import Image
from pydicom import uid

from assistant.errors import IntakeError
from assistant.intake import MAX_BYTES, read_film, read_film_bytes

# ---- refusals ---------------------------------------------------------------------------------


def altered(**elements: Any) -> bytes:
    return films.written(films.dicom(films.levels(TRUTH, 12), **elements))


def png_header(columns: int, rows: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 999)), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def colourful() -> np.ndarray:
    return np.dstack([EIGHT, EIGHT[::-1], EIGHT[:, ::-1]])


def deflated_bomb() -> bytes:
    data = films.written(films.dicom(films.levels(TRUTH, 12)), uid.DeflatedExplicitVRLittleEndian)
    (length,) = struct.unpack_from("<I", data, 140)
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = b"".join(engine.compress(bytes(10_000_000)) for _ in range(MAX_BYTES // 10_000_000 + 1))
    return data[: 144 + length] + body + engine.flush()


def codestream_of_another_size() -> bytes:
    found = films.dicom(films.levels(TRUTH, 8), 8)
    jpeg = films.picture(np.zeros((900, 900), np.uint8), "JPEG")
    return films.written(found, uid.JPEGBaseline8Bit, codestream=jpeg)


def cut_codestream(kind: str, syntax: str) -> bytes:
    options = {"no_jp2": True} if kind == "JPEG2000" else {}
    stream = films.picture(EIGHT, kind, **options)
    cut = stream[: len(stream) // 2 // 2 * 2]
    return films.written(films.dicom(films.levels(TRUTH, 8), 8), syntax, codestream=cut)


STORAGE = "1.2.840.10008.5.1.4.1.1."
REFUSALS = {
    "empty": (lambda: b"", "is empty"),
    "text": (lambda: b"%PDF-1.7 a letter about someone" * 20, "not DICOM, PNG, JPEG or TIFF"),
    "gif": (lambda: films.picture(EIGHT, "GIF"), "not DICOM, PNG, JPEG or TIFF"),
    "pdf": (lambda: altered(SOPClassUID=STORAGE + "104.1"), "encapsulated document"),
    "cda": (lambda: altered(SOPClassUID=STORAGE + "104.2"), "encapsulated document"),
    "stl": (lambda: altered(SOPClassUID=STORAGE + "104.3"), "encapsulated document"),
    "sr": (lambda: altered(SOPClassUID=STORAGE + "88.11"), "structured report"),
    "rt": (lambda: altered(SOPClassUID=STORAGE + "481.1"), "radiotherapy"),
    "ecg": (lambda: altered(SOPClassUID=STORAGE + "9.1.1"), "waveform"),
    "ct": (lambda: altered(SOPClassUID=STORAGE + "2", Modality="CT"), "a CT image"),
    "us": (lambda: altered(Modality="US"), "an ultrasound image"),
    "odd": (lambda: altered(Modality="ZEBEDEE"), "another modality"),
    "other": (lambda: altered(SOPClassUID=STORAGE + "2"), "another kind of DICOM object"),
    "unsaid": (lambda: altered(SOPClassUID="", Modality=""), "does not say"),
    "no pixels": (lambda: altered(PixelData=None, Rows=None), "holds no picture"),
    "frames": (lambda: altered(NumberOfFrames=2), "several frames"),
    "palette": (lambda: altered(PhotometricInterpretation="PALETTE COLOR"), "palette"),
    "photometric": (lambda: altered(PhotometricInterpretation="ZEBEDEE"), "photometric"),
    "samples": (lambda: altered(SamplesPerPixel=2), "photometric"),
    "bits": (lambda: altered(BitsAllocated=32), "8 to 16 bits"),
    "bits stored": (lambda: altered(BitsStored=20), "8 to 16 bits"),
    "no rows": (lambda: altered(Rows=None), "lay out its pixels"),
    "short": (lambda: altered(Rows=200), "cut short"),
    "small": (lambda: altered(Rows=63), "under 64"),
    "large": (lambda: altered(Rows=60000, Columns=60000), "over 40 megapixels"),
    "video": (
        lambda: films.written(
            films.dicom(films.levels(TRUTH, 8), 8), uid.MPEG2MPML, codestream=b"video!"
        ),
        "transfer syntax",
    ),
    "colour": (lambda: films.written(films.dicom(colourful(), 8)), "colour picture"),
    "deflated bomb": (deflated_bomb, "unpacks to over 200 MB"),
    "size": (codestream_of_another_size, "one size"),
    "cut jpeg": (lambda: cut_codestream("JPEG", uid.JPEGBaseline8Bit), "cut short"),
    "cut jpeg 2000": (lambda: cut_codestream("JPEG2000", uid.JPEG2000), "cut short"),
    "png large": (lambda: png_header(12000, 9000), "over 40 megapixels"),
    "png bomb": (lambda: png_header(60000, 60000), "over 40 megapixels"),
    "png small": (lambda: films.picture(EIGHT[:63]), "under 64"),
    "png colour": (lambda: films.picture(colourful()), "colour picture"),
    "jpeg colour": (lambda: films.picture(colourful(), "JPEG"), "colour picture"),
    "png cut": (lambda: films.picture(EIGHT)[:-300], "cut short"),
    "png end": (lambda: films.picture(EIGHT)[:-8], "cut short"),
    "jpeg cut": (lambda: films.picture(EIGHT, "JPEG")[:-300], "cut short"),
    "jpeg end": (lambda: films.picture(EIGHT, "JPEG")[:-2], "cut short"),
    "tiff cut": (lambda: tiff(SIXTEEN)[:-300], "cut short"),
    "pages": (lambda: tiff(np.stack([EIGHT, EIGHT]), photometric="minisblack"), "several pictures"),
    "animation": (
        lambda: films.picture(EIGHT, save_all=True, append_images=[Image.fromarray(255 - EIGHT)]),
        "several pictures",
    ),
    "cmyk": (
        lambda: films.picture(Image.fromarray(EIGHT).convert("CMYK"), "JPEG"),
        "neither grey nor RGB",
    ),
    "one bit": (lambda: films.picture(Image.fromarray(EIGHT).convert("1")), "one bit"),
    "nan": (lambda: tiff(np.where(TRUTH > 0.5, np.nan, TRUTH).astype("f4")), "not numbers"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_no_film_is_refused_in_one_sentence(case: str) -> None:
    make, why = REFUSALS[case]
    text = refusal(make(), "odd film.bin")
    assert why in text
    assert "ZEBEDEE" not in text


def test_paths_that_are_no_film_files_are_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.dcm"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse
    pipe = tmp_path / "pipe.dcm"
    os.mkfifo(pipe)
    cases = {
        tmp_path: "is a folder",
        tmp_path / "absent.dcm": "does not exist",
        tmp_path / "no\0name": "cannot be opened",
        large: "over 200 MB",
        pipe: "not a regular file",
    }
    for path, why in cases.items():
        with pytest.raises(IntakeError, match=why) as caught:
            read_film(path)
        text = str(caught.value)
        assert path.name.replace("\0", "?") in text
        assert str(tmp_path.parent) not in text
        assert "\n" not in text


def test_a_name_with_line_breaks_still_makes_one_line() -> None:
    with pytest.raises(IntakeError) as caught:
        read_film_bytes(b"", "a\nb\x1b[31m" + "c" * 500)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250
