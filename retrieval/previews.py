"""Small pictures on the disk, each named by the SHA-256 of its bytes.

Knows files and PNG chunks, not cases. Whoever calls `put`, `drop` or `sweep` holds the
database's write lock, so that no picture is swept while another process is about to use it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from retrieval.errors import LibraryError

MAX_BYTES = 1 << 20
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TELLING = {b"tEXt", b"zTXt", b"iTXt", b"eXIf"}  # chunks that can carry a name or a date
_PART = ".part"


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


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, as fsync makes a file's bytes."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_beside(target: Path, data: bytes) -> None:
    """Write a whole file or nothing: beside it first, flushed, then renamed onto it."""
    part = target.with_name(f"{target.name}.{os.urandom(4).hex()}{_PART}")
    try:
        with part.open("xb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise LibraryError(
            f"Could not write {target} ({error.strerror}): free some space or check the "
            "permissions of the library's folder."
        ) from error


class Previews:
    """A folder of content-addressed pictures: `ab/abcdef….png`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, pictures: Iterable[bytes]) -> None:
        """Keep these pictures; durable when this returns, and done once for equal bytes.

        Raises LibraryError where the disk refuses.
        """
        touched: set[Path] = set()
        fresh = not self.root.is_dir()
        for data in pictures:
            path = self._path(hashlib.sha256(data).hexdigest())
            path.parent.mkdir(parents=True, exist_ok=True)
            # Compared, not only looked for: a damaged file of that name is healed.
            if not path.is_file() or path.read_bytes() != data:
                write_beside(path, data)
            touched.add(path.parent)
        for folder in touched:
            sync_folder(folder)
        if touched:
            sync_folder(self.root)
        if touched and fresh:
            sync_folder(self.root.parent)

    def get(self, name: str) -> bytes | None:
        """The picture of this SHA-256, or None where it is missing or damaged."""
        path = self._path(name)
        data = path.read_bytes() if path.is_file() else b""
        return data if hashlib.sha256(data).hexdigest() == name else None

    def drop(self, name: str) -> None:
        """Delete the picture of this SHA-256; nothing happens where there is none."""
        self._path(name).unlink(missing_ok=True)

    def sweep(self, keep: set[str]) -> int:
        """Delete what a killed process left behind; returns how many files went."""
        strays = [
            path
            for path in self.root.glob("*/*")
            if path.name.endswith(_PART) or (path.suffix == ".png" and path.stem not in keep)
        ]
        for path in strays:
            path.unlink(missing_ok=True)
        return len(strays)

    def _path(self, name: str) -> Path:
        return self.root / name[:2] / f"{name}.png"
