"""A file or a folder is whole or not there at all: written beside its place, flushed and renamed.

What cannot be written becomes a `SettingsError` that names the place. The library of cases has the
same care for its own files in `retrieval.files`, which this builds on.
"""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.errors import SettingsError
from retrieval.files import replaced_when_whole, rights_of, sync_folder, sync_tree

LEFT_AFTER = 24 * 3600.0  # seconds without a change: nobody is still filling it


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which becomes `path` when the block ends without an error.

    Folders on the way are made. A link that lies at `path` is replaced, not followed. The file has
    the rights that the umask leaves, and none that a file which it replaces did not have. Raises
    SettingsError where the place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_when_whole(path) as temporary:
            yield temporary
    except OSError as error:
        raise _unwritable(path, error) from None


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file or nothing; SettingsError where the place cannot be written."""
    with new_file(path) as temporary:
        temporary.write_bytes(data)


def take_place(whole: Path, path: Path) -> None:
    """Rename a file that is whole and flushed to `path`, as `new_file` does with its own.

    Raises SettingsError where the place cannot be written.
    """
    try:
        whole.chmod(stat.S_IMODE(whole.stat().st_mode) & rights_of(path))
        whole.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None


def make_own_folder(path: Path) -> None:
    """Make a folder for this user alone, or go on in the one that this user made before.

    Raises OSError where a link or another user's folder is in its place.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_symlink() or (hasattr(os, "geteuid") and path.stat().st_uid != os.geteuid()):
        raise PermissionError(errno.EPERM, "there is a link or another user's folder in the way")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill, which becomes `path` when the block ends without an error.

    Until then a folder that was there stays as it was; a link that was there is replaced, not
    followed. Raises SettingsError where the place cannot be written.
    """
    names = (f".{path.name[:64]}.{secrets.token_hex(8)}.{word}" for word in ("part", "old"))
    temporary, old = (path.parent / name for name in names)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        mode = _mode_of(path)
        temporary.mkdir(mode=mode | 0o700)  # fails where anything is in its place
        mode &= stat.S_IMODE(temporary.stat().st_mode)  # what the umask left
        yield temporary
        sync_tree(temporary)
        temporary.chmod(mode)
        _exchange(temporary, path, old)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _exchange(new: Path, path: Path, old: Path) -> None:
    if not os.path.lexists(path):
        new.rename(path)
        return
    path.rename(old)
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise
    if old.is_symlink() or not old.is_dir():
        old.unlink()
    else:
        shutil.rmtree(old, ignore_errors=True)


def _mode_of(path: Path) -> int:
    """The rights of the folder in a place, which the umask may narrow; all where there is none."""
    there = path.is_dir() and not path.is_symlink()
    return stat.S_IMODE(path.stat().st_mode) if there else 0o777


def _sweep(path: Path) -> None:
    """Remove what a killed process left of this folder."""
    for left in path.parent.glob(f".{glob.escape(path.name[:64])}.*.part"):
        if time.time() - left.lstat().st_mtime > LEFT_AFTER:
            shutil.rmtree(left, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> SettingsError:
    return SettingsError(f"{path} cannot be written ({error.strerror}); name another.")
