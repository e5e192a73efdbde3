"""Trains the embedding on reports, and fits the probe's thresholds, once the encoder is trained.

The embedding of a film is pulled towards that of its own report and pushed from those of others
(Zhai et al. 2023, "Sigmoid loss for language image pre-training"). Films whose reports assert the
same findings count as pairs too, so that similarity is clinical similarity. The encoder is frozen,
so that this takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from assistant.backbones.probe.probe import Probe

STEPS, BATCH = 1500, 256


class ReportTower(nn.Module):
    """The text encoder: the words of an impression as a bag, to a unit embedding."""

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(vocabulary, 192, mode="sum")
        self.out = nn.Sequential(nn.LayerNorm(192), nn.Linear(192, 192), nn.GELU())
        self.last = nn.Linear(192, dim)

    def forward(self, ids: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, D) of all reports' token ids in one row; each begins at `offsets` (B,)."""
        return F.normalize(self.last(self.out(self.bag(ids, offsets))), dim=-1)


def _clinical_keys(records: Sequence[dict[str, Any]], findings: Sequence[str]) -> np.ndarray:
    """A number for each film; films with the same true findings and sides share it."""
    sets = [
        tuple(sorted({(t[0], t[2] or "") for t in r["truth"] if t[0] in findings})) for r in records
    ]
    numbers = {key: i for i, key in enumerate(sorted(set(sets)))}
    return np.array([numbers[key] for key in sets])


def fit_embedding(
    probe: Probe,
    hidden: tuple[torch.Tensor, torch.Tensor],
    records: Sequence[dict[str, Any]],
    tokenizer: Any,
    findings: Sequence[str],
    *,
    seed: int,
) -> None:
    """Train the probe's embedding in place.

    `hidden` is the label logits (N, L) and the mean feature (N, W) of the films of `records`.
    """
    generator = torch.Generator().manual_seed(seed)
    set_embedding_labels(probe, findings)
    keys = torch.from_numpy(_clinical_keys(records, findings))
    texts = [tokenizer(r["impression"], add_special_tokens=False)["input_ids"] for r in records]
    tower = ReportTower(len(tokenizer), probe.learnt_dim)
    scale = nn.Parameter(torch.tensor([10.0, -6.0]))  # sharpness and bias of the sigmoid
    probe.embedder.requires_grad_(True)
    parameters = [*probe.embedder.parameters(), *tower.parameters(), scale]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.01)
    steps = min(STEPS, len(records))  # fewer for the few films of a test
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    logits, mean = hidden
    for _ in range(steps):
        batch = torch.randint(len(records), (BATCH,), generator=generator)
        film = probe.embed_as_report(logits[batch], mean[batch])
        batch_texts = [texts[i] for i in batch.tolist()]
        lengths = torch.tensor([0, *(len(t) for t in batch_texts[:-1])]).cumsum(0)
        report = tower(torch.tensor([i for t in batch_texts for i in t]), lengths)
        same = (keys[batch][:, None] == keys[batch][None]).float() * 2 - 1
        loss = torch.zeros(())
        for first, second in ((film, report), (film, film)):
            log_likelihood = F.logsigmoid(same * (scale[0] * first @ second.T + scale[1]))
            # Matching pairs are few: both kinds get the same weight.
            for kind in (1, -1):
                loss = loss - log_likelihood[same == kind].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def set_embedding_labels(probe: Probe, findings: Sequence[str]) -> None:
    """Group the probe's labels by finding and side, for the similarity of films."""
    places = [
        (label.finding, label.side) if label.finding in findings and not label.degrees else None
        for label in probe.labels
    ]
    numbers = {place: i for i, place in enumerate(dict.fromkeys(p for p in places if p))}
    probe.alike[:] = torch.tensor([-1 if p is None else numbers[p] for p in places])


def fit_label_thresholds(
    probe: Probe, logits: torch.Tensor, labels: np.ndarray, minimum: int = 1
) -> None:
    """Set each finding's threshold to that with the highest F1 on validation films.

    `logits` are (N, L); `labels` (N, L) are 1 for true, 0 for false and NaN for unknown. All sides
    and zones of a finding share a threshold, as each alone is too rare. A finding that is true
    fewer than `minimum` times keeps its threshold.
    """
    probabilities = torch.sigmoid(logits).numpy()
    for key in dict.fromkeys((one.finding, one.degrees) for one in probe.labels):
        columns = [i for i, one in enumerate(probe.labels) if (one.finding, one.degrees) == key]
        truth = labels[:, columns].astype(np.float32).ravel()
        probability = probabilities[:, columns].ravel()
        is_known = ~np.isnan(truth)
        true, probability = truth[is_known] > 0, probability[is_known]
        if true.sum() < minimum:
            continue
        order = np.argsort(-probability)
        true_positives = np.cumsum(true[order])
        f1 = 2 * true_positives / (np.arange(1, len(order) + 1) + true.sum())
        best = int(f1.argmax())
        next_probability = probability[order[min(best + 1, len(order) - 1)]]
        threshold = float(np.clip((probability[order[best]] + next_probability) / 2, 0.02, 0.98))
        probe.thresholds[columns] = threshold
