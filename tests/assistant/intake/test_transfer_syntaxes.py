"""Every transfer syntax of DICOM's still pictures is read, by decoders of permissive licences.

The checksums of the lossless frames are those of pylibjpeg-libjpeg 2.5 too, which decoded them
before. Lossy ones round otherwise: it differed by at most 1 of 4095 in the grey frame.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import films
import numpy as np
import pytest
from films import dicom, levels, transcoded, written
from pydicom import dcmread, uid
from pydicom.data import get_testdata_file
from pydicom.pixels import get_decoder

from assistant.errors import IntakeError
from assistant.intake import codecs, read_film_bytes
from assistant.intake.decode import PLUGINS, SYNTAXES, Layout, stored_values

# One of each transfer syntax; lossless ones have the checksum of the same picture uncompressed.
CHECKSUMS = {
    "MR_small.dcm": "b8d9a6cee6ff2ea9",  # explicit little endian
    "MR_small_bigendian.dcm": "b8d9a6cee6ff2ea9",
    "MR_small_RLE.dcm": "b8d9a6cee6ff2ea9",
    "MR_small_jpeg_ls_lossless.dcm": "b8d9a6cee6ff2ea9",
    "MR_small_jp2klossless.dcm": "b8d9a6cee6ff2ea9",
    "SC_rgb_gdcm_KY.dcm": "89ad10bbda73de0d",  # JPEG 2000 in colour
    "SC_rgb_jpeg_gdcm.dcm": "89ad10bbda73de0d",  # lossless JPEG in colour
    "SC_rgb_rle.dcm": "89ad10bbda73de0d",
    "SC_rgb_rle_16bit.dcm": "f83371994262775f",
    "SC_rgb_jls_lossy_line.dcm": "8b815e52d1045cbc",
    "SC_rgb_jls_lossy_sample.dcm": "8b815e52d1045cbc",
    "693_J2KI.dcm": "ef7e87ffc722f7f9",  # lossy JPEG 2000
    "J2K_pixelrep_mismatch.dcm": "22e412dd68b03a32",
    "GDCMJ2K_TextGBR.dcm": "3afccfd017435a82",
    "JPGExtended.dcm": "5a14dfd887a29ac8",  # lossy JPEG of 12 bits
    "SC_rgb_jpeg_dcmtk.dcm": "e6d47441c7f33689",  # lossy JPEG, YBR_FULL
    "SC_rgb_dcmtk_+eb+cy+s2.dcm": "e6d47441c7f33689",  # YBR_FULL_422
    "SC_rgb_dcmtk_+eb+cr.dcm": "a36f6963e49d736f",  # RGB
}
# What openjpeg makes of high-throughput JPEG 2000: 64 by 64 pixels by OpenJPH, in base 85.
HTJ2K = (
    "|4;u>04YEK0000$0000$00000000000000$0000$0000000000009pH0sl|{2mk^A000XAQUDA90ssL31q1{@0smY8"
    "6Cj9?kdTm&kdTm&kdTmwh=~7W02crOPjF>!N>E53R%LP^FfKASE;BCwkN^q*00001UH}3AlfVEg0G<CL|9#!#+X8{K"
    "0KfnhPyhu)00AhAfB_^R@d1Lg01GyZ{Q!eB0LB3abO68r74QHBYybf;e||_r0tqDk1vp^>Q+EJ=ezvvt000kVi~)E6"
    "{$K_NbpXHs7PJ5XX+QuIfWJM85FtW@2oWMg{9mc*>BI%d19||zJ!(}|RsDWLli$8iWsm`T0Dk;`iU)N7zyKFT003KX"
    "00iLwdyj#Efq{X6fq{X6fq{X6f#G@oDe39y>FMdi1<C_|0RMZBNs=T<lH`B*APGJDB=_u--?C3-lmT)9{(t-"
    "m2X+9!04~k|0d$Z63V{D}AKSKV+qP}nwr$(CZQHhO+qP}nwr$(C?SCKsDe39y>FMd|>FMd|>FMdg1<V6@0sZq20RR9"
    "10001hfB$T&-@5niz5B0z>)*Qf?!Ei3WtahZ0sepgcnSx10RPz"
)


def decoded(name: str) -> np.ndarray:
    """The stored values of one of pydicom's own test files."""
    found = dcmread(str(get_testdata_file(name)))
    layout = Layout(
        rows=found.Rows,
        columns=found.Columns,
        samples=found.SamplesPerPixel,
        planar=found.get("PlanarConfiguration", 0),
        photometric=found.PhotometricInterpretation,
        allocated=found.BitsAllocated,
        stored=found.BitsStored,
        high=found.HighBit,
        signed=bool(found.PixelRepresentation),
    )
    element = found["PixelData"]
    return stored_values(element.value, found.file_meta.TransferSyntaxUID, element.VR, layout)


def checksum(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).astype("<i4").tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("name", CHECKSUMS)
def test_a_frame_has_the_values_it_always_had(name: str) -> None:
    assert checksum(decoded(name)) == CHECKSUMS[name]


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEGLossless, uid.JPEGLSLossless])
def test_lossless_jpeg_gives_back_every_value(syntax: uid.UID, bits: int) -> None:
    whole = written(dicom(levels(films.TRUTH, bits), bits))
    film = read_film_bytes(transcoded(whole, syntax))
    assert np.array_equal(film.pixels, read_film_bytes(whole).pixels)


@pytest.mark.parametrize("syntax", [uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K])
def test_high_throughput_jpeg_2000_is_read(syntax: uid.UID) -> None:
    y, x = np.mgrid[:64, :64]
    truth = x * 60 + y * 3
    truth[0, 0] = 4095
    frame = base64.b85decode("".join(HTJ2K))
    film = read_film_bytes(written(dicom(truth, 12), syntax, codestream=frame))
    assert np.abs(film.pixels * 4095 - truth).max() < 0.01


def test_every_syntax_of_still_pictures_has_its_decoder() -> None:
    moving = ("MPEG", "HEVC", "Referenced", "SMPTE", "Encapsulated", "JPIP", "Papyrus")
    for syntax in uid.AllTransferSyntaxes:
        rare = syntax.name.startswith(("JPEG XL", "JPEG 2000 Part 2", "JPEG 2000 Multi")) or any(
            word in syntax.name for word in ("Hierarchical", "Spectral", "Progression")
        )
        if not any(word in syntax.name for word in moving) and not syntax.is_retired and not rare:
            assert syntax in SYNTAXES, syntax.name
    codecs.register()
    for syntax, plugin in PLUGINS.items():
        assert plugin in get_decoder(syntax).available_plugins, syntax.name


def test_deflated_data_may_end_with_their_checksum_which_must_be_true() -> None:
    """As gzip ends, and as some programs write it."""
    whole = Path(str(get_testdata_file("image_dfl.dcm"))).read_bytes()
    assert read_film_bytes(whole).pixels.shape == (512, 512)
    wrong = whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]
    with pytest.raises(IntakeError, match="cut short"):
        read_film_bytes(wrong)
