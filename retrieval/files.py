"""Files that are whole or not there at all, whenever the machine stops."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.errors import LibraryError


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, as fsync makes a file's bytes."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replaced_when_whole(target: Path) -> Iterator[Path]:
    """A temporary path beside a file, flushed and renamed onto it when the block has filled it.

    What the block raises goes through, and the temporary file with it.
    """
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_beside(target: Path, data: bytes) -> None:
    """Write a whole file or nothing; LibraryError where it cannot be written."""
    try:
        with replaced_when_whole(target) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise LibraryError(
            f"Could not write {target} ({error.strerror}): free some space or check the "
            "permissions of the library's folder."
        ) from error
