"""What a film's file says that its reader should know, as flags of the film and in words.

This module knows no file format.
"""

from __future__ import annotations

from assistant.types import Film

BURNED_IN = "burned-in text"
RECOGNIZABLE = "recognizable features"
UNREAD_LUT = "unread look-up table"
_SENTENCES = {
    BURNED_IN: "The file says that text is burned into the picture: it may name the patient.",
    RECOGNIZABLE: "The file says that the picture may show who the patient is.",
    UNREAD_LUT: "The file's look-up table for its greys contradicts itself and was left out: "
    "the greys may not be those that were meant.",
}

NOTES = tuple(_SENTENCES)


def notes_of(film: Film) -> tuple[str, ...]:
    """A sentence for every flag of a film that its reader should know of."""
    return tuple(_SENTENCES[flag] for flag in film.flags if flag in _SENTENCES)
