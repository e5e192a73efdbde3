"""First stage: trains the encoder and its probe on real films and on phantoms together.

Real films come with what their reports assert; phantoms with the patches that each finding covers,
since reports alone do not teach an encoder where an 8 mm nodule lies. What a report does not
mention is neither present nor absent: it counts as absent with a small weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from adapters.data.phantom_arrays import CHANNELS, FILM_LABELS, PhantomArrays
from adapters.data.real_arrays import ABSENT, OPEN, PRESENT, UNCERTAIN, UNMENTIONED, RealArrays
from adapters.pretrain.augmentation import augment
from assistant.backbones.janus.film_encoder import FilmEncoder
from assistant.backbones.probe.probe import Probe
from assistant.chest.phantoms import DEVICES
from assistant.chest.probe_labels import DRAWN

# Findings that cover little of a patch weigh more: (factor of the share, factor of the loss).
SMALL = {
    "nodule": (3.0, 8.0),
    "granuloma": (12.0, 10.0),
    "mass": (1.5, 2.0),
    "consolidation": (1.0, 1.5),
    "pneumothorax": (1.0, 2.0),
    "atelectasis": (3.0, 3.0),
    "fracture": (4.0, 6.0),
    **dict.fromkeys(DEVICES, (6.0, 2.0)),
}
PATCH_GAIN = torch.tensor([SMALL.get(channel, (1.0, 1.0))[0] for channel in DRAWN])
PATCH_WEIGHT = torch.tensor([SMALL.get(channel, (1.0, 1.0))[1] for channel in DRAWN])
MIRRORED = 0.4  # share of films that are mirrored, with their sides exchanged


@dataclass(frozen=True, slots=True)
class EncoderWeights:
    """How much each part of the loss weighs."""

    unmentioned: float = 1.0  # what the report does not mention
    trusted: float = 0.5  # of what other models expect there; the rest is absence
    uncertain: float = 0.5
    hedged: float = 0.7  # the target of an uncertain finding
    placed: float = 0.4  # a label of a side, zone or degree, against that of a finding anywhere
    lateral: float = 0.5
    terms: float = 2.0
    pooled: float = 0.3  # of the patches' maximum, which teaches where reported findings lie
    drawn: float = 1.0  # all of the phantoms' loss
    patches: float = 2.0
    reported_absent: float = 0.3  # of findings that phantoms never show
    laterals: float = 0.2  # films of each kind, for each frontal film
    phantoms: float = 0.7


class EncoderBatches(torch.utils.data.Dataset):
    """Real frontal films by index; `collate` adds laterals and phantoms drawn at random.

    Without real films it is the phantoms that are taken by index.
    """

    def __init__(
        self,
        real: RealArrays,
        phantoms: Sequence[PhantomArrays],
        weights: EncoderWeights,
        expected: np.ndarray | None = None,
    ) -> None:
        """`expected`, float (N, L), are the probabilities of models that did not learn these films.

        They stand in where a report says nothing; without them that counts as absent.
        """
        self.real, self.phantoms, self.weights = real, tuple(phantoms), weights
        self.expected = expected
        self.frontal = np.flatnonzero(~real.lateral)
        self.laterals = np.flatnonzero(real.lateral)
        # The patient's sides cannot be read from a lateral film.
        self.placed = np.array([label.side is not None for label in FILM_LABELS])
        self.starts = np.cumsum([0, *(len(part) for part in self.phantoms)])

    def __len__(self) -> int:
        return len(self.frontal) or int(self.starts[-1])

    def __getitem__(self, index: int) -> int:
        return index

    def collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Films uint8 (B, 256, 256): real ones first, then phantoms; and their targets."""
        rows, drawn = self._draw(indices)
        labels = self.real.labels[rows].copy()
        sideways = self.real.lateral[rows]
        labels[sideways[:, None] & self.placed & (labels > ABSENT)] = OPEN
        parts = np.searchsorted(self.starts, drawn, side="right") - 1
        picked = [
            (self.phantoms[part], number - self.starts[part])
            for part, number in zip(parts, drawn, strict=True)
        ]
        shown = np.stack([np.where(part.labels[i], PRESENT, ABSENT) for part, i in picked])
        films = [self.real.films[rows], np.stack([part.films[i] for part, i in picked])]
        known = {}
        if self.expected is not None:
            known["expected"] = torch.from_numpy(self.expected[rows].astype(np.float32))
        return known | {
            "films": torch.from_numpy(np.concatenate(films)),
            "labels": torch.from_numpy(np.concatenate([labels, shown.astype(np.uint8)])),
            "terms": torch.from_numpy(self.real.terms[rows]),
            "lateral": torch.from_numpy(sideways),
            "cover": torch.from_numpy(
                np.stack([part.patches[i][:, : len(DRAWN)] for part, i in picked])
            ),
        }

    def _draw(self, indices: list[int]) -> tuple[np.ndarray, list[int]]:
        """The real films of a batch, and its phantoms."""
        if not len(self.frontal):
            return np.zeros(0, int), indices
        count = len(indices)
        chosen = [self.frontal[indices]]
        if len(self.laterals):
            laterals = torch.randint(len(self.laterals), (round(count * self.weights.laterals),))
            chosen.append(self.laterals[laterals.numpy()])
        drawn = torch.randint(int(self.starts[-1]), (round(count * self.weights.phantoms),))
        return np.concatenate(chosen), drawn.tolist()


class EncoderStage(nn.Module):
    """The encoder with its probe, a head for the reports' index terms, and the loss of all."""

    label_weight: torch.Tensor
    patch_gain: torch.Tensor
    patch_weight: torch.Tensor
    reported: torch.Tensor

    def __init__(self, vision: FilmEncoder, terms: int, weights: EncoderWeights) -> None:
        super().__init__()
        width = vision.config.hidden_size
        self.vision, self.weights = vision, weights
        self.probe = Probe(width, FILM_LABELS, CHANNELS)
        self.probe.embedder.requires_grad_(False)  # trained later, on the final features
        nn.init.constant_(self.probe.patches.bias, -4.0)
        nn.init.constant_(self.probe.heads.bias, -2.0)
        self.terms = nn.Linear(2 * width, terms)
        anywhere = [label.side is None and not label.degrees for label in FILM_LABELS]
        weight = torch.where(torch.tensor(anywhere), 1.0, weights.placed)
        reported = torch.tensor([label.finding not in DRAWN for label in FILM_LABELS])
        for name, value in (
            ("label_weight", weight),
            ("reported", reported),
            ("patch_gain", PATCH_GAIN),
            ("patch_weight", PATCH_WEIGHT),
        ):
            self.register_buffer(name, value.clone(), persistent=False)
        first = {
            label.finding: number
            for number, label in reversed([*enumerate(FILM_LABELS)])
            if (label.side, label.zone, label.degrees) == (None, None, ())
        }
        self.anywhere = [first[channel] for channel in CHANNELS]

    def forward(
        self, films, labels, terms, lateral, cover, expected=None
    ) -> dict[str, torch.Tensor]:
        """The loss of a batch of `EncoderBatches.collate`, and its parts."""
        real = len(terms)
        pixels, maps, is_mirrored = augment(films, self._maps_of(cover, len(films)), MIRRORED)
        hidden = self.vision(pixel_values=pixels).last_hidden_state
        logits, patch_logits = self.probe(F.dropout(hidden, 0.1, self.training))
        logits, patch_logits = logits.float(), patch_logits.float()
        logits = torch.where(is_mirrored[:, None], logits[:, self.probe.mirror_indices], logits)
        pooled = torch.cat([hidden.mean(dim=1), hidden.amax(dim=1)], dim=1)[:real]
        film_weight = torch.where(lateral, self.weights.lateral, 1.0)[:, None]
        w = self.weights
        parts = {
            "drawn": w.drawn * self._drawn_loss(logits[real:], labels[real:]),
            "patches": w.drawn * w.patches * self._patch_loss(patch_logits[real:], maps[real:]),
        }
        if real:
            terms_logits = self.terms(F.dropout(pooled, 0.2, self.training)).float()
            states = labels[:real]
            parts |= {
                "real": self._label_loss(logits[:real], states, expected, film_weight),
                "pooled": w.pooled
                * self._pooled_loss(patch_logits[:real], states, expected, film_weight),
                "terms": w.terms * F.binary_cross_entropy_with_logits(terms_logits, terms.float()),
            }
        loss = torch.stack([*parts.values()]).sum()
        return {"loss": loss, **{name: value.detach() for name, value in parts.items()}}

    def _maps_of(self, cover: torch.Tensor, films: int) -> torch.Tensor:
        """The cover (P, 256, C) of the phantoms as maps (films, C, 16, 16), real ones empty."""
        edge = round(cover.shape[1] ** 0.5)
        maps = cover.new_zeros(films, cover.shape[2], edge, edge, dtype=torch.float32)
        maps[-len(cover) :] = cover.transpose(1, 2).reshape(len(cover), -1, edge, edge) / 255
        return maps

    def _targets(self, states, expected=None) -> tuple[torch.Tensor, torch.Tensor]:
        """Targets and weights of label states (B, L)."""
        w = self.weights
        target = (states == PRESENT).float() + w.hedged * (states == UNCERTAIN).float()
        if expected is not None:
            target = torch.where(states == UNMENTIONED, w.trusted * expected, target)
            target = torch.where(states == OPEN, expected, target)
        weight = torch.ones_like(target)
        unplaced = 0.0 if expected is None else w.trusted
        for state, value in (
            (UNMENTIONED, w.unmentioned),
            (UNCERTAIN, w.uncertain),
            (OPEN, unplaced),
        ):
            weight = torch.where(states == state, value, weight)
        return target, weight

    def _label_loss(self, logits, states, expected, film_weight) -> torch.Tensor:
        target, weight = self._targets(states, expected)
        loss = F.binary_cross_entropy_with_logits(
            logits, target, weight * self.label_weight * film_weight, reduction="sum"
        )
        return loss / (len(logits) * self.label_weight.sum())

    def _pooled_loss(self, patch_logits, states, expected, film_weight) -> torch.Tensor:
        """The loss of each finding's soft maximum over the patches.

        Log-mean-exp of the patches' logits (Pinheiro and Collobert 2015, arXiv:1411.6228).
        """
        count = float(np.log(patch_logits.shape[1]))
        films = torch.logsumexp(patch_logits, dim=1) - count + 3.0
        known = None if expected is None else expected[:, self.anywhere]
        target, weight = self._targets(states[:, self.anywhere], known)
        return F.binary_cross_entropy_with_logits(films, target, weight * film_weight)

    def _drawn_loss(self, logits, states) -> torch.Tensor:
        weight = torch.where(self.reported, self.weights.reported_absent, 1.0)
        return F.binary_cross_entropy_with_logits(
            logits, (states == PRESENT).float(), weight.expand_as(logits)
        )

    def _patch_loss(self, patch_logits, maps) -> torch.Tensor:
        target = maps.flatten(2).transpose(1, 2) * self.patch_gain
        return F.binary_cross_entropy_with_logits(
            patch_logits[:, :, : len(DRAWN)], target.clamp(max=1), pos_weight=self.patch_weight
        )
