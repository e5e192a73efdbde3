"""A damaged film is refused, or read as what it was: it is never read as another film.

Where a format has a checksum, or a code that must come out even, any damage to it is told. Where
it has neither (JPEG's Huffman code, arithmetic code, plain samples), what is told is stated here
as docs/intake.md states it.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache

import films
import numpy as np
import pytest
from films import dicom, levels, picture, refusal, tiff, transcoded, written
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread, uid
from pydicom.data import get_testdata_file
from pydicom.encaps import get_frame

from assistant.errors import IntakeError
from assistant.intake import read_film_bytes

GRAIN = np.random.default_rng(7).normal(0, 0.02, (300, 280))  # real films have it too
FILM = (0.1 + 0.8 * films.ramp(300, 280) + GRAIN).clip(0, 1)
EIGHT, SIXTEEN = levels(FILM, 8).astype(np.uint8), levels(FILM, 16).astype(np.uint16)


def twelve_bits() -> bytes:
    """A frame of 12 bits in lossy JPEG, of pydicom's test files, as a film."""
    found = dcmread(str(get_testdata_file("JPGExtended.dcm")))
    frame = get_frame(found.PixelData, 0, number_of_frames=1)
    film = dicom(np.zeros((found.Rows, found.Columns)), 12)
    return written(film, uid.JPEGExtended12Bit, codestream=frame)


@cache
def whole_films() -> dict[str, bytes]:
    """A whole film in each format."""
    native = written(dicom(levels(FILM, 12)))
    byte = written(dicom(levels(FILM, 8), 8))
    return {
        "png 8": picture(EIGHT),
        "png 16": picture(SIXTEEN),
        "jpeg": picture(EIGHT, "JPEG", quality=90),
        "jpeg progressive": picture(EIGHT, "JPEG", quality=90, progressive=True),
        "jpeg restart": picture(EIGHT, "JPEG", quality=90, restart_marker_rows=1),
        "tiff none": tiff(SIXTEEN, rowsperstrip=32),
        "tiff deflate": tiff(SIXTEEN, compression="zlib", predictor=True, rowsperstrip=64),
        "tiff deflate tiles": tiff(SIXTEEN, compression="zlib", tile=(64, 64)),
        "tiff lzw": picture(EIGHT, "TIFF", compression="tiff_lzw"),
        "tiff packbits": picture(EIGHT, "TIFF", compression="packbits"),
        "tiff jpeg": picture(EIGHT, "TIFF", compression="jpeg"),
        "dicom native": native,
        "dicom deflated": written(dicom(levels(FILM, 12)), uid.DeflatedExplicitVRLittleEndian),
        "dicom rle": written(dicom(levels(FILM, 12)), uid.RLELossless),
        "dicom jpeg": transcoded(byte, uid.JPEGBaseline8Bit, lossy=True),
        "dicom jpeg 12": twelve_bits(),
        "dicom jpeg lossless": transcoded(native, uid.JPEGLosslessSV1),
        "dicom jpeg-ls": written(dicom(levels(FILM, 12)), uid.JPEGLSLossless),
        "dicom jpeg-ls near": written(dicom(levels(FILM, 12)), uid.JPEGLSNearLossless),
        "dicom jpeg 2000": written(dicom(levels(FILM, 12)), uid.JPEG2000Lossless),
    }


@cache
def pixels_of(kind: str) -> np.ndarray:
    return read_film_bytes(whole_films()[kind]).pixels


# A checksum covers the coded picture: any change is told.
CHECKED = ("png 8", "png 16", "tiff deflate", "tiff deflate tiles")
# The code comes out even, and does not find its way back: what is missing or zeroed is told.
EVEN = ("dicom jpeg-ls", "dicom jpeg-ls near")
# Huffman code finds its way back after a few samples: what is larger than a block is told. The
# refinement scans of a progressive file do so more often, and change the film by little.
HUFFMAN = ("jpeg", "jpeg restart", "tiff jpeg", "dicom jpeg", "dicom jpeg 12")
LENGTHS = ("dicom jpeg lossless", "dicom rle", "dicom deflated", "tiff packbits", "tiff lzw")


def coded_part(kind: str) -> tuple[int, int]:
    """Where the coded picture begins and ends in a whole film, roughly."""
    data = whole_films()[kind]
    if kind.startswith("png"):
        return data.index(b"IDAT") + 4, len(data) - 16
    if kind.startswith("tiff"):
        return (600, len(data) - 600) if "tiles" not in kind else (2000, len(data) - 600)
    return len(data) // 20 + 700, len(data) - 16


def damaged(kind: str, how: str, place: float, length: int) -> bytes:
    """A whole film with a piece of its coded picture cut out, zeroed or with a bit flipped."""
    data, (begin, end) = bytearray(whole_films()[kind]), coded_part(kind)
    at = begin + int(place * (end - begin - length))
    if how == "cut":
        del data[at : at + length]
    elif how == "zeros":
        data[at : at + length] = bytes(length)
    elif how == "end":
        del data[at:]
    else:
        data[at] ^= 1 << length % 8
    return bytes(data)


def film_or_none(data: bytes) -> np.ndarray | None:
    try:
        return read_film_bytes(data).pixels
    except IntakeError:
        return None


def is_another(kind: str, data: bytes) -> bool:
    """Whether damaged bytes are read as another film than the whole one."""
    pixels = film_or_none(data)
    return pixels is not None and not np.array_equal(pixels, pixels_of(kind))


@pytest.mark.parametrize("kind", whole_films())
def test_a_whole_film_is_read_whatever_follows_its_end(kind: str) -> None:
    if kind != "dicom jpeg 12":
        assert np.abs(pixels_of(kind) - FILM).mean() < 0.02
    if kind.startswith(("png", "jpeg")):
        for trailer in (b"\0" * 9, b"\xff\xda\xff", b"\xff\xd8\xff\xe1 thumbnail", b"IDAT"):
            assert not is_another(kind, whole_films()[kind] + trailer)
            assert film_or_none(whole_films()[kind] + trailer) is not None


@given(
    kind=st.sampled_from(CHECKED),
    how=st.sampled_from(("cut", "zeros", "bit", "end")),
    place=st.floats(0, 1),
    length=st.integers(1, 3000),
)
@settings(max_examples=150, deadline=None)
def test_any_damage_to_a_picture_with_a_checksum_is_told(
    kind: str, how: str, place: float, length: int
) -> None:
    data = damaged(kind, how, place, length)
    assert data == whole_films()[kind] or film_or_none(data) is None or not is_another(kind, data)


@given(
    kind=st.sampled_from(sorted(set(whole_films()) - {"jpeg progressive"})),
    how=st.sampled_from(("cut", "end")),
    place=st.floats(0, 1),
    share=st.sampled_from((0.01, 0.1)),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_film_with_a_piece_cut_out_is_refused(
    kind: str, how: str, place: float, share: float
) -> None:
    data = damaged(kind, how, place, int(share * len(whole_films()[kind])))
    assert not is_another(kind, data)


@given(
    kind=st.sampled_from((*EVEN, *HUFFMAN, *LENGTHS)),
    place=st.floats(0, 1),
    share=st.floats(0.02, 0.2),
)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_zeros_in_code_that_must_come_out_even_are_told(
    kind: str, place: float, share: float
) -> None:
    data = damaged(kind, "zeros", place, int(share * len(whole_films()[kind])))
    assert not is_another(kind, data)


@given(
    kind=st.sampled_from(EVEN),
    how=st.sampled_from(("cut", "zeros")),
    place=st.floats(0, 1),
    length=st.integers(1, 40),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_few_lost_bytes_of_jpeg_ls_are_told(
    kind: str, how: str, place: float, length: int
) -> None:
    assert not is_another(kind, damaged(kind, how, place, length))


@given(place=st.floats(0, 1), length=st.integers(64, 4000))
@settings(max_examples=20, deadline=None)
def test_zeros_in_jpeg_2000_are_told(place: float, length: int) -> None:
    assert not is_another("dicom jpeg 2000", damaged("dicom jpeg 2000", "zeros", place, length))


def odd_films() -> dict[str, np.ndarray]:
    """Whole films, 12 bits, whose code is unlike that of others: blank, regular, half empty."""
    shape = (200, 170)
    random = np.random.default_rng(0)
    noise, places = random.integers(0, 4096, shape), np.indices(shape)
    return {
        "blank": np.zeros(shape, int),
        "8 bits shifted up": (noise >> 4) << 4,
        "half empty": np.where(places[0] < 100, 0, noise),
        "steps": places[0] // 50 * 1000,
        "checks": places.sum(0) % 2 * 4095,
        "specks": (random.random(shape) < 0.001) * 4095,
    }


@pytest.mark.parametrize("name", odd_films())
def test_no_whole_film_is_called_damaged(name: str) -> None:
    values = odd_films()[name]
    native = written(dicom(values))
    wanted = read_film_bytes(native).pixels
    for syntax in (
        uid.JPEG2000Lossless, uid.JPEGLSLossless, uid.RLELossless,
        uid.DeflatedExplicitVRLittleEndian,
    ):  # fmt: skip
        assert np.array_equal(read_film_bytes(written(dicom(values), syntax)).pixels, wanted)
    assert np.array_equal(read_film_bytes(transcoded(native, uid.JPEGLosslessSV1)).pixels, wanted)
    eight = (values >> 4).astype(np.uint8)
    wanted = read_film_bytes(picture(eight)).pixels
    for compression in ("tiff_lzw", "packbits", "tiff_adobe_deflate"):
        made = picture(eight, "TIFF", compression=compression)
        assert np.array_equal(read_film_bytes(made).pixels, wanted)
    for quality in (30, 95, 100):
        for options in (
            {},
            {"optimize": True},
            {"progressive": True},
            {"restart_marker_blocks": 7},
        ):
            read_film_bytes(picture(eight, "JPEG", quality=quality, **options))


def test_a_small_jpeg_that_claims_a_large_picture_is_refused() -> None:
    small = picture(np.full((64, 64), 128, np.uint8), "JPEG")
    at = small.index(b"\xff\xc0")
    for rows, columns in ((10_000, 10_000), (4000, 4000), (64, 80), (72, 64)):
        lie = small[: at + 5] + struct.pack(">HH", rows, columns) + small[at + 9 :]
        refusal(lie)


def test_a_png_whose_picture_is_short_or_of_another_checksum_is_refused() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in EIGHT)
    packed = zlib.compress(rows)
    header = struct.pack(">IIBBBBB", EIGHT.shape[1], EIGHT.shape[0], 8, 0, 0, 0, 0)

    def png(picture: bytes) -> bytes:
        parts = [(b"IHDR", header), (b"IDAT", picture), (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b))
            for k, b in parts
        )

    assert np.array_equal(read_film_bytes(png(packed)).pixels, EIGHT / np.float32(255))
    refusal(png(packed[:-4] + b"\1\2\3\4"))
    refusal(png(zlib.compress(rows[:-300])))
