"""The protocols of a backbone's three jobs, and the values that they return.

A model may do one, two or all three. This module does not import torch: features are opaque to
everything but the backbone that computed them.
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
    """What an encoder computes of a film, once, for every later stage."""

    study: Study  # the film first; a writer of another family reads the films themselves
    features: Any  # what the writer of the same backbone reads
    embedding: np.ndarray  # float32 (D,), unit length, for retrieval
    profile: np.ndarray  # float32 (P,), for the gate
    logits: np.ndarray | None = None  # float32 (V, L): label logits of V views of the film


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen: greedily at temperature 0."""

    seed: int = 0
    temperature: float = 0.0
    max_tokens: int = 192


@dataclass(frozen=True, slots=True)
class Identity:
    """Name, weights and licence of a model, for the provenance."""

    name: str
    revision: str  # SHA-256 over the weights
    licence: str
    adapter: str | None = None  # the task and a short hash; None for the base alone


class Encoder(Protocol):
    """Turns a film into features and one embedding."""

    @property
    def encoder_id(self) -> str:
        """An id that changes whenever the same film would get another embedding."""
        ...

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        ...

    def encode(self, films: Sequence[Film]) -> list[Encoded]:
        """Encode films in one batch; each film is a study of its own."""
        ...


class ProbingEncoder(Encoder, Protocol):
    """An encoder that may have a probe of findings, and may know its training films."""

    @property
    def identity(self) -> Identity:
        """Name, weights and licence of the encoder."""
        ...

    @property
    def card(self) -> Mapping[str, Any]:
        """How it was trained, with `knows` (in words); empty where it has no card."""
        ...

    @property
    def reference(self) -> Mapping[str, np.ndarray]:
        """The tables by which the gate (`assistant.gate`) judges a film; empty without any."""
        ...

    @property
    def lateral_weights(self) -> np.ndarray | None:
        """What a lateral film adds to each of the probe's L labels: float32 (L, 2), weight, offset.

        As `assistant.backbones.probe.study` takes them; None where it reads frontal films alone.
        """
        ...

    def probe_findings(self, films: Sequence[Film]) -> list[tuple[ProbeFinding, ...]] | None:
        """The probe's findings in films, at each place that it knows; None without a probe."""
        ...

    def probe_encoded(self, encoded: Sequence[Encoded]) -> list[tuple[ProbeFinding, ...]] | None:
        """`probe_findings` for films that are encoded already."""
        ...

    def probe_details(self, encoded: Sequence[Encoded]) -> list[ProbeOutput] | None:
        """The probe's full output for encoded films, with maps of patches; None without one."""
        ...


class AdaptedModel(Protocol):
    """A model that writes or paints, with its identity and its adapters."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have an adapter, out of "report", "answer" and "image"."""
        ...

    def identity_for(self, task: str | None) -> Identity:
        """The identity with the adapter of a task; BackboneError if there is none."""
        ...


class Writer(AdaptedModel, Protocol):
    """Turns a prompt and a film into text."""

    @property
    def instructed(self) -> bool:
        """Whether its base follows instructions, as a chat model does.

        Such a base answers questions without an adapter, and is not trained on prompts that hold
        a probe's findings.
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

        `on_text` receives the first row's text while it is written; an error that it raises ends
        the writing.
        """
        ...


class Painter(AdaptedModel, Protocol):
    """Turns text into films."""

    def paint(
        self, request: PaintRequest, on_progress: OnProgress | None = None
    ) -> list[np.ndarray]:
        """Paint the films of a request, each float32 (H, W) in [0, 1], air dark.

        `on_progress` receives the number of parts done and of all parts; an error that it raises
        ends the painting.
        """
        ...


class Backbone(ProbingEncoder, Writer, Painter, Protocol):
    """All jobs together, as the assistant uses them."""

    @property
    def risk(self) -> RiskModel | None:
        """The risk model that is stored with it, whatever it was fitted on."""
        ...

    @property
    def painter_identity(self) -> Identity:
        """The painter's identity for the provenance, with its adapter where it has one."""
        ...

    def reconstruct(self, films: Sequence[Film]) -> list[np.ndarray]:
        """Pass films through the painter's picture tokeniser; BackboneError without one."""
        ...
