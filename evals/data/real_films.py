"""Folders of real films: one with a table of films, or one that holds such folders."""

from __future__ import annotations

from pathlib import Path

from assistant.errors import SettingsError
from retrieval.folders import TABLES


def has_table(folder: Path) -> bool:
    """Whether a folder has a table of films of its own."""
    return any((folder / name).is_file() for name in TABLES)


def tables_in(data: Path) -> list[Path]:
    """The folder, if it has a table of films, or else those in it that have one.

    Raises SettingsError where there is none.
    """
    if has_table(data):
        return [data]
    inside = sorted(path for path in data.glob("*") if path.is_dir())
    if not (found := [folder for folder in inside if has_table(folder)]):
        raise SettingsError(f"{data} holds no table of films; name a folder with a cases.csv.")
    return found
