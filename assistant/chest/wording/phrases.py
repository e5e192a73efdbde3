"""How a finding is worded: its nouns, own sentences, and the words for places and degrees.

Data types and small grammar. Nouns are written with their article: "a nodule" is counted, "some
wires" is a plural, "oedema" takes no article; `{side}` in a noun is filled with right or left, and
`{ly}` with the degree as an adverb. Own sentences hold `{side}`, `{degree}`, `{Degree}` or `{ly}`,
and fit a claim that has just these attributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assistant.chest.places import BOTH, LARGE, LOWER, MID, MODERATE, SIDES, SMALL, UPPER

Group = Literal["film", "devices", "heart", "mediastinum", "lungs", "pleura", "abdomen", "bones"]
Scale = Literal["size", "grade"]


@dataclass(frozen=True, slots=True)
class Wording:
    """The words for one finding."""

    key: str  # the finding's
    nouns: tuple[str, ...]  # the first also stands in impressions and captions
    own: tuple[str, ...] = ()  # sentences that assert it
    own_uncertain: tuple[str, ...] = ()
    own_absent: tuple[str, ...] = ()
    scale: Scale | None = "grade"  # the words of its degrees; None: it has none
    apical: bool = True  # whether "apical" before it is a place, and not a part of its name
    towards: bool = False  # whether its side is a direction: "to the right"


# By scale and degree: the first also stands in impressions and captions.
DEGREE_WORDS = {
    "size": {SMALL: ("small",), MODERATE: ("moderate",), LARGE: ("large",)},
    "grade": {
        SMALL: ("mild", "slight", "minimal"),
        MODERATE: ("moderate",),
        LARGE: ("severe", "marked"),
    },
}
ADVERBS = {
    "small": "mildly", "mild": "mildly", "slight": "slightly", "minimal": "minimally",
    "moderate": "moderately", "large": "markedly", "severe": "severely", "marked": "markedly",
}  # fmt: skip
# Words before a noun, and after it.
_BEFORE: dict[tuple[str | None, str | None], tuple[str, ...]] = {
    **{(side, None): (side, f"{side}-sided") for side in SIDES},
    (BOTH, None): ("bilateral",),
    **{(s, UPPER): (f"{s} upper zone", f"{s} apical") for s in SIDES},
    **{(s, MID): (f"{s} mid zone", f"{s} midlung") for s in SIDES},
    **{(s, LOWER): (f"{s} lower zone", f"{s} basal", f"{s} basilar") for s in SIDES},
    (BOTH, UPPER): ("bilateral upper zone", "biapical"),
    (BOTH, MID): ("bilateral mid zone",),
    (BOTH, LOWER): ("bilateral lower zone", "bibasal", "bibasilar"),
    (None, UPPER): ("upper zone", "apical"),
    (None, MID): ("mid zone",),
    (None, LOWER): ("lower zone", "basal", "basilar"),
}
_AFTER: dict[tuple[str | None, str | None], tuple[str, ...]] = {
    **{(side, None): (f"on the {side}",) for side in SIDES},
    (BOTH, None): ("on both sides", "bilaterally"),
    **{(s, UPPER): (f"in the {s} upper zone", f"at the {s} apex") for s in SIDES},
    **{(s, MID): (f"in the {s} mid zone", f"in the {s} midlung") for s in SIDES},
    **{(s, LOWER): (f"in the {s} lower zone", f"at the {s} base") for s in SIDES},
    (BOTH, UPPER): ("in both upper zones", "at both apices"),
    (BOTH, MID): ("in both mid zones",),
    (BOTH, LOWER): ("in both lower zones", "at both bases"),
    (None, UPPER): ("in the upper zones", "at the apices"),
    (None, MID): ("in the mid zones",),
    (None, LOWER): ("in the lower zones", "at the bases"),
}
_HEADS_END = (" of ", " in ", " on ", " under ", " over ", " after ")


def words_before(side: str | None, zone: str | None) -> tuple[str, ...]:
    """Return the words for a place that may stand before a noun; () for no place."""
    return _BEFORE.get((side, zone), ())


def words_after(side: str | None, zone: str | None, *, towards: bool = False) -> tuple[str, ...]:
    """Return the words for a place that may stand after a noun; () for no place."""
    if towards and side in SIDES and zone is None:
        return (f"to the {side}",)
    return _AFTER.get((side, zone), ())


def split_article(noun: str) -> tuple[str, str]:
    """Return "a", "some" or "" for a counted, a plural or another noun, and the noun."""
    article, _, rest = noun.partition(" ")
    if article in ("a", "an"):
        return "a", rest
    return ("some", rest) if article == "some" else ("", noun)


def pluralise(noun: str) -> str:
    """Return the plural of a noun without its article: "area of opacity", "areas of opacity"."""
    ends = [noun.find(word) for word in _HEADS_END if word in noun]
    end = min(ends, default=len(noun))
    head, tail = noun[:end], noun[end:]
    if head.endswith("thorax"):
        return f"{head[:-1]}ces{tail}"
    if head.endswith("embolus"):
        return f"{head[:-2]}i{tail}"
    if head.endswith("bulla"):
        return f"{head}e{tail}"
    if head.endswith("prosthesis"):
        return f"{head[:-2]}es{tail}"
    if head.endswith(("s", "x")):
        return f"{head}es{tail}"
    if head.endswith("y") and head[-2] not in "aeiou":
        return f"{head[:-1]}ies{tail}"
    return f"{head}s{tail}"


def with_article(words: str) -> str:
    """Return a noun phrase with "a" or "an"."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def capitalise(words: str) -> str:
    """Return words with a capital first letter, and the others as they are."""
    return words[:1].upper() + words[1:]
