"""Files that are whole or not there at all, whenever the machine stops."""

from __future__ import annotations

import os
from pathlib import Path

from retrieval.errors import LibraryError


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, as fsync makes a file's bytes."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_beside(target: Path, data: bytes) -> None:
    """Write a whole file or nothing: beside it first, flushed, then renamed onto it."""
    part = target.with_name(f"{target.name}.{os.urandom(4).hex()}.part")
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
