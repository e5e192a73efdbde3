"""Finds similar cases in a library, also those with a finding, and what two films share.

A case is known by what its report and its labels assert; this module reads no picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.cases.deidentify import without_identifiers
from assistant.chest.vocabulary import FINDINGS, HINTS, NORMAL, NORMALS, finding_named
from assistant.claims import asserts, is_among, keep_most_specific, name_of, split_sides
from assistant.errors import SettingsError
from assistant.labeller.labeller import find_assertions
from assistant.labeller.matcher import index_of
from assistant.labeller.sections import silent_sections
from assistant.labeller.summary import case_assertions
from assistant.labeller.tokens import ASKED, tokenise
from assistant.types import Assertion, Neighbour
from retrieval import Case, Library

MAX_READ = 2000  # cases whose reports are read for one search
WIDENING = 4  # factor by which a search widens where too few cases show the finding


def neighbour_of(case: Case, similarity: float) -> Neighbour:
    """Return a case of the library as a draft cites it, without what names a person."""
    shown = without_identifiers(case)
    return Neighbour(shown.id, similarity, shown.report, shown.labels, shown.source)


class FindingQuery:
    """A query for claims in many cases; a sentence that several cases share is read once."""

    def __init__(self, claims: Iterable[Assertion]) -> None:
        """Query for these claims; a claim about both sides becomes one about each."""
        self._claims = tuple(part for claim in claims for part in split_sides(claim))
        # For each claim, lower-case words; a case that asserts the claim holds one of them.
        self.words = tuple(_words_of(claim) for claim in self._claims)
        self._all_words = {word for group in self.words for word in group}
        self._assertions_by_sentence: dict[str, tuple[Assertion, ...]] = {}

    def is_asserted_by(self, case: Case) -> bool:
        """Return whether the case's report or labels assert all of the claims.

        A side, zone or degree that is not given fits any, unless the case itself states it more
        fully elsewhere.
        """
        label_claims = case_assertions(Neighbour(case.id, 0.0, labels=case.labels))
        found = (*self._find_claims(case.report), *label_claims)
        claims = [c for c in found if c.polarity != "present" or c.finding == NORMAL]
        claims += keep_most_specific(found)
        return all(is_among(claim, claims) for claim in self._claims)

    def _find_claims(self, report: str) -> Iterator[Assertion]:
        """Yield the claims of the sentences that hold one of the words; others need no reading."""
        for sentence in _sentences_with(report, self._all_words):
            if sentence not in self._assertions_by_sentence:
                self._assertions_by_sentence[sentence] = find_assertions(sentence)
            yield from self._assertions_by_sentence[sentence]


def _sentences_with(report: str, words: set[str]) -> Iterator[str]:
    """Yield the sentences of a text that hold one of the words; no claim spans two sentences."""
    if "|" in report or "\t" in report or (":" in report and silent_sections(report)):
        yield report  # a table, or sections that claim nothing: read as a whole
        return
    start, matches = 0, False
    for word, (_, stop) in zip(*tokenise(report), strict=True):
        matches = matches or word in words
        if word in (".", ASKED):
            if matches:
                yield report[start:stop]
            start, matches = stop, False
    if matches:
        yield report[start:]


def _words_of(claim: Assertion) -> tuple[str, ...]:
    """Return the words that begin a phrase for the finding, and the longest of each label."""
    finding = finding_named(claim.finding)
    denials = [n for n in NORMALS if claim.finding in n.denies and claim.polarity != "present"]
    labels = (finding.key.replace("_", " "), finding.name, *finding.labels)
    longest = (max(label.casefold().split(), key=len) for label in labels)
    hints = [hint for hint in HINTS if hint.key == claim.finding and claim.polarity != "present"]
    return tuple(dict.fromkeys((*index_of((finding, *hints, *denials)), *longest)))


def find_similar(
    library: Library | None,
    embedding: np.ndarray,
    k: int,
    *,
    own_case: str,
    exclude: Sequence[str] = (),
    source: str | None = None,
    finding: str | None = None,
) -> tuple[Neighbour, ...]:
    """Find the k cases most similar to an embedding (D,).

    `own_case` and the cases in `exclude` are left out. Where `source` is given, only cases of
    that source count; where `finding` is given, only cases that assert it as present. The search
    widens until k are found, the library ends, or the 2,000 nearest were read. Raises
    SettingsError for a finding that is not in the vocabulary.
    """
    if library is None or k == 0:
        return ()
    query = None if finding is None else _query_for(finding)
    count = k + len(exclude)
    max_count = count if query is None else max(MAX_READ, count)
    while True:
        hits = library.search(embedding, count, exclude_case=own_case, source=source)
        neighbours = [
            neighbour_of(hit.case, hit.similarity)
            for hit in hits
            if hit.case.id not in exclude and (query is None or query.is_asserted_by(hit.case))
        ]
        if len(neighbours) >= k or len(hits) < count or count == max_count:
            return tuple(neighbours[:k])
        count = min(count * WIDENING, max_count)


def _query_for(finding: str) -> FindingQuery:
    if all(finding != known.key for known in FINDINGS):
        raise SettingsError(
            f"The vocabulary has no finding {finding[:80]!r}; name one by its key, "
            "as pleural_effusion."
        )
    return FindingQuery([Assertion(finding)])


@dataclass(frozen=True, slots=True)
class SharedFindings:
    """The present findings of this film and of a similar case, in the vocabulary's words."""

    common: tuple[str, ...] = ()
    only_here: tuple[str, ...] = ()
    only_there: tuple[str, ...] = ()


def shared_findings(claims: Iterable[Assertion], neighbour: Neighbour) -> SharedFindings:
    """Compare the present findings of this film's claims with those of a similar case.

    A side or zone that is not given fits any. Of a finding on both sides in this film and on one
    in the case, that one side is common. Degrees are not compared; those in `common` are this
    film's.
    """
    own_claims, neighbour_claims = (
        keep_most_specific(claims),
        keep_most_specific(case_assertions(neighbour)),
    )
    common, only_here = _split_shared(own_claims, neighbour_claims)
    _, only_there = _split_shared(neighbour_claims, own_claims)
    return SharedFindings(common, only_here, only_there)


def _split_shared(
    claims: Sequence[Assertion], others: Sequence[Assertion]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the claims that others assert too, and of those that they do not."""
    shared: list[str] = []
    alone: list[str] = []
    for claim in claims:
        parts = split_sides(claim)
        shared_parts = [asserts(others, part) for part in parts]
        if len(set(shared_parts)) == 1:
            parts, shared_parts = (claim,), shared_parts[:1]
        for part, fit in zip(parts, shared_parts, strict=True):
            (shared if fit else alone).append(name_of(part))
    return tuple(dict.fromkeys(shared)), tuple(dict.fromkeys(alone))
