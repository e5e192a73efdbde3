"""Where Wetread keeps what is the user's: libraries and caches."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def wetread_home() -> Path:
    """The folder named by WETREAD_HOME, or the platform's user data folder."""
    named = os.environ.get("WETREAD_HOME")
    return Path(named).expanduser() if named else platformdirs.user_data_path("wetread")


def library_folder() -> Path:
    """Where the library of cases lies."""
    return wetread_home() / "library"


def cache_folder() -> Path:
    """Where training keeps rendered phantoms and checkpoints; may be deleted at any time."""
    return wetread_home() / "cache"


def card_file() -> Path:
    """The page of the last evaluation."""
    return wetread_home() / "evaluation" / "card.html"
