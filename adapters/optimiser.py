"""Muon for the matrices of a transformer, AdamW for all else, as one optimiser.

torch has Muon, but iterates in bfloat16, which a CPU without AMX emulates at a fraction of the
speed; here the iteration is in float32 there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic of Newton and Schulz
ITERATIONS = 5


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """The nearest orthogonal matrix, roughly: singular values end within about 0.7 to 1.2."""
    half = torch.bfloat16 if matrix.is_cuda else torch.float32
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).to(half)
    x = x / (x.norm() + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Steps of equal size in every direction of a matrix.

    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the step is
    scaled to AdamW's size (Liu et al. 2025, "Muon is scalable for LLM training").
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step from the gradients at hand."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                mean = state.setdefault("mean", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - group["momentum"])
                ahead = p.grad.lerp(mean, group["momentum"])  # Nesterov's look ahead
                step = orthogonal(ahead.flatten(1))  # a kernel is a matrix to its outputs
                size = 0.2 * max(step.shape) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(step.view_as(p), alpha=-group["lr"] * size)


class MuonAndAdamW(torch.optim.Optimizer):
    """Two optimisers behind the face of one, for transformers' Trainer."""

    def __init__(self, muon: Muon, adamw: torch.optim.AdamW) -> None:
        self._parts = (muon, adamw)
        groups = [group for part in self._parts for group in part.param_groups]
        super().__init__([p for group in groups for p in group["params"]], {})
        # The same dictionaries, so that a schedule of the learning rate reaches both.
        self.param_groups = groups
        self.state = defaultdict(dict)

    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step of both."""
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of both, for a checkpoint."""
        return {str(i): part.state_dict() for i, part in enumerate(self._parts)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of a checkpoint."""
        for i, part in enumerate(self._parts):
            part.load_state_dict(state_dict[str(i)])
        self.param_groups = [group for part in self._parts for group in part.param_groups]


def build_optimiser(model: nn.Module, learning_rate: float, muon_rate: float) -> MuonAndAdamW:
    """Muon for linear layers inside transformer blocks and for convolutions within a network.

    AdamW has the rest: embeddings, heads, norms, and what meets pixels.
    """
    inside = {
        id(module.weight)
        for name, module in model.named_modules()
        if (isinstance(module, nn.Linear) and ".layers." in f".{name}.")
        or (isinstance(module, nn.Conv2d) and min(module.in_channels, module.out_channels) >= 16)
    }
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if id(p) in inside]
    rest = [p for p in trained if id(p) not in inside]
    return MuonAndAdamW(
        Muon(matrices, muon_rate, weight_decay=0.05),
        torch.optim.AdamW(rest, learning_rate, betas=(0.9, 0.98), weight_decay=0.05),
    )
