"""The words of grammar: what negates, hedges, ends a clause, or gives a degree.

Data only, in the phrase language of `assistant.labeller.matcher`; `assistant.labeller.labeller`
says what each kind of cue does. Nothing here depends on the body part.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.chest.places import LARGE, MODERATE, SMALL
from assistant.labeller.tokens import MINUS, PLUS, QUERY, STOPS

# A name made with one of these is not negated by it: "no acute disease" is one name.
NEGATORS = frozenset(("no", "not", "without", "negative", "neg"))


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
_NOT = "isn't|aren't|wasn't|weren't|hasn't|haven't|hadn't|doesn't|don't|didn't"
_DETECTED = (
    "seen|identified|present|visualized|visualised|visible|evident|appreciated|demonstrated|shown"
    "|detected|observed|noted|apparent|found|suspected|suggested|definite"
)
_EXTENT = "slightly|mildly|minimally|moderately|markedly|significantly|substantially|somewhat|xxxx"
_QUALITY = "prominent|conspicuous|extensive|pronounced|apparent|confluent|dense"
_GONE = "resolved|cleared|disappeared|vanished"
_GOING = "resolution|clearing|disappearance|clearance"
_PARTLY = (
    "near|nearly|almost|partial|partially|partly|incomplete|incompletely|mostly|largely|virtually"
    "|substantial|substantially"
)
_MORE = "larger|bigger|greater|worse|smaller|worsened|progressed|grown|thicker|denser"
_OTHER_FILM = "prior|previous|earlier|preceding|old|older|outside|comparison|last"
_FILM = (
    "study|film|films|exam|examination|radiograph|radiographs|image|images|imaging|ct|scan|x"
    "|studies|chest"
)
_SHOWED = "showed|demonstrated|revealed|described|reported|showing|demonstrating"
# They begin what is no more part of a noun.
ADVERBIALS = frozenset((
    ",", "is", "are", "was", "were", "in", "on", "at", "to", "for", "with", "by", "if", "and", "or",
    "should", "may", "can", "could", "would", "will", "be", "has", "have",
))  # fmt: skip
# "Increased markings" describes one film; "increased effusion" compares two.
ONE_FILM = frozenset((
    "opacity", "opacities", "density", "densities", "marking", "markings", "prominence",
    "vascularity", "vasculature", "interstitium",
))  # fmt: skip
CUES = (
    # Ends of clauses: no negation, hedge or place reaches over them.
    Cue("stop", (
        "|".join(sorted(STOPS)), "yet|whereas", "aside|apart from", "other than",
        "with? the? exception of", ", none|not on|in|at the? right|left",
        "there is|are|was|were|has|have|remains|appears", "which",
    )),
    # A new subject: ends what came from the left, but a verb to come may look back over it.
    Cue("turn", ("and|, the|this|these",)),
    Cue("comma", (",",)),
    Cue("colon", (":",)),
    Cue("and", ("and", "as well as", "plus")),
    Cue("or", ("or|nor|/", "and / or")),
    Cue("with", ("with", "associated|along|together with")),
    # The words before it name what is visible, those after it the interpretation.
    Cue("link", (
        "consistent|compatible with", "in keeping with", "representing|represents|reflecting",
        "secondary|due|related to", "indicating|indicative of?", "adjacent to", "c / w",
    )),
    Cue("verb", ("remains|remain",), "unchanged"),
    Cue("verb", (
        _BE, "appears|appear", "seen|identified|noted|visualized|demonstrated",
    )),
    # What is to be done has not been done: nothing is removed or resolved yet.
    Cue("intended", (
        "planned|scheduled|anticipated|pending|contemplated|awaited|intended|desired|recommended"
        "|advised|suggested",
        "should|will|can|may|could|must|would|to be removed|withdrawn|extubated|considered|pulled",
        "is|are|was|were|remains incomplete|partial",
        "consider|recommend|suggest|advise|plan|plans|await|request|for removal|extubation of?",
    )),
    Cue("no", (
        "no|not|without|neither|never|nothing|nil", "negative|neg for?",
        "free|clear|absence|lack of",
        "denies", "rather than", f"{_NOT}",
    )),
    Cue("no", (
        f"interval? complete|full? {_GOING}|removal|explantation|withdrawal of",
        "status post removal of", "s / p removal of",
    ), "resolved"),
    Cue("no_after", (
        f"not ~ {_DETECTED}", f"{_NOT} ~ {_DETECTED}",
        "absent", "none", "is|are|been excluded", "ruled out", "nonvisualized|nonvisualised",
    )),
    Cue("no_after", (
        "no longer ~ seen|present|visualized|visible|identified|evident|apparent",
        f"has|have|had ~ {_GONE}", f"is|are|been {_GONE}", _GONE,
        "has|have|was|were|had been? ~ removed|withdrawn|explanted|discontinued|pulled",
        "removed|withdrawn|explanted|discontinued|removal", "taken out",
    ), "resolved"),
    Cue("no_mark", (MINUS,)),
    Cue("yes_mark", (PLUS, "yes|positive",)),
    Cue("maybe", (
        "possible|possibly|probable|probably|likely|may|might|could|perhaps|suspected|suspect",
        "suspicious|concerning|concern|worrisome for", "questionable|question|equivocal",
        "suggestive of", "suggest|suggests|suggesting", "cannot|can't exclude|rule out?",
        "can not|cannot exclude|rule out?", "not entirely|completely|definitely? exclude|rule out?",
        "versus|vs", "suspicion|possibility for|of", "query", "doubtful|doubt|consider", QUERY,
        "favor|favors|favoring|favored|favour|favours|favouring|favoured",
        "can|could represent|reflect|indicate|simulate|mimic", "can be seen with|in",
        "does|do|did|would|not not? exclude|preclude",
        # What is blacked out there is "likely".
        "less xxxx", "xxxx to represent",
    )),
    # A list of what it may be, to the end of the clause.
    Cue("maybe_list", (
        "differential diagnosis|diagnoses|considerations|consideration? includes|include?",
    )),
    # Hedges what follows; where nothing follows, what was named last.
    Cue("maybe_either", (
        "difficult|hard|unable|impossible|inability|able to ~ exclude|rule|out out?",
        "cannot|can't|couldn't ~ exclude|rule out?", "could|can not ~ exclude|rule out?",
        "not able to ~ exclude|rule out?",
        f"{_BE}? less|not|most|very? likely|probable", "is|are|be ~ likely|possible|probable",
    )),
    # The same, for the whole clause.
    Cue("condition", ("in the appropriate|right|proper clinical setting|context",)),
    Cue("maybe_after", (
        "cannot|can't|couldn't be? ~ excluded|out", "can|could not be? ~ excluded|out",
        "not ~ excluded", "not ~ ruled out", f"{_BE}|{_NOT} not? been? ~ favored|favoured",
        f"{_NOT} ~ excluded", f"{_NOT} ~ ruled out", f"{_BE} not been? ~ excluded",
        f"{_BE} not been? ~ ruled out", f"{_NOT} likely",
        "is|are|be ~ questioned|considered|questionable", "suspected|questioned",
        "is|are|be ~ uncertain|unclear|equivocal|indeterminate",
        "should|must be excluded", "should|must be ruled out", "in the differential", "unlikely",
        "but not|cannot ~ excluded",
        "is|are favored|favoured|doubtful",
        "not ~ entirely|completely excluded",
    )),
    # Not about this film, unless the rest of the clause says that it still holds.
    Cue("past", (
        "history|hx of", "h / o",
        "evaluate|evaluation|assess|assessment|evaluating|assessing for",
        "to? exclude|excluding", "to? rule out", "correlate ~ for", "detect|detecting of?",
        "if there? is|are?", "indication", "should", "risk of|for", "r / o", "resection of",
        f"{_OTHER_FILM} {_FILM} x? ~ {_SHOWED}", f"{_OTHER_FILM} {_FILM} had",
        f"on|in|at the|a? {_OTHER_FILM} {_FILM}? {_FILM}? ,? there was|were",
        f"which|that {_SHOWED}", "previously|formerly there was|were",
        f"on|in|at the|a? {_OTHER_FILM} {_OTHER_FILM}? xxxx? {_FILM} xxxx? ,",
        f"{_FILM} of|from xxxx ~ {_SHOWED}",
        "recommend|consider|suggest|advise ~ placement|insertion of?",
        "placement|insertion of? ~ recommended|advised|suggested|considered|planned",
    )),
    Cue("past", (
        "previously|previous ~ seen|noted|described|identified|present",
    ), "resolved"),  # if it is not seen now
    Cue("past_after", (
        f"was|were|had|been {_DETECTED}? on|in|at the|his|her? {_OTHER_FILM} {_FILM}?",
    )),
    # The same where the clause began with "there was".
    Cue("past_if_was", (f"on|in the|his|her? {_OTHER_FILM} {_FILM}",)),
    Cue("still", (
        f"as|also {_DETECTED}? on|in the? {_OTHER_FILM} {_FILM}",
        "unchanged|stable|persistent|persists|persist|again|still|similar|redemonstrated|static",
        "nonresolving|unresolved|unresolving|persisting|chronic and unchanged?",
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
        f"interval? {_PARTLY} complete|completely|total? {_GONE}|{_GOING} of?",
        f"{_BE}|only only|since|now|just? {_PARTLY} complete|completely? {_GONE}",
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
        f"not|never ~ {_GONE}", f"{_NOT} ~ {_GONE}", f"{_BE} ~ not|never ~ {_GONE}",
        f"{_BE} not|never ~ {_GONE}",
        f"no|without ~ {_GOING}|regression of?", f"{_BE} yet to resolve|clear|disappear",
        "failed|failing|fails|failure to resolve|clear", "failure of resolution|clearing of?",
        f"lack|absence of ~ {_GOING} of?",
    ), "unchanged"),
    Cue("none", (
        "not ~ seen|present|visualized|identified on|in the? prior|previous",
    ), "new"),
    Cue("none", (
        "not only|previously|include|included",
        "no|not ~ increase|increased|decrease|decreased|improvement|progression|worsening",
        f"{_NOT} ~ increased|decreased|improved", f"{_NOT} any? {_MORE}",
        f"no {_MORE}", f"not ~ {_MORE}", f"neither {_MORE} nor {_MORE}", "not a? new",
        f"{_NOT} a? new", "no ~ prior|priors|comparison",
        "may|could|should be? obtained|performed|helpful|considered|useful",
        "document|documenting|ensure|confirm|verify|establish|demonstrate|assess|evaluate|until"
        "|pending|monitor|awaiting|await|after|assure|expect|expected|anticipate|for for?"
        f" complete|full? {_GOING} of?",
    )),
)  # fmt: skip
