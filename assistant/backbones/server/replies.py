"""Assembles a server's answer: whole or in chunks, with or without log-probabilities.

The form of a server's answer is not trusted: whatever is malformed raises ValueError.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from assistant.types import GeneratedText

Token = tuple[bytes, float]  # its text in UTF-8, and its natural log-probability


@dataclass(slots=True)
class Reply:
    """One text of an answer, while it arrives."""

    text: str = ""
    tokens: list[Token] = field(default_factory=list)
    ended: bool = False  # the server has marked its end

    def add_chunk(self, choice: Any) -> None:
        """Add one choice of a completion or of a chunk; ValueError where it is malformed."""
        message = getattr(choice, "delta", None) or getattr(choice, "message", None)
        text = getattr(message, "content", None)
        if text is not None and not isinstance(text, str):
            raise ValueError("no text")
        self.text += text or ""
        entries = getattr(getattr(choice, "logprobs", None), "content", None)
        self.tokens += [_parse_token(entry) for entry in entries or ()]
        self.ended = self.ended or getattr(choice, "finish_reason", None) is not None

    def text_with_logs(self) -> GeneratedText:
        """The text with its tokens; without tokens where they do not add up to the text."""
        spans = find_token_spans(self.text, [token for token, _ in self.tokens])
        if spans is None:
            return GeneratedText(self.text, (), ())
        log_probabilities = [log for _, log in self.tokens]
        span_logs = [
            (span, log)
            for span, log in zip(spans, log_probabilities, strict=True)
            if span is not None
        ]
        return GeneratedText(
            self.text, tuple(span for span, _ in span_logs), tuple(log for _, log in span_logs)
        )


def _parse_token(entry: Any) -> Token:
    """A token from an entry of `logprobs`; ValueError where it is malformed."""
    text, raw = getattr(entry, "token", None), getattr(entry, "bytes", None)
    log = getattr(entry, "logprob", None)
    if not isinstance(text, str) or not isinstance(log, int | float) or not math.isfinite(log):
        raise ValueError("no token")
    # Where a token is only part of a character, only its bytes say which part.
    return bytes(raw) if isinstance(raw, list) else text.encode(), min(float(log), 0.0)


def find_token_spans(text: str, tokens: Iterable[bytes]) -> list[tuple[int, int] | None] | None:
    """Find the characters of `text` that each token wrote; None for a token that wrote nothing.

    A server may strip the text and list the end mark: such tokens wrote nothing of it. Where
    several tokens make up one character, each has it. None where the tokens do not hold the text.
    """
    pieces, body = list(tokens), text.encode()
    text_start = b"".join(pieces).find(body)
    if not body or text_start < 0:
        return None
    # The number of the character that every byte of the text belongs to.
    character_of_byte = [i for i, character in enumerate(text) for _ in character.encode()]
    spans: list[tuple[int, int] | None] = []
    end = -text_start
    for piece in pieces:
        start, end = end, end + len(piece)
        first, last = max(start, 0), min(end, len(body))
        is_text = first < last
        spans.append(
            (character_of_byte[first], character_of_byte[last - 1] + 1) if is_text else None
        )
    return spans
