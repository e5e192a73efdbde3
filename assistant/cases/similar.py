"""Similar cases: the nearest of a library, those that show a finding, and what two have in common.

A case is known by what its report and its labels assert; no picture is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.chest.vocabulary import FINDINGS, NORMAL, NORMALS, finding_named
from assistant.claims import fullest, is_among, name_of, one_sided, says
from assistant.errors import SettingsError
from assistant.labeller.labeller import find_assertions
from assistant.labeller.matcher import index_of, tokens
from assistant.labeller.summary import case_assertions
from assistant.types import Assertion, Neighbour
from retrieval import Case, Library

MOST_READ = 2000  # cases whose reports are read for one search
WIDER = 4  # times as many cases are looked at, where too few of them show the finding


def neighbour_of(case: Case, similarity: float) -> Neighbour:
    """A case of the library as a draft cites it: without its patient."""
    return Neighbour(case.id, similarity, case.report, case.labels, case.source)


class FindingQuery:
    """Claims that are looked for in many cases; a sentence that many share is read once."""

    def __init__(self, claims: Iterable[Assertion]) -> None:
        """Look for these claims; a claim about both sides is one about each."""
        self._claims = tuple(part for claim in claims for part in one_sided(claim))
        # For each claim the lower-case words of which a case that asserts it holds one.
        self.words = tuple(_words_of(claim) for claim in self._claims)
        self._any = {word for group in self.words for word in group}
        self._read: dict[str, tuple[Assertion, ...]] = {}

    def asserted_by(self, case: Case) -> bool:
        """Whether the case's report or labels assert all of the claims.

        Of side, zone and degree what is not told fits any, but for what a case itself tells more
        fully elsewhere.
        """
        labelled = case_assertions(Neighbour(case.id, 0.0, labels=case.labels))
        found = (*self._claims_in(case.report), *labelled)
        there = [c for c in found if c.polarity != "present" or c.finding == NORMAL]
        there += fullest(found)
        return all(is_among(claim, there) for claim in self._claims)

    def _claims_in(self, report: str) -> Iterator[Assertion]:
        """What the sentences assert that hold one of the words: the others need no reading."""
        for sentence in _sentences(report, self._any):
            if sentence not in self._read:
                self._read[sentence] = find_assertions(sentence)
            yield from self._read[sentence]


def _sentences(report: str, words: set[str]) -> Iterator[str]:
    """The sentences of a text that hold one of the words: no claim reaches over their ends."""
    start, held = 0, False
    for word, (_, stop) in zip(*tokens(report), strict=True):
        held = held or word in words
        if word == ".":
            if held:
                yield report[start:stop]
            start, held = stop, False
    if held:
        yield report[start:]


def _words_of(claim: Assertion) -> tuple[str, ...]:
    """The words that begin a phrase for the finding, and the longest of each of its labels."""
    finding = finding_named(claim.finding)
    denials = [n for n in NORMALS if claim.finding in n.denies and claim.polarity != "present"]
    labels = (finding.key.replace("_", " "), finding.name, *finding.labels)
    longest = (max(label.casefold().split(), key=len) for label in labels)
    return tuple(dict.fromkeys((*index_of((finding, *denials)), *longest)))


def find_similar(
    library: Library | None,
    embedding: np.ndarray,
    k: int,
    *,
    own: str,
    exclude: Sequence[str] = (),
    origin: str | None = None,
    finding: str | None = None,
) -> tuple[Neighbour, ...]:
    """The k cases most like an embedding (D,), without the case `own` and those in `exclude`.

    Only those of the source `origin`, and only those that assert `finding` as present, where
    these are given: the search goes deeper until k are found, the library ends, or the
    2,000 nearest were read. Raises SettingsError for a finding that is not in the vocabulary.
    """
    if library is None or k == 0:
        return ()
    sought = None if finding is None else _sought(finding)
    wide = k + len(exclude)
    most = wide if sought is None else max(MOST_READ, wide)
    while True:
        hits = library.search(embedding, wide, exclude_case=own, source=origin)
        kept = [
            neighbour_of(hit.case, hit.similarity)
            for hit in hits
            if hit.case.id not in exclude and (sought is None or sought.asserted_by(hit.case))
        ]
        if len(kept) >= k or len(hits) < wide or wide == most:
            return tuple(kept[:k])
        wide = min(wide * WIDER, most)


def _sought(finding: str) -> FindingQuery:
    if all(finding != known.key for known in FINDINGS):
        raise SettingsError(
            f"The vocabulary has no finding {finding[:80]!r}; name one by its key, "
            "as pleural_effusion."
        )
    return FindingQuery([Assertion(finding)])


@dataclass(frozen=True, slots=True)
class SharedFindings:
    """The present findings of two films, in the vocabulary's words."""

    common: tuple[str, ...] = ()
    only_here: tuple[str, ...] = ()
    only_there: tuple[str, ...] = ()


def shared_findings(here: Iterable[Assertion], neighbour: Neighbour) -> SharedFindings:
    """What this film's claims and a similar case have in common of findings that are present.

    A side or a zone that is not told fits any; of a finding on both sides here and on one there,
    one side is common. Degrees do not part findings; in `common` they are those of this film.
    """
    ours, theirs = fullest(here), fullest(case_assertions(neighbour))
    common, only_here = _parted(ours, theirs)
    _, only_there = _parted(theirs, ours)
    return SharedFindings(common, only_here, only_there)


def _parted(
    claims: Sequence[Assertion], others: Sequence[Assertion]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the claims that others make too, and of those that they do not."""
    shared: list[str] = []
    alone: list[str] = []
    for claim in claims:
        parts = one_sided(claim)
        fits = [says(others, part) for part in parts]
        if len(set(fits)) == 1:
            parts, fits = (claim,), fits[:1]
        for part, fit in zip(parts, fits, strict=True):
            (shared if fit else alone).append(name_of(part))
    return tuple(dict.fromkeys(shared)), tuple(dict.fromkeys(alone))
