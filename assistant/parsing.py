"""Reads JSON, TOML and text files that the user names, or that were made elsewhere.

Whatever is wrong with such a file (a folder, a pipe, no UTF-8, nested a million deep) is one
sentence, raised as the kind of `WetreadError` that the caller asks for.
"""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any

from assistant.errors import SettingsError, WetreadError
from retrieval.folders import is_file, is_folder
from retrieval.parsing import decode_text, parse_json

__all__ = [
    "is_file",
    "is_folder",
    "parse_json",
    "parse_toml",
    "path_in",
    "read_bytes",
    "read_json",
    "read_text",
    "read_toml",
]
MAX_TEXT = 64_000_000  # bytes of a text or of JSON
MAX_TOML = 256_000  # bytes; settings have some hundreds
MAX_DOTS = 200  # of a line of TOML: the memory for a dotted key grows with their square


def read_bytes(
    path: Path, what: str = "", *, most: int = MAX_TEXT, error: type[WetreadError] = SettingsError
) -> bytes:
    """Read a regular file of at most `most` bytes.

    `what` says in the error what the file should be ("the card of an adapter"), in place of its
    path. Raises `error`, one sentence, for any other file.
    """
    shown = what or _printable(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise error(f"{shown} is a folder; name a file.")
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
            raise error(f"{shown} is not a regular file; name another.")
        if status.st_size > most:
            raise error(f"{shown} is over {most // 1000:,} kB; name another file.")
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as trouble:
        reason = trouble.strerror or "no such file"
        raise error(f"{shown} cannot be read ({reason}); name another file.") from None
    except ValueError:  # a NUL in the path
        raise error(f"{shown} cannot be read; name another file.") from None


def read_text(
    path: Path, what: str = "", *, most: int = MAX_TEXT, error: type[WetreadError] = SettingsError
) -> str:
    """Read a text in UTF-8, or in UTF-16 with its byte order mark, without the mark.

    Raises `error`, one sentence, for a file that is not.
    """
    data = read_bytes(path, what, most=most, error=error)
    try:
        return decode_text(data)
    except ValueError:
        raise error(f"{what or _printable(path)} is not text in UTF-8; save it as such.") from None


def read_json(
    path: Path, what: str = "", *, most: int = MAX_TEXT, error: type[WetreadError] = SettingsError
) -> Any:
    """Read a file of JSON; raises `error`, one sentence, for a file that is not."""
    data = read_bytes(path, what, most=most, error=error)
    try:
        return parse_json(data)
    except ValueError as trouble:
        shown = what or _printable(path)
        raise error(f"{shown} is not JSON ({trouble}); name or write another.") from None


def read_toml(
    path: Path, what: str = "", *, error: type[WetreadError] = SettingsError
) -> dict[str, Any]:
    """Read a file of TOML, at most 256 kB; raises `error`, one sentence, for a file that is not."""
    text = read_text(path, what, most=MAX_TOML, error=error)
    try:
        return parse_toml(text)
    except ValueError as trouble:
        shown = what or _printable(path)
        raise error(f"{shown} is not valid TOML: {trouble}.") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML; raises ValueError, in words that can stand in a sentence, for anything else."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > MAX_DOTS and not line.lstrip().startswith("#"):
            raise ValueError(f"its line {number} has over {MAX_DOTS} dots")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # Python's own limit of the digits that it converts
        raise ValueError("it has a number of too many digits") from None


def path_in(folder: Path, text: str, what: str) -> Path:
    """The path that a text names, relative to a folder; `what` says in the error whose it is.

    Raises SettingsError for a text that can be no path.
    """
    try:
        path = folder / Path(text).expanduser()
    except RuntimeError:  # ~somebody, who has no account here
        raise SettingsError(f"{what} lies in a home folder that does not exist.") from None
    if "\0" in text:
        raise SettingsError(f"{what} has a character that no path has; correct it.")
    return path


def _printable(path: Path) -> str:
    """A path in an error: one line, of a length that can be read."""
    shown = "".join(c if c.isprintable() else "?" for c in str(path)) or "."
    return shown if len(shown) <= 200 else f"{shown[:100]}...{shown[-90:]}"
