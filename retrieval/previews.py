"""What small picture may enter the library. Knows PNG chunks, not cases."""

from __future__ import annotations

from collections.abc import Iterator

from retrieval.errors import LibraryError

MAX_BYTES = 1 << 20
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TELLING = {b"tEXt", b"zTXt", b"iTXt", b"eXIf"}  # chunks that can carry a name or a date


def check_preview(data: bytes) -> None:
    """Refuse bytes that are not a small, anonymous PNG.

    Raises LibraryError where the bytes are no PNG, exceed 1 MiB, or hold a text or Exif chunk.
    """
    if len(data) > MAX_BYTES:
        raise LibraryError(
            f"The preview has {len(data)} bytes and the library keeps at most {MAX_BYTES}: "
            "make it smaller."
        )
    telling = _TELLING.intersection(_chunks(data))
    if telling:
        raise LibraryError(
            f"The preview holds a {min(telling).decode()} chunk, which may name a person: "
            "save it without metadata."
        )


def _chunks(data: bytes) -> Iterator[bytes]:
    if not data.startswith(_SIGNATURE):
        raise LibraryError("The preview is not a PNG picture: encode it as PNG.")
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        yield data[at + 4 : at + 8]
        at += 12 + int.from_bytes(data[at : at + 4], "big")
