"""Connects to a library's SQLite file: its rights, who else holds it, and how it was left.

Knows SQLite's files and the locks of the system; it knows no table.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.errors import LibraryError
from retrieval.files import PRIVATE_FILE, PRIVATE_FOLDER, make_private
from retrieval.log_tail import lost_commits

try:
    import fcntl
except ImportError:  # Windows: an unclean end is then taken from the log alone
    fcntl = None

DATABASE = "cases.sqlite"
INDEX = "index"
BUSY_SECONDS = 60.0
_OURS = {DATABASE, INDEX, "previews", *(f"{DATABASE}-{end}" for end in ("wal", "shm", "journal"))}
REPAIR = "run `wetread library verify --repair`, or put a backup in its place"


def make_folder(folder: Path) -> None:
    """Make a library's folder, or take over one that holds nothing but a library.

    Reports are for the owner only: 0700. A folder that holds other things keeps its rights; all
    that is put into it is private. Raises OSError.
    """
    for missing in reversed([place for place in (folder, *folder.parents) if not place.exists()]):
        with contextlib.suppress(FileExistsError):  # another process was quicker
            missing.mkdir(mode=PRIVATE_FOLDER)
    with os.scandir(folder) as entries:
        if all(entry.name in _OURS for entry in entries):
            make_private(folder)


def log_of(path: Path) -> Path:
    """The write-ahead log of a database."""
    return path.with_name(f"{path.name}-wal")


def _holds_log(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return log_of(path).stat().st_size > 0
    return False


def may_write(path: Path) -> bool:
    """Whether this process may write the database and beside it."""
    beside = (path, log_of(path), path.with_name(f"{path.name}-shm"))
    places = (path.parent, *(place for place in beside if place.exists()))
    return all(os.access(place, os.W_OK) for place in places)


class Hold:
    """A share in a library's folder until it is released: says who is alone with it."""

    def __init__(self, folder: Path) -> None:
        """Take a share; `alone` where no other process or thread has one, until `share`."""
        self.alone = True
        self._handle = os.open(folder, os.O_RDONLY) if fcntl else -1
        self._lock("EX")
        if not self.alone:
            self.share()

    def share(self) -> None:
        """Let others in; waits for one who is alone."""
        self._lock("SH")

    def _lock(self, kind: str) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(
                self._handle, fcntl.LOCK_SH if kind == "SH" else fcntl.LOCK_EX | fcntl.LOCK_NB
            )
        except BlockingIOError:
            self.alone = False
        except OSError:  # a file system without locks: taken for alone, which checks more
            return

    def release(self) -> None:
        """Give the share back."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


@contextmanager
def opened_alone(path: Path, hold: Hold) -> Iterator[bool]:
    """Whether a database was left unclean, while nobody else may open it.

    Raises LibraryError where commits in its log can no longer be read: SQLite would drop them
    without a word.
    """
    try:
        unclean = hold.alone and _holds_log(path)
        if unclean and (lost := lost_commits(log_of(path))):
            raise LibraryError(
                f"The log of the library's database {path} is damaged, and {lost} would be lost "
                f"from it: {REPAIR}."
            )
        yield unclean
    finally:
        hold.share()


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """Connect to a database, which is made where there is none: for the owner alone.

    One that cannot be written is opened without locks and without files beside it, unless another
    process is writing it. Raises sqlite3.Error and OSError.
    """
    if writable:
        _refuse_links(path)
        with contextlib.suppress(FileExistsError):
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
            os.close(os.open(path, flags, PRIVATE_FILE))
        for end in ("", "-wal", "-shm"):  # SQLite makes the others as the first is
            make_private(path.with_name(path.name + end))
        index = path.parent / INDEX
        if index.is_dir():
            for place in (index, *index.iterdir()):
                make_private(place)
        where = path.resolve().as_uri()
    else:
        where = f"{path.resolve().as_uri()}?{'mode=ro' if _holds_log(path) else 'immutable=1'}"
    return sqlite3.connect(
        where, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def _refuse_links(path: Path) -> None:
    """Raise LibraryError where a file of the library is a link that another user has laid."""
    own = {0, os.geteuid()} if hasattr(os, "geteuid") else set()
    for name in _OURS:
        place = path.with_name(name)
        if own and place.is_symlink() and place.lstat().st_uid not in own:
            raise LibraryError(
                f"{place} is a link that another user has laid there: remove it, or give a folder "
                "that only you can write."
            )
