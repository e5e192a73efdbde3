"""Assembles a server's answer: whole or in chunks, with or without log-probabilities.

The form of a server's answer is not trusted: whatever is malformed raises ValueError.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from assistant.backbones.thoughts import Prompted, cut_thoughts, make_unfinished_error
from assistant.types import GeneratedText

Token = tuple[bytes, float]  # its text in UTF-8, and its natural log-probability


@dataclass(slots=True)
class Reply:
    """One text of an answer, while it arrives."""

    text: str = ""
    tokens: list[Token] = field(default_factory=list)
    ended: bool = False  # the server has marked its end
    cut_short: bool = False  # by the limit of its tokens
    has_thought: bool = False  # the server has parted a thought from the text

    def add_chunk(self, choice: Any) -> None:
        """Add one choice of a completion or of a chunk; ValueError where it is malformed."""
        message = getattr(choice, "delta", None) or getattr(choice, "message", None)
        self.text += self._answer_of(getattr(message, "content", None))
        thoughts = [getattr(message, key, None) for key in ("reasoning_content", "reasoning")]
        self.has_thought = self.has_thought or any(thoughts)
        entries = getattr(getattr(choice, "logprobs", None), "content", None)
        self.tokens += [_parse_token(entry) for entry in entries or ()]
        reason = getattr(choice, "finish_reason", None)
        self.ended = self.ended or reason is not None
        self.cut_short = self.cut_short or reason == "length"

    def _answer_of(self, content: Any) -> str:
        """The words of a message's content, which may list its thoughts as parts of their own."""
        if content is None or isinstance(content, str):
            return content or ""
        parts = content if isinstance(content, list) else [None]
        answer = ""
        for part in parts:
            kind, text = (
                (part.get("type"), part.get("text")) if isinstance(part, dict) else ("", "")
            )
            if kind in ("thinking", "reasoning"):
                self.has_thought = True
            elif kind == "text" and isinstance(text, str):
                answer += text
            else:
                raise ValueError("no text")
        return answer

    def text_with_logs(self, writer: str, prompted: Prompted) -> GeneratedText:
        """The text without thoughts, with its tokens where they add up to the text.

        Raises BackboneError, naming the `writer`, where there is nothing but a thought.
        """
        if self.has_thought and not self.text.strip():
            raise make_unfinished_error(writer)
        spans = find_token_spans(self.text, [token for token, _ in self.tokens])
        places = [
            (span, log)
            for span, (_, log) in zip(spans or (), self.tokens, strict=False)
            if span is not None
        ]
        thought = len(spans) - len(places) if spans and self.has_thought else 0
        written = GeneratedText(
            self.text, tuple(span for span, _ in places), tuple(log for _, log in places), thought
        )
        return cut_thoughts(written, writer, prompted=prompted, ended=not self.cut_short)


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
    text_start = b"".join(pieces).rfind(body)  # a thought before it may hold the same words
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
