"""The library of cases: add films with their reports, search them by likeness.

This room knows cases, vectors, SQLite and FAISS. It knows no medicine, no encoder and no film
format, and imports nothing else of ours. Importing it loads no FAISS: that happens when a
library is opened.
"""

from retrieval.errors import LibraryError, WetreadError
from retrieval.folders import folder_rows, read_folder, rows_with_cells
from retrieval.library import Library
from retrieval.types import Added, Case, FaultyRow, FolderRow, Hit, NewCase, Stats
from retrieval.verify import Damage, Verified, repair_library, verify_library

__all__ = [
    "Added",
    "Case",
    "Damage",
    "FaultyRow",
    "FolderRow",
    "Hit",
    "Library",
    "LibraryError",
    "NewCase",
    "Stats",
    "Verified",
    "WetreadError",
    "folder_rows",
    "read_folder",
    "repair_library",
    "rows_with_cells",
    "verify_library",
]
