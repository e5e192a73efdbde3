"""The three jobs of a backbone, as protocols, and the values that they give.

A model may do one, two or all three. Nothing here knows torch: features are opaque to all but
the backbone that made them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from assistant.types import (
    Film,
    GeneratedText,
    OnProgress,
    OnText,
    PaintRequest,
    ProbeFinding,
    ProbeOutput,
    Study,
)

if TYPE_CHECKING:
    from assistant.evidence.risk import RiskModel


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Encoded:
    """A film as an encoder sees it, computed once and used by every later stage."""

    study: Study  # the film first; a writer of another family looks at the films themselves
    features: Any  # what the writer of the same backbone reads
    embedding: np.ndarray  # float32 (D,), unit length, for retrieval
    profile: np.ndarray  # float32 (P,), for the gate
    logits: np.ndarray | None = None  # float32 (V, L): the probe's, of V views of the film


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose the next token: greedy at temperature 0."""

    seed: int = 0
    temperature: float = 0.0
    max_tokens: int = 192


@dataclass(frozen=True, slots=True)
class Identity:
    """What a backbone is, for the provenance."""

    name: str
    revision: str  # SHA-256 over the weights
    licence: str
    adapter: str | None = None  # the task and a short hash; None for the base alone


class Encoder(Protocol):
    """Film to features and one embedding."""

    @property
    def encoder_id(self) -> str:
        """Changes whenever the same film would get another embedding."""
        ...

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        ...

    def encode(self, films: Sequence[Film]) -> list[Encoded]:
        """Encode films in one batch; each is a study of its own."""
        ...


class ProbingEncoder(Encoder, Protocol):
    """An encoder that may read findings, and may know what films it was made with."""

    @property
    def identity(self) -> Identity:
        """What it is."""
        ...

    @property
    def card(self) -> Mapping[str, Any]:
        """How it was made, `knows` (in words) among it; empty where it does not say."""
        ...

    @property
    def reference(self) -> Mapping[str, np.ndarray]:
        """What the gate measures a film by (`assistant.gate`); empty where it has none."""
        ...

    def probe_findings(self, films: Sequence[Film]) -> list[tuple[ProbeFinding, ...]] | None:
        """What a probe sees in films: each finding at each place it knows; None without one."""
        ...

    def probe_encoded(self, encoded: Sequence[Encoded]) -> list[tuple[ProbeFinding, ...]] | None:
        """`read_findings` of films that are encoded already."""
        ...

    def probe_details(self, encoded: Sequence[Encoded]) -> list[ProbeOutput] | None:
        """All that a probe says of encoded films, patch by patch too; None without one."""
        ...


class AdaptedModel(Protocol):
    """What writes or paints: what it is, and which adapters it has."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have an adapter: of "report", "answer" and "image"."""
        ...

    def identity_for(self, task: str | None) -> Identity:
        """The identity with the adapter of a task; BackboneError if there is none."""
        ...


class Writer(AdaptedModel, Protocol):
    """Prompt and film to text."""

    @property
    def instructed(self) -> bool:
        """Whether its base follows instructions, as a chat model does.

        Such a base answers questions without an adapter, and has not learnt to be told what a
        probe reads.
        """
        ...

    def write(
        self,
        encoded: Sequence[Encoded],
        requests: Sequence[str],
        sampling: Sampling,
        tasks: Sequence[str | None] | None = None,
        on_text: OnText | None = None,
    ) -> list[GeneratedText]:
        """Write one text for each film and its request, in one batch; a task names an adapter.

        `told` hears the first row's text while it is written; what it raises ends the writing.
        """
        ...


class Painter(AdaptedModel, Protocol):
    """Text to film."""

    def paint(
        self, request: PaintRequest, on_progress: OnProgress | None = None
    ) -> list[np.ndarray]:
        """Paint the films of a request, each float32 (H, W) in [0, 1], air dark.

        `on_progress` hears of the parts painted, of all; what it raises ends the painting.
        """
        ...


class Backbone(ProbingEncoder, Writer, Painter, Protocol):
    """All jobs together, as the assistant is given them."""

    @property
    def risk(self) -> RiskModel | None:
        """The risk model that came with it, whatever it was fitted on."""
        ...

    @property
    def painter_identity(self) -> Identity:
        """What paints, for the provenance, with its adapter where it has one."""
        ...

    def reconstruct(self, films: Sequence[Film]) -> list[np.ndarray]:
        """Films through the painter's picture tokeniser and back; BackboneError without one."""
        ...
