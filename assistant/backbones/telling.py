"""What hears of a text or a picture while `generate` of transformers makes it, token by token.

Both run in the thread that generates, and what they raise ends the generation and goes through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from transformers import LogitsProcessor
from transformers.generation.streamers import BaseStreamer

from assistant.backbones.base import Progress, Told


class Telling(BaseStreamer):
    """Tells the text so far at every token; of several rows that of the first."""

    def __init__(self, told: Told, decode: Callable[[Sequence[int]], str], end: int) -> None:
        self._told = told
        self._decode = decode
        self._end = end
        self._ids: list[int] = []
        self._ended = False

    def put(self, value: torch.Tensor) -> None:
        """Take the next token of every row, int64 (B,); the prompt (B, T) comes first."""
        if value.ndim > 1:
            return
        token = int(value[0])
        self._ended = self._ended or token == self._end  # other rows may still go on
        if not self._ended:
            self._ids.append(token)
        # The bytes of a sign may lie in several tokens: what is not whole yet is held back.
        self._told(self._decode(self._ids).rstrip("\ufffd"))

    def end(self) -> None:
        """Nothing is held back by now."""


class Counting(LogitsProcessor):
    """Counts the tokens of pictures before each is chosen, and leaves the scores as they are."""

    def __init__(self, progress: Progress, rows: int, tokens: int) -> None:
        self._progress = progress
        self._rows = rows
        self._tokens = tokens
        self._done = 0  # tokens of each row

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores (2 B, V) as they came."""
        self._progress(self._done * self._rows, self._tokens * self._rows)
        self._done += 1
        return scores


class Unguided(LogitsProcessor):
    """Takes the guided half of the rows, as Janus does itself only where the guidance is over 1."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (B, V) of (2 B, V)."""
        return scores.chunk(2)[0]
