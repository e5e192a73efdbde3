"""Knows whose an error is: a model's, or that of the callback that hears of its work."""

from __future__ import annotations

from collections.abc import Callable


class Hearer:
    """Calls a caller's callback, if there is one; what it raises goes through."""

    def __init__(self, callback: Callable[..., None] | None) -> None:
        self._callback = callback
        self._is_heard = False

    def hear(self, *news: object) -> None:
        """Pass on the text or the progress so far."""
        if self._callback is not None:
            self._is_heard = True
            self._callback(*news)
            self._is_heard = False

    def has_raised(self) -> bool:
        """Whether the error on its way is the callback's."""
        return self._is_heard
