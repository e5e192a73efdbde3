"""Decodes the JPEG frames of DICOM files with GDCM, and passes on what it says of damage.

pydicom finds `decode_frame` here by the names that it asks of a plugin. GDCM is asked without
pydicom's own plugin for it, which refuses 12-bit frames and drops what libjpeg reports.
"""

from __future__ import annotations

import numpy as np
from pydicom import uid
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

from assistant.intake.complaints import hear_complaints
from assistant.intake.jpeg import parse_codestream
from assistant.intake.limits import CUT_SHORT, RefusedFile

NAME = "wetread"
DECODER_DEPENDENCIES = dict.fromkeys(
    (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1),
    ("python-gdcm>=3.2",),
)
_DAMAGE = "Corrupt JPEG data"  # how libjpeg's warnings of it begin


def is_available(syntax: str) -> bool:
    """Whether a transfer syntax is decoded here: pydicom asks."""
    return syntax in DECODER_DEPENDENCIES


def register() -> None:
    """Make pydicom's decoders of JPEG know `decode_frame` by `NAME`."""
    for syntax in DECODER_DEPENDENCIES:
        decoder = get_decoder(syntax)
        if NAME not in decoder.available_plugins:
            decoder.add_plugin(NAME, (__name__, "decode_frame"))


def decode_frame(src: bytes, runner: DecodeRunner) -> bytes:
    """The samples of a JPEG frame, little endian, colour by pixel: pydicom calls.

    Raises `RefusedFile` for a frame whose code is damaged, short or too long.
    """
    stream = parse_codestream(src)
    runner.set_option("bits_allocated", 8 if stream.bits <= 8 else 16)
    with hear_complaints() as complaints:
        samples = _samples(src, stream.bits, runner)
        if samples is None or _DAMAGE in complaints():
            raise RefusedFile(CUT_SHORT)
    # A lossy code overshoots; pydicom would cut off the upper bits, and white would turn black.
    top = 2**runner.bits_stored - 1
    if stream.is_lossy() and top < 2**stream.bits - 1 and not runner.pixel_representation:
        values = np.frombuffer(samples, np.uint8 if stream.bits <= 8 else "<u2")
        samples = np.minimum(values, top).astype(values.dtype).tobytes()
    return samples


def _samples(frame: bytes, bits: int, runner: DecodeRunner) -> bytes | None:
    """What GDCM decodes, or None where it cannot."""
    import gdcm  # takes as long to load as pydicom, and few films need it

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(runner.photometric_interpretation)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    if runner.samples_per_pixel > 1:
        image.SetPlanarConfiguration(0)
    syntax = gdcm.TransferSyntax.GetTSType(str(runner.transfer_syntax))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    image.SetPixelFormat(
        gdcm.PixelFormat(
            runner.samples_per_pixel, 8 if bits <= 8 else 16, bits, bits - 1,
            runner.pixel_representation,
        )
    )  # fmt: skip
    samples = image.GetBuffer()  # bytes as a string
    return None if samples is None else samples.encode("utf-8", "surrogateescape")
