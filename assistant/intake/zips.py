"""Takes a zip of films apart into a folder, and refuses one that would do anything else.

What a zip says of itself is not believed: files and bytes are counted as they come out of it. A
name in it may be a patient's, so that a refusal gives the entry's number.
"""

from __future__ import annotations

import errno
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from io import FileIO
from pathlib import Path

from assistant.errors import IntakeError, SettingsError

MOST_FILES = 2000
MOST_BYTES = 2 << 30
LONGEST_NAME = 200  # characters of an entry's path
MOST_PACKED = 50  # bytes that one byte may hold, where that makes over SMALL of them
SMALL = 10 << 20
_LISTING = 1024  # bytes of the table of contents that one file may take up
_BLOCK = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes of memory
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # flag bits of APPNOTE.TXT 4.4.4
_UTF8 = 0x800
_REPARSE_POINT = 0x400  # an attribute of Windows: a link or a mount
_DEVICES = frozenset(
    (
        *("aux", "con", "conin$", "conout$", "nul", "prn"),
        *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789\u00b9\u00b2\u00b3"),
    )
)
_MENDED = "make it anew from a folder of films"
_DAMAGED = f"The archive is no zip or is damaged; {_MENDED}."
_FEWER = "give fewer at a time"


class _Listed(FileIO):
    """A zip's file whose table of contents is not read at once if it is longer than allowed."""

    def __init__(self, path: Path, longest: int) -> None:
        super().__init__(path)
        self.longest: int | None = longest  # bytes that may be read at once; None: any

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and self.longest is not None and size > self.longest:
            raise IntakeError(f"The archive lists more files than allowed; {_FEWER}.")
        return super().read(size) or b""


def unpack(
    path: Path, folder: Path, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES
) -> Path:
    """Take a zip of films apart into `folder`, which exists and is empty; returns the folder.

    Files keep their places and names; macOS' own and those whose name begins with a dot are left
    out, and a zip within it stays one. Raises IntakeError for what is no whole zip of plain
    files, or has over `most_files` of them or over `most_bytes` in all, SettingsError for a
    folder that is not there, not empty or cannot be written; the folder is then left empty.
    """
    if not folder.is_dir() or any(folder.iterdir()):
        raise SettingsError(
            "The folder to unpack into is not there or not empty; name an empty one."
        )
    with ExitStack() as undo:
        undo.callback(_empty, folder)
        try:
            _unpack(path, folder, most_files, most_bytes)
        except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, UnicodeDecodeError):
            raise IntakeError(_DAMAGED) from None
        except (NotImplementedError, RuntimeError, ValueError, OverflowError):
            # What zipfile says of features that it does not know.
            raise IntakeError(f"The archive is no plain zip; {_MENDED}.") from None
        except OSError as error:
            if error.errno == errno.EINVAL:  # an entry that would begin before the file does
                raise IntakeError(_DAMAGED) from None
            raise SettingsError(
                f"The archive cannot be unpacked ({error.strerror}); "
                "check the folder's free space, and that the archive can be read."
            ) from None
        undo.pop_all()
    return folder


def _empty(folder: Path) -> None:
    for inside in folder.iterdir():
        if inside.is_dir():
            shutil.rmtree(inside, ignore_errors=True)
        else:
            inside.unlink(missing_ok=True)


def _unpack(path: Path, folder: Path, most_files: int, most_bytes: int) -> None:
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device may never end
        raise IntakeError(f"The archive is no file; {_MENDED}.")
    packed, done = path.stat().st_size, 0
    # The end of a zip, which is read first, takes up 64 KB.
    with (
        _Listed(path, max(most_files * _LISTING, 1 << 17)) as file,
        zipfile.ZipFile(file) as zipped,
    ):
        file.longest = None
        entries = list(_films(zipped.infolist()))
        if len(entries) > most_files:
            raise IntakeError(f"The archive holds over {most_files:,} files; {_FEWER}.")
        if not entries:
            raise IntakeError(f"The archive holds no file; {_MENDED}.")
        _refuse_doubles([(number, parts) for number, _, parts in entries])
        for number, entry, parts in entries:
            place = folder.joinpath(*parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as out:
                for block in _blocks(zipped, number, entry):
                    done += len(block)
                    if done > most_bytes:
                        raise IntakeError(f"The archive holds over {most_bytes:,} bytes; {_FEWER}.")
                    _refuse_bomb(number, done, packed)  # entries may share their bytes
                    out.write(block)


def _blocks(zipped: zipfile.ZipFile, number: int, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of an entry as they come out of it."""
    done = 0
    with zipped.open(entry) as source:
        while block := source.read(_BLOCK):
            done += len(block)
            _refuse_bomb(number, done, entry.compress_size)
            yield block


def _refuse_bomb(number: int, size: int, packed: int) -> None:
    if size > max(SMALL, MOST_PACKED * packed):
        raise IntakeError(
            f"{_entry(number)} is packed over {MOST_PACKED} to 1, as no film is; leave it out."
        )


def _films(
    entries: list[zipfile.ZipInfo],
) -> Iterator[tuple[int, zipfile.ZipInfo, tuple[str, ...]]]:
    """The files that are to be unpacked, each with its number from 1 and the parts of its path."""
    for number, entry in enumerate(entries, start=1):
        name = _name(entry)
        trouble = _trouble(entry, name)
        if trouble:
            raise IntakeError(f"{_entry(number)} {trouble}.")
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        is_folder = name.endswith("/") or stat.S_ISDIR(entry.external_attr >> 16)
        if parts and not hidden and not is_folder:
            yield number, entry, parts


def _entry(number: int) -> str:
    return f"Entry {number} of the archive"


def _name(entry: zipfile.ZipInfo) -> str:
    """An entry's name as it stands there: zipfile's `filename` is already cut at a NUL."""
    name = entry.orig_filename
    if entry.flag_bits & _UTF8:
        return name
    try:  # macOS writes UTF-8 without saying so
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _trouble(entry: zipfile.ZipInfo, name: str) -> str:
    """Why an entry is refused; empty where nothing speaks against it."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    parts = name.split("/")
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted: make the archive without a password"
    if entry.compress_type not in _METHODS:
        return "is packed in an unusual way: make the archive with plain zip"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or entry.external_attr & _REPARSE_POINT:
        return "is a link or a device: put the file itself there"
    if len(name) > LONGEST_NAME:
        return f"has a name of over {LONGEST_NAME} characters: shorten it"
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name):
        return "has a name with control characters: name it plainly"
    if name.startswith("/") or ".." in parts or "\\" in name or ":" in name:
        return "has a name that may lead out of the folder: name it without / before, .., \\ and :"
    if any(part.split(".")[0].rstrip().casefold() in _DEVICES for part in parts):
        return "has the name of a device: name it otherwise"
    return ""


def _refuse_doubles(entries: list[tuple[int, tuple[str, ...]]]) -> None:
    """Refuse two files of one name, or a file where another has a folder.

    Names are one that any common file system takes for one: whatever the case of the letters,
    however accents are written, and with dots and spaces at their end.
    """
    files: set[tuple[str, ...]] = set()
    folders: set[tuple[str, ...]] = set()
    for number, parts in entries:
        same = tuple(_same(part) for part in parts)
        above = {same[:n] for n in range(1, len(same))}
        if same in files | folders or not above.isdisjoint(files):
            raise IntakeError(
                f"{_entry(number)} has the name of another; give every file a name of its own."
            )
        files.add(same)
        folders |= above


def _same(part: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", part).casefold())
    return folded.rstrip(". ") or part
