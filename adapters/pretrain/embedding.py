"""After the encoder: its embedding learns what the reports say, and its probe where to decide.

The embedding of a film is pulled towards that of its own report and pushed from those of others
(Zhai et al. 2023, "Sigmoid loss for language image pre-training"); films whose reports assert the
same count as pairs too, so that likeness is clinical likeness. The encoder itself is finished by
now, so that this takes seconds.
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
    """The report's side: the words of its impression as a bag, to a unit embedding."""

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(vocabulary, 192, mode="sum")
        self.out = nn.Sequential(nn.LayerNorm(192), nn.Linear(192, 192), nn.GELU())
        self.last = nn.Linear(192, dim)

    def forward(self, ids: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, D) of token ids in one row, `offsets` (B,) where each report begins."""
        return F.normalize(self.last(self.out(self.bag(ids, offsets))), dim=-1)


def _keys(records: Sequence[dict[str, Any]], findings: Sequence[str]) -> np.ndarray:
    """One number for all films of which the same findings and sides are true."""
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
    keys = torch.from_numpy(_keys(records, findings))
    texts = [tokenizer(r["impression"], add_special_tokens=False)["input_ids"] for r in records]
    words = ReportTower(len(tokenizer), probe.learnt)
    scale = nn.Parameter(torch.tensor([10.0, -6.0]))  # sharpness and bias of the sigmoid
    probe.embedder.requires_grad_(True)
    trained = [*probe.embedder.parameters(), *words.parameters(), scale]
    optimiser = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.01)
    steps = min(STEPS, len(records))  # a toy needs no more
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    logits, mean = hidden
    for _ in range(steps):
        picked = torch.randint(len(records), (BATCH,), generator=generator)
        film = probe.described(logits[picked], mean[picked])
        chosen = [texts[i] for i in picked.tolist()]
        lengths = torch.tensor([0, *(len(t) for t in chosen[:-1])]).cumsum(0)
        report = words(torch.tensor([i for t in chosen for i in t]), lengths)
        same = (keys[picked][:, None] == keys[picked][None]).float() * 2 - 1
        loss = torch.zeros(())
        for one, other in ((film, report), (film, film)):
            apart = F.logsigmoid(same * (scale[0] * one @ other.T + scale[1]))
            # Pairs are few among all: each kind weighs the same.
            for kind in (1, -1):
                loss = loss - apart[same == kind].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        plan.step()


def set_embedding_labels(probe: Probe, findings: Sequence[str]) -> None:
    """Let films be alike where the probe tells the same findings on the same sides."""
    places = [
        (one.finding, one.side) if one.finding in findings and not one.degrees else None
        for one in probe.labels
    ]
    numbers = {place: i for i, place in enumerate(dict.fromkeys(p for p in places if p))}
    probe.alike[:] = torch.tensor([-1 if p is None else numbers[p] for p in places])


def fit_thresholds(probe: Probe, logits: torch.Tensor, labels: np.ndarray, fewest: int = 1) -> None:
    """Set each finding's threshold where its F1 on validation films is highest.

    `logits` are (N, L), `labels` (N, L) are 1 where true, 0 where false and NaN where not known.
    The places of one finding share a threshold, as each alone is too rare to set its own; a
    finding that is true fewer than `fewest` times keeps the threshold that it has.
    """
    chances = torch.sigmoid(logits).numpy()
    for key in dict.fromkeys((one.finding, one.degrees) for one in probe.labels):
        columns = [i for i, one in enumerate(probe.labels) if (one.finding, one.degrees) == key]
        told, chance = labels[:, columns].astype(np.float32).ravel(), chances[:, columns].ravel()
        known = ~np.isnan(told)
        true, chance = told[known] > 0, chance[known]
        if true.sum() < fewest:
            continue
        order = np.argsort(-chance)
        hits = np.cumsum(true[order])
        f1 = 2 * hits / (np.arange(1, len(order) + 1) + true.sum())
        best = int(f1.argmax())
        nxt = chance[order[min(best + 1, len(order) - 1)]]
        limit = float(np.clip((chance[order[best]] + nxt) / 2, 0.02, 0.98))
        probe.thresholds[columns] = limit
