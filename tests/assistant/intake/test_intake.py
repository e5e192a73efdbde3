"""What the door lets in: one picture, written in every way a film is written."""

from __future__ import annotations

import hashlib
import struct
import warnings
from typing import Any

import films
import numpy as np
import pytest
from films import EIGHT, SIXTEEN, TRUTH, tiff
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from pydicom import Dataset, Sequence, uid

from assistant.intake import read_film_bytes
from assistant.types import Film


def close(film: Film, truth: np.ndarray, tolerance: float) -> None:
    """The film is well formed and shows the truth."""
    assert film.pixels.dtype == np.float32
    assert film.pixels.flags.c_contiguous
    assert not film.pixels.flags.writeable
    assert 0.0 <= film.pixels.min() <= film.pixels.max() <= 1.0
    np.testing.assert_allclose(film.pixels, truth, atol=tolerance)


# ---- DICOM: one picture, written in many ways -----------------------------------------------

SYNTAXES = [
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.RLELossless,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda s: s.name[:24])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("bits", "signed"), [(8, False), (10, False), (12, False), (12, True), (16, False), (16, True)]
)
def test_every_syntax_photometric_and_depth_shows_the_same_picture(
    syntax: str, photometric: str, bits: int, signed: bool
) -> None:
    if signed and syntax == uid.JPEGLSLossless:
        pytest.skip("JPEG-LS has no signed values")
    shown = 1.0 - TRUTH if photometric == "MONOCHROME1" else TRUTH
    found = films.dicom(
        films.levels(shown, bits, signed=signed),
        bits,
        signed=signed,
        PhotometricInterpretation=photometric,
    )
    data = films.written(found, syntax)
    film = read_film_bytes(data)
    close(film, TRUTH, 1.01 / (2**bits - 1))
    assert film.sha256 == hashlib.sha256(data).hexdigest()


def test_baseline_jpeg_in_dicom_is_read() -> None:
    jpeg = films.picture(films.levels(TRUTH, 8).astype(np.uint8), "JPEG", quality=97)
    found = films.dicom(films.levels(TRUTH, 8), 8)
    close(read_film_bytes(films.written(found, uid.JPEGBaseline8Bit, codestream=jpeg)), TRUTH, 0.03)


def test_lossy_codes_are_read() -> None:
    jpeg2000 = films.picture(
        films.levels(TRUTH, 8).astype(np.uint8), "JPEG2000", irreversible=True, no_jp2=True
    )
    found = films.dicom(films.levels(TRUTH, 8), 8)
    close(read_film_bytes(films.written(found, uid.JPEG2000, codestream=jpeg2000)), TRUTH, 0.03)


def test_a_grey_rgb_secondary_capture_is_read() -> None:
    grey = films.levels(TRUTH, 8)
    found = films.dicom(
        np.dstack([grey] * 3), 8, SOPClassUID=uid.SecondaryCaptureImageStorage, Modality="OT"
    )
    close(read_film_bytes(films.written(found)), TRUTH, 0.003)


@given(
    bits=st.integers(8, 16),
    signed=st.booleans(),
    inverse=st.booleans(),
    slope=st.floats(0.01, 100.0),
    intercept=st.floats(-5000, 5000),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT"]),
    several=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_window_over_the_stored_range_changes_nothing(
    bits: int,
    signed: bool,
    inverse: bool,
    slope: float,
    intercept: float,
    function: str,
    several: bool,
) -> None:
    slope, intercept = float(f"{slope:.6g}"), float(f"{intercept:.6g}")
    stored = films.levels(1.0 - TRUTH if inverse else TRUTH, bits, signed=signed)
    low, high = stored.min() * slope + intercept, stored.max() * slope + intercept
    extra = 0.5 if function == "LINEAR" else 0.0
    center, width = (low + high) / 2 + extra, high - low + 2 * extra
    center, width = float(f"{center:.9g}"), float(f"{width:.9g}")
    found = films.dicom(
        stored,
        bits,
        signed=signed,
        PhotometricInterpretation="MONOCHROME1" if inverse else "MONOCHROME2",
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        VOILUTFunction=function,
        WindowCenter=[center, center + width] if several else center,
        WindowWidth=[width, width / 4] if several else width,
    )
    if (function == "LINEAR" and width <= 1.0) or (inverse and several and width <= 1.0):
        return
    close(read_film_bytes(films.written(found)), TRUTH, 0.01)


def test_a_window_clips() -> None:
    found = films.dicom(films.levels(TRUTH, 12), WindowCenter=1024.5, WindowWidth=2048)
    want = np.clip(films.levels(TRUTH, 12) / 2047.0, 0, 1)
    close(read_film_bytes(films.written(found)), want, 0.002)


def test_the_sigmoid_function_is_followed() -> None:
    found = films.dicom(
        films.levels(TRUTH, 12), WindowCenter=2000, WindowWidth=1500, VOILUTFunction="SIGMOID"
    )
    want = 1 / (1 + np.exp(-4 * (films.levels(TRUTH, 12) - 2000) / 1500))
    close(read_film_bytes(films.written(found)), want, 1e-4)


def lut(descriptor: list[int], table: np.ndarray) -> Sequence:
    item = Dataset()
    item.add_new(0x00283002, "US", descriptor)
    item.add_new(0x00283006, "OW", table.astype("<u2").tobytes())
    return Sequence([item])


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_voi_lut_goes_before_a_window(bits: int) -> None:
    table = np.linspace(2**bits - 1, 0, 4096)  # turns the picture over
    found = films.dicom(
        films.levels(1 - TRUTH, 12),
        VOILUTSequence=lut([4096, 0, bits], table),
        WindowCenter=10,
        WindowWidth=10,
    )
    close(read_film_bytes(films.written(found)), TRUTH, 0.01)


def test_a_voi_lut_that_overstates_its_depth_does_not_come_out_black() -> None:
    table = np.linspace(0, 4095, 4096)
    found = films.dicom(films.levels(TRUTH, 12), VOILUTSequence=lut([4096, 0, 16], table))
    close(read_film_bytes(films.written(found)), TRUTH, 0.01)


def test_a_modality_lut_is_applied() -> None:
    table = np.linspace(65535, 0, 4096)
    found = films.dicom(films.levels(1 - TRUTH, 12), ModalityLUTSequence=lut([4096, 0, 16], table))
    close(read_film_bytes(films.written(found)), TRUTH, 0.01)


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", None, True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
    ],
)
def test_inversion_happens_once(photometric: str, shape: str | None, inverted: bool) -> None:
    found = films.dicom(
        films.levels(1 - TRUTH if inverted else TRUTH, 12), PhotometricInterpretation=photometric
    )
    if shape:
        found.PresentationLUTShape = shape
    close(read_film_bytes(films.written(found)), TRUTH, 0.001)


@pytest.mark.parametrize(
    ("center", "width"), [(2000, 0), (2000, -5), (90000, 10), ("1e400", 4096), (2000, 1), ("", "")]
)
def test_a_degenerate_window_falls_back_to_the_range(center: object, width: object) -> None:
    found = films.dicom(films.levels(TRUTH, 12))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found.WindowCenter, found.WindowWidth = center, width
        data = films.written(found)
    close(read_film_bytes(data), TRUTH, 0.001)


def test_a_film_that_uses_a_tenth_of_its_bits_is_not_black() -> None:
    stored = films.levels(TRUTH, 16) // 10
    stored[0, 0] = 65535  # one hot pixel must not set the range
    film = read_film_bytes(films.written(films.dicom(stored, 16)))
    assert np.abs(film.pixels - TRUTH)[1:].max() < 0.03


def test_rubbish_in_the_unused_high_bits_is_ignored() -> None:
    stored = films.levels(TRUTH, 12) | (np.arange(TRUTH.size).reshape(TRUTH.shape) % 16) << 12
    close(read_film_bytes(films.written(films.dicom(stored, 12))), TRUTH, 0.001)


def test_values_that_end_above_bit_zero_are_shifted() -> None:
    stored = films.levels(TRUTH, 12) << 4 | 9
    found = films.dicom(stored, 12, HighBit=15)
    close(read_film_bytes(films.written(found)), TRUTH, 0.001)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_blank_film_is_zeros(photometric: str) -> None:
    found = films.dicom(np.full((70, 70), 99), 12, PhotometricInterpretation=photometric)
    assert not read_film_bytes(films.written(found)).pixels.any()
    assert not read_film_bytes(films.picture(np.full((70, 70), 77, np.uint8))).pixels.any()


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
def test_dicom_without_preamble_is_recognised(syntax: str) -> None:
    data = films.written(films.dicom(films.levels(TRUTH, 12)), syntax)
    (length,) = struct.unpack_from("<I", data, 140)
    close(read_film_bytes(data[132:]), TRUTH, 0.001)  # meta without preamble
    close(read_film_bytes(data[144 + length :]), TRUTH, 0.001)  # neither


def test_view_side_spacing_and_the_synthetic_mark_are_read() -> None:
    found = films.dicom(
        films.levels(TRUTH, 12),
        ViewPosition="PA ",
        ImageLaterality="U",
        ImagerPixelSpacing=[0.2, 0.3],
        EstimatedRadiographicMagnificationFactor=1.25,
    )
    found.add_new(0x0008001C, "CS", "YES")
    film = read_film_bytes(films.written(found))
    assert (film.view, film.laterality, film.flags) == ("PA", "U", ("synthetic",))
    assert film.spacing_mm == pytest.approx((0.16, 0.24))


@pytest.mark.parametrize(
    ("elements", "want"),
    [
        ({"PixelSpacing": [0.14, 0.15], "ImagerPixelSpacing": [0.2, 0.2]}, (0.14, 0.15)),
        ({"PixelSpacing": [0.0, 0.1]}, None),
        ({"PixelSpacing": [-0.1, 0.1]}, None),
        (
            {"ImagerPixelSpacing": [0.2, 0.2], "EstimatedRadiographicMagnificationFactor": 0},
            (0.2, 0.2),
        ),
        ({"ImagerPixelSpacing": [0.2, 0.2]}, (0.2, 0.2)),
        ({}, None),
    ],
)
def test_spacing_is_the_patients_or_none(
    elements: dict[str, Any], want: tuple[float, float] | None
) -> None:
    film = read_film_bytes(films.written(films.dicom(films.levels(TRUTH, 12), **elements)))
    assert film.spacing_mm == (want if want is None else pytest.approx(want))


def test_a_view_code_stands_in_for_a_view_position() -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "399348003", "SCT"
    found = films.dicom(films.levels(TRUTH, 12), ViewCodeSequence=Sequence([code]))
    assert read_film_bytes(films.written(found)).view == "AP"


def test_free_text_never_becomes_a_view_or_a_side() -> None:
    found = films.dicom(films.levels(TRUTH, 12), ViewPosition="ZEBEDEE Q", Laterality="ZQ")
    film = read_film_bytes(films.written(found))
    assert (film.view, film.laterality, film.flags) == (None, None, ())


# ---- pictures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        films.picture(EIGHT),
        films.picture(SIXTEEN),
        films.picture(SIXTEEN // 16),  # twelve bits in sixteen
        films.picture(EIGHT, "JPEG", quality=97),
        films.picture(Image.fromarray(EIGHT).convert("RGB"), "JPEG", quality=92),
        films.picture(Image.fromarray(EIGHT).convert("RGBA")),
        films.picture(Image.fromarray(EIGHT).convert("LA")),
        films.picture(Image.fromarray(EIGHT).convert("P")),
        tiff(EIGHT),
        tiff(SIXTEEN, compression="zlib"),
        tiff(SIXTEEN, bigtiff=True),
        tiff(255 - EIGHT, photometric="miniswhite"),
        tiff(65535 - SIXTEEN, photometric="miniswhite"),
        tiff(TRUTH.astype(np.float32)),
        tiff(SIXTEEN.astype(np.uint32)),
    ],
)
def test_every_picture_format_shows_the_same_picture(data: bytes) -> None:
    film = read_film_bytes(data)
    close(film, TRUTH, 0.03)
    assert (film.spacing_mm, film.view, film.flags) == (None, None, ())


def test_exif_orientation_is_applied_and_dpi_is_no_spacing() -> None:
    exif = Image.Exif()
    exif[274] = 6  # the camera was turned: rotate by 270 degrees
    data = films.picture(EIGHT, "JPEG", exif=exif, dpi=(300, 300), quality=97)
    film = read_film_bytes(data)
    close(film, np.rot90(TRUTH, -1), 0.03)
    assert film.spacing_mm is None


def test_transparent_pixels_are_black() -> None:
    alpha = np.full(EIGHT.shape, 255, np.uint8)
    alpha[:10] = 0
    film = read_film_bytes(films.picture(np.dstack([EIGHT, EIGHT, EIGHT, alpha])))
    assert not film.pixels[:10].any()
    np.testing.assert_allclose(film.pixels[10:], TRUTH[10:], atol=0.003)


@pytest.mark.parametrize(("mark", "flags"), [("yes", ("synthetic",)), ("no", ())])
def test_a_png_says_whether_it_is_synthetic(mark: str, flags: tuple[str, ...]) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("wetread:synthetic", mark)
    assert read_film_bytes(films.picture(EIGHT, pnginfo=text)).flags == flags
