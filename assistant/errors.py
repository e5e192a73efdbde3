"""Errors a user can put right, each one sentence: what was wrong, where, what to do.

They are raised anywhere and caught only at the edges: `app.py` and the command line.
"""

from retrieval.errors import LibraryError, WetreadError


class IntakeError(WetreadError):
    """The film cannot be read, or is not a film Wetread can take."""


class BackboneError(WetreadError):
    """The backbone cannot be loaded, or cannot do what was asked of it."""


class SettingsError(WetreadError):
    """An option, a recipe or a folder given by the user does not hold."""


class Stopped(WetreadError):  # noqa: N818 - no error, a wish
    """A person has stopped what was being made; raised by the callback of its progress."""

    def __init__(self, message: str = "It was stopped.") -> None:
        super().__init__(message)


__all__ = [
    "BackboneError",
    "IntakeError",
    "LibraryError",
    "SettingsError",
    "Stopped",
    "WetreadError",
]
