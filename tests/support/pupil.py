"""A small pupil whose training is stopped, as by a kill, after so many batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch

MANY = 1000
DATA = torch.utils.data.StackDataset(range(30))


class KilledError(Exception):
    """As a run is by a signal: nothing after it is done."""


class Pupil(torch.nn.Module):
    def __init__(self, batches: int = MANY):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh())
        self.last = torch.nn.Linear(8, 1)
        self.left = batches

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
        self.left -= 1
        if self.left < 0:
            raise KilledError
        return {"loss": (self.last(self.layers(x)) - y).pow(2).mean()}


def collate(rows: Sequence[tuple[int]]) -> dict[str, torch.Tensor]:
    """What the rows of `DATA` stand for."""
    x = torch.tensor([[n / 30, 1 - n / 30, n % 2, n % 3] for (n,) in rows])
    return {"x": x, "y": x[:, :1] * x[:, 2:3]}
