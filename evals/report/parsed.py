"""A parsed report: its sentences with their claims.

The parser caches every report for as long as it lives, which is one run.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.labeller.sentences import ParsedSentence, parse_sentences
from assistant.types import Assertion


@dataclass(frozen=True, slots=True)
class ParsedReport:
    """One report text, parsed into sentences."""

    text: str
    sentences: tuple[ParsedSentence, ...]

    @property
    def claims(self) -> tuple[Assertion, ...]:
        """The claims of all sentences; the span of each is within its own sentence."""
        return tuple(claim for sentence in self.sentences for claim in sentence.assertions)


class ReportParser:
    """Parses texts, each only once."""

    def __init__(self) -> None:
        self._cache: dict[str, ParsedReport] = {}

    def __call__(self, text: str) -> ParsedReport:
        """Parse a text; never raises."""
        parsed = self._cache.get(text)
        if parsed is None:
            parsed = self._cache[text] = ParsedReport(text, parse_sentences(text))
        return parsed
