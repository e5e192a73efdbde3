"""Combines an encoder, a writer and a painter into one backbone.

The provenance of a draft names its writer and its encoder, that of a painting its painter and its
encoder, each with its licence: no other part took part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from assistant.backbones.janus.backbone import JanusBackbone
from assistant.backbones.protocols import (
    Encoded,
    Identity,
    Painter,
    ProbingEncoder,
    Sampling,
    Writer,
)
from assistant.errors import BackboneError
from assistant.evidence.risk import RiskModel
from assistant.types import (
    Film,
    GeneratedText,
    OnProgress,
    OnText,
    PaintRequest,
    ProbeFinding,
    ProbeOutput,
)


class CompositeBackbone:
    """A backbone of several models; one model may do several jobs."""

    def __init__(
        self,
        encoder: ProbingEncoder,
        writer: Writer,
        painter: Painter | None,
        risk: RiskModel | None,
    ) -> None:
        """Combine the parts; `painter` None means that it cannot paint."""
        self._encoder = encoder
        self._writer = writer
        self._painter = painter
        self.risk = risk
        self.card: Mapping[str, Any] = encoder.card
        self.reference: Mapping[str, np.ndarray] = encoder.reference
        # A Janus writes from its own encoder's features: kept as long as the other's encoding is.
        self._writer_encodings: WeakKeyDictionary[Encoded, Encoded] = WeakKeyDictionary()

    @property
    def identity(self) -> Identity:
        """The identity of all parts together."""
        painter = [("painter", self._painter.identity_for(None))] if self._painter else []
        return _join_identities(
            [
                ("writer", self._writer.identity_for(None)),
                ("encoder", self._encoder.identity),
                *painter,
            ]
        )

    def identity_for(self, task: str | None) -> Identity:
        """The writer with the adapter of a task, and the encoder; BackboneError if it has none."""
        if task == "image":
            return self.painter_identity
        writer = self._writer.identity_for(task)
        return _join_identities([("writer", writer), ("encoder", self._encoder.identity)])

    @property
    def painter_identity(self) -> Identity:
        """The painter and the encoder that checks its paintings; BackboneError without one."""
        painter = self._require_painter()
        painting = painter.identity_for("image" if "image" in painter.tasks else None)
        return _join_identities([("painter", painting), ("encoder", self._encoder.identity)])

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have an adapter, out of "report", "answer" and "image"."""
        paints = self._painter is not None and "image" in self._painter.tasks
        return (
            *(task for task in self._writer.tasks if task != "image"),
            *(("image",) if paints else ()),
        )

    @property
    def instructed(self) -> bool:
        """Whether the writer follows instructions, as a chat model does."""
        return self._writer.instructed

    @property
    def encoder_id(self) -> str:
        """The id of the encoder."""
        return self._encoder.encoder_id

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        return self._encoder.dim

    def encode(self, films: Sequence[Film]) -> list[Encoded]:
        """Encode films in one batch."""
        return self._encoder.encode(films)

    @property
    def lateral_weights(self) -> np.ndarray | None:
        """What a lateral film adds to the labels of the encoder's probe; None for nothing."""
        return self._encoder.lateral_weights

    def probe_findings(self, films: Sequence[Film]) -> list[tuple[ProbeFinding, ...]] | None:
        """The findings of the encoder's probe in films; None without a probe."""
        return self._encoder.probe_findings(films)

    def probe_encoded(self, encoded: Sequence[Encoded]) -> list[tuple[ProbeFinding, ...]] | None:
        """`probe_findings` for films that are encoded already."""
        return self._encoder.probe_encoded(encoded)

    def probe_details(self, encoded: Sequence[Encoded]) -> list[ProbeOutput] | None:
        """The full output of the encoder's probe for encoded films; None without a probe."""
        return self._encoder.probe_details(encoded)

    def write(
        self,
        encoded: Sequence[Encoded],
        requests: Sequence[str],
        sampling: Sampling,
        tasks: Sequence[str | None] | None = None,
        on_text: OnText | None = None,
    ) -> list[GeneratedText]:
        """Write one text for each film and its request with the writer."""
        if isinstance(self._writer, JanusBackbone) and self._writer is not self._encoder:
            encoded = self._encode_for_writer(self._writer, encoded)
        return self._writer.write(encoded, requests, sampling, tasks, on_text)

    def _encode_for_writer(
        self, writer: JanusBackbone, encoded: Sequence[Encoded]
    ) -> list[Encoded]:
        """The films of encodings, encoded by the writer itself; each film only once."""
        known = self._writer_encodings
        new = [encoding for encoding in dict.fromkeys(encoded) if encoding not in known]
        own_encodings = writer.encode([encoding.study.films[0] for encoding in new])
        for encoding, own_encoding in zip(new, own_encodings, strict=True):
            known[encoding] = replace(own_encoding, study=encoding.study)
        return [known[encoding] for encoding in encoded]

    def paint(
        self, request: PaintRequest, on_progress: OnProgress | None = None
    ) -> list[np.ndarray]:
        """Paint films with the painter; BackboneError without one."""
        return self._require_painter().paint(request, on_progress)

    def reconstruct(self, films: Sequence[Film]) -> list[np.ndarray]:
        """Pass films through the painter's picture tokeniser; BackboneError without one."""
        if not isinstance(self._painter, JanusBackbone):
            raise BackboneError(
                "This backbone has no picture tokeniser to take films through; name a painter of "
                "the Janus family, `mini` for instance."
            )
        return self._painter.reconstruct(films)

    def _require_painter(self) -> Painter:
        if self._painter is None:
            raise BackboneError(
                f"{self._writer.identity_for(None).name!r} writes and cannot paint; name a "
                "[painter] in a settings file, `mini` for instance."
            )
        return self._painter


def _join_identities(parts: Sequence[tuple[str, Identity]]) -> Identity:
    """One identity for several parts: each model is named once, with its jobs and its licence.

    The adapter is that of the first part. Where all parts are one model, its own identity is
    returned.
    """
    jobs: dict[tuple[str, str], list[str]] = {}
    for job, identity in parts:
        jobs.setdefault((identity.name, identity.revision), []).append(job)
    if len(jobs) == 1:
        return parts[0][1]
    licences = {(part.name, part.revision): part.licence for _, part in parts}
    descriptions = [
        f"{name} ({' and '.join(names)}; {licences[name, revision]})"
        for (name, revision), names in jobs.items()
    ]
    return Identity(
        " + ".join(descriptions),
        " + ".join(revision for _, revision in jobs),
        "; ".join(f"{name}: {licences[name, revision]}" for name, revision in jobs),
        parts[0][1].adapter,
    )
