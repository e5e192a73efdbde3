"""Products by the weights of linear layers, in the form that the processor multiplies fastest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from assistant.backbones.device import has_bfloat16

LinearOp = Callable[[torch.Tensor], torch.Tensor]  # x (N, in) to (N, out)

_NATIVE = has_bfloat16()
_ONEDNN = torch.backends.mkldnn.is_available()
_WIDE = bool(torch.cpu.get_capabilities().get("avx512_f"))
_SMALL = 1 << 20  # numbers in a weight that may be held in two orders
_ROWS = 32  # for which oneDNN orders a weight; more rows lose nothing by it


def linear_op_of(weights: Sequence[torch.Tensor], *, alone: bool = False) -> LinearOp:
    """One product by several weights, each (out, in): all their outputs beside each other.

    A model's own parameters become parts of what is made, else a large model would be held twice.
    `alone` says that nothing else will compute with them: they may then be taken apart.
    """
    whole = torch.cat([weight.detach() for weight in weights])
    own = [weight for weight in weights if isinstance(weight, nn.Parameter)]
    if _bfloat16(whole) and (alone or not own):
        for weight in own:
            weight.data = weight.new_empty(0)
        return _packed(whole, 1)
    parts = whole.split([len(weight) for weight in weights])
    for weight, part in zip(weights, parts, strict=True):
        if isinstance(weight, nn.Parameter):
            weight.data = part
    return _either(whole)


def head_op_of(weight: torch.Tensor) -> LinearOp:
    """The product by a weight that others go on using."""
    return _packed(weight.detach(), 1) if _bfloat16(weight) else _either(weight.detach())


def pack_linear(module: nn.Module) -> None:
    """Let the small layers within a module that no adapter changes take several rows faster."""
    for name, child in module.named_children():
        if type(child) is nn.Linear and _gains(child.weight):
            setattr(module, name, _Linear(child))
        elif not hasattr(child, "get_delta_weight"):
            pack_linear(child)


class _Linear(nn.Module):
    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._product = _packed(linear.weight.detach(), _ROWS, linear.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._product(x)


def _bfloat16(weight: torch.Tensor) -> bool:
    """Whether oneDNN has its own order for such a weight: one row then takes half the time."""
    on_cpu = weight.dtype == torch.bfloat16 and weight.device.type == "cpu"
    return on_cpu and _NATIVE and _ONEDNN


def _gains(weight: torch.Tensor) -> bool:
    """Whether a copy in oneDNN's order is worth its memory: several rows are then taken faster."""
    on_cpu = weight.dtype == torch.float32 and weight.device.type == "cpu"
    return on_cpu and weight.numel() <= _SMALL and _WIDE and _ONEDNN


def _packed(weight: torch.Tensor, rows: int, bias: torch.Tensor | None = None) -> LinearOp:
    made = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, made, bias, "none", [], "")


def _either(weight: torch.Tensor) -> LinearOp:
    """The product by a weight as it lies for one row, in oneDNN's order for several."""
    plain = _plain(weight)
    if not _gains(weight):
        return plain
    packed = _packed(weight, _ROWS)
    return lambda x: plain(x) if len(x) == 1 else packed(x)


def _plain(weight: torch.Tensor) -> LinearOp:
    converted = weight.dtype == torch.bfloat16 and weight.device.type == "cpu"

    def product(x: torch.Tensor) -> torch.Tensor:
        if converted and len(x) == 1 and not _NATIVE:  # torch has a faster way for one row
            return torch.mv(weight, x[0])[None]
        return F.linear(x, weight)

    return product
