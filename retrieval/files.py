"""Files that are whole or not there at all, whenever the machine stops, and that no link misleads.

A file is written under a random name beside its place and renamed onto it. A link that lies in its
place is replaced, never written through.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.errors import LibraryError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, as fsync makes a file's bytes."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # not every file system can
            raise
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Make a folder durable with all that is in it."""
    for root, _, names in os.walk(folder):
        for name in names:
            if (Path(root) / name).is_symlink():
                continue  # what it leads to is not of this folder
            with (Path(root) / name).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(root))


@contextmanager
def replaced_when_whole(target: Path, *, private: bool = False) -> Iterator[Path]:
    """A new file beside a place, flushed and renamed into the place when the block has filled it.

    A `private` file is the owner's alone (0600). Any other has the rights that the umask leaves,
    and none that the file which it replaces did not have. What the block raises goes through, and
    the new file goes with it. Raises OSError where a folder, a device or a pipe is in the place.
    """
    mode = PRIVATE_FILE if private else 0o666 & rights_of(target)
    temporary = target.parent / f".{secrets.token_hex(8)}.part"
    handle = os.open(temporary, _NEW, mode | PRIVATE_FILE)  # a read-only file is replaced too
    mode &= stat.S_IMODE(os.fstat(handle).st_mode)  # what the umask left
    os.close(handle)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(mode)  # some writers make the file anew
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(target.parent)


def rights_of(target: Path) -> int:
    """The rights of the file in a place; all where there is none, or a link that is to go."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return 0o777
    if not stat.S_ISREG(mode):
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(code, "there is something there that is no file", str(target))
    return 0o777 if target.is_symlink() else mode


def write_beside(target: Path, data: bytes) -> None:
    """Write a whole file for the owner alone, or nothing; LibraryError where it cannot be."""
    try:
        with replaced_when_whole(target, private=True) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise LibraryError(
            f"Could not write {target} ({error.strerror}): free some space or check the "
            "permissions of the library's folder."
        ) from error


def make_private(path: Path) -> None:
    """Take a file or folder of ours from all but its owner; nothing where it is another's."""
    with contextlib.suppress(OSError):
        info = path.lstat()
        loose = stat.S_IMODE(info.st_mode) & 0o077
        if loose and not stat.S_ISLNK(info.st_mode) and info.st_uid == os.geteuid():
            path.chmod(stat.S_IMODE(info.st_mode) & 0o700)
