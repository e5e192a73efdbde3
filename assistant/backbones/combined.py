"""An encoder, a writer and a painter put together as one backbone.

What is drafted names its writer and its encoder in the provenance, and what is painted its
painter and its encoder, each with its licence: no other part has had a hand in it.
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
    """A backbone of parts, which may be the same for several jobs."""

    def __init__(
        self, eyes: ProbingEncoder, writer: Writer, painter: Painter | None, risk: RiskModel | None
    ) -> None:
        """Put the parts together; without a painter it does not paint."""
        self._eyes = eyes
        self._writer = writer
        self._painter = painter
        self.risk = risk
        self.card: Mapping[str, Any] = eyes.card
        self.reference: Mapping[str, np.ndarray] = eyes.reference
        # A Janus writes of what its own encoder has seen: kept as long as the other's is.
        self._seen: WeakKeyDictionary[Encoded, Encoded] = WeakKeyDictionary()

    @property
    def identity(self) -> Identity:
        """All parts."""
        painter = [("painter", self._painter.identity_for(None))] if self._painter else []
        return _together(
            [
                ("writer", self._writer.identity_for(None)),
                ("encoder", self._eyes.identity),
                *painter,
            ]
        )

    def identity_for(self, task: str | None) -> Identity:
        """The writer with the adapter of a task, and the encoder; BackboneError if it has none."""
        if task == "image":
            return self.painter_identity
        writer = self._writer.identity_for(task)
        return _together([("writer", writer), ("encoder", self._eyes.identity)])

    @property
    def painter_identity(self) -> Identity:
        """The painter and the encoder that checks its paintings; BackboneError without one."""
        painter = self._able_painter()
        own = painter.identity_for("image" if "image" in painter.tasks else None)
        return _together([("painter", own), ("encoder", self._eyes.identity)])

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have an adapter: of "report", "answer" and "image"."""
        painted = self._painter is not None and "image" in self._painter.tasks
        return (
            *(task for task in self._writer.tasks if task != "image"),
            *(("image",) if painted else ()),
        )

    @property
    def instructed(self) -> bool:
        """Whether the writer follows instructions, as a chat model does."""
        return self._writer.instructed

    @property
    def encoder_id(self) -> str:
        """The encoder's."""
        return self._eyes.encoder_id

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        return self._eyes.dim

    def encode(self, films: Sequence[Film]) -> list[Encoded]:
        """Encode films in one batch."""
        return self._eyes.encode(films)

    def probe_findings(self, films: Sequence[Film]) -> list[tuple[ProbeFinding, ...]] | None:
        """What the encoder's probe sees in films; None without one."""
        return self._eyes.probe_findings(films)

    def probe_encoded(self, encoded: Sequence[Encoded]) -> list[tuple[ProbeFinding, ...]] | None:
        """`read_findings` of films that are encoded already."""
        return self._eyes.probe_encoded(encoded)

    def probe_details(self, encoded: Sequence[Encoded]) -> list[ProbeOutput] | None:
        """All that the encoder's probe says of encoded films; None without one."""
        return self._eyes.probe_details(encoded)

    def write(
        self,
        encoded: Sequence[Encoded],
        requests: Sequence[str],
        sampling: Sampling,
        tasks: Sequence[str | None] | None = None,
        on_text: OnText | None = None,
    ) -> list[GeneratedText]:
        """Write one text for each film and its request, as the writer does it."""
        if isinstance(self._writer, JanusBackbone) and self._writer is not self._eyes:
            encoded = self._seen_by(self._writer, encoded)
        return self._writer.write(encoded, requests, sampling, tasks, on_text)

    def _seen_by(self, writer: JanusBackbone, encoded: Sequence[Encoded]) -> list[Encoded]:
        new = [code for code in dict.fromkeys(encoded) if code not in self._seen]
        own = writer.encode([code.study.films[0] for code in new])
        for code, seen in zip(new, own, strict=True):
            self._seen[code] = replace(seen, study=code.study)
        return [self._seen[code] for code in encoded]

    def paint(
        self, request: PaintRequest, on_progress: OnProgress | None = None
    ) -> list[np.ndarray]:
        """Paint films, as the painter does it; BackboneError without one."""
        return self._able_painter().paint(request, on_progress)

    def reconstruct(self, films: Sequence[Film]) -> list[np.ndarray]:
        """Films through the painter's picture tokeniser and back; BackboneError without one."""
        if not isinstance(self._painter, JanusBackbone):
            raise BackboneError(
                "This backbone has no picture tokeniser to take films through; name a painter of "
                "the Janus family, `mini` for instance."
            )
        return self._painter.reconstruct(films)

    def _able_painter(self) -> Painter:
        if self._painter is None:
            raise BackboneError(
                f"{self._writer.identity_for(None).name!r} writes and cannot paint; name a "
                "[painter] in a settings file, `mini` for instance."
            )
        return self._painter


def _together(parts: Sequence[tuple[str, Identity]]) -> Identity:
    """Several identities as one, each part named once with its jobs and its licence.

    The adapter is the first part's; where all parts are one, so is the identity.
    """
    jobs: dict[tuple[str, str], list[str]] = {}
    for job, one in parts:
        jobs.setdefault((one.name, one.revision), []).append(job)
    if len(jobs) == 1:
        return parts[0][1]
    licences = {(one.name, one.revision): one.licence for _, one in parts}
    named = [
        f"{name} ({' and '.join(done)}; {licences[name, revision]})"
        for (name, revision), done in jobs.items()
    ]
    return Identity(
        " + ".join(named),
        " + ".join(revision for _, revision in jobs),
        "; ".join(f"{name}: {licences[name, revision]}" for name, revision in jobs),
        parts[0][1].adapter,
    )
