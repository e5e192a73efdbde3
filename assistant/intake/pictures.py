"""Reads PNG, JPEG and TIFF films with Pillow.

The resolution such a file states is that of a printer or a screen, not of the patient, so a
film from here has no spacing. This module knows no DICOM.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, TiffImagePlugin

from assistant.intake.channels import deep_png_greys, is_deep_png, turned
from assistant.intake.complaints import hear_complaints
from assistant.intake.greys import grey_of, is_blank, to_unit
from assistant.intake.integrity import check_whole
from assistant.intake.limits import CUT_SHORT, MAX_PIXELS, Picture, RefusedFile
from assistant.intake.tiff import MARKS, read_odd_tiff

SYNTHETIC_KEY = "wetread:synthetic"  # PNG text chunk; "yes" marks a painting

# What Pillow's three plugins raise on damaged files: OSError includes UnidentifiedImageError
# and "image file is truncated"; SyntaxError a broken PNG chunk; ValueError an over-large text
# chunk; the others come from broken TIFF directories, EXIF blocks and impossible tile sizes.
PICTURE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    RuntimeError,
    struct.error,
    zlib.error,
)
_PHOTOMETRIC = 262  # TIFF 6.0, section 8: PhotometricInterpretation; 0 is WhiteIsZero


def read_picture(data: bytes) -> Picture:
    """Read a PNG, JPEG or TIFF file.

    Returns a `Picture` with pixels float32 (H, W) in [0, 1]. EXIF orientation is applied,
    transparency is laid over black, and a colour file whose channels agree is taken as grey.
    Raises `RefusedFile` for damaged, animated, multi-page, 1-bit, CMYK and real colour pictures.
    """
    try:
        if data.startswith(MARKS) and (unit := read_odd_tiff(data)) is not None:
            return Picture(unit)
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "TIFF")) as opened:
            _check_single(opened)
            check_whole(data, opened)
            inverted = _white_is_zero(opened)
            with hear_complaints() as complaints:
                opened.load()
                if complaints():  # libtiff decodes on after an error
                    raise RefusedFile(CUT_SHORT)
            synthetic = _is_synthetic(opened)
            upright = ImageOps.exif_transpose(opened)
            if is_deep_png(data):
                orientation = opened.getexif().get(ExifTags.Base.Orientation, 1)
                values, bottom = turned(deep_png_greys(data), orientation), 0.0
                top, deep = 65535.0, True
            else:
                values, bottom, top, deep = _greys(upright)
    except Image.DecompressionBombError:
        raise RefusedFile(
            f"is over {MAX_PIXELS // 1_000_000} megapixels: give a smaller copy"
        ) from None
    except PICTURE_ERRORS:
        raise RefusedFile(CUT_SHORT) from None
    return Picture(_unit(values, bottom, top, deep, inverted), synthetic=synthetic)


def _unit(values: np.ndarray, bottom: float, top: float, deep: bool, inverted: bool) -> np.ndarray:
    """Values (H, W) as float32 in [0, 1], air dark."""
    if is_blank(values):
        return np.zeros(values.shape, np.float32)
    unit = to_unit(values, bottom, top, deep=deep)
    return 1.0 - unit if inverted else unit


def _check_single(opened: Image.Image) -> None:
    """Refuse an animation or a file of several pages."""
    if isinstance(opened, TiffImagePlugin.TiffImageFile):
        several = bool(opened.tag_v2.next)  # the next directory; counting all could take hours
    else:
        several = getattr(opened, "n_frames", 1) > 1
    if several:
        raise RefusedFile("holds several pictures: give each film as its own file")


def _white_is_zero(opened: Image.Image) -> bool:
    """Whether the values still have white at 0; Pillow turns 8-bit pictures itself."""
    return (
        isinstance(opened, TiffImagePlugin.TiffImageFile)
        and opened.tag_v2.get(_PHOTOMETRIC) == 0
        and opened.mode not in ("1", "L")
    )


def _is_synthetic(loaded: Image.Image) -> bool:
    """Whether a PNG text chunk marks the picture as painted."""
    if not isinstance(loaded, PngImagePlugin.PngImageFile):
        return False
    mark: Any = loaded.text.get(SYNTHETIC_KEY, "")
    return str(mark).strip().lower() == "yes"


def _greys(image: Image.Image) -> tuple[np.ndarray, float, float, bool]:
    """The grey values (H, W), the ends of their range, and whether they are deeper than 8 bits."""
    mode = image.mode
    if mode == "L" and "transparency" not in image.info:
        return np.asarray(image), 0.0, 255.0, False
    if mode.startswith("I;16") or mode == "I":
        return np.asarray(image), 0.0, 65535.0, True
    if mode == "F":
        values = np.asarray(image)
        if not np.isfinite(values).all():
            raise RefusedFile("has pixels that are not numbers: export the film again")
        return values, 0.0, 1.0, True
    if mode == "1":
        raise RefusedFile("has one bit a pixel: export the film with 8 to 16 bits")
    if mode not in ("L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        raise RefusedFile("is neither grey nor RGB: export the film as a grey picture")
    if image.has_transparency_data:
        clear = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(clear, image.convert("RGBA"))
    return grey_of(np.asarray(image.convert("RGB")), 255.0), 0.0, 255.0, False
