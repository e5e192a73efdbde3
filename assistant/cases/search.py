"""Searches the library of cases by text: by the claims it makes, or by its words."""

from __future__ import annotations

from itertools import islice
from typing import Any

from assistant.cases.deidentify import without_identifiers
from assistant.cases.similar import FindingQuery
from assistant.errors import SettingsError
from assistant.labeller.labeller import find_assertions
from retrieval import Case, Library

MAX_QUERY_LENGTH = 500  # characters
MAX_READ = 20_000  # reports read for one query, the newest first


def search_cases(
    library: Library, words: str, *, source: str | None = None, limit: int = 50
) -> tuple[Case, ...]:
    """Find the cases that match a text, newest first, at most `limit`, of one source if given.

    A text that asserts findings ("left effusion", "no pneumothorax") finds the cases whose report
    or labels assert all of them; a side, zone or degree that is not given fits any. The newest
    20,000 of the cases that name the findings are read. Any other text finds the cases that hold
    all of its words in report, labels, source or id; without words, all cases match. What is
    returned names no person, as far as `without_identifiers` finds it. Raises
    SettingsError for more than 500 characters or a limit below 1.
    """
    if len(words) > MAX_QUERY_LENGTH or limit < 1:
        raise SettingsError(
            f"The search has {len(words)} characters and a limit of {limit}; "
            f"search for up to {MAX_QUERY_LENGTH} characters and 1 case or more."
        )
    claims = find_assertions(words)
    if not claims:
        word_groups = [[word] for word in words.split()]
        return tuple(
            without_identifiers(case)
            for case in library.find(word_groups, source=source, most=limit)
        )
    query = FindingQuery(claims)
    candidates = library.find(query.words, source=source, most=MAX_READ)
    matching = islice((case for case in candidates if query.is_asserted_by(case)), limit)
    return tuple(without_identifiers(case) for case in matching)


def case_dict(case: Case) -> dict[str, Any]:
    """Return a case as plain values, without what names a person."""
    case = without_identifiers(case)
    return {
        "case": case.id,
        "source": case.source,
        "added": case.added,
        "labels": list(case.labels),
        "report": case.report,
    }
