"""A report as the scorers see it: its sentences with their claims, read once however often used.

It keeps what it has read for as long as the reader lives, which is one run.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.labeller.sentences import ParsedSentence, parse_sentences
from assistant.types import Assertion


@dataclass(frozen=True, slots=True)
class ParsedReport:
    """One text taken apart."""

    text: str
    sentences: tuple[ParsedSentence, ...]

    @property
    def claims(self) -> tuple[Assertion, ...]:
        """The claims of all sentences; the span of each is within its own sentence."""
        return tuple(claim for sentence in self.sentences for claim in sentence.assertions)


class ReportParser:
    """Reads texts, each only once."""

    def __init__(self) -> None:
        self._known: dict[str, ParsedReport] = {}

    def __call__(self, text: str) -> ParsedReport:
        """Take a text apart; never raises."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = ParsedReport(text, parse_sentences(text))
        return found
