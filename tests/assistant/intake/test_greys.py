"""Odd greys come out as the greys that were meant: tables, padding, depths, kinds of sample."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import films
import numpy as np
import pytest
from films import EIGHT, TRUTH, refusal, tiff
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset, Sequence, uid

from assistant.intake import read_film_bytes
from assistant.intake.notes import notes_of

NATIVE = [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]
TABLES = {"voi": "VOILUTSequence", "modality": "ModalityLUTSequence"}


def table_item(
    table: np.ndarray, bits: int, first: int, stated: int, *, big: bool, packed: bool, vr: str
) -> Dataset:
    """An item of a LUT sequence, in bytes or words, whose descriptor states a number of entries."""
    item = Dataset()
    signed = first < 0
    count = stated % 65536
    item.add_new(
        0x00283002,
        "SS" if signed else "US",
        [count - 65536 * (signed and count > 32767), first, bits],
    )
    if packed:
        data = table.astype(np.uint8).tobytes()
        data += b"\0" * (len(data) % 2)
        if big:
            data = np.frombuffer(data, "<u2").astype(">u2").tobytes()
        item.add_new(0x00283006, "OW", data)
    elif vr == "US":
        item.add_new(0x00283006, "US", [int(v) for v in table])
    else:
        item.add_new(0x00283006, "OW", table.astype(">u2" if big else "<u2").tobytes())
    return item


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["voi", "modality"]),
    syntax=st.sampled_from(NATIVE),
    bits=st.sampled_from([8, 10, 12, 16]),
    packed=st.booleans(),
    vr=st.sampled_from(["OW", "US"]),
    off=st.integers(-1, 1),
    signed=st.booleans(),
)
def test_a_table_an_entry_short_or_long_of_its_descriptor_gives_its_greys(
    kind: str, syntax: str, bits: int, packed: bool, vr: str, off: int, signed: bool
) -> None:
    entries, first = 4096, -2048 if signed else 0
    table = np.rint(np.linspace(2**bits - 1, 0, entries))  # turns the picture over
    shown = table[: entries + min(off, 0)]
    if off > 0:
        shown = np.append(table, 0)
    packed = packed and bits == 8
    item = table_item(
        shown, bits, first, entries, big=syntax == NATIVE[2], packed=packed, vr=vr
    )  # fmt: skip
    found = films.dicom(films.levels(1 - TRUTH, 12, signed=signed), 12, signed=signed)
    setattr(found, TABLES[kind], Sequence([item]))
    film = read_film_bytes(films.written(found, syntax))
    np.testing.assert_allclose(film.pixels, TRUTH, atol=1.01 / (2**bits - 1) + 0.001)
    assert film.flags == ()


@pytest.mark.parametrize("signed", [False, True])
def test_a_descriptor_of_zero_states_65536_entries(signed: bool) -> None:
    table = np.arange(65536)[::-1]
    for first in (-32768, 0) if signed else (0,):  # 0: a first value of the wrong sign
        item = table_item(table, 16, first, 65536, big=False, packed=False, vr="OW")
        stored = films.levels(1 - TRUTH, 16, signed=signed)
        found = films.dicom(stored, 16, signed=signed, VOILUTSequence=Sequence([item]))
        film = read_film_bytes(films.written(found))
        want = TRUTH if first or not signed else np.clip(1 - stored / 65535, 0, 1)
        np.testing.assert_allclose(film.pixels, want, atol=0.001)


@pytest.mark.parametrize(("first", "slope"), [(64512, 1), (-1024, 1)])
def test_a_first_value_of_either_sign_is_placed_where_the_values_are(
    first: int, slope: int
) -> None:
    table = np.rint(np.linspace(4095, 0, 4096))
    item = table_item(table, 12, first, 4096, big=False, packed=False, vr="OW")
    stored = films.levels(1 - TRUTH, 12)
    found = films.dicom(stored, RescaleSlope=slope, RescaleIntercept=-1024)
    found.VOILUTSequence = Sequence([item])
    np.testing.assert_allclose(read_film_bytes(films.written(found)).pixels, TRUTH, atol=0.001)


def test_a_descriptor_that_understates_its_bits_does_not_blind_the_film() -> None:
    item = table_item(np.arange(4096), 8, 0, 4096, big=False, packed=False, vr="OW")
    found = films.dicom(films.levels(TRUTH, 12), VOILUTSequence=Sequence([item]))
    np.testing.assert_allclose(read_film_bytes(films.written(found)).pixels, TRUTH, atol=0.001)


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_a_presentation_table_is_followed(off: int) -> None:
    table = np.rint(np.linspace(0, 1, 4096 + off) ** 2 * 4095)
    item = table_item(table, 12, 0, 4096, big=False, packed=False, vr="OW")
    found = films.dicom(films.levels(TRUTH, 12))
    found.add_new(0x20500010, "SQ", Sequence([item]))
    np.testing.assert_allclose(read_film_bytes(films.written(found)).pixels, TRUTH**2, atol=0.002)


@given(length=st.integers(0, 1000), bits=st.integers(0, 40), kind=st.sampled_from(["voi", "plut"]))
@settings(max_examples=40, deadline=None)
def test_a_table_that_cannot_be_read_gives_way_to_the_window_and_says_so(
    length: int, bits: int, kind: str
) -> None:
    noise = np.random.default_rng(length).integers(0, 65536, length)
    item = table_item(noise, bits, 0, 4096, big=False, packed=False, vr="OW")
    found = films.dicom(films.levels(TRUTH, 12), WindowCenter=1024.5, WindowWidth=2048)
    found.add_new(0x00283010 if kind == "voi" else 0x20500010, "SQ", Sequence([item]))
    film = read_film_bytes(films.written(found))
    want = np.clip(films.levels(TRUTH, 12) / 2047.0, 0, 1)
    np.testing.assert_allclose(film.pixels, want, atol=0.002)
    assert film.flags == ("unread look-up table",)
    assert "look-up table" in notes_of(film)[0]


def test_a_modality_table_that_cannot_be_read_is_refused() -> None:
    item = table_item(np.arange(50), 16, 0, 4096, big=False, packed=False, vr="OW")
    found = films.dicom(films.levels(TRUTH, 12), ModalityLUTSequence=Sequence([item]))
    assert "modality look-up table" in refusal(films.written(found))


# ---- padding ----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    photometric=st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
    syntax=st.sampled_from([*NATIVE, uid.RLELossless]),
    bits=st.sampled_from([12, 16]),
    signed=st.booleans(),
    wide=st.integers(0, 40),
    limit=st.integers(0, 30),
    above=st.booleans(),
    wrong_sign=st.booleans(),
    slope=st.sampled_from([1.0, -1.0, 0.25]),
)
def test_padding_is_air_and_has_no_say_in_the_range(
    photometric: str, syntax: str, bits: int, signed: bool, wide: int, limit: int, above: bool,
    wrong_sign: bool, slope: float,
) -> None:  # fmt: skip
    shown = 1 - TRUTH if (photometric == "MONOCHROME1") != (slope < 0) else TRUTH
    low, high = -(2 ** (bits - 1)) if signed else 0, 2 ** (bits - 1 if signed else bits) - 1
    # The picture keeps clear of the padding, at either end of what the bits hold.
    ends = (low, high - limit - 1) if above else (low + limit + 1, high)
    stored = np.rint(ends[0] + shown * (ends[1] - ends[0])).astype(np.int64)
    padding = np.zeros(stored.shape, bool)
    padding[:, :wide] = True
    value, other = (high, high - limit) if above else (low, low + limit)
    stored[padding] = np.where(np.arange(padding.sum()) % 2, value, other)
    found = films.dicom(
        stored, bits, signed=signed, PhotometricInterpretation=photometric, RescaleSlope=slope,
        RescaleIntercept=7,
    )  # fmt: skip
    as_signed = signed != wrong_sign
    for tag, number in ((0x00280120, value), (0x00280121, other)):
        word = number % 65536
        if as_signed and word > 32767:
            word -= 65536
        found.add_new(tag, "SS" if as_signed else "US", word)
    film = read_film_bytes(films.written(found, syntax))
    assert not film.pixels[padding].any()
    np.testing.assert_allclose(film.pixels[~padding], TRUTH[~padding], atol=0.02)


@pytest.mark.parametrize("signed", [False, True])
def test_padding_that_the_stored_bits_do_not_hold_is_found_in_the_words(signed: bool) -> None:
    stored = films.levels(TRUTH, 12, signed=signed) * 3 // 4
    stored[:, :9] = -2000 * 16 if signed else 65535
    found = films.dicom(stored, 12, signed=signed)
    found.add_new(0x00280120, "SS" if signed else "US", -2000 * 16 if signed else 65535)
    film = read_film_bytes(films.written(found))
    assert not film.pixels[:, :9].any()
    assert film.pixels[:, 9:].std() > 0.15


def test_two_percent_of_padding_leaves_the_film_its_greys() -> None:
    stored = films.levels(TRUTH, 12)
    stored[:2] = 65535
    plain = read_film_bytes(films.written(films.dicom(stored, 16)))
    assert plain.pixels[2:].max() < 0.1  # what it is without its padding stated
    film = read_film_bytes(films.written(films.dicom(stored, 16, PixelPaddingValue=65535)))
    assert not film.pixels[:2].any()
    np.testing.assert_allclose(film.pixels[2:], TRUTH[2:], atol=0.001)


def test_a_film_that_is_padding_all_over_is_read_without_it() -> None:
    found = films.dicom(films.levels(TRUTH, 12), PixelPaddingValue=0, PixelPaddingRangeLimit=4095)
    np.testing.assert_allclose(read_film_bytes(films.written(found)).pixels, TRUTH, atol=0.001)


# ---- deep channels and odd kinds of sample ----------------------------------------------------


def deep_png(channels: np.ndarray, filters: int = 0) -> bytes:
    """A PNG of 16 bits and 1 to 4 channels; Pillow writes none. `filters` picks one a row."""
    rows, columns, count = channels.shape
    lines = channels.astype(">u2").reshape(rows, -1).view(np.uint8).astype(np.int16)
    step, out = 2 * count, []
    for number, line in enumerate(lines):
        kind = (number + filters) % 3
        before = np.zeros_like(line)
        if kind == 1:
            before[step:] = line[:-step]
        elif kind == 2 and number:
            before = lines[number - 1]
        out.append(bytes([kind]) + (line - before).astype(np.uint8).tobytes())
    head = struct.pack(">IIBBBBB", columns, rows, 16, {1: 0, 2: 4, 3: 2, 4: 6}[count], 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(out))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + word + data + struct.pack(">I", zlib.crc32(word + data))
        for word, data in parts
    )


def channels_of(bits: int, count: int, opaque: int) -> np.ndarray:
    grey = films.levels(TRUTH, bits).astype(np.uint16)
    colours = [grey] * (3 if count >= 3 else 1)
    return np.dstack(colours + [np.full_like(grey, opaque)] * (count - len(colours)))


@settings(max_examples=40, deadline=None)
@given(
    bits=st.integers(9, 16),
    count=st.integers(1, 4),
    full_alpha=st.booleans(),
    form=st.sampled_from(["png", "tiff", "planar", "tiled", "zlib", "big-endian", "bigtiff"]),
    filters=st.integers(0, 2),
)
def test_deep_channels_give_all_their_greys(
    bits: int, count: int, full_alpha: bool, form: str, filters: int
) -> None:
    channels = channels_of(bits, count, 65535 if full_alpha else 2**bits - 1)
    if form == "png":
        data = deep_png(channels, filters)
    else:
        options: dict[str, Any] = {
            "photometric": "rgb" if count >= 3 else "minisblack",
            "planarconfig": "separate" if form == "planar" and count > 1 else "contig",
            "extrasamples": ["unassalpha"] if count in (2, 4) else None,
            "tile": (32, 48) if form == "tiled" else None,
            "compression": "zlib" if form == "zlib" else None,
            "byteorder": ">" if form == "big-endian" else "<",
            "bigtiff": form == "bigtiff",
        }
        if count == 1:
            channels = channels[..., 0]
        elif options["planarconfig"] == "separate":
            channels = np.moveaxis(channels, 2, 0)
        data = tiff(channels, **options)
    film = read_film_bytes(data)
    np.testing.assert_allclose(film.pixels, TRUTH, atol=0.51 / (2**bits - 1) + 1e-5)
    eight = read_film_bytes(films.picture(EIGHT))
    np.testing.assert_allclose(film.pixels, eight.pixels, atol=1 / 255)


@pytest.mark.parametrize("form", ["png", "tiff"])
def test_deep_transparency_is_laid_over_black(form: str) -> None:
    channels = channels_of(12, 2, 4095)
    channels[:10, :, 1] = 0
    channels[10:20, :, 1] = 2048
    extra = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]}
    data = deep_png(channels) if form == "png" else tiff(channels, **extra)
    film = read_film_bytes(data)
    want = TRUTH.copy()
    want[:10] = 0
    want[10:20] *= 2048 / 4095
    np.testing.assert_allclose(film.pixels, want, atol=0.001)


def test_a_deep_picture_in_colour_is_refused_whatever_its_bits() -> None:
    colour = np.dstack(
        [films.levels(TRUTH, 12), films.levels(1 - TRUTH, 12), films.levels(TRUTH, 12)]
    )
    for data in (deep_png(colour), tiff(colour.astype(np.uint16), photometric="rgb")):
        assert "colour" in refusal(data)


KINDS = {
    "int8": films.levels(TRUTH, 8, signed=True).astype(np.int8),
    "int16": films.levels(TRUTH, 16, signed=True).astype(np.int16),
    "int32": films.levels(TRUTH, 24).astype(np.int32) - 5000,
    "uint32": (TRUTH * (2**32 - 1)).astype(np.uint32),
    "int64": films.levels(TRUTH, 24).astype(np.int64),
    "float16": TRUTH.astype(np.float16),
    "float32": TRUTH.astype(np.float32),
    "float64": TRUTH,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options", [{}, {"byteorder": ">"}, {"compression": "zlib"}, {"tile": (32, 32)}]
)
@pytest.mark.parametrize("inverted", [False, True])
def test_every_kind_of_sample_shows_the_same_picture(
    kind: str, options: dict[str, Any], inverted: bool
) -> None:
    values = KINDS[kind]
    if inverted:
        values = values.max() - values + values.min()
    data = tiff(values, photometric="miniswhite" if inverted else "minisblack", **options)
    # What begins anywhere in its range is scaled by percentiles.
    tolerance = 0.03 if kind == "int32" else 0.003
    np.testing.assert_allclose(read_film_bytes(data).pixels, TRUTH, atol=tolerance)


@pytest.mark.parametrize("kind", ["int8", "uint16", "int64"])
@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_differences_of_neighbours_are_summed_again(kind: str, tile: tuple | None) -> None:
    """What a predictor does; tifffile writes it for integers."""
    values = KINDS.get(kind, np.dstack([films.levels(TRUTH, 16)] * 3).astype(np.uint16))
    rgb = {"photometric": "rgb"} if values.ndim == 3 else {}
    data = tiff(values, compression="zlib", predictor=2, tile=tile, **rgb)
    np.testing.assert_allclose(read_film_bytes(data).pixels, TRUTH, atol=0.003)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_told_as_such(kind: str, value: float) -> None:
    values = KINDS[kind].copy()
    values[3, 4] = value
    assert "not numbers" in refusal(tiff(values))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (tiff(TRUTH.astype(np.complex64)), "of a kind that is not read"),
        (tiff(np.stack([TRUTH, TRUTH]), photometric="minisblack"), "several pictures"),
        (tiff(np.dstack([TRUTH * 65535] * 4).astype(np.uint16), photometric="separated"), "RGB"),
        (tiff(TRUTH * 1e300), "beyond any grey"),
        (tiff(TRUTH.astype(np.float16), compression="zlib")[:-300], "cut short"),
        (tiff(TRUTH)[: 80 * 96 * 4], "cut short"),
    ],
)
def test_an_odd_tiff_is_refused_with_what_is_wrong_with_it(data: bytes, why: str) -> None:
    assert why in refusal(data)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_deep_picture_lies_as_its_file_says(orientation: int) -> None:
    eight = Image.fromarray(EIGHT)
    exif = Image.Exif()
    exif[274] = orientation
    want = read_film_bytes(films.picture(eight, "TIFF", exif=exif)).pixels
    data = tiff(TRUTH, extratags=[(274, "H", 1, orientation, True)])
    np.testing.assert_allclose(read_film_bytes(data).pixels, want, atol=1 / 255)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_odd_tiff_is_whole_or_refused(data: st.DataObject) -> None:
    """Bytes of its directory and its picture are flipped; nothing but a refusal comes of it."""
    whole = bytearray(tiff(KINDS["int8"], compression="zlib"))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(8, len(whole) - 1))
        whole[at] ^= data.draw(st.integers(1, 255))
    from assistant.errors import IntakeError

    try:
        film = read_film_bytes(bytes(whole))
    except IntakeError:
        return
    assert np.isfinite(film.pixels).all()


# ---- how the film was taken -------------------------------------------------------------------

NUMBERS = {"": None, "0": None, "nan": None, "-0.2": None, "1e9": None, "0.2": 0.2}


@settings(max_examples=60, deadline=None)
@given(
    stated=st.lists(st.sampled_from([*NUMBERS]), min_size=0, max_size=3),
    imager=st.sampled_from([(), ("0.3", "0.4"), ("0", "0.4")]),
    factor=st.sampled_from([None, "", "0", "-1", "nan", "0.5", "1", "1.25", "1e9"]),
    scanned=st.sampled_from([(), ("0.1", "0.1")]),
)
def test_spacing_is_the_first_that_can_be_true(
    stated: list[str], imager: tuple[str, ...], factor: str | None, scanned: tuple[str, ...]
) -> None:
    from pydicom import config

    found = films.dicom(films.levels(TRUTH, 12))
    before = config.settings.writing_validation_mode
    config.settings.writing_validation_mode = config.IGNORE
    try:
        for tag, words in ((0x00280030, stated), (0x00181164, imager), (0x00182010, scanned)):
            if words:
                found.add_new(tag, "LO", list(words))  # as LO, whose text nothing checks
                found[tag].VR = "LO"
        if factor is not None:
            found.add_new(0x00181114, "LO", factor)
        film = read_film_bytes(films.written(found, uid.ImplicitVRLittleEndian))
    finally:
        config.settings.writing_validation_mode = before
    magnification = float(factor) if factor in ("1", "1.25") else 1.0
    want = None
    if stated == ["0.2", "0.2"]:
        want = (0.2, 0.2)
    elif imager == ("0.3", "0.4"):
        want = (0.3 / magnification, 0.4 / magnification)
    elif scanned:
        want = (0.1, 0.1)
    assert film.spacing_mm == (want if want is None else pytest.approx(want))


VIEWS = {
    "AP": ["AP", "AP ERECT", "ap_erect", "AP SUPINE", "PORTABLE AP", "A.P.", "CHEST AP PORT",
           "AP LORDOTIC", "ANTERO-POSTERIOR", "XTABLE AP", "W033 Thorax a.p."],
    "PA": ["PA", "PA ERECT", "PA_UPRIGHT", "Chest p.a.", "POSTEROANTERIOR", "PA "],
    "LATERAL": ["LAT", "LATERAL", "XTABLE", "X-TABLE", "CROSS TABLE LAT", "LAT ERECT"],
    "LL": ["LL", "L LAT", "LLAT", "LEFT LATERAL", "LAT LEFT", "LT LAT"],
    "RL": ["RL", "R LAT", "RIGHT LATERAL", "RLAT"],
    "LLD": ["LLD", "L DECUB", "LEFT LATERAL DECUBITUS", "DECUB LEFT"],
    "RLD": ["RLD", "RT DECUB"],
    None: ["", "DECUB", "AP PA", "PA/LAT", "PA AND LATERAL", "AP OBLIQUE", "ERECT", "PORTABLE",
           "LL RL", "ZEBEDEE", "LAPP", "PAUL", "SUPINE"],
}  # fmt: skip


@pytest.mark.parametrize(("view", "words"), [(v, w) for v, words in VIEWS.items() for w in words])
@pytest.mark.parametrize("keyword", ["ViewPosition", "SeriesDescription", "ProtocolName"])
def test_a_view_is_told_from_the_words_of_the_trade(
    view: str | None, words: str, keyword: str
) -> None:
    found = films.dicom(films.levels(TRUTH, 12))
    found.add_new(keyword, "LO", words)
    assert read_film_bytes(films.written(found, uid.ImplicitVRLittleEndian)).view == view


def test_views_that_contradict_each_other_are_unknown_and_a_list_of_views_says_nothing() -> None:
    def view(**elements: Any) -> str | None:
        return read_film_bytes(films.written(films.dicom(films.levels(TRUTH, 12), **elements))).view

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "399348003", "SCT"  # AP
    codes = Sequence([code])
    assert view(ViewPosition="PA", ViewCodeSequence=codes) is None
    assert view(ViewPosition="AP", ViewCodeSequence=codes, SeriesDescription="CHEST PA") == "AP"
    assert view(SeriesDescription="CHEST AP", ProtocolName="CHEST PA") is None
    assert view(SeriesDescription="CHEST LAT", ProtocolName="CHEST PA AND LAT") == "LATERAL"
    assert view(SeriesDescription="CHEST LAT", ProtocolName="L LAT") == "LL"
    assert view(ViewPosition="AP PA", SeriesDescription="CHEST AP") is None


@pytest.mark.parametrize(
    ("element", "value", "word"),
    [
        ("BurnedInAnnotation", "YES", "burned"),
        ("RecognizableVisualFeatures", "YES", "who the patient is"),
        ("BurnedInAnnotation", "NO", None),
        ("BurnedInAnnotation", "", None),
    ],
)
def test_a_film_that_may_show_a_name_carries_a_note(
    element: str, value: str, word: str | None
) -> None:
    film = read_film_bytes(films.written(films.dicom(films.levels(TRUTH, 12), **{element: value})))
    assert len(notes_of(film)) == len(film.flags) == (word is not None)
    assert word is None or word in notes_of(film)[0]
