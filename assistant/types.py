"""The values that pass between the stages of a draft: frozen, slotted, tuples instead of lists.

This module knows no anatomy, no model and no file format, and imports only our errors: every
stage takes these values and returns new ones. None of them has a field for the patient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from assistant.errors import SettingsError

OnMessage = Callable[[str], None]

Z_90 = 1.645  # standard deviations within which nine in ten normal errors lie

LONGEST_PROMPT = 2000  # characters
MOST_PAINTED_AT_ONCE = 16
OnText = Callable[[str], None]  # called with the text so far
OnProgress = Callable[[int, int], None]  # called with how much is done, of how much

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
    # Where its file states them, comparable within one process alone; they reach no output.
    study: str | None = field(default=None, repr=False)
    day: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Study:
    """What is to be reported: the films, why they were taken, and what came before."""

    films: tuple[Film, ...]
    indication: str = ""
    prior: Study | None = None
    prior_report: str = ""
    notes: tuple[str, ...] = ()  # what was left out when it was put together, a sentence each


@dataclass(frozen=True, slots=True)
class FilmUse:
    """What a draft has made of one film of its study."""

    sha256: str
    view: str | None  # as the film's file states it
    kind: str | None  # as the gate sees it: "frontal", "lateral", ...; None: not judged
    prior: bool = False  # whether it is of the earlier study
    read: bool = True  # whether it took part in the reading
    note: str = ""  # why it did not, in one sentence


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
    """The gate's answer: whether the backbone may be trusted with this film."""

    answer: GateAnswer
    reason: str
    distance: float | None = None  # to the films the backbone knows
    limit: float | None = None  # the distance beyond which a film lies outside them
    view: str | None = None  # "frontal", "lateral", "none", "blank", "noise"; None: not judged
    score: float | None = None  # in [0, 1]: confidence in an upright frontal chest film
    correction: str | None = None  # what would make it one, of `assistant.intake.orientation`


@dataclass(frozen=True, slots=True)
class Provenance:
    """What produced an output, so that it can be reproduced."""

    backbone: str
    revision: str  # hash of the weights
    library: str  # snapshot of the library of cases, or "none"
    prompt_sha256: str
    seed: int
    versions: tuple[tuple[str, str], ...]
    time: str  # ISO 8601, UTC
    adapter: str | None = None
    films: tuple[FilmUse, ...] = ()  # of a study of several films or with a prior one


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
        """Whether a sentence is in the text: a person's decision goes before the risk."""
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
    """A probe's result for one label: a finding at a place."""

    finding: str
    side: str | None
    zone: str | None
    probability: float
    present: bool  # whether the probability is over the probe's threshold for it
    degree: str | None = None  # where the probe gives one


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question about a film, with its evidence."""

    question: str
    text: str
    gate: Gate
    provenance: Provenance
    log_probability: float | None = None  # mean over the answer's tokens, natural log
    removed: tuple[tuple[str, str], ...] = ()  # (what the backbone wrote, why it is not there)
    sentence: Sentence | None = None  # the answer, judged; None: nothing was answered
    understood: str = ""  # the question completed from earlier ones; empty: it was complete


@dataclass(frozen=True, slots=True)
class RequestedFinding:
    """One finding that a painting was to show, and whether a probe finds it there."""

    finding: str
    side: str | None
    zone: str | None
    probability: float | None  # the probe's; None where it has no label for the finding
    seen: bool | None  # None: not probed


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Whether a painting shows what was requested, by a probe independent of the painter."""

    verdict: ReadbackVerdict = "unchecked"
    reason: str = "The film was not read back."
    asked: tuple[RequestedFinding, ...] = ()  # the findings of the prompt
    beside: tuple[ProbeFinding, ...] = ()  # found without having been requested


@dataclass(frozen=True, slots=True)
class CopyCheck:
    """Whether a painting is nearly a copy of a known film."""

    verdict: CopyVerdict = "unchecked"
    reason: str = "The film was not compared with any other."
    shelf: str | None = None  # which films the nearest is of: "library" now, "training" later
    film: str | None = None  # its id there
    similarity: float | None = None  # structural similarity (SSIM), at most 1
    limit: float | None = None  # the similarity from which a painting counts as a copy
    compared: int = 0  # number of films compared


@dataclass(frozen=True, slots=True)
class PaintRequest:
    """What to paint, and how.

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
    """A synthetic film with the request that it answers and the results of its checks."""

    pixels: np.ndarray  # float32 (H, W) in [0, 1], air dark, read-only, with the visible mark
    request: PaintRequest
    provenance: Provenance
    number: int = 0  # which of the request's films this is, from 0
    readback: ReadBack = ReadBack()
    copy: CopyCheck = CopyCheck()

    @property
    def prompt(self) -> str:
        """What it was to show."""
        return self.request.prompt


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """The probability of one label by a probe."""

    finding: str
    side: str | None
    zone: str | None
    degrees: tuple[str, ...]  # only at these degrees, the least first; any where empty
    probability: float  # 0.5 where the probe decides
    spread: float  # standard deviation of the probability over views of the film, at most 0.5


@dataclass(frozen=True, slots=True, eq=False)
class ProbeOutput:
    """All outputs of a probe for one film."""

    labels: tuple[LabelProbability, ...]
    patch_maps: Mapping[str, np.ndarray]  # finding: float32 (G, G), whether it is in each patch
    measurements: tuple[Measurement, ...] = ()


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """Text from a writer, with the log probability of every token."""

    text: str
    spans: tuple[tuple[int, int], ...]  # characters of `text` that each token wrote
    log_probabilities: tuple[float, ...]  # natural log, one a token
    thought_tokens: int = 0  # that the writer thought with before; none of them is in `text`


@dataclass(frozen=True, slots=True)
class MeasurementTarget:
    """One quantity that can be measured, and the finding that it is evidence for."""

    name: str  # "cardiothoracic ratio"
    finding: str
    side: str | None
    length: bool  # in parts of the square's edge, to be given in mm; else a ratio
    error: float  # nine in ten lie within it, in the same unit
    limit: float = 0.0  # the value from which it supports the finding


@dataclass(frozen=True, slots=True)
class Measurement:
    """The value of one quantity on a film."""

    target: MeasurementTarget
    value: float

    @property
    def beyond(self) -> float:
        """The probability, in (0, 1), that the true value lies over the measure's limit."""
        distance = (self.value - self.target.limit) * Z_90 / max(self.target.error, 1e-6)
        return 0.5 * (1 + math.erf(distance / math.sqrt(2)))
