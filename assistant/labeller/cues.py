"""The words of grammar: what negates, hedges, ends a clause, or gives a degree.

Data only, in the phrase language of `assistant.labeller.matcher`; `assistant.labeller.labeller`
says what each kind of cue does. Nothing here depends on the body part.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.chest.places import LARGE, MODERATE, SMALL
from assistant.labeller.matcher import STOPS

# A name made with one of these is not negated by it: "no acute disease" is one name.
NEGATORS = frozenset(("no", "not", "without", "negative"))


@dataclass(frozen=True, slots=True)
class Degree:
    """A degree on the one scale for all findings; mild counts as small, severe as large."""

    value: str
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cue:
    """Words that change the meaning of the words around them."""

    kind: str
    phrases: tuple[str, ...]
    change: str | None = None  # the change since an earlier film that they state
    faint: bool = False  # before a word of `ONE_FILM` they compare nothing


DEGREE_CUES = (
    Degree(SMALL, (
        "small|mild|mildly|minimal|minimally|trace|tiny|slight|slightly|minor|subtle|minute",
        "borderline",
    )),
    Degree(MODERATE, ("moderate|moderately",)),
    Degree(LARGE, (
        "large|severe|severely|marked|markedly|massive|massively|extensive|gross|grossly|huge",
    )),
)  # fmt: skip

_BE = "is|are|was|were|be|been|has|have|had|remains|remain"
_DETECTED = (
    "seen|identified|present|visualized|visualised|visible|evident|appreciated|demonstrated|shown"
    "|detected|observed|noted|apparent|found|suspected|suggested|definite"
)
_EXTENT = "slightly|mildly|minimally|moderately|markedly|significantly|substantially|somewhat|xxxx"
_QUALITY = "prominent|conspicuous|extensive|pronounced|apparent|confluent|dense"
# "Increased markings" describes one film; "increased effusion" compares two.
ONE_FILM = frozenset((
    "opacity", "opacities", "density", "densities", "marking", "markings", "prominence",
))  # fmt: skip
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
    # The words before it name what is visible, those after it the interpretation.
    Cue("link", (
        "consistent|compatible with", "in keeping with", "representing|represents|reflecting",
        "secondary|due|related to", "indicating|indicative of?", "adjacent to",
    )),
    Cue("verb", ("remains|remain",), "unchanged"),
    Cue("verb", (
        _BE, "appears|appear", "seen|identified|noted|visualized|demonstrated",
    )),
    Cue("no", (
        "no|not|without|neither|never|nothing|non", "negative for", "free|clear|absence|lack of",
        "denies", "rather than",
        "isn't|aren't|wasn't|weren't|doesn't|don't|didn't|hasn't",
    )),
    Cue("no", ("interval? resolution|clearing|removal of",), "resolved"),
    Cue("no_after", (
        f"not ~ {_DETECTED}",
        "isn't|aren't|wasn't|weren't ~ seen|identified|present|visible|evident",
        "absent", "none", "is|are|been excluded", ": no|none|negative|absent", "ruled out",
    )),
    Cue("no_after", (
        "no longer ~ seen|present|visualized|visible|identified|evident|apparent",
        "has|have|had ~ resolved|cleared|disappeared", "is|are|been resolved", "resolved",
        "has|have been removed",
    ), "resolved"),
    Cue("maybe", (
        "possible|possibly|probable|probably|likely|may|might|could|perhaps|suspected|suspect",
        "suspicious|concerning|concern|worrisome for", "questionable|question|equivocal",
        "suggestive of", "suggest|suggests|suggesting", "cannot|can't exclude|rule out?",
        "can not|cannot exclude|rule out?", "not entirely|completely|definitely? exclude|rule out?",
        "versus|vs", "suspicion for|of", "doubtful|doubt|consider",
        "favor|favors|favoring|favored|favour|favours|favouring|favoured",
        "can|could represent|reflect|indicate|simulate|mimic", "can be seen with|in",
        # What is blacked out there is "likely".
        "less xxxx", "xxxx to represent",
    )),
    # A list of what it may be, to the end of the clause.
    Cue("maybe_list", (
        "differential diagnosis|diagnoses|considerations|consideration? includes|include?",
    )),
    # Hedges what follows; where nothing follows, what was named last.
    Cue("maybe_either", (
        "difficult|hard to entirely|completely|definitely? exclude|rule out?",
    )),
    # The same, for the whole clause.
    Cue("condition", ("in the appropriate|right|proper clinical setting|context",)),
    Cue("maybe_after", (
        "cannot|can't be? ~ excluded|out", "can|could not be? ~ excluded|out", "not ~ excluded",
        "is|are|be ~ possible|questioned|considered|questionable", "suspected|questioned",
        "in the differential", "unlikely", "but not|cannot ~ excluded",
        "is|are favored|favoured|doubtful",
        "not ~ entirely|completely excluded",
    )),
    # Not about this film, unless the rest of the clause says that it still holds.
    Cue("past", (
        "history|hx of", "h / o",
        "evaluate|evaluation|assess|assessment|evaluating|assessing for",
        "to? exclude|excluding", "to? rule out", "correlate ~ for", "detect|detecting of?",
        "if there? is|are?", "indication", "should", "risk of|for", "r / o", "resection of",
    )),
    Cue("past", (
        "previously|previous ~ seen|noted|described|identified|present",
    ), "resolved"),  # if it is not seen now
    Cue("still", (
        "unchanged|stable|persistent|persists|persist|again|still|similar|redemonstrated|static",
    ), "unchanged"),
    Cue("still", (
        f"{_EXTENT}? worsened|worsening|worse|larger|enlarging|increasing|progressing|progressed",
        f"interval {_EXTENT}? increase|worsening|progression|enlargement|growth in|of? size? of?",
        f"has|have {_EXTENT}? increased|enlarged|grown", "has|have become larger",
        f"{_EXTENT}? increased in size", f"{_EXTENT}? increased since|from|compared|when",
        "increase in|of size? of?", f"{_EXTENT}? more {_QUALITY} than|since|compared|versus",
    ), "larger"),
    Cue("still", (f"{_EXTENT}? increased",), "larger", faint=True),
    Cue("still", (
        f"{_EXTENT}? improved|improving|smaller|decreasing|diminishing|resolving|regressed|reduced",
        "interval? partial|partially resolution|clearing|resolved|cleared of?",
        f"interval {_EXTENT}? decrease|improvement|reduction in|of? size? of?", "residual",
        f"has|have {_EXTENT}? decreased|diminished|improved|regressed",
        f"{_EXTENT}? decreased in size", f"{_EXTENT}? decreased since|from|compared|when",
        "decrease|improvement in|of size? of?", f"less {_QUALITY} than|since|compared|versus",
    ), "smaller"),
    Cue("still", (f"{_EXTENT}? decreased",), "smaller", faint=True),
    Cue("new", (
        "new|newly", "interval development|appearance|placement|insertion of?",
        "has|have developed", "recurrent|recurrence of?",
    ), "new"),
    # Compares one side with the other, not this film with an earlier one.
    Cue("sides", (
        "larger|smaller|greater|worse|more|less|increased|decreased than|on the? right|left",
        "larger|smaller|greater|worse than expected|normal",
    )),
    # Negations that deny a change or a certainty, not the finding.
    Cue("none", (
        "no|not|without significant|significantly|definite|xxxx? interval|xxxx? change|changes",
        "not significantly|definitely? changed",
    ), "unchanged"),
    Cue("none", (
        "not ~ seen|present|visualized|identified on|in the? prior|previous",
    ), "new"),
    Cue("none", (
        "not only|previously|include|included",
        "no|not ~ increase|increased|decrease|decreased|improvement|progression|worsening",
        "no ~ prior|priors|comparison",
        "may|could|should be? obtained|performed|helpful|considered|useful",
    )),
)  # fmt: skip
