"""The probe: what an encoder's features show, and where a film lies among others.

Small heads on the encoder, trained apart from the writer and sharing no weights with the writer
or the painter, so that they can check both. The labels and thresholds travel with the weights;
this module knows no finding by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from assistant.chest.places import OTHER_SIDE
from assistant.errors import BackboneError
from assistant.types import LabelProbability, ProbeFinding, ProbeOutput

LEARNT = 0.25  # of the embedding, what is learnt from reports; the rest is what the probe says


@dataclass(frozen=True, slots=True)
class Label:
    """One thing that the probe tells of a whole film."""

    finding: str
    side: str | None = None
    zone: str | None = None
    degrees: tuple[str, ...] = ()  # only at these degrees, the least first; any where empty


def _mirrored(labels: Sequence[Label]) -> list[int]:
    """Each label's own in a mirror: that of the other side; its own where there is none."""
    at = {label: number for number, label in enumerate(labels)}
    return [
        at.get(replace(label, side=OTHER_SIDE.get(label.side or "")), number)
        for number, label in enumerate(labels)
    ]


class Probe(nn.Module):
    """Probabilities of labels and an embedding, from patch features."""

    def __init__(
        self, width: int, labels: Sequence[Label], channels: Sequence[str], dim: int = 96
    ) -> None:
        super().__init__()
        self.labels, self.channels = tuple(labels), tuple(channels)
        count = len(labels)
        self.patches = nn.Linear(width, len(channels))
        self.queries = nn.Linear(width, count, bias=False)
        self.pull = nn.Parameter(torch.ones(count))
        self.heads = nn.Linear(width, count)
        self.embedder = nn.Sequential(nn.Linear(count + width, 192), nn.GELU(), nn.Linear(192, dim))
        self.learnt = dim  # length of what the embedder gives
        self.register_buffer("thresholds", torch.full((count,), 0.5))
        # Which labels say two films alike: those of one number are one thing, -1 says nothing.
        self.register_buffer("alike", torch.full((count,), -1))
        at = [self.channels.index(label.finding) for label in self.labels]
        self.register_buffer("channel_of", torch.tensor(at), persistent=False)
        self.register_buffer("mirrored", torch.tensor(_mirrored(self.labels)), persistent=False)

    thresholds: torch.Tensor
    alike: torch.Tensor
    channel_of: torch.Tensor
    mirrored: torch.Tensor  # of each label, which tells the same of the mirrored film

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        return self.learnt + int(self.alike.max()) + 1

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Label logits (B, L) and patch logits (B, N, C) of patch features (B, N, W)."""
        patch = self.patches(hidden)
        # Each label looks where it will, but most of all where its finding's patches light up.
        lit = patch[:, :, self.channel_of] * self.pull
        share = (self.queries(hidden) + lit).softmax(dim=1)
        pooled = torch.einsum("bnk,bnd->bkd", share, hidden)
        return (pooled * self.heads.weight).sum(-1) + self.heads.bias, patch

    def embed(self, hidden: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Unit embeddings (B, D) of patch features (B, N, W) and their label logits (B, L)."""
        return self.embed_from(logits, hidden.mean(dim=1))

    def embed_from(self, logits: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Unit embeddings (B, D): what is in a film, and a little of `described`.

        What the probe says of each finding and side is the better measure of likeness, and needs
        no learning; what is learnt from reports parts the films in which it says the same.
        """
        surely = torch.tanh((logits - torch.logit(self.thresholds, eps=1e-4)) / 2)
        things = surely.new_full((len(surely), int(self.alike.max()) + 1), -1.0)
        told = self.alike >= 0
        where = self.alike[told].expand(len(surely), -1)
        things = things.scatter_reduce(1, where, surely[:, told], "amax")
        words = self.described(logits, mean)
        parts = [nn.functional.normalize(things, dim=-1), LEARNT * words]
        return nn.functional.normalize(torch.cat(parts, dim=1), dim=-1)

    def described(self, logits: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Unit vectors (B, E), each near those of the reports that fit the film.

        They are of what the film shows, with a trace of how it looks (B, W).
        """
        about = torch.cat([torch.tanh(logits / 4), mean], dim=1)
        return nn.functional.normalize(self.embedder(about), dim=-1)

    def findings(self, logits: torch.Tensor) -> list[tuple[ProbeFinding, ...]]:
        """What label logits (B, L) say of each film: every finding at every place it knows."""
        chances = torch.sigmoid(logits)
        over = chances > self.thresholds
        return [
            tuple(
                ProbeFinding(
                    finding=label.finding,
                    side=label.side,
                    zone=label.zone,
                    probability=round(chance, 4),
                    present=yes,
                    degree=self._degree(label, on) if yes else None,
                )
                for label, chance, yes in zip(self.labels, row, on, strict=True)
                if not label.degrees
            )
            for row, on in zip(chances.tolist(), over.tolist(), strict=True)
        ]

    def details(self, hidden: torch.Tensor, logits: torch.Tensor) -> ProbeOutput:
        """All that is known of one film: features (N, W), N a square grid, and logits (V, L).

        Chances are told against the probe's thresholds: 0.5 is where it decides.
        """
        logits = logits - torch.logit(self.thresholds, eps=1e-4)
        chances = torch.sigmoid(logits)
        means = torch.sigmoid(logits.mean(dim=0)).tolist()
        spreads = chances.std(dim=0, correction=0).tolist()
        edge = round(hidden.shape[0] ** 0.5)
        lit = torch.sigmoid(self.patches(hidden)).T.view(-1, edge, edge).numpy()
        return ProbeOutput(
            tuple(
                LabelProbability(
                    finding=label.finding,
                    side=label.side,
                    zone=label.zone,
                    degrees=label.degrees,
                    probability=mean,
                    spread=spread,
                )
                for label, mean, spread in zip(self.labels, means, spreads, strict=True)
            ),
            dict(zip(self.channels, lit, strict=True)),
        )

    def _degree(self, label: Label, on: Sequence[bool]) -> str | None:
        """The degree of the narrowest graded label that is on; None where none is."""
        place = (label.finding, label.side, label.zone)
        graded = [
            other.degrees
            for other, yes in zip(self.labels, on, strict=True)
            if yes and other.degrees and (other.finding, other.side, other.zone) == place
        ]
        return min(graded, key=len)[0] if graded else None

    def save(self, path: Path) -> None:
        """Write weights, labels and channels to one safetensors file."""
        about = {
            "labels": json.dumps([asdict(label) for label in self.labels]),
            "channels": json.dumps(self.channels),
        }
        state = {k: v.detach().float().contiguous().cpu() for k, v in self.state_dict().items()}
        save_file(state, str(path), metadata=about)

    @classmethod
    def load(cls, path: Path) -> Probe:
        """Read what `save` wrote; BackboneError for a file that is damaged."""
        try:
            with safe_open(str(path), "pt") as file:
                about: Mapping[str, str] = file.metadata() or {}
                state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            labels = [
                Label(row["finding"], row["side"], row["zone"], tuple(row["degrees"]))
                for row in json.loads(about["labels"])
            ]
            width, dim = state["heads.weight"].shape[1], state["embedder.2.bias"].shape[0]
            probe = cls(width, labels, json.loads(about["channels"]), dim)
            probe.load_state_dict(state)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
            raise BackboneError(
                f"The probe of the backbone in {path.parent.name!r} is damaged "
                f"({type(error).__name__}); get its files again."
            ) from None
        return probe.eval()
