"""The values that pass between the stages of one draft: frozen, slotted, tuples not lists.

This module knows no anatomy, no model and no file format, and imports nothing of ours but the
errors: every stage takes these values and returns new ones. There is no patient field on any of
them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assistant.errors import SettingsError

OnMessage = Callable[[str], None]

SPREADS = 1.645  # standard deviations that hold so many, where errors are normal

LONGEST_PROMPT = 2000  # characters
MOST_PAINTED_AT_ONCE = 16
OnText = Callable[[str], None]  # hears the text so far
OnProgress = Callable[[int, int], None]  # hears how much is done, of how much

Polarity = Literal["present", "absent", "uncertain"]
Section = Literal["findings", "impression"]
Verdict = Literal["supported", "contradicted", "unsupported", "unchecked"]
Action = Literal["keep", "flag", "withhold"]
Decision = Literal["accepted", "rejected"]
Author = Literal["backbone", "person"]
Stance = Literal["supports", "contradicts", "silent"]
GateAnswer = Literal["pass", "warn", "refuse", "unchecked"]
ReadbackVerdict = Literal["shown", "not shown", "unchecked"]
CopyVerdict = Literal["original", "copy", "unchecked"]


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """One radiograph as the stages see it, stripped of everything that names a person."""

    pixels: np.ndarray  # float32 (H, W) in [0, 1], air dark, read-only
    sha256: str  # of the source bytes; the film's only identity
    view: str | None = None  # DICOM view position: "PA", "AP", "LL", ...
    laterality: str | None = None  # DICOM (image) laterality: "R", "L", "B", "U"
    spacing_mm: tuple[float, float] | None = None  # millimetres a pixel: (row, column)
    flags: tuple[str, ...] = ()  # e.g. "synthetic"


@dataclass(frozen=True, slots=True)
class Study:
    """What is to be reported: the films, why they were taken, and what came before."""

    films: tuple[Film, ...]
    indication: str = ""
    prior: Study | None = None
    prior_report: str = ""


@dataclass(frozen=True, slots=True)
class Assertion:
    """One claim a sentence makes about the film."""

    finding: str  # a key of the vocabulary, e.g. "pleural_effusion"
    polarity: Polarity = "present"
    side: str | None = None  # "right", "left", "bilateral"
    zone: str | None = None  # "upper", "mid", "lower"
    degree: str | None = None  # "small", "moderate", "large"
    measurement_mm: float | None = None  # a size stated in the text, in millimetres
    span: tuple[int, int] = (0, 0)  # where the finding is named: characters of the sentence
    comparison: str | None = None  # "new", "larger", "smaller", "unchanged", "resolved"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that speaks for or against a sentence."""

    kind: str  # "probe", "region", "measurement", "prior", "agreement", "neighbour"
    value: float  # its strength in [0, 1]
    says: Stance
    where: str  # the case id or region it rests on
    detail: str = ""  # the same, in words
    box: tuple[float, float, float, float] | None = None  # left, top, right, bottom in [0, 1]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a draft with all that is known about its truth."""

    text: str
    section: Section
    assertions: tuple[Assertion, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    citations: tuple[str, ...] = ()  # ids of the similar cases that assert the same
    verdict: Verdict = "unchecked"
    reason: str = ""  # why the verdict is what it is
    risk: float | None = None  # calibrated probability of being false; None: not measured
    log_probability: float | None = None  # mean over the sentence's tokens, natural log
    action: Action | None = None  # by the risk; None: not measured
    decision: Decision | None = None  # what a person decided; None: nothing yet
    written: str = ""  # what stood here before a person changed it; empty: unchanged


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A similar case as a draft cites it."""

    case: str
    similarity: float  # cosine, in [-1, 1]
    report: str = ""
    labels: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether the backbone may be trusted with this film at all."""

    answer: GateAnswer
    reason: str
    distance: float | None = None  # to the films the backbone knows
    limit: float | None = None  # the distance beyond which a film lies outside them
    view: str | None = None  # "frontal", "lateral", "none", "blank", "noise"; None: not looked at
    score: float | None = None  # in [0, 1]: how surely it is an upright frontal chest film
    correction: str | None = None  # what would make it one, of `assistant.intake.orientation`


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made an output, so that it can be made again."""

    backbone: str
    revision: str  # hash of the weights
    library: str  # snapshot of the library of cases, or "none"
    prompt_sha256: str
    seed: int
    versions: tuple[tuple[str, str], ...]
    time: str  # ISO 8601, UTC
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A draft: sentences with their evidence, and what the draft rests on."""

    study: Study
    sentences: tuple[Sentence, ...]
    neighbours: tuple[Neighbour, ...]
    gate: Gate
    provenance: Provenance
    removed: tuple[tuple[str, str], ...] = ()  # (what the backbone wrote, why it is not there)
    abstention: str = ""  # why the whole draft should not be used; empty: nothing speaks for that
    author: Author = "backbone"  # who wrote the text: "person" for one that was only checked

    @property
    def coverage(self) -> float:
        """Share of the sentences that were checked, in [0, 1]; 0 for an empty draft."""
        checked = sum(s.verdict != "unchecked" for s in self.sentences)
        return checked / len(self.sentences) if self.sentences else 0.0

    @property
    def hallucination_rate(self) -> float | None:
        """(contradicted + unsupported) / checked, in [0, 1]; None where nothing was checked."""
        checked = [s.verdict for s in self.sentences if s.verdict != "unchecked"]
        if not checked:
            return None
        return sum(v in ("contradicted", "unsupported") for v in checked) / len(checked)

    def shows(self, sentence: Sentence) -> bool:
        """Whether a sentence stands in the text: a person's word goes before the risk."""
        if sentence.decision is not None:
            return sentence.decision == "accepted"
        return self.author == "person" or sentence.action != "withhold"

    def text(self) -> str:
        """The text with its section headings, without what is rejected or withheld."""
        parts = []
        for section in ("findings", "impression"):
            shown = [s for s in self.sentences if s.section == section and self.shows(s)]
            body = " ".join(s.text for s in shown)
            if body:
                parts.append(f"{section.capitalize()}: {body}")
        return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class ProbeFinding:
    """One thing that a probe was asked of a film."""

    finding: str
    side: str | None
    zone: str | None
    probability: float
    present: bool  # whether the probability is over the probe's threshold for it
    degree: str | None = None  # where the probe tells one


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a question about a film, and what speaks for it."""

    question: str
    text: str
    gate: Gate
    provenance: Provenance
    log_probability: float | None = None  # mean over the answer's tokens, natural log
    removed: tuple[tuple[str, str], ...] = ()  # (what the backbone wrote, why it is not there)
    sentence: Sentence | None = None  # the answer, judged; None: nothing was answered
    understood: str = ""  # the question made whole from earlier ones; empty: as it was asked


@dataclass(frozen=True, slots=True)
class RequestedFinding:
    """One finding that a painting was asked to show, and whether a probe sees it there."""

    finding: str
    side: str | None
    zone: str | None
    probability: float | None  # the probe's; None where it has no label for the finding
    seen: bool | None  # None: not read


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Whether a painting shows what was asked, as a probe apart from the painter reads it."""

    verdict: ReadbackVerdict = "unchecked"
    reason: str = "The film was not read back."
    asked: tuple[RequestedFinding, ...] = ()
    beside: tuple[ProbeFinding, ...] = ()  # seen without having been asked for


@dataclass(frozen=True, slots=True)
class CopyCheck:
    """Whether a painting is nearly a film that is known."""

    verdict: CopyVerdict = "unchecked"
    reason: str = "The film was not compared with any other."
    shelf: str | None = None  # where the nearest film stands: "library" now, "training" later
    film: str | None = None  # its id there
    similarity: float | None = None  # structural similarity (SSIM), at most 1
    limit: float | None = None  # from which similarity on a painting counts as a copy
    compared: int = 0  # films that were looked at


@dataclass(frozen=True, slots=True)
class PaintRequest:
    """What is to be painted, and how.

    Raises SettingsError for a prompt without words or of more than 2,000 characters, a `count`
    outside 1 to 16, a `guidance` below 1 and a `temperature` below 0.
    """

    prompt: str
    seed: int = 0
    count: int = 1  # films
    guidance: float = 3.0  # classifier-free; 1 is none, more follows the prompt more closely
    temperature: float = 0.5  # of the tokens that are drawn; a diffusion pipeline has none
    site: str = ""  # the letter of the site whose style the films take; empty: none in particular

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise SettingsError("There is nothing to paint: say what the film should show.")
        if len(self.prompt) > LONGEST_PROMPT:
            raise SettingsError(
                f"The prompt has {len(self.prompt)} characters; say in {LONGEST_PROMPT} what to "
                "show."
            )
        in_range = self.guidance >= 1 and self.temperature >= 0  # false for a NaN, too
        if not 1 <= self.count <= MOST_PAINTED_AT_ONCE or not in_range:
            raise SettingsError(
                f"count = {self.count} must be 1 to {MOST_PAINTED_AT_ONCE}, guidance = "
                f"{self.guidance} at least 1 and temperature = {self.temperature} at least 0."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Painting:
    """A synthetic film with what it was asked to show, and whether it does."""

    pixels: np.ndarray  # float32 (H, W) in [0, 1], air dark, read-only, with the visible mark
    request: PaintRequest
    provenance: Provenance
    number: int = 0  # which of the request's films this is, from 0
    readback: ReadBack = ReadBack()
    copy: CopyCheck = CopyCheck()

    @property
    def prompt(self) -> str:
        """What it was asked to show."""
        return self.request.prompt


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """How likely one thing is by a probe."""

    finding: str
    side: str | None
    zone: str | None
    degrees: tuple[str, ...]  # only at these degrees, the least first; any where empty
    probability: float  # 0.5 where the probe decides
    spread: float  # standard deviation of the probability over views of the film, at most 0.5


@dataclass(frozen=True, slots=True, eq=False)
class ProbeOutput:
    """All that a probe says of one film."""

    chances: tuple[LabelProbability, ...]
    places: Mapping[str, np.ndarray]  # finding: float32 (G, G), is it in this patch?
    measured: tuple[Measurement, ...] = ()


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """Text from a writer, with how sure it was of every token."""

    text: str
    spans: tuple[tuple[int, int], ...]  # characters of `text` that each token wrote
    log_probabilities: tuple[float, ...]  # natural log, one a token


@dataclass(frozen=True, slots=True)
class MeasurementTarget:
    """One thing that can be measured, and the finding that it speaks of."""

    name: str  # "cardiothoracic ratio"
    finding: str
    side: str | None
    length: bool  # in parts of the square's edge, to be given in mm; else a ratio
    error: float  # nine in ten lie within it, in the same unit
    limit: float = 0.0  # from which on it speaks for the finding


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a film measures."""

    measure: MeasurementTarget
    value: float

    @property
    def beyond(self) -> float:
        """The probability, in (0, 1), that the true value lies over the measure's limit."""
        off = (self.value - self.measure.limit) * SPREADS / max(self.measure.error, 1e-6)
        return 0.5 * (1 + math.erf(off / math.sqrt(2)))
