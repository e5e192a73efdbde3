"""Searching the library of cases by words: by what they assert, or as they stand there."""

from __future__ import annotations

from itertools import islice
from typing import Any

from assistant.cases.similar import FindingQuery
from assistant.errors import SettingsError
from assistant.labeller.labeller import find_assertions
from retrieval import Case, Library

LONGEST_QUERY = 500  # characters
MOST_READ = 20_000  # reports that are read for one query, the newest


def search_cases(
    library: Library, words: str, *, source: str | None = None, limit: int = 50
) -> tuple[Case, ...]:
    """The cases that words are about, the newest first, at most `limit` and of one source.

    Words that assert findings ("left effusion", "no pneumothorax") give the cases whose report
    or labels assert all of them, of side, zone and degree what is not told fitting any; of the
    cases that name them the newest 20,000 are read. Other words give the cases that hold every
    one of them in report, labels, source or id; no words, all cases. Raises SettingsError for
    more than 500 characters or a limit under 1.
    """
    if len(words) > LONGEST_QUERY or limit < 1:
        raise SettingsError(
            f"The search has {len(words)} characters and a limit of {limit}; "
            f"search for up to {LONGEST_QUERY} characters and 1 case or more."
        )
    claims = find_assertions(words)
    if not claims:
        plain = [[word] for word in words.split()]
        return tuple(library.find(plain, source=source, most=limit))
    sought = FindingQuery(claims)
    named = library.find(sought.words, source=source, most=MOST_READ)
    return tuple(islice((case for case in named if sought.asserted_by(case)), limit))


def case_dict(case: Case) -> dict[str, Any]:
    """A case as plain values, without its patient."""
    return {
        "case": case.id,
        "source": case.source,
        "added": case.added,
        "labels": list(case.labels),
        "report": case.report,
    }
