"""The words of grammar: what negates, hedges, ends a clause, or gives a degree.

Data only, in the phrase language of `assistant.phrases`; what a kind of cue does is said in
`assistant.findings`. Nothing here is about one part of the body.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.phrases import STOPS

# A name made with one of these is not negated by it: "no acute disease" is one name.
NEGATORS = frozenset(("no", "not", "without", "negative"))


@dataclass(frozen=True, slots=True)
class Degree:
    """One closed scale for all findings; mild counts as small and severe as large."""

    value: str
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cue:
    """Words that change what the words about them mean."""

    kind: str
    phrases: tuple[str, ...]


DEGREES = (
    Degree("small", (
        "small|mild|mildly|minimal|minimally|trace|tiny|slight|slightly|minor|subtle|minute",
        "borderline",
    )),
    Degree("moderate", ("moderate|moderately",)),
    Degree("large", (
        "large|severe|severely|marked|markedly|massive|massively|extensive|gross|grossly|huge",
    )),
)  # fmt: skip
SCALE = ("small", "moderate", "large")

_BE = "is|are|was|were|be|been|has|have|had|remains|remain"
_SEEN = (
    "seen|identified|present|visualized|visualised|visible|evident|appreciated|demonstrated|shown"
    "|detected|observed|noted|apparent|found|suspected|suggested|definite"
)
CUES = (
    # Ends of clauses: no negation, hedge or place reaches over them.
    Cue("stop", (
        "|".join(sorted(STOPS)), "yet|whereas", "aside|apart from", "other than",
        "with? the? exception of", "there is|are|was|were|has|have|remains|appears", "which",
    )),
    # A new subject: ends what came from the left, but a verb to come may look back over it.
    Cue("turn", ("and|, the|this|these",)),
    Cue("comma", (",",)),
    Cue("and", ("and", "as well as", "plus")),
    Cue("or", ("or|nor|/", "and / or")),
    Cue("with", ("with", "associated|along|together with")),
    # The words on the two sides name one thing seen and what it is taken for.
    Cue("link", (
        "consistent|compatible with", "in keeping with", "representing|represents|reflecting",
        "secondary|due|related to", "indicating|indicative of?", "adjacent to",
    )),
    Cue("verb", (
        _BE, "appears|appear", "seen|identified|noted|visualized|demonstrated",
    )),
    Cue("no", (
        "no|not|without|neither|never|nothing|non", "negative for", "free|clear|absence|lack of",
        "denies", "rather than", "resolution|clearing|removal of",
        "isn't|aren't|wasn't|weren't|doesn't|don't|didn't|hasn't",
    )),
    Cue("no_after", (
        f"not ~ {_SEEN}", "isn't|aren't|wasn't|weren't ~ seen|identified|present|visible|evident",
        "no longer ~ seen|present|visualized|visible|identified|evident|apparent",
        "absent", "has|have|had ~ resolved|cleared|disappeared", "none",
        "is|are|been resolved|excluded", "resolved", "has|have been removed",
        ": no|none|negative|absent", "ruled out",
    )),
    Cue("maybe", (
        "possible|possibly|probable|probably|likely|may|might|could|perhaps|suspected|suspect",
        "suspicious|concerning|concern|worrisome for", "questionable|question|equivocal",
        "suggestive of", "suggest|suggests|suggesting", "cannot|can't exclude|rule out?",
        "can not|cannot exclude|rule out?", "not ~ exclude", "difficult to exclude",
        "versus|vs", "differential diagnosis|diagnoses|considerations|consideration?",
        "suspicion for|of",
    )),
    Cue("maybe_after", (
        "cannot|can't be? ~ excluded|out", "can|could not be? ~ excluded|out", "not ~ excluded",
        "is|are|be ~ possible|questioned|considered|questionable", "suspected|questioned",
        "in the differential", "unlikely", "difficult to exclude",
        "not ~ entirely|completely excluded",
    )),
    # Not about this film, unless the rest of the clause says that it is still so.
    Cue("past", (
        "history|hx of", "h / o", "previously|previous ~ seen|noted|described|identified|present",
        "evaluate|evaluation|assess|assessment|evaluating|assessing for",
        "to? exclude|excluding", "to rule out", "correlate ~ for", "detect|detecting of?",
        "if there? is|are?", "indication", "should", "risk of|for", "r / o", "resection of",
    )),
    Cue("still", (
        "unchanged|stable|persistent|persists|persist|again|still|remains|remain|similar|increased",
        "decreased|improved|worsened|larger|smaller|redemonstrated|residual",
    )),
    # Negations that deny a change or a certainty, not the finding.
    Cue("none", (
        "no|not|without significant|significantly|definite|xxxx? interval|xxxx? change|changes",
        "not significantly|definitely? changed", "not only|previously|include|included",
        "no|not ~ increase|increased|decrease|decreased|improvement|progression|worsening",
        "not ~ seen|present on|in the? prior|previous", "no ~ prior|priors|comparison",
        "may|could|should be? obtained|performed|helpful|considered|useful",
    )),
)  # fmt: skip
