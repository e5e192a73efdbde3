"""What a server answers, put together: whole or piece by piece, with or without log-probabilities.

A server's answer is not to be trusted in its form: what does not hold raises ValueError here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from assistant.types import GeneratedText

Token = tuple[bytes, float]  # what it wrote, and its natural log-probability


@dataclass(slots=True)
class Reply:
    """One text of an answer while it comes in."""

    text: str = ""
    tokens: list[Token] = field(default_factory=list)
    ended: bool = False  # the server has said that nothing more comes

    def add_chunk(self, choice: Any) -> None:
        """Take one choice of a completion, or of a chunk of one."""
        said = getattr(choice, "delta", None) or getattr(choice, "message", None)
        text = getattr(said, "content", None)
        if text is not None and not isinstance(text, str):
            raise ValueError("no text")
        self.text += text or ""
        told = getattr(getattr(choice, "logprobs", None), "content", None)
        self.tokens += [_token(one) for one in told or ()]
        self.ended = self.ended or getattr(choice, "finish_reason", None) is not None

    def text_with_logs(self) -> GeneratedText:
        """The text with its tokens; without any where they do not make up the text."""
        found = token_spans(self.text, [wrote for wrote, _ in self.tokens])
        if found is None:
            return GeneratedText(self.text, (), ())
        logs = [log for _, log in self.tokens]
        kept = [(span, log) for span, log in zip(found, logs, strict=True) if span is not None]
        return GeneratedText(
            self.text, tuple(span for span, _ in kept), tuple(log for _, log in kept)
        )


def _token(one: Any) -> Token:
    text, raw = getattr(one, "token", None), getattr(one, "bytes", None)
    log = getattr(one, "logprob", None)
    if not isinstance(text, str) or not isinstance(log, int | float) or not math.isfinite(log):
        raise ValueError("no token")
    # The text of a token that is only part of a sign cannot say which; its bytes do.
    return bytes(raw) if isinstance(raw, list) else text.encode(), min(float(log), 0.0)


def token_spans(text: str, tokens: Iterable[bytes]) -> list[tuple[int, int] | None] | None:
    """The characters of `text` that each token wrote; None in place of one that wrote nothing.

    A server may strip the text and tell of the end mark: such tokens wrote nothing of it. The
    tokens of one sign each have that sign. None where the tokens do not hold the text.
    """
    pieces, body = list(tokens), text.encode()
    at = b"".join(pieces).find(body)
    if not body or at < 0:
        return None
    # The character to which every byte of the text belongs.
    place = [i for i, sign in enumerate(text) for _ in sign.encode()]
    found: list[tuple[int, int] | None] = []
    end = -at
    for piece in pieces:
        start, end = end, end + len(piece)
        first, last = max(start, 0), min(end, len(body))
        found.append((place[first], place[last - 1] + 1) if first < last else None)
    return found
