"""Tells the format of a file from its content: who reads it, in the process that decodes.

Nothing else calls the readers, so that whatever a file does to a decoder happens to a process
that can be spared: see `decoding`.
"""

from __future__ import annotations

from collections.abc import Callable

from assistant.intake.limits import Picture, RefusedFile

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two: BigTIFF


def reader_of(data: bytes) -> Callable[[bytes], Picture]:
    """The reader of a file of such content; raises `RefusedFile` where there is none."""
    # The readers are imported on first use: who is sent no DICOM file does not load pydicom.
    if data.startswith((b"\x89PNG", b"\xff\xd8", *_TIFF)) and data[128:132] != b"DICM":
        from assistant.intake.pictures import read_picture

        return read_picture
    from assistant.intake.dicom import looks_like_dicom, read_dicom

    # A TIFF header may lie in the preamble of a DICOM file (PS3.10, 7.1): DICOM goes first.
    if looks_like_dicom(data):
        return read_dicom
    raise RefusedFile("is not DICOM, PNG, JPEG or TIFF: export the film as one of these")
