"""Muon for the matrices of a transformer and AdamW for everything else, as one optimiser.

torch's Muon iterates in bfloat16, which a CPU without AMX emulates at a fraction of the speed.
This one iterates in float32 on a CPU.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic Newton-Schulz iteration
ITERATIONS = 5


def orthogonalise(matrix: torch.Tensor) -> torch.Tensor:
    """Approximate the nearest orthogonal matrix: singular values end between about 0.7 and 1.2."""
    dtype = torch.bfloat16 if matrix.is_cuda else torch.float32
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if is_tall else matrix).to(dtype)
    x = x / (x.norm() + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if is_tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """An optimiser for matrices whose steps have the same size in every direction.

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
        """Take one step from the current gradients."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                mean = state.setdefault("mean", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - group["momentum"])
                nesterov = p.grad.lerp(mean, group["momentum"])
                # A convolution's kernel counts as a matrix with one row for each output channel.
                step = orthogonalise(nesterov.flatten(1))
                size = 0.2 * max(step.shape) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(step.view_as(p), alpha=-group["lr"] * size)


class MuonAndAdamW(torch.optim.Optimizer):
    """Two optimisers with the interface of one, for transformers' Trainer."""

    def __init__(self, muon: Muon, adamw: torch.optim.AdamW) -> None:
        self._parts = (muon, adamw)
        groups = [group for part in self._parts for group in part.param_groups]
        super().__init__([p for group in groups for p in group["params"]], {})
        # The very dictionaries of both, so that a learning-rate schedule changes both.
        self.param_groups = groups
        self.state = defaultdict(dict)

    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take one step of both."""
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of both, for a checkpoint."""
        return {str(i): part.state_dict() for i, part in enumerate(self._parts)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        for i, part in enumerate(self._parts):
            part.load_state_dict(state_dict[str(i)])
        self.param_groups = [group for part in self._parts for group in part.param_groups]


def build_optimiser(model: nn.Module, learning_rate: float, muon_rate: float) -> MuonAndAdamW:
    """Muon for linear layers in transformer blocks and for inner convolutions, AdamW for the rest.

    The rest are embeddings, heads, norms, and convolutions with fewer than 16 channels on a side.
    """
    matrix_ids = {
        id(module.weight)
        for name, module in model.named_modules()
        if (isinstance(module, nn.Linear) and ".layers." in f".{name}.")
        or (isinstance(module, nn.Conv2d) and min(module.in_channels, module.out_channels) >= 16)
    }
    parameters = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in parameters if id(p) in matrix_ids]
    rest = [p for p in parameters if id(p) not in matrix_ids]
    return MuonAndAdamW(
        Muon(matrices, muon_rate, weight_decay=0.05),
        torch.optim.AdamW(rest, learning_rate, betas=(0.9, 0.98), weight_decay=0.05),
    )
