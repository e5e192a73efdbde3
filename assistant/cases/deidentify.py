"""Takes what names a person out of a report's text: names, dates, numbers, places, great ages.

Rules of our own, in linear time, without a model: each finds one form of an identifier and puts a
word in brackets in its place. They leave medicine alone: eponyms, measurements, vertebrae, "two
days ago", a year alone. What they do not find is said in docs/library.md: they make a report safer
to show, not anonymous.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from assistant.cases.identifier_forms import FORMS, NAME, PLACE
from assistant.cases.names import GIVEN, NO_NAMES, PARTICLES
from retrieval import Case

_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['\u2019-](?=[^\W\d_]))*")
_GAP = re.compile(r"[ \t]{1,3}")
_JOIN = re.compile(r"[ \t]{0,2}(?:,[ \t]|,?[ \t]and[ \t]|[&/])[ \t]{0,2}")
_CREDENTIAL = (
    r"(?:M\.D\.|MD|D\.O\.|Ph\.D\.|PhD|R\.N\.|RN|N\.P\.|PA-C|FRCR|FRCPC|FRANZCR|FACR|"
    r"MBBS|MBChB|MRCP|"
    r"FRCS|CRNP|RPA-C|RRA|R\.?T\.?\s?\(R\)|DABR)(?![^\W_])"
)
_CREDENTIALS = re.compile(rf"(?:[ \t]?,?[ \t]{_CREDENTIAL}){{1,4}}")
_SIGNED = re.compile(
    rf"(?<![\w.])(?:[^\W\d_a-z][\w'\u2019-]{{0,30}}\.?,?[ \t]){{1,4}}{_CREDENTIAL}"
)
# Where a name follows: a title; a field, which for the first may be in any letters; what was done
# with or by a person.
_TITLE = (
    r"(?:[Dd]rs?|DRS?|[Dd]octor|DOCTOR|[Mm]rs|MRS|[Mm]r|M[RS](?=\.[ \t][A-Z]{2})|Ms|"
    r"Miss|Mx|[Pp]rof(?:essor)?|"
    r"PROF|[Nn]urse|[Ss]ister|Rev|Sgt|RN|Herr|Frau|Mme|Sra|Señora?)\b(?:\.[ \t]{0,2}|[ \t]{1,2})"
    r"|\b(?:[Pp]atient|[Pp]t)[ \t]"
    r"(?=[A-Z][a-z]{1,20}[ \t](?:is|was|has|had|will|denies|presents)\b)"
)
_TITLED = re.compile(_TITLE)
_CONTEXT = re.compile(
    rf"\b(?:(?P<title>{_TITLE})"
    r"|(?P<name>(?i:(?:(?:patient|pt|full|last|first|family|given|maiden|mother|"
    r"father)(?:['\u2019]s)?\s)?"
    r"(?:name|initials))\s?:[ \t]{0,3})"
    r"|(?P<field>(?i:(?:dictated|signed|reported|read|reviewed|interpreted|"
    r"transcribed|verified|approved|"
    r"authored|finali[sz]ed|attested|requested|ordered|referred|performed|"
    r"authenticated|prepared|edited|"
    r"seen|examined|validated|typed)(?:\s(?:electronically|and|signed|dictated|reviewed)){0,3}\s"
    r"by\b\s?:?[ \t]{0,3}"
    r"|(?:dictated|signed|reported|verified|typed|approved|transcribed|interpreted)"
    r"(?:\s(?:electronically|digitally|on\sbehalf\sof))?\s?:[ \t]{0,3}"
    r"|(?:radiologist|resident|attending|fellow|technologist|radiographer|consultant|"
    r"physician|provider|"
    r"doctor|clinician|surgeon|referrer|referred|signature|dictator|transcriptionist|"
    r"reader|operator|"
    r"patient|pt|cc|attn|author|contact|next\sof\skin|spouse|wife|husband|mother|"
    r"father|son|daughter)"
    r"\s?:[ \t]{0,3}))"
    r"|(?P<told>(?i:(?:discussed|communicated|reviewed|spoke|spoken|conveyed|relayed|"
    r"called|phoned|paged|"
    r"notified|informed|reported|given|telephoned|faxed|sent|emailed|d/w|conversation|acknowledged|"
    r"consulted|accompanied|brought|discussion)(?:\s(?:directly|personally|verbally|"
    r"these|this|that|the|"
    r"findings?|results?|report|in|over|by|via|phone|person|telephone|on|and|was|were|case)){0,6}"
    r"\s(?:with|to|by)[ \t]"
    r"|d/w[ \t]|(?:called|phoned|paged|notified|informed|contacted|alerted|telephoned|"
    r"emailed)[ \t])))"
)
_SENTENCE_END = re.compile(r"\s+[^\W\d_a-z]|\s*\Z")
_MEDICAL_PAIRS = frozenset(
    {"ann arbor", "marie tooth", "pierre robin", "pierre marie", "graham steell", "marie bamberger"}
    | {"bernard soulier", "paul bunnell", "albert schonberg"}
)
_HOSPITAL = re.compile(
    r"\b(?:Hospitals?(?:\sand\sClinics?)?|Infirmary|Hospice|Sanatorium|Clinics?|"
    r"HOSPITAL|(?:Medical|Health|Cancer|Trauma|Imaging|"
    r"Heart)\s(?:Center|Centre|System|Group)|MEDICAL\sCENT(?:ER|RE)|Healthcare)\b"
)
_OF = {"of", "the", "and", "for"}  # inside a hospital's name, as are the next
_NO_PLACES = NO_NAMES - _OF - {"general", "central", "medical", "family", "surgical", "heart"}
_BEFORE = re.compile(r"(?:(?:S[tT]\.|[A-Z][\w'\u2019-]{1,24}|of|the|and|for)[ ]){1,6}\Z")


@lru_cache(maxsize=4096)  # the same neighbours are shown again and again
def remove_identifiers(text: str) -> str:
    """The text with placeholders such as `[name]` and `[date]` for what names a person.

    Cleaned text stays as it is.
    """
    for pattern, word in FORMS:
        text = pattern.sub(word, text)
    text = _SIGNED.sub(_sign_off, _without_hospitals(text))
    return _without_full_names(_without_named(text))


def without_identifiers(case: Case) -> Case:
    """A case as it may be shown: without its patient, its texts cleaned."""
    return replace(
        case,
        patient=None,
        report=remove_identifiers(case.report),
        labels=tuple(remove_identifiers(label) for label in case.labels),
        source=remove_identifiers(case.source),
    )


def _without_hospitals(text: str) -> str:
    """The text without the names of hospitals: at least one capital word before what it is."""
    parts, done = [], 0
    for match in _HOSPITAL.finditer(text):
        before = _BEFORE.search(text, max(done, match.start() - 120), match.start())
        if before is None:
            continue
        words = before[0].split()
        for at, word in enumerate(before[0].split(), start=1):
            if word.casefold() in _NO_PLACES or (word.casefold() in _OF and at == 1):
                words = before[0].split()[at:]
        if any(_is_name(word, any_case=False) for word in words):
            start = match.start() - len(" ".join(words)) - 1
            parts += [text[done:start], PLACE]
            done = match.end()
    return "".join((*parts, text[done:]))


def _sign_off(match: re.Match[str]) -> str:
    """A name before a degree, as `Jane Roe, M.D.`, without the words before that are in no name."""
    *names, _ = match[0].split()
    stop = "." * (match.end() - _before_stop(match.string, match.end()))
    for at in range(len(names), 0, -1):
        if not _is_name(names[at - 1].rstrip(".,"), any_case=False):
            break
    else:
        at = 0
    return " ".join((*names[:at], NAME)) + stop if at < len(names) else match[0]


def _before_stop(text: str, end: int) -> int:
    """The end without the full stop that also ends the sentence."""
    return end - (text[end - 1] == "." and _SENTENCE_END.match(text, end) is not None)


def _without_named(text: str) -> str:
    """The text without the names that follow a title, a field, or what was done with a person."""
    parts, done = [], 0
    for match in _CONTEXT.finditer(text):
        if match.start() < done:
            continue
        plural = "drs" in match[0].casefold()
        kind = match.lastgroup
        start = match.end()
        if kind != "title" and (titled := _TITLED.match(text, start)):
            start, kind = titled.end(), "title"
        low = kind == "name" or (kind == "title" and match[0][:2].casefold() in ("dr", "mr", "pr"))
        end = _name_end(text, start, any_case=low, comma=kind in ("name", "field"))
        if end > start:
            parts += [
                text[done : match.start() if match.lastgroup == "title" else match.end()],
                NAME,
            ]
            done = end
            while joined := _JOIN.match(text, done):  # Drs. Smith and Jones
                titled = _TITLED.match(text, joined.end())
                start = titled.end() if titled else joined.end()
                end = _name_end(text, start, any_case=False, comma=False)
                if end == start or not (titled or plural or joined[0][0] != ","):
                    break
                parts += [text[done : joined.end()], NAME]
                done = end
    return "".join((*parts, text[done:]))


def _name_end(text: str, start: int, *, any_case: bool, comma: bool) -> int:
    """Where a name that begins here ends; `start` where none does."""
    at, end, words = start, start, 0
    given = True  # what came so far is incomplete without a surname
    while words < 5 and (match := _WORD.match(text, at)):
        word, stop = match[0], match.end()
        particle = word.casefold() in PARTICLES and word[0].islower()
        low = any_case and (words == 0 or given)
        initial = len(word) == 1 and word.isupper()
        if initial:
            if text[stop : stop + 1] != "." and not (words and given):
                break
        elif not particle and not (
            _is_name(word, any_case=low) and (given or words < 2 or not word.isupper())
        ):
            break
        if text[stop : stop + 1] == "." and (initial or word in ("Jr", "Sr", "St")):
            stop += 1
        if not particle:
            end, words = stop, words + 1
            given = initial or word.casefold() in GIVEN
        else:
            given = True
        if comma and words == 1 and text[stop : stop + 2] == ", ":
            at, comma, given = stop + 2, False, True
        elif gap := _GAP.match(text, stop):
            at = gap.end()
        elif initial and text[stop - 1] == ".":  # J.R. Smith
            at = stop
        else:
            break
    if end > start and (younger := _YOUNGER.match(text, end)):
        end = younger.end()
    if end > start and (titles := _CREDENTIALS.match(text, end)):
        end = titles.end()
    return _before_stop(text, end) if end > start else start


def _is_name(word: str, *, any_case: bool) -> bool:
    plain = word.casefold()
    return (any_case or word[:1].isupper()) and plain not in NO_NAMES and plain.strip("x") != ""


_FULL = re.compile(
    r"\b(?P<a>[^\W\d_a-z][^\W\d_]{1,20})(?P<comma>,)?[ \t](?:(?P<initial>[A-Z]\.?)[ \t])?"
    r"(?=(?P<b>[^\W\d_a-z](?:[^\W\d_]|['\u2019-](?=[^\W\d_])){1,30}))"
)


_YOUNGER = re.compile(r",?[ \t](?:Jr\b\.?|Sr\b\.?|I{2,3}\b|IV\b)")
_INITIAL = re.compile(r"[ \t][A-Z](?=[\s.,;:]|\Z)\.?")


def _without_full_names(text: str) -> str:
    """The text without `John A. Smith` and `Smith, John A.`, known by a common given name."""
    parts, done = [], 0
    for match in _FULL.finditer(text):
        given, other = (match["b"], match["a"]) if match["comma"] else (match["a"], match["b"])
        if (
            match.start() < done
            or given.casefold() not in GIVEN
            or not _is_name(other, any_case=False)
            or f"{given} {other}".casefold() in _MEDICAL_PAIRS
            or (given.isupper() != other.isupper())
        ):
            continue
        parts += [text[done : match.start()], NAME]
        done = match.end("b")
        if match["comma"] and (initial := _INITIAL.match(text, done)):
            done = _before_stop(text, initial.end())
    return "".join((*parts, text[done:]))
