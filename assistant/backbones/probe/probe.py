"""The probe: reads findings and an embedding from an encoder's features.

It is a set of small heads on the encoder, trained separately and sharing no weights with the
writer or the painter, so that it can check both. The labels and thresholds are stored with the
weights; this module names no finding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from assistant.backbones.whole import Refusal, check_finite, check_keys, check_safetensors
from assistant.chest.places import OTHER_SIDE
from assistant.types import LabelProbability, ProbeFinding, ProbeOutput

LEARNT_WEIGHT = 0.25  # of the part of the embedding learnt from reports; the rest is certainty


@dataclass(frozen=True, slots=True)
class Label:
    """One label that the probe predicts for a whole film."""

    finding: str
    side: str | None = None
    zone: str | None = None
    degrees: tuple[str, ...] = ()  # only these degrees, mildest first; empty: any degree


def _mirror_indices(labels: Sequence[Label]) -> list[int]:
    """Each label's index in a mirrored film: that of the other side, or its own without one."""
    number_of = {label: number for number, label in enumerate(labels)}
    return [
        number_of.get(replace(label, side=OTHER_SIDE.get(label.side or "")), number)
        for number, label in enumerate(labels)
    ]


class Probe(nn.Module):
    """Predicts label probabilities and an embedding from patch features."""

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
        self.learnt_dim = dim  # length of the embedder's output
        self.register_buffer("thresholds", torch.full((count,), 0.5))
        # The group of each label for similarity: one number is one thing, -1 does not count.
        self.register_buffer("alike", torch.full((count,), -1))
        # What a lateral film of the study adds: `assistant.backbones.probe.study`.
        self.register_buffer("lateral_weights", torch.zeros(count, 2))
        label_channels = [self.channels.index(label.finding) for label in self.labels]
        self.register_buffer("label_channels", torch.tensor(label_channels), persistent=False)
        mirror_indices = torch.tensor(_mirror_indices(self.labels))
        self.register_buffer("mirror_indices", mirror_indices, persistent=False)

    thresholds: torch.Tensor
    alike: torch.Tensor
    lateral_weights: torch.Tensor  # (L, 2): weight and offset
    label_channels: torch.Tensor  # the channel of each label's finding
    mirror_indices: torch.Tensor  # of each label, the label of the mirrored film

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        return self.learnt_dim + int(self.alike.max()) + 1

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Label logits (B, L) and patch logits (B, N, C) of patch features (B, N, W)."""
        patch_logits = self.patches(hidden)
        # Each label learns where to attend, with a bias to patches that show its finding.
        bias = patch_logits[:, :, self.label_channels] * self.pull
        attention = (self.queries(hidden) + bias).softmax(dim=1)
        pooled = torch.einsum("bnk,bnd->bkd", attention, hidden)
        return (pooled * self.heads.weight).sum(-1) + self.heads.bias, patch_logits

    def embed(self, hidden: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Unit embeddings (B, D) of patch features (B, N, W) and their label logits (B, L)."""
        return self.embed_from(logits, hidden.mean(dim=1))

    def embed_from(self, logits: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Unit embeddings (B, D) of label logits (B, L) and mean features (B, W).

        The first part is the certainty of each group of labels, the better measure of similarity,
        which needs no training. The second, `embed_as_report`, separates films with the same
        findings.
        """
        certainty = torch.tanh((logits - torch.logit(self.thresholds, eps=1e-4)) / 2)
        group_certainty = certainty.new_full((len(certainty), int(self.alike.max()) + 1), -1.0)
        is_grouped = self.alike >= 0
        groups = self.alike[is_grouped].expand(len(certainty), -1)
        group_certainty = group_certainty.scatter_reduce(
            1, groups, certainty[:, is_grouped], "amax"
        )
        report_embedding = self.embed_as_report(logits, mean)
        parts = [nn.functional.normalize(group_certainty, dim=-1), LEARNT_WEIGHT * report_embedding]
        return nn.functional.normalize(torch.cat(parts, dim=1), dim=-1)

    def embed_as_report(self, logits: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Unit vectors (B, E), trained to lie near those of the reports that fit the film.

        They come from the label logits (B, L) and the mean features (B, W).
        """
        inputs = torch.cat([torch.tanh(logits / 4), mean], dim=1)
        return nn.functional.normalize(self.embedder(inputs), dim=-1)

    def findings_of(self, logits: torch.Tensor) -> list[tuple[ProbeFinding, ...]]:
        """The findings of each film by its label logits (B, L), at every known place."""
        probabilities = torch.sigmoid(logits)
        is_present = probabilities > self.thresholds
        return [
            tuple(
                ProbeFinding(
                    finding=label.finding,
                    side=label.side,
                    zone=label.zone,
                    probability=round(probability, 4),
                    present=present,
                    degree=self._degree_of(label, flags) if present else None,
                )
                for label, probability, present in zip(self.labels, row, flags, strict=True)
                if not label.degrees
            )
            for row, flags in zip(probabilities.tolist(), is_present.tolist(), strict=True)
        ]

    def details_of(self, hidden: torch.Tensor, logits: torch.Tensor) -> ProbeOutput:
        """The full output for one film: features (N, W), N a square grid, and logits (V, L).

        Probabilities are relative to the probe's thresholds: it decides at 0.5.
        """
        logits = logits - torch.logit(self.thresholds, eps=1e-4)
        probabilities = torch.sigmoid(logits)
        means = torch.sigmoid(logits.mean(dim=0)).tolist()
        spreads = probabilities.std(dim=0, correction=0).tolist()
        edge = round(hidden.shape[0] ** 0.5)
        channel_maps = torch.sigmoid(self.patches(hidden)).T.view(-1, edge, edge).numpy()
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
            dict(zip(self.channels, channel_maps, strict=True)),
        )

    def _degree_of(self, label: Label, is_present: Sequence[bool]) -> str | None:
        """The degree of the narrowest graded label that is present; None without any."""
        place = (label.finding, label.side, label.zone)
        graded = [
            other.degrees
            for other, present in zip(self.labels, is_present, strict=True)
            if present and other.degrees and (other.finding, other.side, other.zone) == place
        ]
        return min(graded, key=len)[0] if graded else None

    def save(self, path: Path) -> None:
        """Write weights, labels and channels to one safetensors file."""
        metadata = {
            "labels": json.dumps([asdict(label) for label in self.labels]),
            "channels": json.dumps(self.channels),
        }
        state = {k: v.detach().float().contiguous().cpu() for k, v in self.state_dict().items()}
        save_file(state, str(path), metadata=metadata)

    @classmethod
    def load(cls, path: Path) -> Probe:
        """Read a file of `save`; BackboneError if it is damaged or lacks a weight."""
        shown = f"the probe of the backbone in {path.parent.name!r}"
        check_safetensors(path)
        with Refusal(f"The{shown[3:]} is damaged ({{}}); get its files again."):
            with safe_open(str(path), "pt") as file:
                metadata: Mapping[str, str] = file.metadata() or {}
                state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            labels = [
                Label(row["finding"], row["side"], row["zone"], tuple(row["degrees"]))
                for row in json.loads(metadata["labels"])
            ]
            width, dim = state["heads.weight"].shape[1], state["embedder.2.bias"].shape[0]
            probe = cls(width, labels, json.loads(metadata["channels"]), dim)
            expected = probe.state_dict()
            # Probes that were written before laterals were read have no weights for them.
            state.setdefault("lateral_weights", expected["lateral_weights"])
        check_keys(
            shown,
            missing=expected.keys() - state.keys(),
            unexpected=state.keys() - expected.keys(),
            mismatched=[
                k for k in expected.keys() & state.keys() if expected[k].shape != state[k].shape
            ],
        )
        check_finite(shown, state)
        probe.load_state_dict(state)
        return probe.eval()
