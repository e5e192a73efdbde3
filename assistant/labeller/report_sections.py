"""Splits a radiology report into its sections: indication, comparison, findings, impression.

This module knows titles and their order in a report, of hospitals that write them in any way;
what the sections claim is read by `assistant.labeller.labeller`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from assistant.labeller.sections import find_titles, silent_sections

_Kind = Literal["indication", "comparison", "findings", "impression", "other", ""]

# The first that matches a title says what follows it.
_KINDS: tuple[tuple[_Kind, re.Pattern[str]], ...] = (
    ("other", re.compile(r"\bwet[ ]read|addendum|recommend|notification|electronically", re.I)),
    ("comparison", re.compile(r"compar|\bpriors?\b|\bprevious", re.I)),
    ("impression", re.compile(r"impression|conclusion|opinion", re.I)),
    ("findings", re.compile(r"finding", re.I)),
    ("indication", re.compile(
        r"histor|indication|\bhx\b|clinical|reason|complaint|symptom|diagnosis|request|question",
        re.I,
    )),
)  # fmt: skip
# Lines that stand above every report of a hospital, and lines in capitals such as "CHEST PA".
_BANNER = re.compile(r"^[ \t]*(?:[^a-z\n]*|final report|_{3,})[ \t]*$", re.IGNORECASE)
_HAS_LOWER = re.compile(r"[a-z]")


@dataclass(frozen=True, slots=True)
class ReportSections:
    """The sections of one report, each on one line; empty where the report has none."""

    indication: str = ""
    comparison: str = ""
    findings: str = ""
    impression: str = ""

    @property
    def report(self) -> str:
        """Findings and impression as a draft has them; empty without either."""
        parts = (("Findings", self.findings), ("Impression", self.impression))
        return "\n".join(f"{title}: {text}" for title, text in parts if text)


def split_report(text: str) -> ReportSections:
    """Split a report by its titles.

    What claims something and stands under no known title counts as findings, if no section is
    called so: hospitals write the findings below the comparison without a title. Technique,
    advice, notifications and preliminary readings are left out. Never raises.
    """
    ends = {start: end for start, end, _ in silent_sections(text)}
    titles = list(find_titles(text))
    parts: dict[str, list[str]] = {kind: [] for kind, _ in _KINDS} | {"": []}
    parts[""].append(text[: titles[0].start()] if titles else text)
    for number, title in enumerate(titles):
        following = titles[number + 1].start() if number + 1 < len(titles) else len(text)
        end = ends.get(title.start(), following)
        words = title.group()
        kind = next((kind for kind, pattern in _KINDS if pattern.search(words)), None)
        if kind is None:
            kind = "other" if title.start() in ends else ""
        parts[kind].append(text[title.end() : end])
        parts[""].append(text[end:following])
    findings = _joined(parts["findings"]) or _joined(map(_without_banners, parts[""]))
    return ReportSections(
        indication=_joined(parts["indication"]),
        comparison=_joined(parts["comparison"]),
        findings=findings,
        impression=_joined(parts["impression"]),
    )


def _without_banners(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(line for line in lines if _HAS_LOWER.search(line) and not _BANNER.match(line))


def _joined(parts: Iterable[str]) -> str:
    return " ".join(" ".join(parts).split())
