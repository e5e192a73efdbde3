"""The folder of a running chat: nobody else enters it, and it is gone however the chat ends.

A lock is held while the chat runs. A process that was killed leaves its folder behind without
the lock, and the next one deletes it.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from assistant.errors import SettingsError

PREFIX = "wetread-"
LOCK = "chat.lock"


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder with mode 0700, deleted at the end; those of dead processes are deleted now."""
    delete_abandoned()
    folder, lock = _lock_new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def delete_abandoned() -> None:
    """Delete the folders that killed processes of this user have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if not _is_ours(folder):
            continue
        lock = FileLock(folder / LOCK, timeout=0)
        with suppress(Timeout, OSError), lock:  # held: its process lives
            shutil.rmtree(folder, ignore_errors=True)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder and the folders in it."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it has just been deleted
                total += (Path(root) / name).lstat().st_size
    return total


def check_space(folder: Path, more: int, most: int, free: int) -> None:
    """Check that a folder may take so many bytes more.

    `most` is what it may hold, `free` what must stay free on its disk, in bytes. Raises
    SettingsError where it may not.
    """
    if size_of(folder) + more > most:
        raise SettingsError(
            f"Your session holds as many films as it may, {most / 1e9:.1f} GB; close studies that "
            "are done, or reload the page to begin anew."
        )
    if shutil.disk_usage(folder).free - more < free:
        raise SettingsError("The server's disk is full; try again later.")


def _lock_new_folder() -> tuple[Path, FileLock]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = FileLock(folder / LOCK, timeout=0)
        with suppress(Timeout, OSError):  # another process took it for abandoned
            lock.acquire()
            if (folder / LOCK).exists():
                return folder, lock


def _is_ours(folder: Path) -> bool:
    """Whether a folder is a chat's and of this user, and no link to anywhere else."""
    try:
        there, lock = folder.lstat(), (folder / LOCK).lstat()
    except OSError:
        return False
    mine = not hasattr(os, "getuid") or there.st_uid == os.getuid()
    return stat.S_ISDIR(there.st_mode) and stat.S_ISREG(lock.st_mode) and mine
